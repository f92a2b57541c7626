"""What people have asked for over the API and this pass is to carry out, and the verdicts on it.

A verdict is given as of the wish that was carried out: one that grew meanwhile stays pending and is looked at again
(sync.md 16). Each operation gets one verdict in a pass.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping

from daemon.model.errors import NotFound
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId, MailboxName, MessageId
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.views import BaseState
from daemon.store.store import Store


class Wishes:
    """The pending operations of one account, by message, as they stood when the pass began."""

    def __init__(self, store: Store, operations: Iterable[Operation]) -> None:
        self._store = store
        self._pending = {operation.message_id: operation for operation in operations}

    @property
    def pending(self) -> Mapping[MessageId, Operation]:
        """Those without a verdict."""
        return self._pending

    async def applied(
        self, message_id: MessageId | None, state: OperationState = OperationState.DONE
    ) -> None:
        """The wish for this message, if there is one, has been carried out."""
        operation = self._take(message_id)
        if operation is not None:
            await self._store.operations.finish(
                operation.id,
                state,
                events=[_verdict(EventName.OP_APPLIED, operation)],
                as_of=operation,
            )

    async def failed(self, message_id: MessageId | None, reason: str, detail: str) -> None:
        """The wish for this message, if there is one, cannot be carried out."""
        operation = self._take(message_id)
        if operation is not None:
            await self._store.operations.finish(
                operation.id,
                OperationState.FAILED,
                reason=reason,
                detail=detail,
                events=[_verdict(EventName.OP_FAILED, operation, reason=reason)],
                as_of=operation,
            )

    async def removed(
        self, message_ids: Iterable[MessageId | None], state: OperationState = OperationState.DONE
    ) -> None:
        """The messages are gone: a deletion is thereby carried out, anything else asked of them has failed."""
        # Side by side, so that the store writes the verdicts on many in one transaction.
        await asyncio.gather(*(self._removed(message_id, state) for message_id in message_ids))

    async def _removed(self, message_id: MessageId | None, state: OperationState) -> None:
        operation = self._pending.get(message_id) if message_id is not None else None
        if operation is None or operation.kind is OperationKind.DELETE:
            await self.applied(message_id, state)
        else:
            await self.failed(message_id, "message_gone", "the message was deleted")

    async def settle_orphans(self, account: AccountId, mailboxes: Collection[MailboxName]) -> None:
        """Give a verdict on wishes for messages that no longer exist: a crash may have come before it, or the message
        found no partner when the index was rebuilt (sync.md 8). For after a pass over all of the account.
        """
        for message_id in list(self._pending):
            try:
                await self._store.messages.get(message_id)
            except NotFound:
                state = await self._state_of_removed(account, mailboxes, message_id)
                if state is None:
                    await self.failed(message_id, "message_gone", "the message no longer exists")
                else:
                    await self._removed(message_id, state)

    async def _state_of_removed(
        self, account: AccountId, mailboxes: Collection[MailboxName], message_id: MessageId
    ) -> OperationState | None:
        """How a message that was buried here ended; None for one that was not."""
        for mailbox in mailboxes:
            buried = await self._store.tombstones.find(account, mailbox)
            if not any(tombstone.message_id == message_id for tombstone in buried.values()):
                continue
            base = await self._store.base.load(account, mailbox)
            is_marked = any(
                entry.message_id == message_id and entry.state is BaseState.MARKED for entry in base.entries
            )
            return OperationState.MARKED if is_marked else OperationState.DONE
        return None

    def _take(self, message_id: MessageId | None) -> Operation | None:
        return self._pending.pop(message_id, None) if message_id is not None else None


def _verdict(name: EventName, operation: Operation, **data: object) -> NewEvent:
    return NewEvent(
        name=name,
        account=operation.account,
        message_id=operation.message_id,
        data={"operation": operation.id, "kind": operation.kind.value, **data},
    )
