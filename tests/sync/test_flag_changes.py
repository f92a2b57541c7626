"""Flags carried out on both sides; what the server refuses or ignores stays local, is told, and is not looped (S28)."""

import os

import pytest

from daemon.model.events import EventName
from daemon.model.flags import ANSWERED, FLAGGED, NO_FLAGS, SEEN, Flag
from daemon.model.operations import OperationKind
from tests.sync.stage import agree, ask, entries, events, letter, messages, open_stage

WORK = Flag("work")


async def one(bridge, stage, flags=()):
    """One synced message: its row and its file."""
    stage.deliver(letter(1), flags=flags)
    await bridge.sync()
    ((_, path),) = (await bridge.files()).items()
    ((message),) = await messages(bridge)
    return message, path


def relabel(path, letters):
    target = path.parent.parent / "cur" / (path.name.partition(":")[0] + ":2," + letters)
    path.rename(target)
    return target


async def letters_of(bridge):
    ((_, path),) = (await bridge.files()).items()
    return path.name.partition(":2,")[2]


async def test_each_side_s_change_reaches_the_other(stage):
    async with stage.bridge() as bridge:
        _, path = await one(bridge, stage, flags={SEEN})
        relabel(path, "RS")
        stage.box().set_flags(1, frozenset({FLAGGED}))
        assert (await bridge.sync()).flags_changed == 1
        assert stage.flags_there() == {1: {FLAGGED, ANSWERED}}
        assert await letters_of(bridge) == "FR"
        (message,) = await messages(bridge)
        assert message.flags == {FLAGGED, ANSWERED}
        await agree(bridge, stage)


async def test_refused_store_keeps_the_local_flag_and_is_asked_once(stage):
    async with stage.bridge() as bridge:
        _, path = await one(bridge, stage)
        rule = stage.line.refuse(rb"UID STORE", b"NO [NOPERM] no")
        relabel(path, "S")
        assert (await bridge.run_pass()).failed == 1
        for _ in range(4):
            await bridge.sync()
        assert len(rule.seen) == 1
        assert await letters_of(bridge) == "S"
        (message,) = await messages(bridge)
        assert message.flags == {SEEN}, "shown as the file has it"
        assert [entry.flags for entry in await entries(bridge)] == [NO_FLAGS], "base keeps the server's word"


async def test_refused_push_does_not_lose_what_the_server_changed_meanwhile(stage):
    async with stage.bridge() as bridge:
        _, path = await one(bridge, stage)
        stage.line.refuse(rb"UID STORE", b"NO [NOPERM] no")
        relabel(path, "S")
        stage.box().set_flags(1, frozenset({FLAGGED}))
        await bridge.sync()
        assert await letters_of(bridge) == "FS"
        assert (await bridge.sync()).is_quiet


