"""What a job may do inside the writer's transaction, and what it leaves to be done after the commit.

Used by the writer thread only. Hooks given to `after_commit` run in the event loop, in the order of commits and before
the job's caller wakes; they are dropped when the job fails.
"""

from collections.abc import Callable, Sequence
from typing import Final

import orjson
from sqlalchemy import Connection, insert, select, update

from daemon.model.events import Event, NewEvent
from daemon.store import tables_index, tables_state
from daemon.store.effects import Effect
from daemon.store.encoding import format_event_id, from_ms, id_to_bytes

Hook = Callable[[], object]

EVENTS_KEPT: Final = 100_000  # about 20 MB; a client that has slept longer starts over
_PRUNE_EVERY: Final = 1000


class StateTx:
    """A transaction on state.sqlite3."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self.hooks: list[Hook] = []
        self.handovers: list[tuple[int, Effect]] = []

    def after_commit(self, hook: Hook) -> None:
        """Run `hook` in the event loop once this is durable."""
        self.hooks.append(hook)

    def take_numbers(self, name: str, count: int) -> range:
        """`count` numbers never given before under this name, ascending from 1."""
        counter = tables_state.COUNTER
        last = self.connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar()
        if last is None:
            self.connection.execute(insert(counter).values(name=name, value=count))
            return range(1, count + 1)
        self.connection.execute(update(counter).where(counter.c.name == name).values(value=last + count))
        return range(last + 1, last + count + 1)

    def hand_over(self, effect: Effect) -> None:
        """Have `effect` applied to the index after this commit, once, over crashes and failures."""
        (number,) = self.take_numbers("handover", 1)
        self.connection.execute(insert(tables_state.HANDOVER).values(number=number, effect=effect.to_text()))
        self.handovers.append((number, effect))


class EventNumbers:
    """Numbers of events, ascending; reserved in blocks so that a lost index gives none out twice."""

    BLOCK: Final = 1024

    def __init__(self, last: int, reserve: Callable[[int], None]) -> None:
        self._last = last
        self._reserved = last
        self._reserve = reserve

    def take(self, count: int) -> range:
        """`count` numbers; those of a transaction that fails are never used."""
        if self._last + count > self._reserved:
            reserved = self._last + max(count, self.BLOCK)
            self._reserve(reserved)
            self._reserved = reserved
        first = self._last + 1
        self._last += count
        return range(first, first + count)


class IndexTx:
    """A transaction on index.sqlite3. `state` may be read, never written."""

    def __init__(
        self, connection: Connection, state: Connection, now_ms: int, epoch: str, numbers: EventNumbers
    ) -> None:
        self.connection = connection
        self.state = state
        self.now_ms = now_ms
        self.hooks: list[Hook] = []
        self.events: list[Event] = []
        self.chores: list[Callable[[StateTx], None]] = []
        self.shifts: dict[int, tuple[int, int]] = {}
        self._epoch = epoch
        self._numbers = numbers

    def after_commit(self, hook: Hook) -> None:
        """Run `hook` in the event loop once this is durable."""
        self.hooks.append(hook)

    def later(self, chore: Callable[[StateTx], None]) -> None:
        """Have `chore` done with the next state transaction; lost in a crash, so only for tidying."""
        self.chores.append(chore)

    def shift(self, mailbox_id: int, total: int, unread: int) -> None:
        """More or fewer messages are shown in a mailbox."""
        old_total, old_unread = self.shifts.get(mailbox_id, (0, 0))
        self.shifts[mailbox_id] = (old_total + total, old_unread + unread)

    def add_events(self, events: Sequence[NewEvent]) -> tuple[Event, ...]:
        """The events with their ids, written in this transaction."""
        if not events:
            return ()
        numbers = self._numbers.take(len(events))
        written = tuple(
            Event(
                id=format_event_id(self._epoch, number),
                name=event.name,
                account=event.account,
                mailbox=event.mailbox,
                message_id=event.message_id,
                at=from_ms(self.now_ms),
                data=event.data,
            )
            for number, event in zip(numbers, events, strict=True)
        )
        self.connection.execute(
            insert(tables_index.EVENT),
            [
                {
                    "number": number,
                    "name": event.name.value,
                    "account": event.account,
                    "mailbox": event.mailbox,
                    "message_id": id_to_bytes(event.message_id) if event.message_id else None,
                    "at_ms": self.now_ms,
                    "data": orjson.dumps(event.data, option=orjson.OPT_NON_STR_KEYS).decode(),
                }
                for number, event in zip(numbers, written, strict=True)
            ],
        )
        self.events.extend(written)
        if numbers[0] // _PRUNE_EVERY != (numbers[-1] + 1) // _PRUNE_EVERY:
            self._prune(numbers[-1] - EVENTS_KEPT)
        return written

    def flush_counts(self) -> None:
        """The shifts of counts written beside the mailboxes."""
        mailbox = tables_index.MAILBOX
        for mailbox_id, (total, unread) in self.shifts.items():
            if total or unread:
                self.connection.execute(
                    update(mailbox)
                    .where(mailbox.c.id == mailbox_id)
                    .values(
                        shown_total=mailbox.c.shown_total + total,
                        shown_unread=mailbox.c.shown_unread + unread,
                    )
                )

    def _prune(self, through: int) -> None:
        if through <= 0:
            return
        event = tables_index.EVENT
        self.connection.execute(event.delete().where(event.c.number <= through))
        write_meta(self.connection, "pruned_through", str(through))


def write_meta(connection: Connection, key: str, value: str, *, is_state: bool = False) -> None:
    """A fact about the file itself, set."""
    meta = tables_state.META if is_state else tables_index.META
    connection.execute(insert(meta).prefix_with("OR REPLACE").values(key=key, value=value))


def read_meta(connection: Connection, *, is_state: bool = False) -> dict[str, str]:
    """All facts about the file itself."""
    meta = tables_state.META if is_state else tables_index.META
    return {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value))}
