"""Looking: the three views of each mailbox where anything may differ, and the facts that follow from them.

A mailbox whose marks, directory stamps and wishes are those of the last quiet pass is not even selected, so that a
pass over an account at rest costs the number of mailboxes, not of messages.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import Blast, MailError, NotFound, StoreForeign, UidValidityChanged
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.operations import Operation
from daemon.model.passes import PassResult
from daemon.model.views import BaseState, BaseView, RemoteView
from daemon.net.imap.client import ImapClient
from daemon.store.store import Store
from daemon.sync.actions import MailboxFacts
from daemon.sync.guard import HeldDeletions, MailboxSituation, Side, are_statements_doubtful
from daemon.sync.holds import Holds
from daemon.sync.local_scan import Listing, LocalScan, absent_names, view_of
from daemon.sync.plan import plan_mailbox
from daemon.sync.remote_scan import scan_mailbox
from daemon.sync.reset import Adoptable, Rematch
from daemon.sync.tally import Tally

DIRECTORY_LOST: Final = "the mailbox's directory is missing or belongs to another store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One mailbox as this pass found it."""

    record: MailboxRecord
    base: BaseView
    listing: Listing
    remote: RemoteView
    facts: MailboxFacts
    adoptable: Adoptable

    def situation(self, holds: Holds) -> MailboxSituation:
        """What the breaker wants to know."""
        return MailboxSituation(
            record=self.record,
            size=sum(entry.state is BaseState.SYNCED for entry in self.base.entries),
            are_statements_doubtful=are_statements_doubtful(self.base, self.remote),
            held=holds.current.get(self.record.name),
            is_approved=holds.is_approved(self.record.name),
        )


@contextmanager
def isolated(record: MailboxRecord, tally: Tally, log: FilteringBoundLogger) -> Iterator[None]:
    """Within it, a fault of one mailbox or message is recorded and goes no further; what stops the account passes."""
    try:
        yield
    except MailError as exc:
        if exc.blast in {Blast.ACCOUNT, Blast.SERVICE}:
            raise
        tally.add(PassResult(failed=1))
        log.warning("mailbox.skipped", mailbox=record.name, reason=exc.reason, detail=str(exc))


