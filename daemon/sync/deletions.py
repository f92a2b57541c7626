r"""Deletions carried out: on the server by the account's rule, and here behind a tombstone.

Never a bare EXPUNGE: without UIDPLUS the message stays on the server marked \Deleted and that is said (design.md 3,
sync.md 20). Here the order is tombstone and event, unlink, fsync, clear the mark; a crash between any two ends in the
same state (sync.md 17). An absent UID counts as done, so repeating is harmless.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import Blast, MailError, ServerRefused
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import DELETED
from daemon.model.ids import AccountId, MailboxName, MaildirName, Uid
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.operations import OperationState, Tombstone
from daemon.model.passes import PassResult
from daemon.model.settings import DeleteRule
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import ExpungeRemote, Forget, Refetch, RemoveLocal, message_of, uid_of
from daemon.sync.gmail import needs_trash, without_other_labels
from daemon.sync.refusals import Asked, Refusals
from daemon.sync.selecting import NotSelected, select_for_change
from daemon.sync.tally import Tally
from daemon.sync.trash import TrashCopies
from daemon.sync.wishes import Wishes
from daemon.wire.imap.refusals import TRANSIENT_CODES

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
        wishes: Wishes,
        refusals: Refusals,
    ) -> None:
        self._account = account
        self._rule = rule
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._wishes = wishes
        self._refusals = refusals
        self._trash = TrashCopies(account=account, store=store)
        self.carried_out = defaultdict[MailboxName, set[Uid]](set)
        """What has been deleted, by mailbox."""

    async def expunge(
        self,
        client: ImapClient,
        record: MailboxRecord,
        trash: bytes | None,
        actions: Sequence[ExpungeRemote],
    ) -> None:
        r"""Do on the server what was done here; the rows go once the server has answered.

        `trash` is the wire name of the mailbox with the role \Trash. A refusal fails the operations that asked for it
        and leaves inferred ones for later.
        """
        now = self._clock.now()
        entries = [
            action.base
            for action in actions
            if not action.is_inferred
            or not self._refusals.is_waiting(Asked.DELETION, record.name, action.base.maildir_name, now)
        ]
        by_uid = {uid_of(entry): entry for entry in entries}
        for uids in UidSet(by_uid).chunks(REMOTE_SET):
            part = [by_uid[uid] for uid in uids]
            try:
                state = await self._apply_rule(client, record, trash, part)
            except ServerRefused as refusal:
                # Not the server's word on these messages: they are asked for again.
                if (
                    refusal.blast is Blast.ACCOUNT
                    or isinstance(refusal, NotSelected)
                    or refusal.code in TRANSIENT_CODES
                ):
                    raise
                await self._note_refusal(record, part, refusal)
            else:
                await self._settle(record, part, state)
                await self._trash.finished(record)

    async def remove(self, record: MailboxRecord, actions: Sequence[RemoveLocal]) -> None:
        """Remove files whose messages the server no longer has, or whose removal was decided here."""
        entries = [action.base for action in actions]
        await self._bury(record, entries)
        self._tally.add(PassResult(removed_here=len(actions)))
        for is_marked, state in ((True, OperationState.MARKED), (False, OperationState.DONE)):
            await self._wishes.removed(
                [entry.message_id for entry in entries if (entry.state is BaseState.MARKED) is is_marked],
                state,
            )

    async def forget(self, record: MailboxRecord, actions: Sequence[Forget]) -> None:
        """Drop the rows of messages that neither side has."""
        if not actions:
            return
        entries = [action.base for action in actions]
        await self._wishes.removed([entry.message_id for entry in entries])
        await self._store.base.remove(
            self._account,
            record.name,
            message_ids=[entry.message_id for entry in entries if entry.message_id is not None],
            uids=[entry.uid for entry in entries if entry.uid is not None],
            events=[self._deleted(record, entry) for entry in entries if entry.maildir_name is not None],
        )

    async def drop_rows(self, record: MailboxRecord, actions: Sequence[Refetch]) -> None:
        """Forget messages whose files are missing in a restored backup, so that they can come down again."""
        entries = [action.base for action in actions]
        await self._store.base.remove(
            self._account,
            record.name,
            message_ids=[message_of(entry) for entry in entries],
            events=[self._deleted(record, entry) for entry in entries],
        )

    async def _apply_rule(
        self, client: ImapClient, record: MailboxRecord, trash: bytes | None, entries: Sequence[BaseEntry]
    ) -> OperationState:
        uids = UidSet(uid_of(entry) for entry in entries)
        await select_for_change(client, record)
        if self._rule is DeleteRule.TRASH and record.special_use is not SpecialUse.TRASH:
            if trash is None:
                raise ServerRefused(
                    'delete = "trash" but the server has no mailbox with the role \\Trash',
                    status="NO",
                    reason="no_trash",
                    remedy='create one there, or set delete = "expunge" or "mark"',
                )
            if client.caps.has("MOVE"):
                await client.move(uids, trash)
                return OperationState.DONE
            await self._trash.copy(client, record, trash, await self._octets(entries))
        elif self._rule is DeleteRule.EXPUNGE and trash is not None and needs_trash(client, record):
            lone = await without_other_labels(client, record, uids)
            if lone:
                await client.move(lone, trash)
            uids = UidSet(uid for uid in uids if uid not in lone)
            if not uids:
                return OperationState.DONE
        await client.store_flags(uids, add=frozenset({DELETED}))
        if self._rule is DeleteRule.MARK or not client.caps.has("UIDPLUS"):
            return OperationState.MARKED
        await client.expunge(uids)
        return OperationState.DONE

    async def _octets(self, entries: Sequence[BaseEntry]) -> Mapping[Uid, tuple[int, bytes]]:
        """Size and digest of the wire form of each message, by UID."""
        found: dict[Uid, tuple[int, bytes]] = {}
        for entry in entries:
            content = (await self._store.messages.get(message_of(entry))).content
            found[uid_of(entry)] = (content.wire_size, content.wire_sha256)
        return found

    async def _settle(
        self, record: MailboxRecord, entries: Sequence[BaseEntry], state: OperationState
    ) -> None:
        """The server has answered: rows, tombstones, files and operations follow."""
        if state is OperationState.MARKED:
            await asyncio.gather(
                *(
                    self._store.base.set_state(
                        self._account, record.name, message_of(entry), BaseState.MARKED
                    )
                    for entry in entries
                )
            )
        await self._bury(record, entries)
        self._tally.add(PassResult(expunged_there=len(entries)))
        await self._wishes.removed([entry.message_id for entry in entries], state)

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
        self.carried_out[record.name].update(entry.uid for entry in entries if entry.uid is not None)
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

    async def _note_refusal(
        self, record: MailboxRecord, entries: Sequence[BaseEntry], refusal: MailError
    ) -> None:
        self._tally.add(PassResult(failed=len(entries)))
        self._log.warning(
            "deletion.refused", mailbox=record.name, messages=len(entries), reason=refusal.reason
        )
        now = self._clock.now()
        for entry in entries:
            if entry.message_id in self._wishes.pending:
                await self._wishes.failed(entry.message_id, refusal.reason, str(refusal))
            elif entry.maildir_name is not None:
                self._refusals.note(Asked.DELETION, record.name, entry.maildir_name, now)
