"""Wishes: durable, merged, and never lost while they are carried out."""

import asyncio
import dataclasses

import pytest

from daemon.model.errors import NotFound
from daemon.model.events import EventName
from daemon.model.flags import ANSWERED, FLAGGED, NO_FLAGS, SEEN
from daemon.model.operations import OperationKind, OperationState
from daemon.store.operations import merge
from tests.store.samples import ARCHIVE, HOME, WORK, event, fill, message_id, operation, operation_id

FLAGS, DELETE, MOVE = OperationKind.FLAGS, OperationKind.DELETE, OperationKind.MOVE


def wish(kind, number=1, *, add=(), remove=(), target=None):
    return operation(number, 1, kind, add=frozenset(add), remove=frozenset(remove), target=target)


@pytest.mark.parametrize(
    ("standing", "later", "expected"),
    [
        (wish(FLAGS, add=[SEEN]), wish(FLAGS, 2, add=[FLAGGED]), wish(FLAGS, add=[SEEN, FLAGGED])),
        (wish(FLAGS, add=[SEEN]), wish(FLAGS, 2, remove=[SEEN]), wish(FLAGS, remove=[SEEN])),
        (wish(FLAGS, remove=[SEEN]), wish(FLAGS, 2, add=[SEEN]), wish(FLAGS, add=[SEEN])),
        (wish(FLAGS, add=[SEEN]), wish(DELETE, 2), wish(DELETE)),
        (wish(DELETE), wish(FLAGS, 2, add=[SEEN]), wish(DELETE)),
        (wish(DELETE), wish(DELETE, 2), wish(DELETE)),
        (wish(DELETE), wish(MOVE, 2, target=ARCHIVE), wish(DELETE)),
        (wish(FLAGS, add=[SEEN]), wish(MOVE, 2, target=ARCHIVE), wish(MOVE, add=[SEEN], target=ARCHIVE)),
        (wish(MOVE, target=ARCHIVE), wish(FLAGS, 2, add=[SEEN]), wish(MOVE, add=[SEEN], target=ARCHIVE)),
        (wish(MOVE, target=ARCHIVE), wish(MOVE, 2, target="B"), wish(MOVE, target="B")),
        (wish(MOVE, target=ARCHIVE), wish(DELETE, 2), wish(DELETE)),
    ],
)
def test_later_wishes_merge_into_the_pending_one(standing, later, expected):
    assert merge(standing, later) == expected


async def test_deletion_hides_the_message_at_once_and_survives(open_store):
    store = await open_store()
    await fill(store, [1, 2])
    asked = await store.operations.ask(operation(101, 1))
    assert asked == operation(101, 1)
    assert (await store.messages.get(message_id(1))).is_hidden
    assert store.counts_of(WORK).total == 1
    await store.close()
    store = await open_store()
    assert await store.operations.get(operation_id(101)) == asked
    assert await store.operations.pending(WORK) == (asked,)
    assert await store.operations.pending(HOME) == ()
    assert store.counts_of(WORK).total == 1


async def test_flags_are_shown_at_once(store):
    await fill(store, [1], flags=frozenset({SEEN, ANSWERED}))
    await store.operations.ask(operation(101, 1, FLAGS, add=frozenset({FLAGGED}), remove=frozenset({SEEN})))
    assert (await store.messages.get(message_id(1))).flags == {FLAGGED, ANSWERED}
    assert store.counts_of(WORK).unread == 1
    assert (await store.base.load(WORK, "INBOX")).entries[0].flags == {SEEN, ANSWERED}


async def test_wishes_for_one_message_stand_as_one(store):
    await fill(store, [1, 2])
    await store.operations.ask(operation(101, 1, FLAGS, add=frozenset({SEEN})))
    merged = await store.operations.ask(operation(102, 1, FLAGS, add=frozenset({FLAGGED})))
    assert (merged.id, merged.add) == (operation_id(101), {SEEN, FLAGGED})
    await store.operations.ask(operation(103, 2))
    gone = await store.operations.ask(operation(104, 1))
    assert (gone.id, gone.kind, gone.add) == (operation_id(101), DELETE, NO_FLAGS)
    assert (await store.operations.ask(operation(105, 1, FLAGS, add=frozenset({SEEN})))).kind is DELETE
    assert [each.id for each in await store.operations.pending(WORK)] == [
        operation_id(101),
        operation_id(103),
    ]
    assert store.counts_of(WORK).total == 0


async def test_asking_again_with_the_same_id_changes_nothing(store):
    await fill(store, [1])
    first = await store.operations.ask(operation(101, 1))
    assert await store.operations.ask(operation(101, 1)) == first
    ended = await store.operations.finish(operation_id(101), OperationState.DONE)
    assert await store.operations.ask(operation(101, 1)) == ended


