"""The journal of events: ids in commit order, read from any place in it, and a bell that rings after commits."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Final, Self

import orjson
from sqlalchemy import Connection, Row, func, select

from daemon.model.errors import Blast, MailError, Retry
from daemon.model.events import Event, EventName, NewEvent
from daemon.model.ids import AccountId, EventId, MailboxName
from daemon.store.encoding import format_event_id, from_ms, id_from_bytes, parse_event_id
from daemon.store.readers import Readers
from daemon.store.tables_index import EVENT, META
from daemon.store.transactions import IndexTx
from daemon.store.writer import Writer

MOST_EVENTS: Final = 5000  # of one answer


class EventsGone(MailError):
    """The id is of another epoch, or what followed it is no longer kept: take `latest_id` and look at everything anew."""

    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "events_gone"


class Subscription:
    """Rung after each commit that wrote events; rings in between count once. `async with room.subscribe() as ...`."""

    def __init__(self, leave: Callable[["Subscription"], None]) -> None:
        self._bell = asyncio.Event()
        self._leave = leave

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(self)

    async def wait(self, timeout: float | None) -> bool:  # noqa: ASYNC109 - a long-poll's own patience
        """True when events were written since the last call; False when `timeout` seconds brought none."""
        try:
            await asyncio.wait_for(self._bell.wait(), timeout)
        except TimeoutError:
            return False
        self._bell.clear()
        return True

    def ring(self) -> None:
        """Events were written. Never blocks."""
        self._bell.set()


class EventRoom:
    """The journal of this epoch."""

    def __init__(self, writer: Writer, readers: Readers, epoch: str, last_number: int) -> None:
        self._writer: Final = writer
        self._readers: Final = readers
        self._epoch: Final = epoch
        self._latest_id = format_event_id(epoch, last_number)
        self._subscriptions: set[Subscription] = set()

    @property
    def latest_id(self) -> EventId:
        """The last event committed; of a new epoch, the place before its first."""
        return self._latest_id

    async def append(self, *events: NewEvent) -> tuple[Event, ...]:
        """The events as they were written, in this order."""

        def work(tx: IndexTx) -> tuple[Event, ...]:
            return tx.add_events(events)

        return await self._writer.index(work)

    async def since(
        self, after: EventId | None, *, limit: int = 500, types: Collection[EventName] | None = None
    ) -> tuple[Event, ...]:
        """Events after `after` (None: all that are kept), oldest first, of the given types only.

        Raises:
            EventsGone: The id is not of this epoch, was never given, or events after it are no longer kept.
        """
        place = self._place(after) if after is not None else None
        most = max(1, min(limit, MOST_EVENTS))

        def query(connection: Connection) -> Sequence[Row[Any]]:
            if place is not None and place < _pruned_through(connection):
                raise EventsGone("events after this id are no longer kept")
            statement = select(EVENT).order_by(EVENT.c.number).limit(most)
            if place is not None:
                statement = statement.where(EVENT.c.number > place)
            if types is not None:
                statement = statement.where(EVENT.c.name.in_([name.value for name in types]))
            return connection.execute(statement).all()

        return tuple(self._event_of(row) for row in await self._readers.index(query))

    def subscribe(self) -> Subscription:
        """A bell for the events committed from now on; leave it by the end of its `async with`."""
        subscription = Subscription(self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def committed(self, events: Sequence[Event]) -> None:
        """Events became durable. Called by the store after each commit."""
        if events:
            self._latest_id = events[-1].id
            for subscription in self._subscriptions:
                subscription.ring()

    def _place(self, after: EventId) -> int:
        parsed = parse_event_id(after)
        latest = parse_event_id(self._latest_id)
        if parsed is None or latest is None or parsed[0] != self._epoch:
            raise EventsGone("the id is of another journal")
        if parsed[1] > latest[1]:
            raise EventsGone("the id was never given in this journal")
        return parsed[1]

    def _event_of(self, row: Row[Any]) -> Event:
        return Event(
            id=format_event_id(self._epoch, row.number),
            name=EventName(row.name),
            account=AccountId(row.account),
            mailbox=MailboxName(row.mailbox) if row.mailbox is not None else None,
            message_id=id_from_bytes(row.message_id) if row.message_id is not None else None,
            at=from_ms(row.at_ms),
            data=orjson.loads(row.data),
        )


def last_event_number(connection: Connection) -> int:
    """The number of the last event of the epoch; where none is kept, the one before the next."""
    newest = connection.execute(select(func.max(EVENT.c.number))).scalar()
    return int(newest) if newest is not None else _pruned_through(connection)


def _pruned_through(connection: Connection) -> int:
    value = connection.execute(select(META.c.value).where(META.c.key == "pruned_through")).scalar()
    return int(value) if value is not None else 0
