"""Uploads without an answer (sync.md 19): adopted where found, sent again at most once, never repeated on a guess."""

import pytest

from daemon.model.errors import ConnectionLost, StoreError
from daemon.model.events import EventName
from daemon.sync.open_uploads import MOST_ATTEMPTS, RESOLVE_SECONDS
from tests.sync.stage import (
    NOON,
    LeapingClock,
    agree,
    entries,
    events,
    letter,
    messages,
    open_stage,
    put,
    sha,
    sync_through,
)


async def stopped_before_commit(stage, name="1.me", octets=None):
    """A run that appended a file, got its OK, and ended before it could write that down."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, name, octets or letter(1), letters="S")

        async def die(*_, **__):
            raise StoreError("power cut")

        bridge.store.base.confirm = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
        (intent,) = await bridge.store.intents.pending(bridge.settings.id)
        return intent


async def test_crash_between_append_ok_and_commit_adopts_the_upload(stage):
    intent = await stopped_before_commit(stage)
    async with stage.bridge() as bridge:
        appended = stage.line.count(b"APPEND")
        await bridge.sync()
        assert stage.line.count(b"APPEND") == appended
        assert stage.there() == [sha(letter(1))]
        (message,) = await messages(bridge)
        assert message.id == intent.message_id
        assert [event.data["origin"] for event in await events(bridge, EventName.MESSAGE_NEW)] == ["local"]
        await agree(bridge, stage)


async def test_flags_changed_on_both_sides_meanwhile_are_merged(stage):
    await stopped_before_commit(stage)
    stage.box().set_flags(1, frozenset({"\\Seen", "\\Flagged"}))
    async with stage.bridge() as bridge:
        path = (await bridge.files())["1.me"]
        path.rename(path.with_name("1.me:2,RS"))
        await bridge.sync()
        assert stage.flags_there() == {1: {"\\Seen", "\\Flagged", "\\Answered"}}
        await agree(bridge, stage)


async def test_message_rewritten_by_the_server_is_adopted_by_its_id_and_our_date(stage):
    await stopped_before_commit(stage)
    (message,) = stage.box().messages.values()
    stage.box().messages[1] = type(message)(
        uid=1,
        octets=b"X-Scanned: yes\r\n" + message.octets,
        flags=message.flags,
        internal_date=message.internal_date,
        mod_seq=message.mod_seq,
    )
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded) == (0, 0)
        assert len(stage.box().messages) == len(await bridge.files()) == 1
        assert [entry.uid for entry in await entries(bridge)] == [1]


async def test_wrong_size_does_not_hide_an_upload_from_its_intent(stage):
    """S14 and S26 together: a server that adds to RFC822.SIZE."""
    octets = b"Subject: no message id\r\n\r\nx\r\n"
    await stopped_before_commit(stage, octets=octets)
    stage.line.replace(rb"RFC822.SIZE (\d+)", rb"RFC822.SIZE 1\1")
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert stage.there() == [sha(octets)]
        await agree(bridge, stage)


async def test_message_that_came_meanwhile_with_the_same_size_is_not_taken_for_ours(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="S")
        stage.line.cut(rb"APPEND")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        stage.deliver(letter(2))
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded) == (1, 1)
        await agree(bridge, stage)


async def test_equal_uploads_are_adopted_as_multisets(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        for number in range(4):
            put(bridge, f"{number}.me", letter(1), letters="S")
        stage.line.lose(rb"APPEND", times=2)
        await sync_through(bridge)
        assert len(stage.there()) == len(await bridge.files()) == 4
        await agree(bridge, stage)


async def test_upload_that_never_leaves_a_trace_is_sent_again_once_and_then_uncertain(stage):
    """The server says nothing and keeps nothing: a third try might double what is only late."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1), letters="S")
        rule = stage.line.lose(rb"APPEND", times=100)
        for _ in range(6):
            try:
                await bridge.sync()
            except ConnectionLost:
                bridge.client = None
            for uid in list(stage.box().messages):
                del stage.box().messages[uid]  # as if it had never been: no EXPUNGE is told of it
        assert len(rule.seen) == MOST_ATTEMPTS
        (intent,) = await bridge.store.intents.pending(bridge.settings.id)
        assert intent.attempts == MOST_ATTEMPTS
        stage.deliver(letter(1))
        (there,) = stage.box().messages
        stage.box().messages[there] = stage.box().messages[there]
        await bridge.sync()
        assert not await bridge.store.intents.pending(bridge.settings.id), "late, but it came"
        assert len(await bridge.files()) == 1


async def test_file_deleted_meanwhile_lets_the_message_come_down(stage):
    await stopped_before_commit(stage)
    async with stage.bridge() as bridge:
        (await bridge.files())["1.me"].unlink()
        assert (await bridge.sync()).downloaded == 1
        await agree(bridge, stage)


async def test_file_moved_meanwhile_is_adopted_and_the_move_follows(stage):
    """Sync.md 18: found by unique name in any mailbox."""
    stage.user.create("Archive")
    await stopped_before_commit(stage)
    async with stage.bridge() as bridge:
        path = (await bridge.files())["1.me"]
        path.rename(bridge.tree.root / ".Archive" / "cur" / path.name)
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.downloaded) == (1, 0, 0)
        await agree(bridge, stage, "INBOX", "Archive")
        assert stage.there("Archive") == [sha(letter(1))]


