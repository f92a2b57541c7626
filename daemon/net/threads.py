"""Threads for calls that block while a line is being opened: name look-ups and reading trust stores.

A pool of its own, never the loop's default executor: a resolver that hangs must not hold up disk or database work.
Daemon threads, because `getaddrinfo` cannot be interrupted and must not hold up the end of the process either.
"""

import asyncio
import functools
import queue
import threading
from collections.abc import Callable
from typing import Final, TypeVar

MOST_THREADS: Final = 8
"""Look-ups beyond this wait in line; each waiter has its own deadline."""

_T = TypeVar("_T")
_Deliver = Callable[[], None]


class DialThreads:
    """At most `most` threads, started when needed and kept for the life of the process."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[Callable[[], _Deliver]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._busy = 0

    async def run(self, function: Callable[[], _T]) -> _T:
        """What `function` returns or raises, computed in a thread.

        Cancellation: safe; the thread finishes by itself and its answer is dropped.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()

        def give(result: _T) -> None:
            if not answer.done():
                answer.set_result(result)

        def fail(error: Exception) -> None:
            if not answer.done():
                answer.set_exception(error)

        def job() -> _Deliver:
            try:
                result = function()
            except Exception as exc:  # noqa: BLE001 - carried over to the waiter, whatever it is
                return functools.partial(_hand_over, loop, fail, exc)
            return functools.partial(_hand_over, loop, give, result)

        self._submit(job)
        return await answer

    def _submit(self, job: Callable[[], _Deliver]) -> None:
        with self._lock:
            self._busy += 1
            must_start = self._busy > self._started and self._started < self._most
            if must_start:
                self._started += 1
                name = f"resolver-{self._started}"
        self._jobs.put(job)
        if must_start:
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            deliver = self._jobs.get()()
            with self._lock:
                self._busy -= 1
            deliver()


def _hand_over(loop: asyncio.AbstractEventLoop, call: Callable[[_T], None], value: _T) -> None:
    try:
        loop.call_soon_threadsafe(call, value)
    except RuntimeError:
        return  # the loop was closed meanwhile: nobody waits any more


DIAL_THREADS: Final = DialThreads()
