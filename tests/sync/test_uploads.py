"""Uploads: behind an intent, with the octets as they are, refused ones kept and not repeated in every pass."""

import os
from types import SimpleNamespace

import pytest
import structlog

from daemon.model.errors import ConnectionLost, Throttled
from daemon.model.events import EventName
from daemon.model.flags import FLAGGED, SEEN, Flag
from daemon.sync.refusals import FINAL_RETRY_SECONDS, REFUSAL_RETRY_SECONDS
from daemon.sync.unrest import FIRST_REST_SECONDS
from tests.support.bridge import open_bridge
from tests.support.server_side import server_side
from tests.sync.stage import (
    NOON,
    LeapingClock,
    agree,
    entries,
    events,
    letter,
    messages,
    put,
    sha,
    sync_through,
)


async def test_file_goes_up_with_its_flags_and_its_date(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="FS")
        assert (await bridge.sync()).uploaded == 1
        (message,) = stage.box().messages.values()
        assert (message.octets, message.flags, message.internal_date) == (letter(1), {SEEN, FLAGGED}, NOON)
        await agree(bridge, stage)
        assert [event.data["origin"] for event in await events(bridge, EventName.MESSAGE_NEW)] == ["local"]
        assert not await bridge.store.intents.pending(bridge.settings.id)


async def test_large_and_odd_files_go_up_byte_for_byte(stage):
    """S34: no headers, no final newline, CR only; above the size that is gathered in memory."""
    odd = [
        b"no header at all",
        b"Subject: x\r\n\r\nno final newline",
        b"\r\r\r",
        b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 100_000,
    ]
    async with stage.bridge() as bridge:
        await bridge.sync()
        for number, octets in enumerate(odd):
            put(bridge, f"{number}.me", octets, letters="S")
        assert (await bridge.sync()).uploaded == 4
        assert stage.there() == sorted(map(sha, odd))
        await agree(bridge, stage)


async def test_over_quota_keeps_the_file_goes_on_reading_and_is_not_looped(stage):
    """S4."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        rule = stage.line.refuse(rb"APPEND", b"NO [OVERQUOTA] full")
        put(bridge, "1.me", letter(1), letters="S")
        stage.deliver(letter(2))
        result = await bridge.run_pass()
        assert (result.uploaded, result.failed, result.downloaded) == (0, 1, 1)
        for _ in range(3):
            await bridge.sync()
        assert len(rule.seen) == 1
        assert "1.me" in await bridge.files()
        assert not await bridge.store.intents.pending(bridge.settings.id)
        stage.line.rules.remove(rule)
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).uploaded == 1, "a restart asks at once"
        await agree(bridge, stage)


async def test_message_above_the_servers_limit_is_refused_before_an_octet_of_it_is_sent(stage):
    """RFC 7889: said once, kept here, asked again once a day; the others go up."""
    stage.line.replace(rb" LITERAL\+", b" LITERAL+ APPENDLIMIT=500")
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1, "x" * 500), letters="S")
        put(bridge, "2.me", letter(2), letters="S")
        with structlog.testing.capture_logs() as lines:
            result = await bridge.sync()
            assert (result.uploaded, stage.there()) == (1, [sha(letter(2))])
            clock.ahead = REFUSAL_RETRY_SECONDS * 3
            await bridge.sync()
        [told] = [line for line in lines if line["event"] == "upload.refused"]
        assert (told["file"], told["reason"]) == ("1.me", "message_too_large")
        assert stage.line.count(b"APPEND") == 1
        assert "1.me" in await bridge.files()


async def test_message_the_server_calls_too_big_is_not_sent_every_quarter_of_an_hour(stage):
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        await bridge.sync()
        rule = stage.line.refuse(rb"APPEND", b"NO [TOOBIG] too big")
        put(bridge, "1.me", letter(1), letters="S")
        await bridge.sync()
        clock.ahead = REFUSAL_RETRY_SECONDS * 3
        await bridge.sync()
        assert len(rule.seen) == 1
        stage.line.rules.remove(rule)
        clock.ahead = FINAL_RETRY_SECONDS + 1
        assert (await bridge.sync()).uploaded == 1
        await agree(bridge, stage)


@pytest.mark.dovecot
async def test_account_over_its_quota_is_told_with_its_figures_and_reads_on(dovecot_factory, tmp_path):
    """RFC 9208, against the real thing: four of five messages fit."""
    server = dovecot_factory(
        auto="no",
        extra="mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n"
        "plugin {\n  quota = count:User quota\n  quota_rule = *:messages=4\n  quota_vsizes = yes\n}",
    )
    mailbag = SimpleNamespace(server=server, user="full", password=server.password)
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        with server_side(mailbag) as side:
            side.append(letter(0))
            side.append(letter(1))
            await bridge.sync()
            for number in (2, 3, 4):
                put(bridge, f"{number}.me", letter(number), letters="S")
            side.store(side.uids(), "+", "\\Flagged")
            with structlog.testing.capture_logs() as lines:
                result = await bridge.sync()
            assert (result.uploaded, result.flags_changed) == (2, 2)
            assert len(side.uids()) == 4
            assert len(await bridge.files()) == 5
            [refused] = [line for line in lines if line["event"] == "upload.refused"]
            assert refused["code"] == "OVERQUOTA"
            [full] = [line for line in lines if line["event"] == "quota.reported"]
            assert (full["resource"], full["used"], full["limit"]) == ("MESSAGE", 4, 4)
            side.expunge(side.uids()[:1])
            assert (await bridge.sync()).removed_here == 1
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        assert (await bridge.sync()).uploaded == 1


async def test_plea_for_patience_stops_the_account_and_not_the_message(stage):
    """S3: throttling is no verdict on a message; fifteen minutes of silence about it would be wrong."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.line.refuse(rb"APPEND", b"NO [THROTTLED] slowly", times=1)
        put(bridge, "1.me", letter(1), letters="S")
        with pytest.raises(Throttled):
            await bridge.run_pass()
        assert (await bridge.sync()).uploaded == 1
        await agree(bridge, stage)


