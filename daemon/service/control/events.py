"""The event journal as clients read it: by id, from where they left off, each event once and in order.

A subscription carries no events, only the news that there are some: a slow reader holds nothing up and loses nothing.
"""

from collections.abc import Collection
from types import TracebackType
from typing import Final, Protocol, Self

from daemon.model.clock import Clock
from daemon.model.errors import InvalidRequest
from daemon.model.events import Event, EventName
from daemon.model.ids import EventId
from daemon.store.events import EventsGone
from daemon.store.store import Store

__all__ = ["EVENTS_LIMIT", "EventSubscription", "EventsControl", "EventsGone"]

EVENTS_LIMIT: Final = 1000  # one answer; a client goes on with the last id


class EventSubscription(Protocol):
    """News that events were committed; `async with` it."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def wait(self, timeout: float | None) -> bool:  # noqa: ASYNC109 - the wait is the purpose
        """True when something was committed since the last wait, False when `timeout` seconds went by without."""
        ...


class EventsControl:
    """Reads the journal."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def latest_id(self) -> EventId:
        """The journal's end; no I/O."""
        return self._store.events.latest_id

    def subscribe(self) -> EventSubscription:
        """News of commits from now on."""
        return self._store.events.subscribe()

    async def since(
        self,
        since: str | None,
        *,
        types: Collection[EventName] | None,
        limit: int,
        wait_seconds: float | None,
    ) -> tuple[Event, ...]:
        """Events after `since`; waits for the first one that fits for at most `wait_seconds`."""
        if not 0 < limit <= EVENTS_LIMIT:
            raise InvalidRequest(f"limit is 1 to {EVENTS_LIMIT}", reason="limit_invalid")
        mark = None if since is None else EventId(since)
        if wait_seconds is None:
            return await self._store.events.since(mark, limit=limit, types=types)
        deadline = self._clock.monotonic() + wait_seconds
        # Subscribed before the first look, so that what is committed in between is not slept over.
        async with self.subscribe() as subscription:
            while True:
                found = await self._store.events.since(mark, limit=limit, types=types)
                left = deadline - self._clock.monotonic()
                if found or left <= 0 or not await subscription.wait(left):
                    return found
