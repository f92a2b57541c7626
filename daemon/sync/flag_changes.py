"""Flag changes carried out: pushed to the server, applied to files, agreed in base.

Base is written only after both sides have what it says, so a crash in between repeats the change, which is harmless.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import Blast, MailError, ServerRefused, StoreError
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import FlagSet
from daemon.model.ids import AccountId, MessageId, Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.passes import PassResult
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteView
from daemon.net.imap.client import ImapClient
from daemon.store.base import FlagUpdate
from daemon.store.maildir.flags import FlagChange
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import ChangeFlags, FlagDifference, file_of, message_of, uid_of
from daemon.sync.deletions import operation_event
from daemon.sync.tally import Tally
from daemon.sync.uploads import select_for_change


class FlagChanges:
    """Carries out the flag changes of one pass."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        log: FilteringBoundLogger,
        tally: Tally,
        operations: Mapping[MessageId, Operation],
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._log = log
        self._tally = tally
        self._operations = operations

    async def apply(self, client: ImapClient, record: MailboxRecord, actions: Sequence[ChangeFlags]) -> None:
        """Server, file and base agree afterwards, but for messages whose change the server refused."""
        refused = await self._push(client, record, [action.difference for action in actions])
        shown = await self._apply_to_files(record, [action.difference for action in actions], refused)
        updates: list[FlagUpdate] = []
        events: list[NewEvent] = []
        for action in actions:
            difference = action.difference
            message_id = message_of(difference.base)
            refusal = refused.get(uid_of(difference.base))
            if refusal is not None:
                await self._fail(message_id, refusal)
                continue
            if message_id not in shown:
                continue  # the file went away meanwhile: the next pass sees why
            updates.append(
                FlagUpdate(message_id=message_id, flags=shown[message_id], base_flags=difference.merged)
            )
            events.append(
                NewEvent(
                    name=EventName.MESSAGE_FLAGS,
                    account=self._account,
                    mailbox=record.name,
                    message_id=message_id,
                    data={"flags": sorted(shown[message_id])},
                )
            )
        await self._store.base.record_flags(self._account, record.name, updates, events)
        self._tally.add(PassResult(flags_changed=len(updates), failed=len(refused)))

    async def settle_operations(
        self, record: MailboxRecord, remote: RemoteView, agreed: Mapping[MessageId, FlagSet]
    ) -> None:
        """Finish the wishes that base now fulfils, and fail those the server never will; `agreed` has base's flags."""
        for message_id, flags in agreed.items():
            operation = self._operations.get(message_id)
            if operation is None or operation.kind is not OperationKind.FLAGS:
                continue
            if operation.add <= flags and not operation.remove & flags:
                await self._store.operations.finish(
                    operation.id,
                    OperationState.DONE,
                    events=[operation_event(EventName.OP_APPLIED, operation)],
                    as_of=operation,
                )
            elif remote.is_read_only:
                await self._fail(
                    message_id,
                    ServerRefused(
                        f"{record.name} can only be read on the server", status="NO", reason="read_only"
                    ),
                )

    async def _push(
        self, client: ImapClient, record: MailboxRecord, differences: Sequence[FlagDifference]
    ) -> Mapping[Uid, MailError]:
        """STORE what differs there, messages with the same change in one command; what was refused, by UID."""
        groups: dict[tuple[FlagSet, FlagSet], list[Uid]] = defaultdict(list)
        for difference in differences:
            if difference.push_add or difference.push_remove:
                groups[difference.push_add, difference.push_remove].append(uid_of(difference.base))
        if not groups:
            return {}
        await select_for_change(client, record)
        changes = [(UidSet(uids), add, remove) for (add, remove), uids in groups.items()]
        verdicts = await client.store_many(changes)
        refused: dict[Uid, MailError] = {}
        for (uids, _, _), verdict in zip(changes, verdicts, strict=True):
            if verdict is None:
                continue
            if verdict.blast is Blast.ACCOUNT:
                raise verdict
            self._log.warning("flags.refused", mailbox=record.name, messages=len(uids), reason=verdict.reason)
            refused.update(dict.fromkeys(uids, verdict))
        return refused

    async def _apply_to_files(
        self, record: MailboxRecord, differences: Sequence[FlagDifference], refused: Collection[Uid]
    ) -> Mapping[MessageId, FlagSet]:
        """The flags each message shows now: what its file says, and keywords that no file can show."""
        shown: dict[MessageId, FlagSet] = {}
        renames: list[tuple[FlagDifference, FlagChange]] = []
        for difference in differences:
            if uid_of(difference.base) in refused:
                continue
            if difference.local_path is None or not (difference.local_add or difference.local_remove):
                shown[message_of(difference.base)] = difference.merged
                continue
            change = FlagChange(
                maildir_name=file_of(difference.base),
                add=difference.local_add,
                remove=difference.local_remove,
                expected_path=difference.local_path,
            )
            renames.append((difference, change))
        if renames:
            results = await self._tree.set_many_flags(record.directory, [change for _, change in renames])
            for (difference, _), result in zip(renames, results, strict=True):
                if isinstance(result, StoreError):
                    if result.blast is not Blast.MESSAGE:
                        raise result
                    self._log.info("file.not_renamed", mailbox=record.name, reason=result.reason)
                    continue
                shown[message_of(difference.base)] = result.flags | difference.merged
        return shown

    async def _fail(self, message_id: MessageId, refusal: MailError) -> None:
        operation = self._operations.get(message_id)
        if operation is not None:
            await self._store.operations.finish(
                operation.id,
                OperationState.FAILED,
                reason=refusal.reason,
                detail=str(refusal),
                events=[operation_event(EventName.OP_FAILED, operation, reason=refusal.reason)],
            )