async def test_keyword_the_mailbox_does_not_keep_stays_the_files_own(stage):
    r"""S28: no \* in PERMANENTFLAGS. Base must not say that the server has it: its absence would look like a removal."""
    stage.line.replace(rb"\[PERMANENTFLAGS \([^)]*\)\]", rb"[PERMANENTFLAGS (\\Seen \\Deleted)]")
    async with stage.bridge() as bridge:
        await bridge.sync()
        (bridge.tree.root / "dovecot-keywords").write_text("0 work\n")
        put(bridge, "1.me", letter(1), letters="FSa")
        assert (await bridge.sync()).uploaded == 1
        assert stage.flags_there() == {1: {SEEN}}
        path = (await bridge.files())["1.me"]
        assert path.name.endswith(":2,FSa")
        assert (await bridge.sync()).is_quiet


async def test_file_that_vanishes_before_it_is_sent_costs_nothing_but_itself(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        gone = put(bridge, "1.me", letter(1), letters="S")
        put(bridge, "2.me", letter(2), letters="S")
        stage.line.before_command = lambda command: (
            gone.unlink(missing_ok=True) if command.startswith(b"STATUS") else None
        )
        await sync_through(bridge)
        assert stage.there() == [sha(letter(2))]
        await agree(bridge, stage)


async def test_file_that_grows_while_it_is_sent_is_sent_again_when_it_is_whole(stage):
    """A program that copies straight into cur/: the account must not stop as if it were our own mistake."""
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")

        def grow(command: bytes) -> None:
            if command.startswith(b"STATUS") and path.stat().st_size == len(letter(1)):
                with path.open("ab") as file:
                    file.write(b"more\r\n")
                os.utime(path, (NOON, NOON))

        stage.line.before_command = grow
        await sync_through(bridge)
        clock.ahead += FIRST_REST_SECONDS
        await bridge.sync()
        assert stage.there() == [sha(letter(1) + b"more\r\n")]
        await agree(bridge, stage)


@pytest.mark.parametrize("reply", [b"", b"[APPENDUID 99 1] "])
async def test_appenduid_absent_or_of_another_validity_is_found_by_the_intent(stage, reply):
    """S26."""
    stage.line.replace(rb"\[APPENDUID [^]]*\] ?", reply)
    async with stage.bridge() as bridge:
        stage.deliver(letter(0))
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="S")
        put(bridge, "2.me", letter(1), letters="")
        assert (await bridge.sync()).uploaded == 2
        assert len(stage.there()) == 3, "none repeated"
        assert len(await bridge.files()) == 3, "none came down beside its file"
        await agree(bridge, stage)
        assert len(await events(bridge, EventName.MESSAGE_NEW)) == 2