async def test_mailbox_where_nothing_could_be_found_out_downloads_nothing_meanwhile(stage):
    """Sync.md 19: what came since may be ours; beside its file it would be there twice."""
    await stopped_before_commit(stage)
    async with stage.bridge() as bridge:
        stage.line.refuse(rb"UID FETCH 1:.*RFC822.SIZE", b"NO [INUSE] busy", times=1)
        result = await bridge.run_pass()
        assert (result.downloaded, result.uploaded) == (0, 0)
        await bridge.sync()
        assert len(await bridge.files()) == len(stage.there()) == 1
        await agree(bridge, stage)


async def test_renumbered_mailbox_is_left_to_the_reset(stage):
    await stopped_before_commit(stage)
    stage.box().reset(777)
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded) == (0, 0)
        await agree(bridge, stage)


async def test_index_lost_with_an_upload_open_adopts_all_the_same(stage):
    await stopped_before_commit(stage)
    for path in (stage.path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded) == (0, 0)
        assert [message.internal_date for message in await messages(bridge)] == [NOON]
        await agree(bridge, stage)


async def test_lost_directory_keeps_its_intents_and_does_not_stop_the_account(stage):
    stage.user.create("Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, "1.me", letter(1), directory=".Archive", letters="S")
        stage.line.lose(rb"APPEND")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        (bridge.tree.root / ".Archive").rename(stage.path / "away")
        stage.deliver(letter(2))
        assert (await bridge.sync()).downloaded == 1
        assert len(await bridge.store.intents.pending(bridge.settings.id)) == 1
        (stage.path / "away").rename(bridge.tree.root / ".Archive")
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")
        assert len(stage.there("Archive")) == 1


async def test_upload_whose_file_cannot_be_read_now_keeps_its_mailbox_waiting_and_no_other(lowly_stage):
    """Whether it arrived cannot be told without its octets: what came since may be ours."""
    stage = lowly_stage
    stage.user.create("Work")
    async with stage.bridge() as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")
        stage.line.lose(rb"APPEND")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        path.chmod(0)
        with pytest.raises(PermissionError):
            path.read_bytes()
        stage.deliver(letter(5), mailbox="Work")
        stage.deliver(letter(6))
        assert (await bridge.sync()).downloaded == 1
        assert await bridge.digests("Work") == stage.there("Work")
        path.chmod(0o600)
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded) == (1, 0)
        assert stage.there() == sorted([sha(letter(1)), sha(letter(6))])
        await agree(bridge, stage, "INBOX", "Work")


async def uncertain_upload(bridge, stage):
    """Said yes to, twice, and left no trace."""
    stage.deliver(letter(1))
    await bridge.sync()
    stage.line.answer(rb"APPEND", b"")
    put(bridge, "99.me", letter(99), letters="S")
    for _ in range(4):
        await bridge.run_pass()
    (intent,) = await bridge.store.intents.pending(bridge.settings.id)
    assert intent.attempts == MOST_ATTEMPTS


async def commands_of(stage, bridge, **options):
    sent = len(stage.line.commands)
    await bridge.run_pass(**options)
    return [command for command in stage.line.commands[sent:] if not command.startswith(b"NAMESPACE")]


async def test_uncertain_upload_costs_later_passes_nothing_until_something_comes(tmp_path):
    clock = LeapingClock()
    async with open_stage(tmp_path, without=("UIDPLUS",)) as stage, stage.bridge(clock=clock) as bridge:
        await uncertain_upload(bridge, stage)
        assert not any(b"FETCH 2:" in one for one in await commands_of(stage, bridge, only={"INBOX"}))
        clock.ahead += RESOLVE_SECONDS
        assert any(b"FETCH 2:" in one for one in await commands_of(stage, bridge, only={"INBOX"}))
        stage.deliver(letter(2))
        assert (await bridge.sync()).downloaded == 1
        sent = await commands_of(stage, bridge, only={"INBOX"})
        clock.ahead += RESOLVE_SECONDS
        assert not any(b"FETCH 3:" in one for one in sent)
        sent = await commands_of(stage, bridge, only={"INBOX"})
        assert any(b"FETCH 3:" in one for one in sent), "what was compared once is not compared again"
        assert not any(b"FETCH 2:" in one for one in sent)
        assert await bridge.store.intents.pending(bridge.settings.id)


@pytest.mark.parametrize("options", [{}, {"only": {"INBOX"}}])
async def test_uncertain_upload_that_shows_at_last_is_adopted_and_not_fetched(tmp_path, options):
    """A server that files late what it has said yes to; other mail comes with it."""
    async with open_stage(tmp_path, without=("UIDPLUS",)) as stage, stage.bridge() as bridge:
        await uncertain_upload(bridge, stage)
        (intent,) = await bridge.store.intents.pending(bridge.settings.id)
        stage.box().deliver(letter(99), internal_date=intent.internal_date, flags=frozenset({"\\Seen"}))
        stage.deliver(letter(2))
        for _ in range(3):
            await bridge.run_pass(**options)
        assert not await bridge.store.intents.pending(bridge.settings.id)
        assert await bridge.digests() == stage.there()
        await agree(bridge, stage)
