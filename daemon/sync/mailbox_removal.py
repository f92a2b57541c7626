"""Mailboxes that one side no longer has: removed on the other once that is certain, never with a message only it has.

On the server a mailbox is gone after two complete listings and a refused SELECT; its messages then pass the breaker as
one set (sync.md 15). Here a missing directory is held whatever its size; approved, the messages go by the account's
`delete` rule, and the mailbox itself only when a fresh SELECT shows nothing left. Every step is found again by looking:
a run that ends between two of them is taken up by the next.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import Blast, MailError, ServerRefused, StoreForeign
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import INBOX, AccountId, MailboxName, MaildirName
from daemon.model.mailbox import MailboxRecord
from daemon.model.passes import PassResult
from daemon.model.views import BaseState, BaseView
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import RemoveLocal
from daemon.sync.deletions import Deletions
from daemon.sync.guard import (
    DIRECTORY_LOST,
    DeletionBreaker,
    HeldDeletions,
    MailboxSituation,
    Side,
    judge_gone,
)
from daemon.sync.holds import Holds
from daemon.sync.isolation import isolated
from daemon.sync.local_scan import LocalScan
from daemon.sync.mailbox_plan import GONE
from daemon.sync.mailboxes import KnownMailboxes
from daemon.sync.subscriptions import Subscriptions
from daemon.sync.tally import Tally

GONE_CODES: Final = frozenset({None, "NONEXISTENT", "TRYCREATE", "CANNOT"})
"""Codes of a NO to SELECT that leave no doubt about a mailbox which two listings lack (RFC 5530 §3)."""

_REMOVALS: Final = "mailbox_removals"


@dataclass(slots=True)
class Judged:
    """What became of mailboxes that the server does not list. `must_list`: one was made there again."""

    held: list[HeldDeletions]
    looked_at: set[MailboxName]
    must_list: bool = False


class MailboxRemoval:
    """Removes mailboxes of one account, on either side."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        scan: LocalScan,
        holds: Holds,
        breaker: DeletionBreaker,
        subscriptions: Subscriptions,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._scan = scan
        self._holds = holds
        self._breaker = breaker
        self._subscriptions = subscriptions
        self._clock = clock
        self._log = log

    # -- gone on the server

    async def follow(
        self, client: ImapClient, missing: Sequence[MailboxRecord], deletions: Deletions, tally: Tally
    ) -> Judged:
        """Remove here what is gone there, or hold it; what only this side has stays, new mail is sent up again.

        Costs nothing where the listing lacks none of our mailboxes.
        """
        judged = Judged(held=[], looked_at=set())
        gone = [record for record in missing if record.frozen_reason == GONE]
        doubtful = [record for record in missing if record.frozen_reason != GONE]
        if doubtful:
            again = await client.list_mailboxes()
            if any(mailbox.name == INBOX for mailbox in again):
                there = {mailbox.wire_name for mailbox in again if mailbox.is_selectable}
                gone += [
                    record
                    for record in doubtful
                    if record.wire_name not in there and await self._is_refused(client, record, tally)
                ]
        for record in gone:
            judged.looked_at.add(record.name)
            with isolated(record, tally, self._log):
                await self._follow_one(client, record, deletions, judged)
        return judged

    async def _is_refused(self, client: ImapClient, record: MailboxRecord, tally: Tally) -> bool:
        try:
            await client.select(record.wire_name, read_only=True)
        except ServerRefused as exc:
            if exc.blast is Blast.ACCOUNT:
                raise
            return exc.status == "NO" and exc.code in GONE_CODES
        await client.unselect()
        tally.add(PassResult(failed=1))
        self._log.warning("mailbox.unlisted", mailbox=record.name)
        return False

    async def _follow_one(
        self, client: ImapClient, record: MailboxRecord, deletions: Deletions, judged: Judged
    ) -> None:
        base = await self._store.base.load(self._account, record.name)
        try:
            files = (await self._scan.list([record]))[record.name].entries.keys()
        except StoreForeign as exc:
            known = sum(entry.maildir_name is not None for entry in base.entries)
            if (
                not known and exc.reason == "store_missing"
            ):  # a removal that was cut short, or nothing ever lay there
                await self._drop(record)
                return
            # Neither side has it, or the disk it lay on is not mounted: a person must say which.
            self._log.error("mailbox.directory_lost", mailbox=record.name, reason=exc.reason)
            judged.held.append(_lost(record.name, known, self._clock.now()))
            return
        removals = tuple(
            RemoveLocal(mailbox=record.name, base=entry, is_inferred=True)
            for entry in base.entries
            if entry.state in {BaseState.SYNCED, BaseState.MARKED} and entry.maildir_name is not None
        )
        hold = judge_gone(
            MailboxSituation(
                record=record,
                size=len(removals),
                are_statements_doubtful=True,
                held=self._holds.current.get(record.name),
                approved=self._holds.approved(record.name),
            ),
            self._breaker,
            removals,
            account_size=self._store.counts_of(self._account).total,
            now=self._clock.now(),
        )
        if hold is not None:
            judged.held.append(hold)
            return
        if removals:
            await deletions.remove(record, removals)
        await self._holds.withdraw([record.name])
        left = files - {removal.base.maildir_name for removal in removals}
        if not left and await self._forget(record):
            return
        await self._keep(client, record, base, left, judged)

    async def _keep(
        self,
        client: ImapClient,
        record: MailboxRecord,
        base: BaseView,
        left: Collection[MaildirName],
        judged: Judged,
    ) -> None:
        """A mailbox with files that only this side has: new ones go up to it again, the others are left in peace."""
        known = {entry.maildir_name for entry in base.entries}
        fresh = [name for name in left if name not in known and not self._tree.is_ours(name)]
        if not fresh:
            if record.frozen_reason != GONE:
                self._log.warning("mailbox.kept", mailbox=record.name, files=len(left))
                await self._store.mailboxes.save(replace(_unmarked(record), frozen_reason=GONE))
            return
        try:
            await client.create(record.wire_name)
        except ServerRefused as exc:
            if exc.code != "ALREADYEXISTS":
                raise
        await self._store.base.clear_placements(self._account, record.name)
        await self._store.mailboxes.save(replace(_unmarked(record), frozen_reason=None))
        judged.must_list = True
        self._log.info("mailbox.created_again", mailbox=record.name, files=len(fresh))

    async def _forget(self, record: MailboxRecord) -> bool:
        """Whether directory and record are gone; a directory that holds anything unknown stays, and the record with it."""
        if not await self._tree.remove_directory(record.directory):
            return False
        await self._drop(record)
        return True

    async def _drop(self, record: MailboxRecord) -> None:
        await self._subscriptions.removed(record)
        await self._holds.drop(record.name)
        event = NewEvent(name=EventName.MAILBOX_REMOVED, account=self._account, mailbox=record.name)
        await self._store.mailboxes.remove(self._account, record.name, [event])
        self._log.info("mailbox.removed", mailbox=record.name)

    # -- removed here

    async def make_approved(self, known: KnownMailboxes) -> frozenset[MailboxName]:
        """Make the directory of a mailbox anew whose loss a person has approved: its messages count as deleted then.

        A foreign directory in its place stays what it is. Returns those that are not kept in step now: with the
        directory everything has been done for them.
        """
        remade = set[MailboxName]()
        for mailbox, hold in self._holds.current.items():
            record = known.all_records.get(mailbox)
            approved = self._holds.approved(mailbox)
            if record is None or approved is None or {hold.reason, approved.reason} != {DIRECTORY_LOST}:
                continue
            if mailbox in known.records and mailbox != INBOX:
                await self._save(await self._removals() | {mailbox})
            try:
                await self._tree.ensure(record.directory)
            except StoreForeign as exc:
                self._log.warning("mailbox.directory_foreign", mailbox=mailbox, reason=exc.reason)
                continue
            if mailbox not in known.records:
                remade.add(mailbox)
        return frozenset(remade)

    async def finish(self, client: ImapClient, complete: Collection[MailboxName]) -> None:
        """Delete mailboxes whose removal was approved and whose messages are gone; `complete` are those in step now.

        One with a message that only the server had stays: it has been fetched by this pass.
        """
        removals = await self._removals()
        for mailbox in sorted(removals):
            record = await self._store.mailboxes.get(self._account, mailbox)
            if record is not None:
                if mailbox not in complete:
                    continue
                await self._delete(client, record)
            removals -= {mailbox}
            await self._save(removals)

    async def _delete(self, client: ImapClient, record: MailboxRecord) -> None:
        try:
            if (await self._scan.list([record]))[record.name].entries:
                self._log.info("mailbox.kept", mailbox=record.name)
                return
            if (await client.select(record.wire_name)).exists:
                return
            await client.unselect()
            if client.selection is not None:  # without UNSELECT: let go of it by taking another
                await client.select(INBOX.encode(), read_only=True)
            await client.delete(record.wire_name)
            await client.unsubscribe(record.wire_name)
        except MailError as exc:
            if exc.blast in {Blast.ACCOUNT, Blast.SERVICE}:
                raise
            self._log.warning("mailbox.refused", mailbox=record.name, reason=exc.reason, detail=str(exc))
            if await self._still_there(client, record):
                return
        await self._forget(record)

    async def _still_there(self, client: ImapClient, record: MailboxRecord) -> bool:
        return any(
            mailbox.wire_name == record.wire_name and mailbox.is_selectable
            for mailbox in await client.list_mailboxes()
        )

    async def _removals(self) -> frozenset[MailboxName]:
        raw = await self._store.facts.get(self._account, _REMOVALS)
        return frozenset(map(MailboxName, json.loads(raw))) if raw else frozenset()

    async def _save(self, removals: Collection[MailboxName]) -> None:
        await self._store.facts.set(
            self._account, _REMOVALS, json.dumps(sorted(removals)) if removals else None
        )


def _unmarked(record: MailboxRecord) -> MailboxRecord:
    """The record of a mailbox that is none on the server now."""
    return replace(
        record,
        uid_validity=None,
        uid_next=None,
        highest_mod_seq=None,
        message_count=None,
        mailbox_id=None,
        is_first_pass_done=False,
    )


def _lost(mailbox: MailboxName, size: int, now: float) -> HeldDeletions:
    return HeldDeletions(
        mailbox=mailbox, side=Side.THERE, count=size, size=size, reason=DIRECTORY_LOST, since=now
    )
