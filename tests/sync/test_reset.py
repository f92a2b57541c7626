"""UIDs that are void (S7, S8): files find their messages again, nothing is deleted, nothing comes down twice."""

import dataclasses

import pytest

from daemon.model.events import EventName
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.operations import OperationKind
from daemon.model.views import BaseState
from daemon.sync.rematch import CHANCE
from daemon.sync.reset import shared_base
from tests.sync.stage import (
    NOON,
    agree,
    ask,
    entries,
    events,
    letter,
    messages,
    open_stage,
    put,
    sha,
    sync_through,
)


async def synced(bridge, stage, count=4):
    stage.deliver(*(letter(number) for number in range(count)))
    await bridge.sync()
    return {one.content.envelope.subject: one for one in await messages(bridge)}


async def renumber(bridge, stage, validity=9999):
    await bridge.disconnect()
    stage.box().reset(validity)


async def test_same_content_under_new_numbers_keeps_ids_and_moves_no_octet(stage):
    async with stage.bridge() as bridge:
        before = await synced(bridge, stage)
        await renumber(bridge, stage)
        bodies = stage.line.count(b"BODY.PEEK[]")
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded, result.removed_here, result.expunged_there) == (
            0,
            0,
            0,
            0,
        )
        assert stage.line.count(b"BODY.PEEK[]") == bodies
        after = {one.content.envelope.subject: one.id for one in await messages(bridge)}
        assert after == {subject: one.id for subject, one in before.items()}
        assert len(await events(bridge, EventName.MAILBOX_RESET)) == 1
        assert not await events(bridge, EventName.MESSAGE_NEW)
        await agree(bridge, stage)


async def test_other_content_comes_down_and_what_has_no_partner_stays(stage):
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        await renumber(bridge, stage)
        stage.box().expunge([1, 2])
        stage.deliver(letter(8))
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded, result.removed_here, result.expunged_there) == (
            1,
            0,
            0,
            0,
        )
        assert len(await bridge.files()) == 5
        assert sum(one.is_unmatched for one in await messages(bridge)) == 2
        assert (await bridge.sync()).is_quiet


@pytest.mark.parametrize("count", [1, CHANCE + 20])
async def test_other_message_of_the_same_size_and_second_is_not_taken_for_the_known_one(stage, count):
    """As when the names of two mailboxes were exchanged: bound to the file, it would never be fetched."""
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(1001, 1001 + count)))
        await bridge.sync()
        await renumber(bridge, stage)
        stage.box().expunge([1])
        stage.deliver(letter(2001))
        if count > CHANCE:  # where nothing at all were left over there would be no doubt
            stage.box().expunge([2])
            stage.deliver(letter(2002, "of another size"))
        await bridge.sync()
        assert sha(letter(2001)) in await bridge.digests()
        assert set(stage.there()) < set(await bridge.digests())


async def test_many_that_fit_one_to_one_are_found_again_without_their_headers(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(1001, 1021 + CHANCE)))
        await bridge.sync()
        await renumber(bridge, stage)
        stage.box().expunge([1])
        result = await bridge.sync()
        assert (result.downloaded, result.removed_here) == (0, 0)
        assert stage.line.count(b"BODY.PEEK[HEADER]") == 0
        assert [entry.state for entry in await entries(bridge)].count(BaseState.UNMATCHED) == 1


async def test_equal_messages_are_matched_one_by_one(stage):
    stage.deliver(*[letter(1)] * 3, letter(2))
    async with stage.bridge() as bridge:
        await bridge.sync()
        await renumber(bridge, stage)
        assert (await bridge.sync()).downloaded == 0
        await agree(bridge, stage)
        assert len({entry.uid for entry in await entries(bridge)}) == 4


async def test_local_deletion_that_was_pending_by_inference_is_dropped(stage):
    """Sync.md 8: inferred deletions are dropped; the message comes down again."""
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        (await bridge.files())[known["letter 1"].maildir_name].unlink()
        await renumber(bridge, stage)
        result = await bridge.sync()
        assert (result.expunged_there, result.downloaded) == (0, 1)
        assert len(stage.there()) == 4
        await agree(bridge, stage)
        assert len(await messages(bridge)) == 4, "no ghost of the file that is gone"