async def test_finished_operation_tells_its_end(store, clock):
    await fill(store, [1])
    await store.operations.ask(operation(101, 1))
    clock.wall = 1_700_000_009.5
    ended = await store.operations.finish(
        operation_id(101), OperationState.DONE, reason="r", detail="d", events=[event(EventName.OP_APPLIED)]
    )
    assert ended == dataclasses.replace(
        operation(101, 1), state=OperationState.DONE, finished_at=1_700_000_009.5, reason="r", detail="d"
    )
    assert await store.operations.get(operation_id(101)) == ended
    assert await store.operations.pending(WORK) == ()
    assert (await store.messages.get(message_id(1))).is_hidden
    again = await store.operations.finish(operation_id(101), OperationState.FAILED, events=[event()])
    assert again == ended
    assert len(await store.events.since(None)) == 1


@pytest.mark.parametrize("state", [OperationState.FAILED, OperationState.UNCERTAIN])
async def test_failed_deletion_is_shown_again_and_may_be_asked_again(store, state):
    await fill(store, [1])
    await store.operations.ask(operation(101, 1))
    await store.operations.finish(operation_id(101), state, reason="refused")
    assert store.counts_of(WORK).total == 1
    assert (await store.operations.ask(operation(102, 1))).id == operation_id(102)
    assert store.counts_of(WORK).total == 0


async def test_operation_that_grew_while_it_was_carried_out_stays_pending(store):
    """Flags were sent; meanwhile more were asked for. Ending it now would lose them."""
    await fill(store, [1])
    await store.operations.ask(operation(101, 1, FLAGS, add=frozenset({SEEN})))
    (carried_out,) = await store.operations.pending(WORK)
    await store.operations.ask(operation(102, 1, FLAGS, add=frozenset({FLAGGED})))
    events = [event(EventName.OP_APPLIED), event(EventName.MESSAGE_FLAGS)]
    standing = await store.operations.finish(operation_id(101), OperationState.DONE, events=events)
    assert (standing.state, standing.add) == (OperationState.PENDING, {SEEN, FLAGGED})
    assert [each.name for each in await store.events.since(None)] == [EventName.MESSAGE_FLAGS]
    by_hand = await store.operations.finish(operation_id(101), OperationState.DONE, as_of=carried_out)
    assert by_hand.state is OperationState.PENDING
    await store.operations.pending(WORK)
    ended = await store.operations.finish(operation_id(101), OperationState.DONE)
    assert ended.state is OperationState.DONE


async def test_deletion_that_overtook_flags_stays_pending(store):
    await fill(store, [1])
    await store.operations.ask(operation(101, 1, FLAGS, add=frozenset({SEEN})))
    await store.operations.pending(WORK)
    await store.operations.ask(operation(102, 1))
    standing = await store.operations.finish(operation_id(101), OperationState.FAILED)
    assert (standing.state, standing.kind) == (OperationState.PENDING, DELETE)


async def test_waiting_ends_with_the_operation(store):
    await fill(store, [1])
    await store.operations.ask(operation(101, 1))
    waits = [asyncio.create_task(store.operations.wait(operation_id(101), 30)) for _ in range(2)]
    await asyncio.sleep(0.02)
    await store.operations.finish(operation_id(101), OperationState.MARKED)
    assert {wait.state for wait in await asyncio.gather(*waits)} == {OperationState.MARKED}
    assert (await store.operations.wait(operation_id(101), 30)).state is OperationState.MARKED
    assert not store.operations._waiters


async def test_waiting_gives_the_pending_operation_when_time_is_up(store):
    await fill(store, [1])
    await store.operations.ask(operation(101, 1))
    assert (await store.operations.wait(operation_id(101), 0.02)).state is OperationState.PENDING
    assert not store.operations._waiters


@pytest.mark.parametrize("unknown", ["", "x", "f" * 32])
async def test_unknown_operation_is_not_found(store, unknown):
    with pytest.raises(NotFound) as refused:
        await store.operations.get(unknown)
    assert refused.value.reason == "operation_unknown"
    with pytest.raises(NotFound):
        await store.operations.wait(unknown, 1)


async def test_finishing_an_unknown_operation_is_not_found(store):
    with pytest.raises(NotFound):
        await store.operations.finish("f" * 32, OperationState.DONE)


async def test_wish_for_an_unknown_message_is_kept(store):
    """The message may come back with the next pass; its wish meets it then."""
    await store.operations.ask(operation(101, 77))
    assert len(await store.operations.pending(WORK)) == 1
