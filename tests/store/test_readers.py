"""Reading beside the writer."""

import asyncio
import threading

import pytest

from daemon.model.errors import StoreError
from tests.store.samples import event


async def test_query_sees_one_snapshot(store):
    """What is committed while a query runs is not in it; the next one has it."""
    inside, go = threading.Event(), threading.Event()
    count = "SELECT count(*) FROM event"

    def query(connection):
        first = connection.exec_driver_sql(count).scalar()
        inside.set()
        assert go.wait(10)
        return first, connection.exec_driver_sql(count).scalar()

    reading = asyncio.create_task(store._readers.index(query))
    while not inside.is_set():
        await asyncio.sleep(0.001)
    await store.events.append(event())
    go.set()
    assert await reading == (0, 0)
    assert await store._readers.index(lambda connection: connection.exec_driver_sql(count).scalar()) == 1


async def test_slow_query_does_not_hold_up_the_next(store):
    go = threading.Event()
    slow = asyncio.create_task(store._readers.index(lambda _: go.wait(10)))
    assert await asyncio.wait_for(store.facts.get(None, "k"), 5) is None
    go.set()
    await slow


async def test_errors_of_a_query_leave_the_reader_usable(store):
    with pytest.raises(StoreError) as refused:
        await store._readers.index(lambda connection: connection.exec_driver_sql("SELECT * FROM nowhere"))
    assert refused.value.reason == "store_io"
    with pytest.raises(ZeroDivisionError):
        await store._readers.index(lambda _: 1 / 0)
    assert not store._readers.has_found_damage
    for _ in range(4):
        assert (
            await store._readers.index(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
            == 1
        )