async def test_wish_follows_its_message_to_its_match(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        gone = await ask(bridge, known["letter 1"].id)
        flagged = await ask(bridge, known["letter 2"].id, OperationKind.FLAGS, add={FLAGGED})
        await renumber(bridge, stage)
        await bridge.sync()
        assert (await bridge.store.operations.get(gone.id)).state == "done"
        assert (await bridge.store.operations.get(flagged.id)).state == "done"
        assert sha(letter(1)) not in stage.there()
        await agree(bridge, stage)


async def test_wish_for_a_message_without_a_match_fails_and_deletes_nothing(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        await renumber(bridge, stage)
        stage.box().expunge([2])
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason) == ("failed", "message_unmatched")
        assert len(await bridge.files()) == 4
        assert len(await messages(bridge)) == 4, "shown again"


async def test_flags_of_both_sides_survive(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        path = (await bridge.files())[known["letter 1"].maildir_name]
        path.rename(path.parent.parent / "cur" / (path.name + ":2,S"))
        await renumber(bridge, stage)
        stage.box().set_flags(2, frozenset({FLAGGED}))
        await bridge.sync()
        assert stage.flags_there()[2] == {SEEN, FLAGGED}
        await agree(bridge, stage)


async def test_wrong_sizes_fetch_bodies_and_store_none_twice(stage):
    """S14: the key finds no partner, so the octets decide (sync.md 7)."""
    stage.line.replace(rb"RFC822.SIZE (\d+)", rb"RFC822.SIZE 1\1")
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        await agree(bridge, stage)
        await renumber(bridge, stage)
        result = await bridge.sync()
        assert result.downloaded == 0
        assert len(await bridge.files()) == 4
        await agree(bridge, stage)


async def test_unmatched_file_is_found_again_when_its_message_comes_back(stage):
    """The listing was short, or a backup was put back later: the octets belong to the file that is there."""
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        await renumber(bridge, stage)
        stage.box().expunge([1])
        await bridge.sync()
        stage.deliver(letter(0))
        result = await bridge.sync()
        assert result.downloaded == 0
        assert not any(one.is_unmatched for one in await messages(bridge))
        assert len(await bridge.files()) == 4
        assert await bridge.digests() == stage.there()


@pytest.mark.parametrize("without", [(), ("QRESYNC", "CONDSTORE")])
async def test_uidnext_that_went_back_voids_the_numbers(tmp_path, without):
    """S8 and S32: a restored server gives a UID to another message; under the old row it would never come down."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        await synced(bridge, stage)
        await bridge.disconnect()
        box = stage.box()
        for uid in (3, 4):
            del box.messages[uid]
        box.uid_next, box.highest_mod_seq = 3, 3
        stage.deliver(letter(8, "longer than the one it stands for"))
        result = await bridge.sync()
        assert (result.downloaded, result.removed_here, result.expunged_there) == (1, 0, 0)
        assert len(await bridge.files()) == 5
        assert [event.data["reason"] for event in await events(bridge, EventName.MAILBOX_RESET)] == [
            "uid_next_went_back"
        ]
        assert (await bridge.sync()).is_quiet


async def test_last_message_expunged_on_a_server_without_uidnext_is_no_reset(stage):
    stage.line.replace(rb"\* OK \[UIDNEXT \d+\][^\r]*\r\n", b"")
    stage.line.replace(rb" ?UIDNEXT \d+", b"")
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        stage.box().expunge([4])
        assert (await bridge.sync()).removed_here == 1
        assert not await events(bridge, EventName.MAILBOX_RESET)
        assert (await bridge.sync()).is_quiet


async def test_modseq_that_went_back_is_compared_in_full(stage):
    """S9: the server has forgotten what changed; asked for changes since our mark it would say nothing."""
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        for _ in range(5):
            stage.box().set_flags(1, frozenset({FLAGGED}))
            stage.box().set_flags(1, frozenset())
        await bridge.sync()
        await bridge.disconnect()
        box = stage.box()
        box.highest_mod_seq = 2
        for uid, message in box.messages.items():
            box.messages[uid] = dataclasses.replace(message, mod_seq=1)
        box.messages[2] = dataclasses.replace(box.messages[2], flags=frozenset({SEEN}))
        await bridge.sync()
        ((seen,),) = [[one for one in await messages(bridge) if one.uid == 2]]
        assert seen.flags == {SEEN}
        await agree(bridge, stage)


async def test_numbers_that_change_during_the_pass_end_in_one_reset(stage):
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        stage.deliver(letter(9))
        stage.line.before_command = lambda command: (
            stage.box().reset(555) if b"BODY.PEEK[]" in command and stage.box().uid_validity != 555 else None
        )
        await sync_through(bridge)
        assert await bridge.digests() == stage.there()
        assert len(await bridge.files()) == 5
        assert len(await events(bridge, EventName.MAILBOX_RESET)) == 1


async def test_reset_that_is_stopped_goes_on_and_says_so_once(stage):
    from daemon.model.errors import StoreError

    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        await renumber(bridge, stage)

        async def die(*_, **__):
            raise StoreError("power cut")

        bridge.store.base.clear_placements = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).downloaded == 0
        assert len(await events(bridge, EventName.MAILBOX_RESET)) == 1
        await agree(bridge, stage)


async def test_new_local_file_goes_up_during_a_reset(stage):
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        await renumber(bridge, stage)
        put(bridge, "1.me", letter(7), letters="S")
        assert (await bridge.sync()).uploaded == 1
        await agree(bridge, stage)


async def test_tree_that_was_there_before_is_taken_over_with_dates_that_differ(stage):
    stage.deliver(letter(1), letter(2))
    async with stage.bridge() as bridge:
        for part in ("cur", "new", "tmp"):
            (bridge.tree.root / part).mkdir(parents=True, exist_ok=True)
        put(bridge, "1.old", letter(1), letters="S")
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded) == (1, 0)
        await agree(bridge, stage)
        states = {entry.state for entry in await entries(bridge)}
        assert states == {BaseState.SYNCED}
        assert NOON in {one.internal_date for one in await messages(bridge)}


@pytest.mark.parametrize("without", [("UIDPLUS",), ("UIDPLUS", "MOVE", "QRESYNC", "CONDSTORE")])
async def test_message_left_marked_stays_out_under_new_numbers(tmp_path, without):
    """Sync.md 20: absent here by decision; it comes back when somebody takes the mark off, and not before."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        known = await synced(bridge, stage)
        stage.deliver(letter(1), letter(8), flags={"\\Deleted"})
        await bridge.sync()
        await ask(bridge, known["letter 1"].id)
        await ask(bridge, known["letter 2"].id)
        assert (await bridge.sync()).expunged_there == 2
        for validity in (9999, 10_000):
            await renumber(bridge, stage, validity)
            result = await bridge.sync()
            assert (result.downloaded, result.uploaded, result.removed_here) == (0, 0, 0)
            assert len(stage.there()) == 6
            assert await bridge.digests() == sorted(sha(letter(number)) for number in (0, 1, 3, 8))
        [uid] = [uid for uid, one in stage.box().messages.items() if one.octets == letter(2)]
        stage.box().set_flags(uid, frozenset({SEEN}))
        assert (await bridge.sync()).downloaded == 1
        assert (await bridge.sync()).is_quiet


async def test_every_mailbox_is_renumbered_at_once_and_again_before_it_is_over(stage):
    """Twice in a row, the second time in the midst of the match of the first."""
    boxes = [f"Box {number}" for number in range(5)]
    for at, name in enumerate(boxes):
        stage.deliver(*(letter(10 * at + number) for number in range(4)), mailbox=name)
    async with stage.bridge() as bridge:
        await bridge.sync()
        ids = {one.id for one in await messages(bridge)}
        await bridge.disconnect()
        for name in boxes:
            stage.box(name).reset(77)

        def again(command: bytes) -> None:
            for name in boxes[1:3]:
                if b"UID FETCH" in command and stage.box(name).uid_validity == 77:
                    stage.box(name).reset(78)

        stage.line.before_command = again
        stage.deliver(letter(99), mailbox=boxes[0])
        await sync_through(bridge)
        assert stage.line.count(b"BODY.PEEK[]") == 5 + 1, "one fetch a mailbox, and the new one"
        assert len(ids & {one.id for one in await messages(bridge)}) == 20
        await agree(bridge, stage, *boxes)


async def test_all_that_was_pending_here_when_the_numbers_changed(stage):
    """A flag, a new file, a deletion by name, one by absence, and one of each asked for over the API."""
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage, count=6)
        files = await bridge.files()
        path = files[known["letter 0"].maildir_name]
        path.rename(bridge.tree.root / "cur" / f"{path.name}:2,FS")
        files[known["letter 1"].maildir_name].unlink()
        put(bridge, "1.me", letter(7), letters="")
        gone = await ask(bridge, known["letter 2"].id)
        read = await ask(bridge, known["letter 3"].id, OperationKind.FLAGS, add={SEEN})
        await renumber(bridge, stage)
        stage.box().expunge([5])
        stage.deliver(letter(8))
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded, result.removed_here) == (1, 2, 0)
        assert stage.there() == sorted(sha(letter(number)) for number in (0, 1, 3, 5, 7, 8))
        for operation in (gone, read):
            assert (await bridge.store.operations.get(operation.id)).state == "done"
        flags = {one.octets: one.flags for one in stage.box().messages.values()}
        assert (flags[letter(0)], flags[letter(3)]) == ({SEEN, FLAGGED}, {SEEN})
        assert sha(letter(4)) in await bridge.digests(), (
            "deleted there under the old numbers: kept, unmatched"
        )
        assert (await bridge.sync()).is_quiet