@pytest.mark.parametrize("without", [(), ("CONDSTORE", "QRESYNC")])
async def test_store_that_is_answered_ok_and_ignored_keeps_the_local_flag(tmp_path, without):
    """S28: without looking, base would believe the OK, and the next scan would take the flag away from the file."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        _, path = await one(bridge, stage)
        rule = stage.line.refuse(rb"UID STORE", b"OK of course")
        relabel(path, "S")
        await bridge.run_pass()
        for _ in range(3):
            await bridge.sync()
        assert await letters_of(bridge) == "S"
        assert len(rule.seen) == 1


@pytest.mark.parametrize(("answer", "reason"), [(b"NO [NOPERM] not you", "refused"), (b"OK sure", "ignored")])
async def test_wish_that_the_server_refuses_or_ignores_fails_with_its_reason(stage, answer, reason):
    async with stage.bridge() as bridge:
        message, _ = await one(bridge, stage)
        rule = stage.line.refuse(rb"UID STORE", answer)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={FLAGGED})
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason) == ("failed", reason)
        assert len(await events(bridge, EventName.OP_FAILED)) == 1
        assert await letters_of(bridge) == "F", "the local flag is kept"
        stage.line.rules.remove(rule)
        again = await ask(bridge, message.id, OperationKind.FLAGS, add={FLAGGED})
        await bridge.sync()
        assert (await bridge.store.operations.get(again.id)).state == "done", "a person may try at once"
        await agree(bridge, stage)


async def test_wish_for_a_keyword_that_the_mailbox_does_not_keep_fails_and_is_shown(stage):
    stage.line.replace(rb"\[PERMANENTFLAGS \([^)]*\)\]", rb"[PERMANENTFLAGS (\\Seen \\Deleted)]")
    async with stage.bridge() as bridge:
        message, _ = await one(bridge, stage)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={WORK, SEEN})
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason) == ("failed", "flag_not_kept")
        assert stage.flags_there() == {1: {SEEN}}
        assert await letters_of(bridge) == "Sa"
        (message,) = await messages(bridge)
        assert WORK in message.flags
        assert (await bridge.sync()).is_quiet


async def test_read_only_mailbox_fails_wishes_and_keeps_local_flags(stage):
    stage.line.replace(rb"\[READ-WRITE\]", b"[READ-ONLY]")
    async with stage.bridge() as bridge:
        message, path = await one(bridge, stage)
        relabel(path, "F")
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={SEEN})
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).reason == "read_only"
        assert "F" in await letters_of(bridge)
        assert not stage.line.count(b"UID STORE")
        assert (await bridge.sync()).is_quiet


async def test_wish_that_grows_during_the_pass_is_carried_out_whole(stage):
    """Sync.md 16: PATCH while a pass runs; the verdict is on what was carried out."""
    async with stage.bridge() as bridge:
        message, _ = await one(bridge, stage)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={SEEN})
        store_many = type(bridge.client).store_many
        grown = []

        async def grow(self, changes):
            verdicts = await store_many(self, changes)
            if not grown:
                grown.append(await ask(bridge, message.id, OperationKind.FLAGS, add={FLAGGED}, remove={SEEN}))
                await bridge.store.operations.pending(bridge.settings.id)  # as the API's own listing would
            return verdicts

        bridge.client.store_many = grow.__get__(bridge.client)
        await bridge.run_pass()
        assert grown[0].id == operation.id
        assert (await bridge.store.operations.get(operation.id)).state == "pending"
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert stage.flags_there() == {1: {FLAGGED}}
        await agree(bridge, stage)


async def test_flag_wish_that_becomes_a_deletion_during_the_pass_is_a_deletion(stage):
    async with stage.bridge() as bridge:
        message, _ = await one(bridge, stage)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={SEEN})
        store_many = type(bridge.client).store_many

        async def grow(self, changes):
            verdicts = await store_many(self, changes)
            await ask(bridge, message.id)
            return verdicts

        bridge.client.store_many = grow.__get__(bridge.client)
        await bridge.sync()
        assert stage.there() == []
        assert (await bridge.store.operations.get(operation.id)).state == "done"


async def test_keywords_beyond_the_letters_are_kept_on_both_sides(stage):
    """S25 and sync.md 27: thirty keywords; only the first 26 have letters, none is dropped on the server."""
    words = frozenset(Flag(f"k{number:02}") for number in range(30))
    async with stage.bridge() as bridge:
        message, _ = await one(bridge, stage, flags=words)
        assert message.flags == words
        assert len(await letters_of(bridge)) == 26
        assert (await bridge.sync()).is_quiet
        ((_, path),) = (await bridge.files()).items()
        relabel(path, path.name.partition(":2,")[2] + "S")
        await bridge.sync()
        assert stage.flags_there() == {1: words | {SEEN}}
        last = max(words)
        await ask(bridge, message.id, OperationKind.FLAGS, remove={last}, add={Flag("k99")})
        await bridge.sync()
        assert stage.flags_there() == {1: (words - {last}) | {SEEN, Flag("k99")}}
        (message,) = await messages(bridge)
        assert message.flags == stage.flags_there()[1]
        await agree(bridge, stage)


async def test_wish_in_another_spelling_is_carried_out_and_shown_once(stage):
    async with stage.bridge() as bridge:
        message, _ = await one(bridge, stage, flags={WORK})
        other = Flag(WORK.swapcase())
        added = await ask(bridge, message.id, OperationKind.FLAGS, add={other, FLAGGED})
        await bridge.sync()
        assert (await bridge.store.operations.get(added.id)).state == "done"
        assert stage.flags_there() == {1: {WORK, FLAGGED}}
        (message,) = await messages(bridge)
        assert message.flags == {WORK, FLAGGED}
        removed = await ask(bridge, message.id, OperationKind.FLAGS, remove={other})
        await bridge.sync()
        assert (await bridge.store.operations.get(removed.id)).state == "done"
        assert stage.flags_there() == {1: {FLAGGED}}
        await agree(bridge, stage)


async def test_file_renamed_between_listing_and_change_is_merged(stage):
    """Sync.md 6: one rename from the exact name last seen, else look up and merge again."""
    async with stage.bridge() as bridge:
        _, path = await one(bridge, stage)
        stage.box().set_flags(1, frozenset({FLAGGED}))
        change = bridge.tree.set_many_flags

        async def race(directory, changes):
            relabel(path, "S")
            bridge.tree.set_many_flags = change
            return await change(directory, changes)

        bridge.tree.set_many_flags = race
        await bridge.sync()
        assert await letters_of(bridge) == "FS"
        assert stage.flags_there() == {1: {FLAGGED, SEEN}}
        await agree(bridge, stage)


async def test_file_gone_between_listing_and_change_is_a_deletion_in_the_next_pass(stage):
    async with stage.bridge() as bridge:
        _, path = await one(bridge, stage)
        stage.box().set_flags(1, frozenset({FLAGGED}))
        change = bridge.tree.set_many_flags

        async def race(directory, changes):
            path.unlink(missing_ok=True)
            return await change(directory, changes)

        bridge.tree.set_many_flags = race
        await bridge.run_pass()
        assert (await bridge.sync()).expunged_there == 1
        await agree(bridge, stage)


async def test_file_that_no_listing_shows_keeps_the_server_s_change_for_later(stage):
    """A mail program renames during the scan: marks must not pass over a change that no file got."""
    async with stage.bridge() as bridge:
        _, path = await one(bridge, stage)
        stage.box().set_flags(1, frozenset({FLAGGED}))
        hidden = path.with_name("." + path.name)
        scan, confirm = bridge.tree.scan, bridge.tree.confirm_missing

        async def blink(directory):
            os.rename(path, hidden)
            try:
                return await scan(directory)
            finally:
                os.rename(hidden, path)

        bridge.tree.scan = blink
        result = await bridge.run_pass()
        assert (result.expunged_there, result.flags_changed) == (0, 0)
        bridge.tree.scan, bridge.tree.confirm_missing = scan, confirm
        await bridge.sync()
        assert await letters_of(bridge) == "F"
        await agree(bridge, stage)


async def test_messages_deleted_mark_of_another_reader_is_a_flag_like_any_other(stage):
    async with stage.bridge() as bridge:
        await one(bridge, stage)
        stage.box().set_flags(1, frozenset({Flag("\\Deleted")}))
        await bridge.sync()
        assert await letters_of(bridge) == "T"
        assert stage.there(), "marked by others, never expunged by us"
        await agree(bridge, stage)


@pytest.mark.parametrize("by_wish", [True, False])
async def test_change_meant_for_a_message_that_is_moved_just_then_goes_with_it(stage, by_wish):
    """OK is said of an absent UID too: taken for done, the flag would be undone as the server's own change."""
    async with stage.bridge() as bridge:
        stage.user.create("Archive")
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        one = next(one for one in await messages(bridge) if one.content.envelope.subject == "letter 1")
        if by_wish:
            await ask(bridge, one.id, kind=OperationKind.FLAGS, add={FLAGGED})
        else:
            path = (await bridge.files())[one.maildir_name]
            path.rename(path.parent.parent / "cur" / f"{one.maildir_name}:2,F")
        moves = [1]

        def move_now(command: bytes) -> None:
            if command.startswith(b"UID STORE") and moves:
                stage.move(moves.pop(), "INBOX", "Archive")

        stage.line.before_command = move_now
        await bridge.run_pass()
        assert not moves
        await bridge.sync()
        assert stage.flags_there("Archive") == {1: {FLAGGED}}
        assert not await bridge.store.operations.pending(bridge.settings.id)
        await agree(bridge, stage, "INBOX", "Archive")
