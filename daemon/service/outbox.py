"""The outbox: events of accounts on their way to the journal.

Putting one in never waits. They are written in the order of putting; when the disk refuses they stay until it takes
them, up to a limit, after which the oldest go: what an account is now matters more than what it was.
"""

import asyncio
from collections import deque
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import StoreError
from daemon.model.events import NewEvent
from daemon.store.store import Store

OUTBOX_LIMIT: Final = 4096  # some 2 MB; eight changes of state for each of 500 accounts
STORE_RETRY_SECONDS: Final = 5.0


class Outbox:
    """One for the service; `run` empties it."""

    def __init__(self, store: Store, log: FilteringBoundLogger) -> None:
        self._store = store
        self._log = log
        self._events: deque[NewEvent] = deque(maxlen=OUTBOX_LIMIT)
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    def put(self, event: NewEvent) -> None:
        """Take an event; never waits, never raises."""
        self._events.append(event)
        self._drained.clear()
        self._filled.set()

    async def run(self) -> None:
        """Write what is put in, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self._write_all()

    async def drain(self) -> None:
        """Return once everything put in so far is written; `run` must be running."""
        await self._drained.wait()

    async def _write_all(self) -> None:
        while self._events:
            batch = tuple(self._events)
            try:
                await self._store.events.append(*batch)
            except StoreError as exc:
                self._log.warning("events.delayed", reason=exc.reason, waiting=len(self._events))
                await asyncio.sleep(STORE_RETRY_SECONDS)
                continue
            self._forget(batch)
        self._drained.set()

    def _forget(self, batch: tuple[NewEvent, ...]) -> None:
        """Take out what was written; some of it may have been pushed out at the limit meanwhile."""
        written = {id(event) for event in batch}
        while self._events and id(self._events[0]) in written:
            self._events.popleft()