async def test_ten_thousand_messages_are_matched_without_their_bodies(stage):
    count = 10_000
    stage.deliver(*(letter(number, "x" * (number % 50)) for number in range(count)))
    async with stage.bridge() as bridge:
        await bridge.sync()
        ids = {entry.message_id for entry in await entries(bridge)}
        await renumber(bridge, stage)
        stage.deliver(letter(count), letter(count + 1))
        sent = len(stage.line.commands)
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded, result.removed_here, result.expunged_there) == (
            2,
            0,
            0,
            0,
        )
        [fetch] = [command for command in stage.line.commands[sent:] if b"BODY.PEEK[]" in command]
        assert fetch.startswith(b"UID FETCH %d:%d " % (count + 1, count + 2))
        after = {entry.message_id for entry in await entries(bridge)}
        assert len(after) == count + 2
        assert ids < after
        assert (await bridge.run_pass()).is_quiet


def test_lost_base_is_what_both_have_and_a_deletion_mark_never_spreads_from_here():
    deleted = frozenset({"\\Deleted"})
    assert shared_base(frozenset({SEEN, FLAGGED}), frozenset({SEEN})) == {SEEN}
    assert shared_base(deleted, frozenset()) == deleted
    assert shared_base(frozenset(), deleted) == frozenset()
