"""Carrying a plan out, in the order that loses nothing, and moving the marks when nothing below them is open.

Wishes by name first, so that nobody waits behind a long download; uploads and moves; then mailbox by mailbox flags,
removals and downloads; deletions inferred from missing files last, after everything else is confirmed (sync.md 12).
"""

from collections.abc import Mapping
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.envelope import Content
from daemon.model.flags import FlagSet
from daemon.model.ids import MailboxName, MessageId
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.operations import Operation
from daemon.model.settings import ImapSettings
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import AccountPlan, MailboxActions, message_of
from daemon.sync.deletions import Deletions
from daemon.sync.downloads import Downloads, total_size
from daemon.sync.flag_changes import FlagChanges
from daemon.sync.local_scan import LocalScan
from daemon.sync.look import Seen, isolated
from daemon.sync.recovery import OpenUploads
from daemon.sync.tally import Tally
from daemon.sync.uploads import Refusals, Uploads, select_for_change


class Execution:
    """One pass's actions on one connection."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        store: Store,
        tree: MaildirTree,
        scan: LocalScan,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
        refusals: Refusals,
        operations: Mapping[MessageId, Operation],
        open_uploads: OpenUploads,
    ) -> None:
        self._account = settings.id
        self._store = store
        self._scan = scan
        self._log = log
        self._tally = tally
        self._operations = operations
        self._uploads = Uploads(
            account=settings.id,
            store=store,
            tree=tree,
            clock=clock,
            log=log,
            tally=tally,
            refusals=refusals,
            resend=open_uploads.resend,
        )
        self._downloads = Downloads(
            account=settings.id, store=store, tree=tree, clock=clock, log=log, tally=tally
        )
        self._deletions = Deletions(
            account=settings.id,
            rule=settings.delete,
            store=store,
            tree=tree,
            clock=clock,
            log=log,
            tally=tally,
            operations=operations,
        )
        self._flags = FlagChanges(
            account=settings.id, store=store, tree=tree, log=log, tally=tally, operations=operations
        )

    async def carry_out(
        self,
        client: ImapClient,
        plan: AccountPlan,
        seen: Mapping[MailboxName, Seen],
        records: Mapping[MailboxName, MailboxRecord],
    ) -> None:
        """All of the plan, but for what fails by itself; marks move only where everything went well."""
        current = {**records, **{name: one.record for name, one in seen.items()}}
        trash = next((record for record in current.values() if record.special_use is SpecialUse.TRASH), None)
        self._announce(plan)
        for actions in plan.mailboxes:
            record = current[actions.mailbox]
            with isolated(record, self._tally, self._log):
                await self._deletions.forget(record, actions.forgets)
                await self._deletions.expunge(client, record, trash, actions.deletions)
        await self._send(client, plan, current)
        complete = set[MailboxName]()
        for actions in plan.mailboxes:
            record = current[actions.mailbox]
            with isolated(record, self._tally, self._log):
                await self._one_mailbox(client, record, actions, seen[actions.mailbox])
                complete.add(actions.mailbox)
        for actions in plan.mailboxes:
            record = current[actions.mailbox]
            with isolated(record, self._tally, self._log):
                await self._deletions.expunge(client, record, trash, actions.expunges)
        await self._move_marks(plan, seen, complete)

    def _announce(self, plan: AccountPlan) -> None:
        for actions in plan.mailboxes:
            if actions.downloads:
                entries = [download.entry for download in actions.downloads]
                self._tally.expect(messages=len(entries), octets=total_size(entries))

    async def _send(
        self, client: ImapClient, plan: AccountPlan, records: Mapping[MailboxName, MailboxRecord]
    ) -> None:
        if plan.moves:
            contents: dict[MessageId, Content] = {}
            for move in plan.moves:
                message_id = message_of(move.base)
                contents[message_id] = (await self._store.messages.get(message_id)).content
            await self._uploads.move(client, records, plan.moves, contents)
        for name in dict.fromkeys(upload.mailbox for upload in plan.uploads):
            with isolated(records[name], self._tally, self._log):
                await self._uploads.upload(
                    client, records, [upload for upload in plan.uploads if upload.mailbox == name]
                )

    async def _one_mailbox(
        self, client: ImapClient, record: MailboxRecord, actions: MailboxActions, seen: Seen
    ) -> None:
        if actions.flags:
            await self._flags.apply(client, record, actions.flags)
        await self._settle_wishes(record, seen, actions)
        if actions.removals:
            await self._deletions.remove(record, actions.removals)
        if actions.downloads:
            await select_for_change(client, record, for_reading=True)
            await self._downloads.run(client, record, actions.downloads, seen.adoptable)

    async def _settle_wishes(self, record: MailboxRecord, seen: Seen, actions: MailboxActions) -> None:
        """Finish flag operations that base fulfils after this pass's flag changes."""
        if not self._operations:
            return
        agreed: dict[MessageId, FlagSet] = {
            entry.message_id: entry.flags
            for entry in seen.base.entries
            if entry.message_id is not None and entry.message_id in self._operations
        }
        for action in actions.flags:
            message_id = message_of(action.difference.base)
            if message_id in agreed:
                agreed[message_id] = action.difference.merged
        await self._flags.settle_operations(record, seen.remote, agreed)

    async def _move_marks(
        self, plan: AccountPlan, seen: Mapping[MailboxName, Seen], complete: set[MailboxName]
    ) -> None:
        """Marks of the scans' start, where every message below them has its row now (sync.md 5)."""
        touched = {upload.mailbox for upload in plan.uploads} | {move.source for move in plan.moves}
        touched |= {move.target for move in plan.moves}
        changed: list[MailboxRecord] = []
        for actions in plan.mailboxes:
            name = actions.mailbox
            if name not in complete:
                continue
            one = seen[name]
            changed.append(
                replace(
                    one.record,
                    uid_validity=one.remote.uid_validity,
                    uid_next=one.remote.uid_next,
                    highest_mod_seq=one.remote.highest_mod_seq,
                    message_count=one.remote.message_count,
                    is_first_pass_done=True,
                    is_read_only=one.remote.is_read_only,
                )
            )
            if actions.is_empty and name not in touched and not one.facts.local_vanished:
                self._scan.settle(one.record, one.listing)
        await self._store.mailboxes.save(*changed)
