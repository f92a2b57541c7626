"""Named thread pools for blocking work.

Nothing in this service blocks the event loop, and nothing uses the loop's default executor: a pool that is full of
slow fsyncs must not hold up a look-up. The writer has a thread of its own (`store.writer`).
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, TypeVar, TypeVarTuple

PoolName = Literal["readers", "fsync", "files"]

THREADS: Final[dict[PoolName, int]] = {
    "readers": 2,  # one slow listing must not hold up the next
    "fsync": 8,  # measured: 8 in flight make durable delivery 1.8 to 3.2 times as fast as one by one
    "files": 2,  # scans of directories and reads of files
}

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class Pools:
    """The pools, made when first used. One set for each store."""

    def __init__(self) -> None:
        self._executors: dict[PoolName, ThreadPoolExecutor] = {}
        self._is_closed = False

    async def run(self, name: PoolName, work: Callable[[*Ts], R], *args: *Ts) -> R:
        """What `work(*args)` returned or raised, done by a thread of the pool.

        Cancellation:
            The caller returns at once; work that has begun goes on to its end.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor(name), work, *args)

    async def close(self) -> None:
        """Wait for work that has begun, drop the rest, end the threads."""
        self._is_closed = True
        executors = tuple(self._executors.values())
        self._executors.clear()
        if not executors:
            return
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def end_all() -> None:
            for executor in executors:
                executor.shutdown(wait=True, cancel_futures=True)
            loop.call_soon_threadsafe(done.set_result, None)

        closer = threading.Thread(target=end_all, name="store-closer")
        closer.start()
        await asyncio.shield(done)
        closer.join()  # it has said its last word and is ending

    def _executor(self, name: PoolName) -> ThreadPoolExecutor:
        if self._is_closed:
            raise RuntimeError("the store is closed")
        executor = self._executors.get(name)
        if executor is None:
            executor = ThreadPoolExecutor(THREADS[name], thread_name_prefix=f"store-{name}")
            self._executors[name] = executor
        return executor
