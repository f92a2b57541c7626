"""The pool for look-ups: bounded, its own, and never in the way of the end."""

import asyncio
import threading
import time

import pytest

from daemon.net.threads import DialThreads


async def test_answer_and_error_come_back():
    pool = DialThreads(2)
    assert await pool.run(lambda: threading.current_thread().name) == "resolver-1"

    def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await pool.run(fail)


async def test_threads_are_reused_bounded_and_daemons():
    pool = DialThreads(3)
    names = set()

    def look_up():
        names.add(threading.current_thread().name)
        assert threading.current_thread().daemon
        time.sleep(0.02)

    await pool.run(look_up)
    await pool.run(look_up)
    assert names == {"resolver-1"}
    await asyncio.gather(*(pool.run(look_up) for _ in range(12)))
    assert len(names) == 3


async def test_abandoned_call_finishes_by_itself():
    pool = DialThreads(1)
    gate = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pool.run(gate.wait)
    gate.set()
    assert await pool.run(lambda: 7) == 7


def test_answer_for_a_closed_loop_is_dropped():
    pool = DialThreads(1)
    gate = threading.Event()

    async def leave():
        task = asyncio.create_task(pool.run(gate.wait))
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(pool.run(lambda: 1)) == 1
