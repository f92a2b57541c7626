"""Operations: what people asked for, durable before the answer.

At most one is pending for a message; a later wish merges into it. So an operation can grow while it is being carried
out, and `finish` then leaves it pending: what was done already is done again, which is harmless, and nothing is lost.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from daemon.model.errors import NotFound
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import NO_FLAGS
from daemon.model.ids import AccountId, MailboxName, OperationId, is_hex_id
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.store.effects import Effect, FlagChange
from daemon.store.encoding import (
    flags_from_text,
    flags_to_text,
    from_ms,
    id_from_bytes,
    id_to_bytes,
    to_ms,
)
from daemon.store.readers import Readers
from daemon.store.tables_state import IS_PENDING, OPERATION
from daemon.store.transactions import StateTx
from daemon.store.writer import Writer

_VERDICTS: Final = frozenset({EventName.OP_APPLIED, EventName.OP_FAILED})
_SHOWN_AGAIN: Final = frozenset({OperationState.FAILED, OperationState.UNCERTAIN})


class OperationRoom:
    """Wishes and how far they got."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer: Final = writer
        self._readers: Final = readers
        self._handed_out: dict[OperationId, Operation] = {}
        self._waiters: defaultdict[OperationId, set[asyncio.Future[None]]] = defaultdict(set)

    async def ask(self, operation: Operation) -> Operation:
        """The operation that stands for the wish now, durable and shown: the given one, or the one it merged into.

        Flags merge, the later wish winning; deletion wins over everything. A deletion hides the message at once,
        flags change what is shown. Asking again with the same id changes nothing.
        """

        def work(tx: StateTx) -> Operation:
            same = _find(tx.connection, operation.id)
            if same is not None:
                return same
            row = (
                tx.connection.execute(
                    select(OPERATION).where(
                        OPERATION.c.message_id == id_to_bytes(operation.message_id),
                        IS_PENDING,
                    )
                )
                .mappings()
                .first()
            )
            asked = replace(operation, created_at=from_ms(to_ms(operation.created_at)))
            if row is None:
                (number,) = tx.take_numbers("operation", 1)
                tx.connection.execute(insert(OPERATION).values(number=number, **_values_of(asked)))
            else:
                standing = _operation_of(row)
                asked = merge(standing, asked)
                if asked == standing:
                    return standing
                _update(tx, asked)
            tx.hand_over(effect_of([asked]))
            return asked

        return await self._writer.state(work)

    async def get(self, operation_id: OperationId) -> Operation:
        """The operation; raises NotFound."""
        found = None
        if is_hex_id(operation_id):
            found = await self._readers.state(lambda connection: _find(connection, operation_id))
        if found is None:
            raise NotFound("no such operation", reason="operation_unknown")
        return found

    async def pending(self, account: AccountId) -> tuple[Operation, ...]:
        """The account's pending operations, oldest first, for whoever carries them out."""

        def query(connection: Connection) -> tuple[Operation, ...]:
            return tuple(operation for operation in load_pending(connection) if operation.account == account)

        found = await self._readers.state(query)
        self._handed_out.update((operation.id, operation) for operation in found)
        return found

    async def finish(
        self,
        operation_id: OperationId,
        state: OperationState,
        reason: str | None = None,
        detail: str | None = None,
        events: Sequence[NewEvent] = (),
        *,
        as_of: Operation | None = None,
    ) -> Operation:
        """The operation as it stands now: ended, with its events, or still pending because it grew meanwhile.

        It grew when it differs from `as_of`, by default from what `pending` last handed out; the verdict's own events
        (`op.applied`, `op.failed`) are then left out. A deletion that failed is shown again. Ending it twice changes
        nothing. Raises NotFound.
        """
        carried_out = as_of if as_of is not None else self._handed_out.get(operation_id)

        def work(tx: StateTx) -> Operation:
            standing = _find(tx.connection, operation_id)
            if standing is None:
                raise NotFound("no such operation", reason="operation_unknown")
            if standing.state is not OperationState.PENDING:
                return standing
            if carried_out is not None and _wish(carried_out) != _wish(standing):
                kept = tuple(event for event in events if event.name not in _VERDICTS)
                if kept:
                    tx.hand_over(Effect(events=kept))
                return standing
            ended = replace(
                standing, state=state, finished_at=from_ms(tx.now_ms), reason=reason, detail=detail
            )
            _update(tx, ended)
            is_shown_again = standing.kind is OperationKind.DELETE and state in _SHOWN_AGAIN
            effect = Effect(show=(standing.message_id,) if is_shown_again else (), events=tuple(events))
            if effect:
                tx.hand_over(effect)
            tx.after_commit(lambda: self._ended(operation_id))
            return ended

        return await self._writer.state(work)

    async def wait(self, operation_id: OperationId, seconds: float) -> Operation:
        """The operation once it has ended, or as it stands after `seconds`; raises NotFound."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[operation_id].add(ended)
        try:
            standing = await self.get(operation_id)
            if standing.state is not OperationState.PENDING:
                return standing
            with suppress(TimeoutError):
                await asyncio.wait_for(ended, seconds)
            return await self.get(operation_id)
        finally:
            waiters = self._waiters[operation_id]
            waiters.discard(ended)
            if not waiters:
                del self._waiters[operation_id]

    def _ended(self, operation_id: OperationId) -> None:
        self._handed_out.pop(operation_id, None)
        for waiter in self._waiters.get(operation_id, ()):
            if not waiter.done():
                waiter.set_result(None)


def merge(standing: Operation, later: Operation) -> Operation:
    """The pending operation with a later wish for the same message in it; it keeps its id."""
    if standing.kind is OperationKind.DELETE:
        return standing
    if later.kind is OperationKind.DELETE:
        return replace(
            standing,
            kind=OperationKind.DELETE,
            add=NO_FLAGS,
            remove=NO_FLAGS,
            target=None,
            scope=later.scope,
        )
    is_move = OperationKind.MOVE in (standing.kind, later.kind)
    return replace(
        standing,
        kind=OperationKind.MOVE if is_move else OperationKind.FLAGS,
        add=(standing.add - later.remove) | later.add,
        remove=(standing.remove - later.add) | later.remove,
        target=later.target if later.kind is OperationKind.MOVE else standing.target,
    )


def effect_of(operations: Sequence[Operation]) -> Effect:
    """What pending operations do to what is shown."""
    return Effect(
        hide=tuple(
            operation.message_id for operation in operations if operation.kind is OperationKind.DELETE
        ),
        flags=tuple(
            FlagChange(message_id=operation.message_id, add=operation.add, remove=operation.remove)
            for operation in operations
            if operation.add or operation.remove
        ),
    )


def load_pending(connection: Connection) -> tuple[Operation, ...]:
    """All pending operations, oldest first."""
    rows = connection.execute(select(OPERATION).where(IS_PENDING).order_by(OPERATION.c.number))
    return tuple(_operation_of(row) for row in rows.mappings())


def _wish(operation: Operation) -> tuple[object, ...]:
    return operation.kind, operation.add, operation.remove, operation.target


def _find(connection: Connection, operation_id: OperationId) -> Operation | None:
    row = (
        connection.execute(select(OPERATION).where(OPERATION.c.id == id_to_bytes(operation_id)))
        .mappings()
        .first()
    )
    return _operation_of(row) if row is not None else None


def _update(tx: StateTx, operation: Operation) -> None:
    tx.connection.execute(
        update(OPERATION).where(OPERATION.c.id == id_to_bytes(operation.id)).values(_values_of(operation))
    )


def _values_of(operation: Operation) -> dict[str, Any]:
    return {
        "id": id_to_bytes(operation.id),
        "account": operation.account,
        "message_id": id_to_bytes(operation.message_id),
        "kind": operation.kind.value,
        "state": operation.state.value,
        "created_at_ms": to_ms(operation.created_at),
        "finished_at_ms": to_ms(operation.finished_at) if operation.finished_at is not None else None,
        "add_flags": flags_to_text(operation.add),
        "remove_flags": flags_to_text(operation.remove),
        "target": operation.target,
        "reason": operation.reason,
        "detail": operation.detail,
        "scope": operation.scope,
    }


def _operation_of(row: Mapping[Any, Any]) -> Operation:
    return Operation(
        id=OperationId(row["id"].hex()),
        account=AccountId(row["account"]),
        message_id=id_from_bytes(row["message_id"]),
        kind=OperationKind(row["kind"]),
        state=OperationState(row["state"]),
        created_at=from_ms(row["created_at_ms"]),
        finished_at=from_ms(row["finished_at_ms"]) if row["finished_at_ms"] is not None else None,
        add=flags_from_text(row["add_flags"]),
        remove=flags_from_text(row["remove_flags"]),
        target=MailboxName(row["target"]) if row["target"] is not None else None,
        reason=row["reason"],
        detail=row["detail"],
        scope=row["scope"],
    )
