"""Events leave in order, whatever the disk does meanwhile; putting one in never waits."""

import asyncio

import pytest
import structlog

from daemon.model.clock import SystemClock
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId
from daemon.service.outbox import OUTBOX_LIMIT, Outbox
from daemon.store.store import Store

WORK = AccountId("work")


def event(number: int) -> NewEvent:
    return NewEvent(name=EventName.ACCOUNT_STATE, account=WORK, data={"number": number})


@pytest.fixture
async def store(tmp_path):
    store = await Store.open(tmp_path / "store", clock=SystemClock())
    yield store
    await store.close()


@pytest.fixture
async def outbox(store):
    outbox = Outbox(store, structlog.get_logger())
    running = asyncio.create_task(outbox.run())
    yield outbox
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def numbers(store: Store) -> list[object]:
    return [event.data["number"] for event in await store.events.since(None, limit=10_000)]


async def test_events_are_written_in_order(outbox, store) -> None:
    for number in range(50):
        outbox.put(event(number))
        if number % 7 == 0:
            await asyncio.sleep(0.001)
    await outbox.drain()
    assert await numbers(store) == list(range(50))


async def test_empty_outbox_is_drained_at_once(outbox) -> None:
    async with asyncio.timeout(1):
        await outbox.drain()


async def test_overfull_outbox_keeps_the_newest(store) -> None:
    outbox = Outbox(store, structlog.get_logger())
    for number in range(OUTBOX_LIMIT + 10):
        outbox.put(event(number))
    running = asyncio.create_task(outbox.run())
    await outbox.drain()
    running.cancel()
    kept = await numbers(store)
    assert kept == list(range(10, OUTBOX_LIMIT + 10))
