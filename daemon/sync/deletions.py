r"""Deletions carried out: on the server by the account's rule, and here behind a tombstone.

Never a bare EXPUNGE: without UIDPLUS the message stays on the server marked \Deleted and that is said (design.md 3,
sync.md 20). Here the order is tombstone and event, unlink, fsync, clear the mark; a crash between any two ends in the
same state (sync.md 17). An absent UID counts as done, so repeating is harmless.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import MailError, Retry, ServerRefused
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import DELETED
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.operations import Operation, OperationKind, OperationState, Tombstone
from daemon.model.passes import PassResult
from daemon.model.settings import DeleteRule
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import ExpungeRemote, Forget, RemoveLocal, message_of, uid_of
from daemon.sync.tally import Tally
from daemon.sync.uploads import select_for_change

REMOTE_SET: Final = 500  # UIDs in one STORE, MOVE or EXPUNGE (sync.md 21)


class Deletions:
    """Carries out the deletions of one pass."""

    def __init__(
        self,
        *,
        account: AccountId,
        rule: DeleteRule,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
        operations: Mapping[MessageId, Operation],
    ) -> None:
        self._account = account
        self._rule = rule
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._operations = operations

    async def expunge(
        self,
        client: ImapClient,
        record: MailboxRecord,
        trash: MailboxRecord | None,
        actions: Sequence[ExpungeRemote],
    ) -> None:
        """Do on the server what was done here; the rows go once the server has answered.

        A refusal fails the operations that asked for it and leaves inferred ones for the next pass.
        """
        entries = [action.base for action in actions]
        by_uid = {uid_of(entry): entry for entry in entries}
        for uids in UidSet(by_uid).chunks(REMOTE_SET):
            part = [by_uid[uid] for uid in uids]
            try:
                state = await self._apply_rule(client, record, trash, uids)
            except ServerRefused as refusal:
                if refusal.retry is Retry.RECONNECT:
                    raise
                await self._note_refusal(record, part, refusal)
            else:
                await self._settle(record, part, state)

    async def remove(self, record: MailboxRecord, actions: Sequence[RemoveLocal]) -> None:
        """Remove files whose messages the server no longer has."""
        await self._bury(record, [action.base for action in actions])
        self._tally.add(PassResult(removed_here=len(actions)))
        await self._finish([action.base for action in actions], OperationState.DONE)

    async def forget(self, record: MailboxRecord, actions: Sequence[Forget]) -> None:
        """Drop the rows of messages that neither side has."""
        entries = [action.base for action in actions]
        await self._store.base.remove(
            self._account,
            record.name,
            message_ids=[entry.message_id for entry in entries if entry.message_id is not None],
            uids=[entry.uid for entry in entries if entry.uid is not None],
            events=[self._deleted(record, entry) for entry in entries if entry.state is BaseState.SYNCED],
        )
        await self._finish(entries, OperationState.DONE)

    async def _apply_rule(
        self, client: ImapClient, record: MailboxRecord, trash: MailboxRecord | None, uids: UidSet
    ) -> OperationState:
        await select_for_change(client, record)
        if self._rule is DeleteRule.TRASH and record.special_use is not SpecialUse.TRASH:
            if trash is None:
                raise ServerRefused(
                    'delete = "trash" but the server has no mailbox with the role \\Trash',
                    status="NO",
                    reason="no_trash",
                    remedy='create one there, or set delete = "expunge" or "mark"',
                )
            await client.move(uids, trash.wire_name)
            return OperationState.DONE
        await client.store_flags(uids, add=frozenset({DELETED}))
        if self._rule is DeleteRule.MARK or not client.caps.has("UIDPLUS"):
            return OperationState.MARKED
        await client.expunge(uids)
        return OperationState.DONE

    async def _settle(
        self, record: MailboxRecord, entries: Sequence[BaseEntry], state: OperationState
    ) -> None:
        """The server has answered: rows, tombstones, files and operations follow."""
        if state is OperationState.MARKED:
            for entry in entries:
                await self._store.base.set_state(
                    self._account, record.name, message_of(entry), BaseState.MARKED
                )
        await self._bury(record, entries)
        self._tally.add(PassResult(expunged_there=len(entries)))
        await self._finish(entries, state)

    async def _bury(self, record: MailboxRecord, entries: Sequence[BaseEntry]) -> None:
        """Tombstone, event, unlink, fsync, mark cleared; a file that is gone already is no obstacle."""
        tombstones: list[Tombstone] = []
        names: list[MaildirName] = []
        for entry in entries:
            if entry.message_id is None or entry.maildir_name is None:
                continue
            message = await self._store.messages.get(entry.message_id)
            names.append(entry.maildir_name)
            tombstones.append(
                Tombstone(
                    account=self._account,
                    mailbox=record.name,
                    maildir_name=entry.maildir_name,
                    message_id=entry.message_id,
                    file_sha256=message.content.file_sha256,
                    uid_validity=record.uid_validity,
                    uid=entry.uid,
                    is_unlink_pending=True,
                    at=self._clock.now(),
                )
            )
        await self._store.tombstones.bury(tombstones, [self._deleted(record, entry) for entry in entries])
        await self._tree.remove(record.directory, names)
        await self._store.tombstones.unlinked(self._account, [(record.name, name) for name in names])

    def _deleted(self, record: MailboxRecord, entry: BaseEntry) -> NewEvent:
        return NewEvent(
            name=EventName.MESSAGE_DELETED,
            account=self._account,
            mailbox=record.name,
            message_id=entry.message_id,
        )

    async def _finish(self, entries: Sequence[BaseEntry], state: OperationState) -> None:
        for entry in entries:
            operation = self._operations.get(entry.message_id) if entry.message_id is not None else None
            if operation is not None:
                await self._store.operations.finish(
                    operation.id, state, events=[operation_event(EventName.OP_APPLIED, operation)]
                )

    async def _note_refusal(
        self, record: MailboxRecord, entries: Sequence[BaseEntry], refusal: MailError
    ) -> None:
        self._tally.add(PassResult(failed=len(entries)))
        self._log.warning(
            "deletion.refused", mailbox=record.name, messages=len(entries), reason=refusal.reason
        )
        for entry in entries:
            operation = self._operations.get(entry.message_id) if entry.message_id is not None else None
            if operation is not None and operation.kind is OperationKind.DELETE:
                await self._store.operations.finish(
                    operation.id,
                    OperationState.FAILED,
                    reason=refusal.reason,
                    detail=str(refusal),
                    events=[operation_event(EventName.OP_FAILED, operation, reason=refusal.reason)],
                )


def operation_event(name: EventName, operation: Operation, **data: object) -> NewEvent:
    """`op.applied` or `op.failed` for an operation."""
    return NewEvent(
        name=name,
        account=operation.account,
        message_id=operation.message_id,
        data={"operation": operation.id, "kind": operation.kind.value, **data},
    )


def group_by_mailbox(names: Sequence[Tombstone]) -> Mapping[MailboxName, list[MaildirName]]:
    """Unique names of tombstones, mailbox by mailbox."""
    grouped: dict[MailboxName, list[MaildirName]] = defaultdict(list)
    for tombstone in names:
        grouped[tombstone.mailbox].append(tombstone.maildir_name)
    return grouped