class Look:
    """Finds out what differs, mailbox by mailbox."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        scan: LocalScan,
        rematch: Rematch,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._scan = scan
        self._rematch = rematch
        self._clock = clock
        self._log = log
        self._retry_at: dict[MailboxName, float] = {}
        self.lost_directories: dict[MailboxName, HeldDeletions] = {}

    async def mailboxes_with_work(
        self,
        client: ImapClient,
        records: Mapping[MailboxName, MailboxRecord],
        remote: Mapping[MailboxName, RemoteMailbox],
        operations: Mapping[MessageId, Operation],
        held: Collection[MailboxName],
    ) -> list[MailboxRecord]:
        """Mailboxes where anything may differ, or where deletions are held: their reason may have gone."""
        wished = await self._wished(operations)
        try:
            unsettled = await self._scan.unsettled(records.values())
        except StoreForeign:  # told mailbox by mailbox when they are listed
            unsettled = frozenset(records)
        now = self._clock.now()
        return [
            record
            for name, record in records.items()
            if name in wished
            or name in held
            or name in unsettled
            or self._retry_at.get(name, now + 1) <= now
            or name not in remote
            or not client.has_condstore
            or _differs(record, remote[name])
        ]

    async def see(
        self,
        client: ImapClient,
        work: Sequence[MailboxRecord],
        *,
        records: Mapping[MailboxName, MailboxRecord],
        operations: Mapping[MessageId, Operation],
        uncertain: Mapping[MailboxName, frozenset[MaildirName]],
        tally: Tally,
    ) -> dict[MailboxName, Seen]:
        """The views and facts of these mailboxes; one that cannot be looked at is left out and recorded.

        A missing or foreign directory is put into `lost_directories`: nothing is inferred from it, nothing written.
        """
        listings, bases = await self._list(work, tally)
        absent = {name: absent_names(bases[name], listings[name]) for name in bases}
        if any(absent.values()):
            # Sync.md 12: the second listing begins after the first has ended, and covers all mailboxes.
            second = await self._scan.list(
                [record for record in records.values() if record.name not in self.lost_directories]
            )
            listings = {name: second[name] for name in listings}
            absent = {name: gone & absent_names(bases[name], listings[name]) for name, gone in absent.items()}
        seen: dict[MailboxName, Seen] = {}
        for record in work:
            name = record.name
            if name not in bases:
                continue
            with isolated(record, tally, self._log):
                seen[name] = await self._see_one(
                    client,
                    record,
                    bases[name],
                    listings[name],
                    missing=absent[name],
                    operations=operations.values(),
                    ignored=uncertain.get(name, frozenset()),
                )
        return seen

    async def _wished(self, operations: Mapping[MessageId, Operation]) -> frozenset[MailboxName]:
        """Mailboxes of messages that somebody asked something about."""
        found = set[MailboxName]()
        for message_id in operations:
            try:
                found.add((await self._store.messages.get(message_id)).mailbox)
            except NotFound:  # gone already: settled when the operation is looked at
                continue
        return frozenset(found)

    async def _list(
        self, work: Sequence[MailboxRecord], tally: Tally
    ) -> tuple[dict[MailboxName, Listing], dict[MailboxName, BaseView]]:
        listings: dict[MailboxName, Listing] = {}
        bases: dict[MailboxName, BaseView] = {}
        self.lost_directories = {}
        for record in work:
            base = await self._store.base.load(self._account, record.name)
            try:
                with isolated(record, tally, self._log):
                    listings |= await self._scan.list([record])
                    bases[record.name] = base
            except StoreForeign as exc:
                self._log.error("mailbox.directory_lost", mailbox=record.name, reason=exc.reason)
                size = len(base.entries)
                self.lost_directories[record.name] = HeldDeletions(
                    mailbox=record.name,
                    side=Side.THERE,
                    count=size,
                    size=size,
                    reason=DIRECTORY_LOST,
                    since=self._clock.now(),
                )
        return listings, bases

    async def _see_one(
        self,
        client: ImapClient,
        record: MailboxRecord,
        base: BaseView,
        listing: Listing,
        *,
        missing: Collection[MaildirName],
        operations: Collection[Operation],
        ignored: Collection[MaildirName],
    ) -> Seen:
        try:
            remote = await scan_mailbox(client, record, base)
        except UidValidityChanged:
            if client.selection is None:
                raise
            record = await self._rematch.void(record, client.selection.uid_validity)
            base = await self._store.base.load(self._account, record.name)
            remote = await scan_mailbox(client, record, base)
        adoptable: Adoptable = {}
        if not record.is_first_pass_done:
            if record.uid_validity is None:
                record = replace(record, uid_validity=remote.uid_validity)
                await self._store.mailboxes.save(record)
            adoptable = await self._rematch.match(client, record, base, listing, remote)
            base = await self._store.base.load(self._account, record.name)
        local = view_of(record.name, listing, missing=missing, operations=operations, ignored=ignored)
        facts = plan_mailbox(base, local, remote, now=self._clock.now())
        self._note_retries(base)
        return Seen(
            record=record, base=base, listing=listing, remote=remote, facts=facts, adoptable=adoptable
        )

    def _note_retries(self, base: BaseView) -> None:
        due = [entry.retry_at for entry in base.entries if entry.retry_at is not None]
        if due:
            self._retry_at[base.mailbox] = min(due)
        else:
            self._retry_at.pop(base.mailbox, None)


def _differs(record: MailboxRecord, listed: RemoteMailbox) -> bool:
    """Whether the server's word about a mailbox is other than the marks of its last complete scan."""
    return (
        not record.is_first_pass_done
        or record.uid_validity != listed.uid_validity
        or record.uid_next != listed.uid_next
        or record.highest_mod_seq != listed.highest_mod_seq
        or record.message_count != listed.message_count
    )
