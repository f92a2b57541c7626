"""Carrying a plan out, in the order that loses nothing, and moving the marks when nothing below them is open.

Files that follow a move on the server first, for nothing waits on the line for them; then wishes by name, so that nobody
waits behind a long download; moves and uploads; then mailbox by mailbox flags,
removals and downloads; deletions inferred from missing files last, after everything else is confirmed (sync.md 12).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.flags import FlagSet
from daemon.model.ids import MailboxName, MaildirName, MessageId, Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import IntentKind
from daemon.model.settings import ImapSettings
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, LocalEntry, RemoteEntry
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import (
    AccountPlan,
    Download,
    ExpungeRemote,
    FilePlace,
    MailboxActions,
    message_of,
    uid_of,
)
from daemon.sync.deletions import Deletions
from daemon.sync.downloads import Downloads, total_size
from daemon.sync.flag_changes import FlagChanges
from daemon.sync.following import Following
from daemon.sync.isolation import isolated
from daemon.sync.local_scan import LocalScan
from daemon.sync.marks import unmarked
from daemon.sync.moves import Moves
from daemon.sync.refusals import Refusals
from daemon.sync.seen import Seen
from daemon.sync.selecting import select_for_change
from daemon.sync.tally import Tally
from daemon.sync.unrest import Unrest
from daemon.sync.uploads import Uploads
from daemon.sync.wishes import Wishes


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
        unrest: Unrest,
        wishes: Wishes,
        seen: Mapping[MailboxName, Seen],
        resend: Mapping[tuple[MailboxName, MaildirName], int],
        trash: bytes | None,
    ) -> None:
        account = settings.id
        self._account = account
        self._store = store
        self._scan = scan
        self._log = log
        self._tally = tally
        self._wishes = wishes
        self._seen = seen
        self._records = {name: one.record for name, one in seen.items()}
        self._trash = trash
        self.owed: frozenset[MailboxName] = frozenset()
        self._following = Following(
            account=account,
            store=store,
            tree=tree,
            now=clock.now(),
            log=log,
            tally=tally,
            refusals=refusals,
        )
        self._moves = Moves(
            account=account, store=store, tree=tree, clock=clock, log=log, tally=tally, refusals=refusals
        )
        self._uploads = Uploads(
            account=account,
            store=store,
            tree=tree,
            clock=clock,
            log=log,
            tally=tally,
            refusals=refusals,
            unrest=unrest,
            remote={name: one.remote for name, one in seen.items()},
            resend=resend,
        )
        self._downloads = Downloads(
            account=account, store=store, tree=tree, clock=clock, log=log, tally=tally
        )
        self._deletions = Deletions(
            account=account,
            rule=settings.delete,
            store=store,
            tree=tree,
            clock=clock,
            log=log,
            tally=tally,
            wishes=wishes,
            refusals=refusals,
        )
        self._flags = FlagChanges(
            account=account,
            store=store,
            tree=tree,
            clock=clock,
            log=log,
            tally=tally,
            wishes=wishes,
            refusals=refusals,
        )

    @property
    def carried_out(self) -> Mapping[MailboxName, Collection[Uid]]:
        """The messages that were deleted so far, on either side."""
        return self._deletions.carried_out

    async def carry_out(
        self, client: ImapClient, plan: AccountPlan, *, held: Collection[MailboxName]
    ) -> frozenset[MailboxName]:
        """All of the plan, but for what fails by itself; gives the mailboxes where everything went well.

        Marks move only there, and not where a removal of files is `held`: the server must go on telling of it. Afterwards
        `owed` has the mailboxes where messages came whose flags or wishes are for the next pass.
        """
        self._announce(plan)
        followed = await self._following.carry_out(self._records, plan.relocations)
        self.owed = followed.owed
        complete = set(self._records)
        for actions in plan.mailboxes:
            record = self._records[actions.mailbox]
            complete.discard(record.name)
            with isolated(record, self._tally, self._log):
                await self._set_states(record)
                await self._deletions.forget(record, actions.forgets)
                if actions.burials:
                    await self._deletions.remove(record, actions.burials)
                await self._deletions.expunge(client, record, self._trash, actions.deletions)
                complete.add(record.name)
        await self._void_marks(plan)
        waiting = await self._send(client, plan)
        waiting_names = {name for _, name in waiting}
        for actions in plan.mailboxes:
            record = self._records[actions.mailbox]
            is_well = actions.mailbox in complete
            complete.discard(actions.mailbox)
            with isolated(record, self._tally, self._log):
                if await self._one_mailbox(client, record, actions) and is_well:
                    complete.add(actions.mailbox)
        for actions in plan.mailboxes:
            record = self._records[actions.mailbox]
            # A message that is on its way to another mailbox stays where it is until it has arrived.
            expunges = [
                action
                for action in actions.expunges
                if action.base.maildir_name not in waiting_names and action.sent_as not in waiting
            ]
            with isolated(record, self._tally, self._log):
                await self._deletions.expunge(
                    client, record, self._trash, await self._less_uncertain(expunges)
                )
        complete -= followed.unfinished
        # What the server says of a message whose file got another name is compared in the next pass: it must say it again.
        complete -= {move.target for move in plan.moves if move.source == move.target}
        await self._move_marks(plan, complete.difference(held))
        return frozenset(complete)

    def _announce(self, plan: AccountPlan) -> None:
        for actions in plan.mailboxes:
            if actions.downloads:
                entries = [download.entry for download in actions.downloads]
                self._tally.expect(messages=len(entries), octets=total_size(entries))

    async def _void_marks(self, plan: AccountPlan) -> None:
        """Have mailboxes compared whole where a file comes back from out of sight under a new name: what the server said of
        its flags meanwhile was passed over, and is not said again.
        """
        back = {
            move.target
            for move in plan.moves
            if move.source == move.target and move.base.state is BaseState.ASIDE
        }
        await self._store.mailboxes.save(*(unmarked(self._records[name]) for name in back))

    async def _send(self, client: ImapClient, plan: AccountPlan) -> frozenset[FilePlace]:
        """Moves and uploads; gives the files that the server is not known to have now."""
        wanted: dict[MailboxName, list[LocalEntry]] = {}
        for upload in plan.uploads:
            wanted.setdefault(upload.mailbox, []).append(upload.entry)
        if plan.moves:
            for mailbox, entries in (await self._moves.carry_out(client, self._records, plan.moves)).items():
                wanted.setdefault(mailbox, []).extend(entries)
        for mailbox, entries in wanted.items():
            record = self._records[mailbox]
            with isolated(record, self._tally, self._log):
                await self._uploads.upload(client, record, entries)
        return frozenset(
            (mailbox, entry.maildir_name)
            for mailbox, entries in wanted.items()
            for entry in entries
            if not self._uploads.is_confirmed(mailbox, entry.maildir_name)
        )

    async def _less_uncertain(self, expunges: Sequence[ExpungeRemote]) -> Sequence[ExpungeRemote]:
        """Those that are not among the uploads of which nobody knows whether they arrived: by name, or by octets."""
        if not expunges:
            return expunges
        uploads = [
            intent
            for intent in await self._store.intents.pending(self._account)
            if intent.kind is IntentKind.UPLOAD
        ]
        if not uploads:
            return expunges
        names = {intent.maildir_name for intent in uploads}
        octets = {intent.file_sha256 for intent in uploads}
        messages = await self._store.messages.get_many([message_of(action.base) for action in expunges])
        return [
            action
            for action in expunges
            if action.base.maildir_name not in names
            and (
                (message := messages.get(message_of(action.base))) is None
                or message.content.file_sha256 not in octets
            )
        ]

    async def _one_mailbox(self, client: ImapClient, record: MailboxRecord, actions: MailboxActions) -> bool:
        """Flags, removals and downloads of one mailbox; whether every flag change found its file."""
        seen = self._seen[actions.mailbox]
        agreed: Mapping[MessageId, FlagSet] = {}
        if actions.flags:
            agreed = await self._flags.apply(client, record, actions.flags)
        await self._settle_wishes(seen, agreed)
        if actions.removals:
            await self._deletions.remove(record, actions.removals)
        if actions.refetches:
            await self._deletions.drop_rows(record, actions.refetches)
        await self._download(client, seen, actions)
        return len(agreed) == len(actions.flags)

    async def _set_states(self, record: MailboxRecord) -> None:
        """Note whose file went out of sight, and whose is back."""
        facts = self._seen[record.name].facts
        await asyncio.gather(
            *(
                self._store.base.set_state(record.account, record.name, message_of(entry), state)
                for entries, state in (
                    (facts.set_aside, BaseState.ASIDE),
                    (facts.returned, BaseState.SYNCED),
                )
                for entry in entries
            )
        )
        for entry in facts.out_of_reach:
            await self._wishes.failed(
                entry.message_id, "file_elsewhere", "the file lies in a directory that is not kept in step"
            )

    async def _settle_wishes(self, seen: Seen, agreed: Mapping[MessageId, FlagSet]) -> None:
        """Finish flag operations that base fulfils after this pass's flag changes."""
        if not self._wishes.pending:
            return
        by_message = {
            entry.message_id: entry.flags
            for entry in seen.base.entries
            if entry.message_id is not None
            and entry.message_id in self._wishes.pending
            and entry.maildir_name in seen.listing.entries
        }
        await self._flags.settle_wishes(seen.record, seen.remote, {**by_message, **agreed})

    async def _download(self, client: ImapClient, seen: Seen, actions: MailboxActions) -> None:
        downloads = [
            *actions.downloads,
            *(
                Download(mailbox=actions.mailbox, entry=_entry_of(action.base), is_retry=True)
                for action in actions.refetches
            ),
        ]
        if not downloads:
            return
        await select_for_change(client, seen.record, for_reading=True)
        await self._downloads.run(client, seen.record, await _with_dates(client, downloads), seen.adoptable)

    async def _move_marks(self, plan: AccountPlan, complete: Collection[MailboxName]) -> None:
        """Marks of the scans' start, where every message below them has its row now (sync.md 5)."""
        touched = {upload.mailbox for upload in plan.uploads} | {move.source for move in plan.moves}
        touched |= {move.target for move in plan.moves}
        touched |= {name for move in plan.relocations for name in (move.source, move.target, move.lies_in)}
        changed: list[MailboxRecord] = []
        for actions in plan.mailboxes:
            one = self._seen[actions.mailbox]
            if actions.mailbox not in complete or one.is_under_review or one.facts.undecided:
                continue
            changed.append(
                replace(
                    one.record,
                    uid_validity=one.remote.uid_validity,
                    uid_next=one.remote.uid_next,
                    highest_mod_seq=one.mark_after(self.carried_out.get(actions.mailbox, ())),
                    message_count=one.remote.message_count,
                    is_first_pass_done=True,
                    is_read_only=one.remote.is_read_only,
                )
            )
            is_quiet = actions.is_empty and actions.mailbox not in touched
            if is_quiet and not one.facts.local_vanished and not one.facts.unread:
                self._scan.settle(one.record, one.listing)
        await self._store.mailboxes.save(*changed)


def _entry_of(base: BaseEntry) -> RemoteEntry:
    return RemoteEntry(uid=uid_of(base), flags=base.flags)


async def _with_dates(client: ImapClient, downloads: Sequence[Download]) -> list[Download]:
    """The downloads with size and internal date: what comes down a second time is known by its flags only."""
    bare = UidSet(
        download.entry.uid
        for download in downloads
        if download.is_retry and (download.entry.size is None or download.entry.internal_date is None)
    )
    if not bare:
        return list(downloads)
    scan = await client.fetch_entries(bare, with_size=True)
    known = {entry.uid: entry for entry in scan.entries}
    return [replace(download, entry=known.get(download.entry.uid, download.entry)) for download in downloads]
