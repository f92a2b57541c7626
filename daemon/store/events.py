"""Signatures; bodies follow."""
from __future__ import annotations
from collections.abc import Collection
from daemon.model.errors import MailError, Retry, Blast
from daemon.model.events import Event, EventName, NewEvent
from daemon.model.ids import EventId

class EventsGone(MailError):
    """The id is of another epoch, or what followed it is no longer kept: start over from `latest_id`."""
    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "events_gone"

class Subscription:
    """Waked after commits that wrote events. `async with store.events.subscribe() as subscription`."""
    async def __aenter__(self) -> Subscription: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def wait(self, timeout: float | None) -> bool:
        """True when events were written since the last wait returned; False after `timeout` seconds."""

class EventRoom:
    async def append(self, *events: NewEvent) -> tuple[Event, ...]: ...
    async def since(self, after: EventId | None, *, limit: int = 500, types: Collection[EventName] | None = None) -> tuple[Event, ...]:
        """Events after `after`, oldest first. Raises EventsGone."""
    @property
    def latest_id(self) -> EventId: ...
    def subscribe(self) -> Subscription: ...
