"""Downloads: byte for byte, in batches, each message once; one that cannot be had holds up nothing."""

import pytest

from daemon.model.errors import StoreError
from daemon.model.events import EventName
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.views import BaseState, RemoteEntry
from daemon.sync.downloads import RETRY_FIRST_SECONDS, total_size
from daemon.sync.filling import BATCH_MESSAGES
from tests.sync.stage import NOON, LeapingClock, agree, entries, events, letter, messages, sha

ODD = [
    b"",
    b"no header",
    b"\r\n\r\n",
    b"Subject: no final newline",
    b"bare\nnewlines\n\nhere\n",
    b"\r\r\r",
    b"Subject: nul\r\n\r\n\x00\xff\r\n",
    b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 80_000,
]


async def test_every_kind_of_octets_arrives_as_it_was_sent(stage):
    """S34: empty, without headers, without a final newline, CR only, larger than what is held in memory."""
    stage.deliver(*ODD)
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).downloaded == len(ODD)
        assert await bridge.digests() == sorted(map(sha, ODD))
        await agree(bridge, stage)


@pytest.mark.parametrize("factor", [rb"1\1", b"0", b"7"])
async def test_octets_win_over_a_wrong_size(stage, factor):
    """S14."""
    stage.line.replace(rb"RFC822.SIZE (\d+)", b"RFC822.SIZE " + factor)
    stage.deliver(*ODD)
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert await bridge.digests() == sorted(map(sha, ODD))
        sizes = {sha(one): len(one) for one in ODD}
        for one in await messages(bridge):
            assert one.content.file_size == sizes[one.content.file_sha256.hex()]
        await agree(bridge, stage)


async def test_date_of_the_server_is_the_file_s_and_flags_decide_the_directory(stage):
    stage.deliver(letter(1))
    stage.deliver(letter(2), flags={SEEN, FLAGGED})
    async with stage.bridge() as bridge:
        await bridge.sync()
        paths = {path.read_bytes(): path for path in (await bridge.files()).values()}
        assert paths[letter(1)].parent.name == "new"
        assert paths[letter(2)].name.endswith(":2,FS")
        assert {int(path.stat().st_mtime) for path in paths.values()} == {NOON}


@pytest.mark.parametrize("date", [b'"99-Foo-0000 00:00:00 +0000"', b'"01-Jan-9999 00:00:00 +0000"'])
async def test_odd_internal_date_is_no_reason_not_to_store(stage, date):
    """S31."""
    stage.line.replace(rb'INTERNALDATE "[^"]*"', b"INTERNALDATE " + date)
    stage.deliver(letter(1), letter(2))
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).downloaded == 2
        assert (await bridge.sync()).is_quiet


async def test_more_than_a_batch_is_stored_whole(stage):
    stage.deliver(*(letter(number) for number in range(BATCH_MESSAGES + 30)))
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).downloaded == BATCH_MESSAGES + 30
        await agree(bridge, stage)


async def test_message_that_cannot_be_had_is_noted_and_tried_again_with_its_date(stage):
    """Sync.md 5: it does not hold back the mark; design.md 4.5: nor the others."""
    clock = LeapingClock()
    stage.deliver(letter(1), letter(2), letter(3))
    async with stage.bridge(clock=clock) as bridge:
        rule = stage.line.refuse(rb"UID FETCH (1:3|2) .*BODY.PEEK\[\]", b"NO [SERVERBUG] cannot")
        result = await bridge.sync()
        assert (result.downloaded, result.failed) == (2, 1)
        states = {entry.uid: entry.state for entry in await entries(bridge)}
        assert states[2] is BaseState.FAILED
        record = await bridge.store.mailboxes.get(bridge.settings.id, "INBOX")
        assert record.uid_next == 4
        seen = len(rule.seen)
        assert (await bridge.sync()).is_quiet
        assert len(rule.seen) == seen, "not in every pass"
        stage.line.rules.clear()
        clock.ahead = RETRY_FIRST_SECONDS + 1
        assert (await bridge.sync()).downloaded == 1
        await agree(bridge, stage)
        ((late),) = [one for one in await messages(bridge) if one.uid == 2]
        assert late.internal_date == NOON + 1, "not the hour of the second try"


async def test_failed_message_that_is_expunged_is_forgotten(stage):
    stage.deliver(letter(1), letter(2))
    async with stage.bridge() as bridge:
        stage.line.refuse(rb"UID FETCH (1:2|2) .*BODY.PEEK\[\]", b"NO no")
        await bridge.sync()
        stage.box().expunge([2])
        await bridge.sync()
        assert {entry.uid for entry in await entries(bridge)} == {1}
        assert not await events(bridge, EventName.MESSAGE_DELETED), "nobody was ever told of it"
        await agree(bridge, stage)


async def test_message_expunged_between_scan_and_fetch_is_skipped(stage):
    """S11."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(letter(1), letter(2))
        stage.line.before_command = lambda command: (
            stage.box().expunge([2]) if b"BODY.PEEK[]" in command else None
        )
        await bridge.run_pass()
        stage.line.before_command = None
        await bridge.sync()
        assert await bridge.digests() == [sha(letter(1))]
        await agree(bridge, stage)


async def test_full_disk_acknowledges_nothing_and_a_later_pass_stores_all(stage):
    """L4."""
    stage.deliver(*(letter(number) for number in range(5)))
    async with stage.bridge() as bridge:
        sync_staged = bridge.tree.sync_staged

        async def full(_):
            raise StoreError("no space", reason="disk_full")

        bridge.tree.sync_staged = full
        with pytest.raises(StoreError):
            await bridge.run_pass()
        assert not await messages(bridge)
        bridge.tree.sync_staged = sync_staged
        await bridge.sync()
        assert list((bridge.tree.root / "tmp").iterdir()) == []
        await agree(bridge, stage)


async def test_new_mail_is_what_came_above_the_first_complete_pass(stage):
    """Sync.md 24: mail that came while we were down counts, backfill does not."""
    stage.deliver(letter(1))
    async with stage.bridge() as bridge:
        await bridge.sync()
    stage.deliver(letter(2))
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert [event.data["subject"] for event in await events(bridge, EventName.MESSAGE_NEW)] == [
            "letter 2"
        ]


def test_total_size_takes_unknown_sizes_for_nothing():
    assert (
        total_size([RemoteEntry(uid=1, flags=frozenset(), size=5), RemoteEntry(uid=2, flags=frozenset())])
        == 5
    )
