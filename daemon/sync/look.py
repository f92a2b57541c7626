"""Looking: the three views of each mailbox where anything may differ, and the facts that follow from them.

A mailbox whose marks, directory stamps and wishes are those of the last quiet pass is not even selected, so that a
pass over an account at rest costs the number of mailboxes, not of messages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import NotFound, StoreError, StoreForeign
from daemon.model.flags import LETTER_FLAGS, in_spelling_of
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.views import BaseView
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.adoption import Adoption
from daemon.sync.backups import Review
from daemon.sync.comparisons import Comparisons
from daemon.sync.guard import DIRECTORY_LOST, HeldDeletions, Side
from daemon.sync.isolation import isolated
from daemon.sync.local_scan import Listing, LocalScan, absent_names, is_as_agreed, view_of
from daemon.sync.marks import differs
from daemon.sync.missing import Proof, prove_missing
from daemon.sync.plan import appeared_in, back_from_aside, plan_mailbox
from daemon.sync.remote_look import RemoteLook
from daemon.sync.remote_scan import with_flags_of
from daemon.sync.reset import Rematch
from daemon.sync.seen import Seen
from daemon.sync.tally import Tally
from daemon.sync.wishes import Wishes

NOTHING_SEEN: Final[Mapping[MailboxName, Seen]] = {}


class Look:
    """Finds out what differs, mailbox by mailbox."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        scan: LocalScan,
        rematch: Rematch,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._scan = scan
        self._rematch = rematch
        self._adoption = Adoption(account=account, store=store)
        self.comparisons = Comparisons(account=account, store=store, clock=clock)
        self._remote = RemoteLook(
            account=account, store=store, rematch=rematch, comparisons=self.comparisons, log=log
        )
        self._clock = clock
        self._log = log
        self._retry_at: dict[MailboxName, float] = {}
        self.lost_directories: dict[MailboxName, HeldDeletions] = {}

    def begin(self, *, is_again: bool = False) -> None:
        """A pass begins: what an earlier one could not look at may be back. One that looks again compares the same."""
        self.lost_directories = {}
        if not is_again:
            self.comparisons.begin()

    def is_retry_due(self, mailbox: MailboxName) -> bool:
        """Whether a message of this mailbox that could not be fetched is to be tried again now."""
        return self._retry_at.get(mailbox, float("inf")) <= self._clock.now()

    async def mailboxes_with_work(
        self,
        client: ImapClient,
        records: Mapping[MailboxName, MailboxRecord],
        remote: Mapping[MailboxName, RemoteMailbox],
        wishes: Wishes,
        wanted: Collection[MailboxName],
    ) -> list[MailboxRecord]:
        """Mailboxes where anything may differ, and the `wanted` ones: where deletions are held, for one, their reason
        may have gone.
        """
        await self.comparisons.choose(records, remote, has_condstore=client.has_condstore)
        wished = await self._wished(wishes.pending)
        unsettled = await self._unsettled(records)
        selected = client.selection.wire_name if client.selection is not None else None
        work: list[MailboxRecord] = []
        for name, record in records.items():
            if (
                name in wished
                or name in wanted
                or self.is_retry_due(name)
                or name not in remote
                or self.comparisons.is_whole(name)
                or self.comparisons.is_unseen_other(name)
                # Without UNSELECT it is still selected, and its STATUS tells what the session has seen.
                or record.wire_name == selected
                or differs(record, remote[name])
                or (name in unsettled and not await self._is_at_rest(record))
            ):
                work.append(record)
        return work

    async def _is_at_rest(self, record: MailboxRecord) -> bool:
        """Whether the files are those that base says, although the directory's stamp is new: as after each start.

        The server has nothing new either: then the mailbox need not be selected, and what it has need not be kept in
        memory beside that of all others.
        """
        try:
            listing = (await self._scan.list([record]))[record.name]
        except StoreError:
            return False  # told when it is looked at
        if not is_as_agreed(await self._store.base.load(self._account, record.name), listing):
            return False
        self._scan.settle(record, listing)
        return True

    async def see(
        self,
        client: ImapClient,
        work: Sequence[MailboxRecord],
        *,
        served: Mapping[MailboxName, MailboxRecord],
        records: Mapping[MailboxName, MailboxRecord],
        wishes: Wishes,
        ignored: Mapping[MailboxName, frozenset[MaildirName]],
        review: Review,
        tally: Tally,
        beside: Mapping[MailboxName, Seen] = NOTHING_SEEN,
    ) -> dict[MailboxName, Seen]:
        """The views and facts of these mailboxes; one that cannot be looked at is left out and recorded.

        `served` may be looked at besides `work`: where a file may have come from that is new here, or went that is
        missing here; `records` are all the account has. A missing or foreign directory is put into `lost_directories`: nothing is inferred from it,
        nothing written.
        """
        listings, bases = await self._list(work, tally)
        sources = await self._possible_sources(served, listings, bases)
        if sources:
            more_listings, more_bases = await self._list(sources, tally)
            listings |= more_listings
            bases |= more_bases
        proof, targets = await self._prove(served, records, listings, bases, tally)
        seen: dict[MailboxName, Seen] = {}
        for record in (*work, *sources, *targets):
            name = record.name
            if name not in bases:
                continue
            with isolated(record, tally, self._log):
                seen[name] = await self._see_one(
                    client,
                    record,
                    bases[name],
                    listings[name],
                    missing=proof.gone.get(name, frozenset()),
                    wishes=wishes,
                    ignored=ignored.get(name, frozenset()),
                    review=review,
                )
        every = {**beside, **seen}
        return {name: _without_unseen_moves(one, proof, every) for name, one in seen.items()}

    async def _possible_sources(
        self,
        served: Mapping[MailboxName, MailboxRecord],
        listings: Mapping[MailboxName, Listing],
        bases: Mapping[MailboxName, BaseView],
    ) -> list[MailboxRecord]:
        """Mailboxes that a file which is new elsewhere may have been moved from: their directories have changed too."""
        has_new = any(
            listing.entries.keys() - {entry.maildir_name for entry in bases[name].entries}
            for name, listing in listings.items()
        )
        rest = {name: record for name, record in served.items() if name not in bases}
        if not has_new or not rest:
            return []
        unsettled = await self._unsettled(rest)
        return [
            record for name, record in rest.items() if name in unsettled and name not in self.lost_directories
        ]

    async def _prove(
        self,
        served: Mapping[MailboxName, MailboxRecord],
        records: Mapping[MailboxName, MailboxRecord],
        listings: dict[MailboxName, Listing],
        bases: dict[MailboxName, BaseView],
        tally: Tally,
    ) -> tuple[Proof, list[MailboxRecord]]:
        """What is proved to be missing, and the mailboxes that were listed besides because it may lie there.

        Files may be missing from these as well: then it is proved for all of them together.
        """
        targets: list[MailboxRecord] = []
        while True:
            absent = {name: absent_names(bases[name], listings[name]) for name in bases}
            proof = await prove_missing(self._tree, absent, records.values())
            for name in proof.lost.difference(self.lost_directories):
                await self._note_lost(name)
            tried = {record.name for record in targets}
            more = [
                record
                for record in await self._possible_targets(served, bases, proof)
                if record.name not in tried
            ]
            targets += more
            more_listings, more_bases = await self._list(more, tally)
            listings |= more_listings
            bases |= more_bases
            if not any(absent_names(base, more_listings[name]) for name, base in more_bases.items()):
                return proof, targets

    async def _possible_targets(
        self,
        served: Mapping[MailboxName, MailboxRecord],
        bases: Mapping[MailboxName, BaseView],
        proof: Proof,
    ) -> list[MailboxRecord]:
        """Mailboxes where missing files lie, or may lie under another name: their directories have changed too."""
        names = dict.fromkeys(proof.moved_to.values())
        rest = {
            name: record
            for name, record in served.items()
            if name not in bases and name not in self.lost_directories
        }
        if rest and any(gone - proof.moved_to.keys() for gone in proof.gone.values()):
            names |= dict.fromkeys(await self._unsettled(rest))
        return [rest[name] for name in names if name in rest]

    async def _unsettled(self, records: Mapping[MailboxName, MailboxRecord]) -> frozenset[MailboxName]:
        try:
            return await self._scan.unsettled(records.values())
        except StoreForeign:  # told mailbox by mailbox when they are listed
            return frozenset(records)

    async def _wished(self, asked: Collection[MessageId]) -> frozenset[MailboxName]:
        """Mailboxes of messages that somebody asked something about."""
        found = set[MailboxName]()
        for message_id in asked:
            try:
                found.add((await self._store.messages.get(message_id)).mailbox)
            except NotFound:  # gone already: settled at the end of the pass
                continue
        return frozenset(found)

    async def _list(
        self, work: Sequence[MailboxRecord], tally: Tally
    ) -> tuple[dict[MailboxName, Listing], dict[MailboxName, BaseView]]:
        listings: dict[MailboxName, Listing] = {}
        bases: dict[MailboxName, BaseView] = {}
        for record in work:
            base = await self._store.base.load(self._account, record.name)
            try:
                with isolated(record, tally, self._log):
                    listings |= await self._scan.list([record])
                    bases[record.name] = base
            except StoreForeign as exc:
                self._log.error("mailbox.directory_lost", mailbox=record.name, reason=exc.reason)
                await self._note_lost(record.name)
        return listings, bases

    async def _note_lost(self, mailbox: MailboxName) -> None:
        """Hold whatever its absence might mean: for its own messages, and for those that may have been moved there."""
        size = len((await self._store.base.load(self._account, mailbox)).entries)
        self.lost_directories[mailbox] = HeldDeletions(
            mailbox=mailbox,
            side=Side.THERE,
            count=size,
            size=size,
            reason=DIRECTORY_LOST,
            since=self._clock.now(),
        )

    async def _see_one(
        self,
        client: ImapClient,
        record: MailboxRecord,
        base: BaseView,
        listing: Listing,
        *,
        missing: Collection[MaildirName],
        wishes: Wishes,
        ignored: Collection[MaildirName],
        review: Review,
    ) -> Seen:
        is_under_review = record.name in review.mailboxes
        record, base, remote = await self._remote.see(client, record, base, is_under_review=is_under_review)
        back = back_from_aside(base, listing.entries)
        if back:
            remote = await with_flags_of(client, remote, back)
        if not record.is_first_pass_done or is_under_review:
            if record.uid_validity is None:
                record = replace(record, uid_validity=remote.uid_validity)
                await self._store.mailboxes.save(record)
            await self._rematch.match(client, record, base, listing, remote)
            base = await self._store.base.load(self._account, record.name)
        appeared = appeared_in(base, remote)
        if await self._adoption.adopt(client, record, base, listing, appeared):
            base = await self._store.base.load(self._account, record.name)
        if not record.is_first_pass_done:
            await self._rematch.fail_wishes(base, wishes)
        if is_under_review and review.is_tree_older:
            base = _with_flags_of_files(base, listing)
        local = view_of(
            record.name, listing, missing=missing, operations=wishes.pending.values(), ignored=ignored
        )
        facts = plan_mailbox(base, local, remote, now=self._clock.now())
        self._note_retries(base)
        adoptable = await self._adoption.adoptable(base, listing) if facts.remote_appeared else {}
        return Seen(
            record=record,
            base=base,
            listing=listing,
            remote=remote,
            facts=facts,
            adoptable=adoptable,
            is_under_review=is_under_review,
        )

    def _note_retries(self, base: BaseView) -> None:
        due = [entry.retry_at for entry in base.entries if entry.retry_at is not None]
        if due:
            self._retry_at[base.mailbox] = min(due)
        else:
            self._retry_at.pop(base.mailbox, None)


