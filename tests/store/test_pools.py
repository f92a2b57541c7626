"""Named threads for blocking work."""

import asyncio
import threading
import time

import pytest

from daemon.store.pools import THREADS, Pools


@pytest.fixture
async def pools():
    pools = Pools()
    yield pools
    await pools.close()


@pytest.mark.parametrize("name", ["readers", "fsync", "files"])
async def test_work_runs_in_a_thread_of_the_named_pool(pools, name):
    thread = await pools.run(name, threading.current_thread)
    assert thread.name.startswith(f"store-{name}")


async def test_pool_runs_as_many_at_once_as_it_has_threads(pools):
    barrier = threading.Barrier(THREADS["fsync"], timeout=10)
    await asyncio.gather(*(pools.run("fsync", barrier.wait) for _ in range(THREADS["fsync"])))


async def test_full_pool_does_not_hold_up_another(pools):
    stop = threading.Event()
    stuck = [asyncio.create_task(pools.run("files", stop.wait)) for _ in range(10)]
    assert await asyncio.wait_for(pools.run("readers", int, "7"), 5) == 7
    stop.set()
    await asyncio.gather(*stuck)


async def test_errors_come_out_as_they_are(pools):
    with pytest.raises(ValueError, match="invalid literal"):
        await pools.run("files", int, "x")


async def test_closing_waits_for_work_that_has_begun():
    pools = Pools()
    done = []

    def work():
        time.sleep(0.1)
        done.append(1)

    task = asyncio.create_task(pools.run("files", work))
    await asyncio.sleep(0.01)
    await pools.close()
    assert done == [1]
    await task
    with pytest.raises(RuntimeError, match="closed"):
        await pools.run("files", work)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store-")]
