"""The journal: ids in commit order, over restarts, and a bell."""

import asyncio

import pytest

from daemon.model.events import EventName
from daemon.model.ids import INBOX, EventId
from daemon.store import transactions
from daemon.store.events import EventsGone
from tests.store.samples import WORK, event, message_id, new_message


async def test_events_are_read_back_in_order_after_any_of_them(store, clock):
    clock.wall = 1_700_000_001.25
    written = await store.events.append(
        event(data={"nested": {"list": [1, None, "ü"]}}),
        new_message(1),
        event(EventName.OP_FAILED, mailbox=INBOX),
    )
    assert await store.events.since(None) == written
    assert (written[1].message_id, written[1].at) == (message_id(1), 1_700_000_001.25)
    assert written[0].data == {"nested": {"list": [1, None, "ü"]}}
    assert await store.events.since(written[0].id) == written[1:]
    assert await store.events.since(written[2].id) == ()
    assert await store.events.since(None, limit=2) == written[:2]
    assert await store.events.since(None, types=[EventName.OP_FAILED]) == written[2:]
    assert await store.events.since(None, types=[]) == ()
    assert store.events.latest_id == written[2].id
    assert await store.events.append() == ()


async def test_ids_go_on_over_restarts(open_store):
    ids = []
    for _ in range(3):
        store = await open_store()
        assert store.events.latest_id == (ids[-1] if ids else store.events.latest_id)
        assert await store.events.since(store.events.latest_id) == ()
        ids += [each.id for each in await store.events.append(*[event()] * 3)]
        await store.close()
    assert ids == sorted(set(ids))
    store = await open_store()
    assert [each.id for each in await store.events.since(ids[1])] == ids[2:]


async def test_latest_id_of_a_new_journal_is_a_place_to_start_from(store):
    start = store.events.latest_id
    written = await store.events.append(event())
    assert await store.events.since(start) == written


@pytest.mark.parametrize("make", ["{other}-000000000001", "{epoch}-999999999999", "nonsense", ""])
async def test_id_of_no_event_here_is_gone(store, make):
    await store.events.append(event())
    with pytest.raises(EventsGone) as refused:
        await store.events.since(EventId(make.format(other="deadbeef", epoch=store.epoch)))
    assert refused.value.reason == "events_gone"


async def test_old_events_are_let_go_and_their_ids_told_as_gone(store, monkeypatch):
    monkeypatch.setattr(transactions, "EVENTS_KEPT", 500)
    start = store.events.latest_id
    ids = []
    for _ in range(7):
        ids += [each.id for each in await store.events.append(*[event()] * 400)]
    kept = await store.events.since(None, limit=5000)
    assert 500 <= len(kept) < 500 + 1000 + 400
    assert kept[-1].id == ids[-1]
    for gone in (start, ids[0]):
        with pytest.raises(EventsGone):
            await store.events.since(gone)
    place = ids.index(kept[0].id)
    assert (await store.events.since(ids[place - 1], limit=5000)) == kept


async def test_failed_transaction_leaves_a_gap_and_no_event(store):
    (first,) = await store.events.append(event())

    def fails(tx):
        tx.add_events([event()])
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="purpose"):
        await store._writer.index(fails)
    assert store.events.latest_id == first.id
    (second,) = await store.events.append(event())
    assert await store.events.since(first.id) == (second,)


async def test_bell_rings_after_a_commit_and_counts_once(store):
    async with store.events.subscribe() as bell:
        assert not await bell.wait(0.01)
        await store.events.append(event())
        await store.events.append(event())
        assert await bell.wait(1)
        assert not await bell.wait(0.01)
        await store.facts.set(WORK, "k", "v")
        assert not await bell.wait(0.01)
        waiting = asyncio.create_task(bell.wait(30))
        await asyncio.sleep(0)
        await store.events.append(event())
        assert await waiting
    assert not store.events._subscriptions


async def test_what_the_bell_tells_of_can_be_read(store):
    async with store.events.subscribe() as bell:
        start = store.events.latest_id
        await asyncio.gather(*(store.events.append(event()) for _ in range(50)))
        assert await bell.wait(1)
        assert len(await store.events.since(start)) == 50
