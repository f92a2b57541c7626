"""Signatures; bodies follow."""
from __future__ import annotations
from collections.abc import Sequence
from daemon.model.events import NewEvent
from daemon.model.ids import AccountId, OperationId
from daemon.model.operations import Operation, OperationState

class OperationRoom:
    async def ask(self, operation: Operation) -> Operation: ...
    async def get(self, operation_id: OperationId) -> Operation:
        """Raises NotFound(reason=operation_unknown)."""
    async def pending(self, account: AccountId) -> tuple[Operation, ...]: ...
    async def finish(self, operation_id: OperationId, state: OperationState, reason: str | None = None, detail: str | None = None, events: Sequence[NewEvent] = (), *, as_of: Operation | None = None) -> Operation:
        """`as_of`: the operation as it was carried out; if it grew by a merge since, it stays pending and is returned so."""
    async def wait(self, operation_id: OperationId, seconds: float) -> Operation: ...
