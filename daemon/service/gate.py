"""The gate: so many handshakes at once over all accounts, and none that holds up the queue.

Five hundred accounts that regain the network together would otherwise stall the loop with TLS (N18). A handshake that
has not ended after its turn goes on without its place: a server that does not answer must not delay the others (I5).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Hands out turns in the order of asking."""

    def __init__(self, *, at_once: int, turn_seconds: float) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._turn_seconds = turn_seconds

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Within it one has a place, for as long as a turn lasts."""
        await self._places.acquire()
        is_held = True

        def give_up() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._places.release()

        timer = asyncio.get_running_loop().call_later(self._turn_seconds, give_up)
        try:
            yield
        finally:
            timer.cancel()
            give_up()