def _with_flags_of_files(base: BaseView, listing: Listing) -> BaseView:
    """Base as if both sides had agreed on what the files say: flags out of a backup are no wish of anybody's."""
    return replace(
        base,
        entries=tuple(
            entry
            if (here := listing.entries.get(entry.maildir_name or MaildirName(""))) is None
            else replace(
                entry,
                flags=here.flags
                | (entry.flags - LETTER_FLAGS - in_spelling_of(listing.lettered_keywords, entry.flags)),
            )
            for entry in base.entries
        ),
    )


def _without_unseen_moves(one: Seen, proof: Proof, seen: Mapping[MailboxName, Seen]) -> Seen:
    """Facts without files that lie where nobody could look, or came there after the look: neither moved nor missing."""
    facts = one.facts
    unseen = {
        name
        for name, mailbox in proof.moved_to.items()
        if mailbox not in seen or name not in seen[mailbox].listing.entries
    }
    stuck = tuple(
        entry
        for entry in (*facts.local_vanished, *facts.deleted_and_vanished, *facts.gone_on_both)
        if entry.maildir_name in unseen
    )
    if not stuck:
        return one
    return replace(
        one,
        facts=replace(
            facts,
            local_vanished=tuple(entry for entry in facts.local_vanished if entry not in stuck),
            deleted_and_vanished=tuple(entry for entry in facts.deleted_and_vanished if entry not in stuck),
            gone_on_both=tuple(entry for entry in facts.gone_on_both if entry not in stuck),
            undecided=(*facts.undecided, *stuck),
        ),
    )