async def test_appenduid_of_another_message_is_not_believed(stage):
    """It would bind the file to that message, whose own octets would then never come down."""
    stage.line.replace(rb"\[APPENDUID (\d+) \d+\]", rb"[APPENDUID \1 1]")
    async with stage.bridge() as bridge:
        stage.deliver(letter(0))
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="S")
        await bridge.sync()
        assert {entry.uid for entry in await entries(bridge)} == {1, 2}
        await agree(bridge, stage)


async def test_mailbox_renumbered_during_the_pass_gets_nothing_under_old_numbers(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="S")
        stage.line.before_command = lambda command: (
            stage.box().reset(4321)
            if command.startswith(b"STATUS") and stage.box().uid_validity != 4321
            else None
        )
        await sync_through(bridge)
        assert stage.there() == [sha(letter(1))]
        await agree(bridge, stage)


async def test_line_lost_during_a_batch_sends_the_rest_and_nothing_twice(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        for number in range(100):
            put(bridge, f"{number}.me", letter(number), letters="S")
        for _ in range(3):
            stage.line.lose(rb"APPEND.*letter [1-9]7\r\n")
        await sync_through(bridge, tries=6)
        assert stage.there() == sorted(sha(letter(number)) for number in range(100))
        await agree(bridge, stage)
        assert len(await messages(bridge)) == 100


async def test_server_without_literal_plus_takes_files_one_by_one(stage):
    stage.line.replace(rb" LITERAL\+", b"")
    async with stage.bridge() as bridge:
        await bridge.sync()
        for number in range(3):
            put(bridge, f"{number}.me", letter(number), letters="S")
        assert (await bridge.sync()).uploaded == 3
        await agree(bridge, stage)


async def test_keyword_of_ours_and_of_the_server_in_another_spelling_settles(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        (bridge.tree.root / "dovecot-keywords").write_text("0 Work\n")
        put(bridge, "1.me", letter(1), letters="a")
        await bridge.sync()
        stage.box().set_flags(1, frozenset({Flag("work")}))
        await bridge.sync()
        assert (await bridge.sync()).is_quiet


async def test_lost_line_is_told_to_the_caller(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="S")
        stage.line.cut(rb"APPEND")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()


@pytest.mark.parametrize("mtime", [0, -86_400, 253_402_300_800, 2**40])
async def test_file_with_an_odd_time_goes_up(stage, mtime):
    """L21 and S31: before 1970, after 9999."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")
        os.utime(path, (mtime, mtime))
        assert (await bridge.sync()).uploaded == 1
        assert await bridge.digests() == stage.there()
        assert (await bridge.sync()).is_quiet


async def test_file_that_grows_costs_the_line_once_and_keeps_no_other_waiting(stage):
    """Somebody copies a large message in slowly, on a server that allows a login a minute."""
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")
        put(bridge, "2.me", letter(2), letters="S")

        def grow(command: bytes) -> None:
            if b"STATUS INBOX" in command:  # asked when the octets have been read and before they are sent
                with path.open("ab") as file:
                    file.write(b"more\r\n")
                os.utime(path, (NOON, NOON))

        stage.line.before_command = grow
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        for _ in range(4):
            await bridge.run_pass()
            grow(b"STATUS INBOX")
        assert stage.there() == [sha(letter(2))], "the line was kept, the other file went up"
        clock.ahead += FIRST_REST_SECONDS
        await bridge.run_pass()
        assert len(stage.there()) == 1, "it has grown since the last look"
        stage.line.before_command = None
        clock.ahead += FIRST_REST_SECONDS
        assert (await bridge.sync()).uploaded == 1
        assert await bridge.digests() == stage.there()
        await agree(bridge, stage)


async def test_file_that_grows_while_it_is_read_is_not_sent(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")
        put(bridge, "2.me", letter(2), letters="S")
        contents_of = bridge.tree.contents_of

        async def while_it_grows(*args):
            found = await contents_of(*args)
            with path.open("ab") as file:
                file.write(b"more\r\n")
            return found

        bridge.tree.contents_of = while_it_grows
        for _ in range(3):
            await bridge.run_pass()
        assert stage.there() == [sha(letter(2))]
        assert not [intent.maildir_name for intent in await bridge.store.intents.pending(bridge.settings.id)]
