"""Messages as clients read and change them.

A change is durable before it is visible and visible before it is answered: first the operation, then the file, then
the account is woken. A crash between any two leaves an operation that is carried out at the next pass (sync.md 16).
Nothing here waits for a server unless asked to.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

from daemon.model.clock import Clock
from daemon.model.errors import InvalidRequest, NotFound, no_account
from daemon.model.flags import FlagSet, in_spelling_of, is_valid_flag, normalise_flags, system_flag_named
from daemon.model.ids import AccountId, MessageId, OperationId, is_hex_id, new_operation_id
from daemon.model.message import Message, MessagePage, MessageQuery
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.service.runner import Runner
from daemon.service.wakes import WakeReason
from daemon.service.wishes import put_on_file
from daemon.store.maildir.errors import MessageGone
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message's wire form: byte for byte what the server sent, or what it was or would be sent.

    `sha256` is lower-case hex. `chunks` is read once; closing it early is fine.
    """

    size: int
    sha256: str
    chunks: AsyncIterator[bytes]


class MessagesControl:
    """Reads the index and the tree; writes operations and flag letters."""

    def __init__(
        self,
        *,
        store: Store,
        trees: Mapping[AccountId, MaildirTree],
        runners: Mapping[AccountId, Runner],
        clock: Clock,
    ) -> None:
        self._store = store
        self._trees = trees
        self._runners = runners
        self._clock = clock

    async def list_messages(self, query: MessageQuery) -> MessagePage:
        """One page, newest first."""
        if query.account is not None and query.account not in self._runners:
            raise no_account(query.account, self._runners)
        return await self._store.messages.page(query)

    async def get_message(self, message_id: str) -> Message:
        """One message that is not hidden."""
        message = await self._find(message_id)
        if message.is_hidden:
            raise _unknown(message_id)
        return message

    async def open_raw(self, message_id: str) -> RawMessage:
        """The octets in wire form. The first chunk is read before this returns, so that a file that is gone, or a
        disk that refuses, is told before a client has been promised anything.
        """
        message = await self.get_message(message_id)
        chunks = self._tree_of(message).wire_chunks(message.directory, message.maildir_name)
        try:
            first = await anext(chunks, b"")
        except MessageGone as exc:
            raise _unknown(message_id) from exc
        return RawMessage(
            size=message.content.wire_size,
            sha256=message.content.wire_sha256.hex(),
            chunks=_joined(first, chunks),
        )

    async def change_flags(
        self, message_id: str, *, add: FlagSet, remove: FlagSet, wait_seconds: float | None
    ) -> Operation:
        """The durable wish, the file renamed, the account woken."""
        add, remove = _valid_change(add, remove)
        message = await self.get_message(message_id)
        add, remove = (in_spelling_of(wish, message.flags) for wish in (add, remove))
        operation = await self._ask(message, OperationKind.FLAGS, add=add, remove=remove)
        if operation.kind is OperationKind.FLAGS and operation.state is OperationState.PENDING:
            await put_on_file(self._tree_of(message), message, operation)
        return await self._settle(message, operation, wait_seconds)

    async def delete_message(self, message_id: str, *, wait_seconds: float | None) -> Operation:
        """The durable wish, the message hidden, the account woken."""
        message = await self._find(message_id)
        operation = await self._ask(message, OperationKind.DELETE)
        return await self._settle(message, operation, wait_seconds)

    async def operation(self, operation_id: str, *, wait_seconds: float | None) -> Operation:
        """An operation now, or when it is finished or `wait_seconds` are over."""
        if not is_hex_id(operation_id):
            raise NotFound(f"there is no operation {operation_id!r}", reason="operation_unknown")
        if wait_seconds is None:
            return await self._store.operations.get(OperationId(operation_id))
        return await self._store.operations.wait(OperationId(operation_id), wait_seconds)

    async def _find(self, message_id: str) -> Message:
        if not is_hex_id(message_id):
            raise _unknown(message_id)
        message = await self._store.messages.get(MessageId(message_id))
        if message.account not in self._runners:
            raise _unknown(
                message_id
            )  # of an account gone from the config: its mail stays, but is not served
        return message

    def _tree_of(self, message: Message) -> MaildirTree:
        return self._trees[message.account]

    async def _ask(
        self,
        message: Message,
        kind: OperationKind,
        *,
        add: FlagSet = frozenset(),
        remove: FlagSet = frozenset(),
    ) -> Operation:
        return await self._store.operations.ask(
            Operation(
                id=new_operation_id(),
                account=message.account,
                message_id=message.id,
                kind=kind,
                state=OperationState.PENDING,
                created_at=self._clock.now(),
                add=add,
                remove=remove,
                scope=self._runners[message.account].operation_scope,
            )
        )

    async def _settle(self, message: Message, operation: Operation, wait_seconds: float | None) -> Operation:
        self._runners[message.account].wake(WakeReason.OPERATION, message.mailbox)
        if wait_seconds is None or operation.state is not OperationState.PENDING:
            return operation
        return await self._store.operations.wait(operation.id, wait_seconds)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for chunk in rest:
            yield chunk
    finally:
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()  # the file is closed now, not when the collector finds it


def _unknown(message_id: str) -> NotFound:
    return NotFound(f"there is no message {message_id[:64]!r}", reason="message_unknown")


def _valid_change(add: FlagSet, remove: FlagSet) -> tuple[FlagSet, FlagSet]:
    """Both sets in our spelling. InvalidRequest for a flag no server may be sent, for both or for nothing."""
    for flag in sorted(add | remove):
        if not is_valid_flag(flag):
            raise InvalidRequest(
                f"{flag[:100]!r} is not a flag",
                reason="flag_invalid",
                remedy=r"use \Seen, \Answered, \Flagged, \Deleted, \Draft or a keyword without spaces",
            )
    for flag in sorted(add):  # what another program has set stays removable
        if (meant := system_flag_named(flag)) is not None:
            raise InvalidRequest(
                f"{flag!r} would be a keyword and no system flag",
                reason="flag_invalid",
                remedy=f"did you mean {meant}?",
            )
    added, removed = normalise_flags(add), normalise_flags(remove)
    if both := added & in_spelling_of(removed, added):
        raise InvalidRequest(
            f"{', '.join(sorted(both))} cannot be added and removed at once",
            reason="flags_contradict",
            remedy="name each flag in one of the two lists",
        )
    if not added and not removed:
        raise InvalidRequest("there is no flag to add or remove", reason="flags_empty")
    return added, removed
