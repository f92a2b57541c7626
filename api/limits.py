"""Named limits of the HTTP side, and places for requests that stay.

A request is short unless it streams events or waits; those hold a place, so that a client that opens too many is
told so instead of slowing the others (faults.md A8). Places are given up at shutdown by cancelling their holders.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from api.problems import Problem

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_CONNECTIONS: Final = 256  # over all listeners but the control socket
MAX_CONTROL_CONNECTIONS: Final = (
    32  # its own reserve: `mailsyncd status` works while the others are exhausted
)
MAX_STREAMS: Final = 64
MAX_WAITS: Final = 256
HEAD_SECONDS: Final = 5.0  # aiohttp has no deadline for a head that never ends
BODY_SECONDS: Final = 15.0
STALLED_READER_SECONDS: Final = 60.0  # a client that takes nothing of a waiting answer for so long is dropped
KEEPALIVE_SECONDS: Final = 30.0
LINGER_SECONDS: Final = (
    2.0  # reading what is left of a refused body, so that the refusal is not lost to a reset
)
MAX_WAIT_SECONDS: Final = (
    300.0  # longer `wait` and `timeout` are cut to this; the answer says what was reached
)
MAX_PAGE: Final = 500
TLS_HANDSHAKE_SECONDS: Final = 10.0
SHUTDOWN_SECONDS: Final = 2.0


class Places:
    """A number of places, held by the tasks that occupy them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._holders: set[asyncio.Task[object]] = set()
        self._is_closed = False

    @property
    def taken(self) -> int:
        return len(self._holders)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold one place inside the block; `too_busy` when there is none.

        Cancellation:
            Safe. `close()` cancels the holder.
        """
        task = asyncio.current_task()
        if task is None or self._is_closed or len(self._holders) >= self._count:
            raise Problem("too_busy", headers={"Retry-After": "1"})
        self._holders.add(task)
        try:
            yield
        finally:
            self._holders.discard(task)

    def close(self) -> None:
        """Cancel every holder and let nobody in any more."""
        self._is_closed = True
        for task in tuple(self._holders):
            task.cancel()
