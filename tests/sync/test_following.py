"""Server-side moves: one local rename behind an intent; the message stays the same one and no body crosses the line."""

import errno
import os

import pytest

from daemon.model.events import EventName
from daemon.model.flags import ANSWERED, FLAGGED, SEEN
from daemon.model.operations import OperationKind
from daemon.store.maildir import rename
from tests.sync.stage import (
    LeapingClock,
    agree,
    ask,
    entries,
    events,
    letter,
    messages,
    open_stage,
    put,
    sha,
)

PLAIN = ("QRESYNC", "CONDSTORE", "MOVE", "LIST-STATUS", "UNSELECT", "ESEARCH", "OBJECTID")


def bodies(stage) -> int:
    return stage.line.count(b"BODY.PEEK[]")


async def ready(bridge, stage, count=2, flags=()) -> dict[str, str]:
    """INBOX with some letters in step, and an Archive; the ids by subject."""
    stage.user.create("Archive")
    stage.deliver(*(letter(number) for number in range(count)), flags=flags)
    await bridge.sync()
    await bridge.disconnect()  # a selected mailbox would show its news with the next command only
    return {one.content.envelope.subject: one.id for one in await messages(bridge)}


@pytest.mark.parametrize("without", [(), ("OBJECTID",), ("QRESYNC", "OBJECTID"), PLAIN])
async def test_move_on_the_server_is_one_rename_here(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        before = await bridge.files()
        fetched = bodies(stage)
        stage.move(1, "INBOX", "Archive")
        result = await bridge.sync()
        assert (result.moved, result.downloaded, result.removed_here) == (1, 0, 0)
        assert bodies(stage) == fetched
        (moved,) = await messages(bridge, "Archive")
        assert moved.id == ids["letter 0"]
        ((name, path),) = (await bridge.files("Archive")).items()
        assert name in before
        assert path.read_bytes() == letter(0)
        assert [event.data for event in await events(bridge, EventName.MESSAGE_MOVED)] == [
            {"from": "INBOX", "to": "Archive"}
        ]
        assert not await events(bridge, EventName.MESSAGE_DELETED)
        await agree(bridge, stage, "INBOX", "Archive")
        assert not await bridge.store.intents.pending(bridge.settings.id)


@pytest.mark.parametrize("only", ["INBOX", "Archive"])
@pytest.mark.parametrize("without", [(), ("OBJECTID",)])
async def test_pass_over_one_mailbox_sees_the_move_from_either_end(tmp_path, only, without):
    """Sync.md 10: an IDLE on the source alone, or on the target alone, must not cost a download."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        fetched = bodies(stage)
        stage.move(1, "INBOX", "Archive")
        result = await bridge.run_pass(only={only})
        assert (result.moved, result.downloaded, result.removed_here) == (1, 0, 0)
        assert bodies(stage) == fetched
        assert [one.id for one in await messages(bridge, "Archive")] == [ids["letter 0"]]
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_pass_over_one_mailbox_finds_the_move_into_a_mailbox_made_for_it(stage):
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        fetched = bodies(stage)
        stage.move(1, "INBOX", "2026")
        result = await bridge.run_pass(only={"INBOX"})
        assert (result.moved, result.downloaded, result.removed_here) == (1, 0, 0)
        assert bodies(stage) == fetched
        assert [one.id for one in await messages(bridge, "2026")] == [ids["letter 0"]]
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "2026")


async def test_flags_of_both_sides_are_merged_bit_by_bit(stage):
    async with stage.bridge() as bridge:
        await ready(bridge, stage, flags={SEEN})
        name, path = next(
            (name, path) for name, path in (await bridge.files()).items() if path.read_bytes() == letter(0)
        )
        path.rename(path.with_name(f"{name}:2,F"))  # flagged and marked as unread here
        stage.move(1, "INBOX", "Archive", flags={SEEN, ANSWERED})
        await bridge.sync()
        assert stage.flags_there("Archive") == {1: {FLAGGED, ANSWERED}}
        (moved,) = await messages(bridge, "Archive")
        assert moved.flags == {FLAGGED, ANSWERED}
        assert (await bridge.files("Archive"))[name].name == f"{name}:2,FR"
        told = await events(bridge, EventName.MESSAGE_FLAGS)
        assert told[-1].data == {"flags": sorted({FLAGGED, ANSWERED})}
        await agree(bridge, stage, "INBOX", "Archive")


async def test_flags_merged_by_a_pass_over_one_mailbox_are_pushed_by_the_next(stage):
    """The target is looked at again though nobody named it."""
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        name, path = next(
            (name, path) for name, path in (await bridge.files()).items() if path.read_bytes() == letter(0)
        )
        path.rename(path.parent.parent / "cur" / f"{name}:2,F")
        stage.move(1, "INBOX", "Archive")
        for _ in range(2):
            await bridge.run_pass(only={"INBOX"})
        assert stage.flags_there("Archive") == {1: {FLAGGED}}


async def test_keyword_gets_the_letter_of_the_new_mailbox(stage):
    """Sync.md 27: letters differ from mailbox to mailbox."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(7), mailbox="Archive", flags={"other"})
        stage.deliver(letter(0), letter(1), flags={"project"})
        await bridge.sync()
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        letters = {
            path.read_bytes(): path.name.partition(":2,")[2]
            for path in (await bridge.files("Archive")).values()
        }
        assert letters == {letter(7): "a", letter(0): "b"}
        await agree(bridge, stage, "INBOX", "Archive")


async def test_message_moved_on_both_sides_goes_where_the_server_has_it(stage):
    async with stage.bridge() as bridge:
        stage.user.create("Lists")
        ids = await ready(bridge, stage)
        fetched = bodies(stage)
        name, path = next(
            (name, path) for name, path in (await bridge.files()).items() if path.read_bytes() == letter(0)
        )
        path.rename(bridge.tree.root / ".Lists" / "cur" / f"{name}:2,F")
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert bodies(stage) == fetched
        assert stage.line.count(b"APPEND") == 0
        assert [one.id for one in await messages(bridge, "Archive")] == [ids["letter 0"]]
        assert stage.there("Lists") == []
        assert stage.flags_there("Archive") == {1: {FLAGGED}}
        await agree(bridge, stage, "INBOX", "Archive", "Lists")


@pytest.mark.parametrize("new_name", [None, "77.of.its.own"])
async def test_message_moved_on_both_sides_to_the_same_mailbox_is_there_once(stage, new_name):
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        fetched = bodies(stage)
        name, path = next(
            (name, path) for name, path in (await bridge.files()).items() if path.read_bytes() == letter(0)
        )
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{new_name or name}:2,S")
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert bodies(stage) == fetched
        assert stage.line.count(b"APPEND") == 0
        assert [one.id for one in await messages(bridge, "Archive")] == [ids["letter 0"]]
        assert stage.flags_there("Archive") == {1: {SEEN}}
        await agree(bridge, stage, "INBOX", "Archive")


async def test_file_removed_here_while_its_message_was_moved_comes_down_in_the_new_place(stage):
    """The move wins over a deletion that was inferred."""
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        path = next(path for path in (await bridge.files()).values() if path.read_bytes() == letter(0))
        path.unlink()
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert stage.there("Archive") == [sha(letter(0))]
        await agree(bridge, stage, "INBOX", "Archive")


async def test_deletion_by_name_follows_the_message(stage):
    """An operation names the message, never the UID (sync.md 16)."""
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        operation = await ask(bridge, ids["letter 0"])
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert stage.there("Archive") == []
        assert stage.there() == [sha(letter(1))]
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        await agree(bridge, stage, "INBOX", "Archive")


async def test_wish_for_flags_follows_the_message(stage):
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        operation = await ask(bridge, ids["letter 0"], OperationKind.FLAGS, add={FLAGGED})
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert stage.flags_there("Archive") == {1: {FLAGGED}}
        await agree(bridge, stage, "INBOX", "Archive")


async def test_move_into_an_excluded_mailbox_is_a_deletion_here_and_out_of_it_a_download(stage):
    stage.deliver(letter(8), mailbox="Private")
    async with stage.bridge(exclude=("Private",)) as bridge:
        await ready(bridge, stage)
        stage.move(1, "INBOX", "Private")
        stage.move(1, "Private", "Archive")
        result = await bridge.sync()
        assert (result.moved, result.downloaded, result.removed_here) == (0, 1, 1)
        assert await bridge.digests("Archive") == [sha(letter(8))]
        await agree(bridge, stage, "INBOX", "Archive")


async def test_copy_under_the_same_unique_name_is_not_overwritten(stage):
    """Somebody copied the file there meanwhile: what the server has there comes down beside it."""
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        name = next(n for n, path in (await bridge.files()).items() if path.read_bytes() == letter(0))
        put(bridge, name, letter(5), directory=".Archive", letters="S")
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert await bridge.digests("Archive") == sorted([sha(letter(0)), sha(letter(5))])
        await agree(bridge, stage, "INBOX", "Archive")


async def test_file_that_no_rename_can_move_comes_down_instead(stage, monkeypatch):
    """A mailbox on a file system of its own."""
    async with stage.bridge() as bridge:
        await ready(bridge, stage)

        def crosses(*_: object) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        monkeypatch.setattr(rename, "rename_exclusive", crosses)
        stage.move(1, "INBOX", "Archive")
        result = await bridge.run_pass()
        assert (result.moved, result.downloaded) == (0, 0)
        monkeypatch.undo()
        result = await bridge.sync()
        assert (result.moved, result.downloaded, result.removed_here) == (0, 1, 1)
        await agree(bridge, stage, "INBOX", "Archive")


async def test_target_that_cannot_be_looked_at_is_waited_for(stage):
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        ids = await ready(bridge, stage)
        fetched = bodies(stage)
        rule = stage.line.refuse(rb"SELECT Archive", b"NO [INUSE] not now")
        stage.move(1, "INBOX", "Archive")
        await bridge.run_pass()
        await bridge.run_pass(only={"INBOX"})
        assert len(await bridge.files()) == 2, "the file stays where it is"
        stage.line.rules.remove(rule)
        result = await bridge.sync()
        assert (result.moved, result.downloaded) == (1, 0)
        assert bodies(stage) == fetched
        assert [one.id for one in await messages(bridge, "Archive")] == [ids["letter 0"]]
        await agree(bridge, stage, "INBOX", "Archive")


async def test_target_that_stays_shut_is_not_waited_for_for_ever(stage):
    """One mailbox that fails does not hold up another for good."""
    clock = LeapingClock()
    async with stage.bridge(clock=clock) as bridge:
        await ready(bridge, stage)
        rule = stage.line.refuse(rb"SELECT Archive", b"NO not ever")
        stage.move(1, "INBOX", "Archive")
        await bridge.run_pass()
        assert len(await bridge.files()) == 2
        clock.ahead = 700.0
        await bridge.run_pass()
        assert len(await bridge.files()) == 1
        stage.line.rules.remove(rule)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_mass_move_is_no_mass_deletion(tmp_path):
    """Explained moves do not count for the breaker (sync.md 13), also where the server states nothing."""
    async with open_stage(tmp_path, without=PLAIN) as stage, stage.bridge() as bridge:
        await ready(bridge, stage, count=120)
        fetched = bodies(stage)
        for uid in range(1, 116):
            stage.move(uid, "INBOX", "Archive")
        result = await bridge.sync()
        assert (result.moved, result.held, result.downloaded) == (115, 0, 0)
        assert bodies(stage) == fetched
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("without", [(), ("OBJECTID",)])
async def test_identical_messages_move_as_a_multiset(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.user.create("Archive")
        for _ in range(3):
            stage.deliver(letter(1))
        await bridge.sync()
        fetched = bodies(stage)
        stage.move(1, "INBOX", "Archive")
        stage.move(3, "INBOX", "Archive")
        result = await bridge.sync()
        assert (result.moved, bodies(stage)) == (2, fetched)
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("without", [(), ("OBJECTID",)])
async def test_deletion_and_new_mail_of_the_same_size_and_second_are_told_apart(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.box().expunge([1])
        stage.deliver(letter(9), mailbox="Archive")
        result = await bridge.sync()
        assert (result.moved, result.downloaded, result.removed_here) == (0, 1, 1)
        await agree(bridge, stage, "INBOX", "Archive")


async def test_row_of_the_old_place_is_gone(stage):
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert [entry.uid for entry in await entries(bridge, "INBOX")] == [2]
        assert [entry.uid for entry in await entries(bridge, "Archive")] == [1]


async def test_file_renamed_within_its_mailbox_follows_all_the_same(stage):
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        fetched = bodies(stage)
        path = next(path for path in (await bridge.files()).values() if path.read_bytes() == letter(0))
        path.rename(bridge.tree.root / "cur" / "77.other.name:2,S")
        stage.move(1, "INBOX", "Archive")
        await bridge.sync()
        assert (bodies(stage), stage.line.count(b"APPEND")) == (fetched, 0)
        assert [one.id for one in await messages(bridge, "Archive")] == [ids["letter 0"]]
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("without", [(), PLAIN])
async def test_file_renamed_within_its_mailbox_does_not_bring_its_message_back(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        await ready(bridge, stage)
        path = next(path for path in (await bridge.files()).values() if path.read_bytes() == letter(0))
        path.rename(bridge.tree.root / "cur" / "77.other.name:2,S")
        stage.box().expunge([1])
        await bridge.sync()
        assert stage.there() == [sha(letter(1))]
        await agree(bridge, stage, "INBOX")
