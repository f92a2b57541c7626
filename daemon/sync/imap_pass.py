"""One pass over an IMAP account: look, plan, guard, act.

The first pass and the thousandth take the same way. A fault of one mailbox is recorded and the others go on; what
stops the account leaves as MailError, and the next pass makes whole what this one had begun.
"""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import ConnectionLost
from daemon.model.ids import MailboxName, MaildirName
from daemon.model.local_news import LocalNews
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.passes import PassResult, Progress
from daemon.model.settings import ImapSettings
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.backups import Backups
from daemon.sync.deletions import Deletions
from daemon.sync.execution import Execution
from daemon.sync.fingerprint import void_if_server_changed
from daemon.sync.guard import DeletionBreaker, HeldDeletions, Side, guard_plan
from daemon.sync.holds import Holds, uids_of
from daemon.sync.local_scan import LocalScan
from daemon.sync.look import Look
from daemon.sync.mailbox_changes import MailboxChanges
from daemon.sync.mailbox_removal import Judged, MailboxRemoval
from daemon.sync.mailboxes import KnownMailboxes, MailboxBook, MailboxPatterns
from daemon.sync.open_uploads import UploadResolver
from daemon.sync.out_of_sight import OutOfSight
from daemon.sync.partial_look import PartialLook
from daemon.sync.plan import plan_account
from daemon.sync.recovery import LocalRecovery
from daemon.sync.refusals import Refusals
from daemon.sync.reset import Rematch
from daemon.sync.reviews import Reviews
from daemon.sync.seen import Seen
from daemon.sync.subscriptions import Subscriptions
from daemon.sync.tally import Tally
from daemon.sync.tracing import Tracing
from daemon.sync.unrest import Unrest
from daemon.sync.wishes import Wishes

_TREE_CLAIMED: Final = "tree_claimed"
_NOTHING: Final[frozenset[MaildirName]] = frozenset()


def _nobody_listens(progress: Progress) -> None:
    """The progress of this pass is of no interest."""


class ImapSync:
    """Keeps one IMAP account in step, pass by pass, on a connection that is handed in."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        on_progress: Callable[[Progress], None] = _nobody_listens,
    ) -> None:
        self._settings = settings
        self._account = settings.id
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._on_progress = on_progress
        self._book = MailboxBook(
            account=settings.id,
            store=store,
            tree=tree,
            patterns=MailboxPatterns(settings.mailboxes, settings.exclude),
            log=log,
        )
        self._scan = LocalScan(tree, log)
        self._breaker = DeletionBreaker(share_limit=settings.deletion_limit)
        self._holds = Holds(account=settings.id, store=store, breaker=self._breaker)
        self._backups = Backups(account=settings.id, store=store, tree=tree, log=log)
        self._recovery = LocalRecovery(account=settings.id, store=store, tree=tree, log=log)
        self._open_uploads = UploadResolver(account=settings.id, store=store, tree=tree, clock=clock, log=log)
        self._rematch = Rematch(account=settings.id, store=store, tree=tree, log=log)
        self._reviews = Reviews(
            backups=self._backups,
            rematch=self._rematch,
            tree=tree,
            is_kept=self._book.patterns.keeps,
            log=log,
        )
        self._look = Look(
            account=settings.id,
            store=store,
            tree=tree,
            scan=self._scan,
            rematch=self._rematch,
            clock=clock,
            log=log,
        )
        self._partial_look = PartialLook(
            account=settings.id,
            store=store,
            tree=tree,
            scan=self._scan,
            breaker=self._breaker,
            clock=clock,
            log=log,
        )
        self._subscriptions = Subscriptions(account=settings.id, store=store, tree=tree, log=log)
        self._changes = MailboxChanges(
            account=settings.id,
            store=store,
            tree=tree,
            book=self._book,
            holds=self._holds,
            backups=self._backups,
            subscriptions=self._subscriptions,
            clock=clock,
            log=log,
        )
        self._removal = MailboxRemoval(
            account=settings.id,
            store=store,
            tree=tree,
            scan=self._scan,
            holds=self._holds,
            breaker=self._breaker,
            subscriptions=self._subscriptions,
            clock=clock,
            log=log,
        )
        self._refusals = Refusals()
        self._unrest = Unrest()
        self._tracing = Tracing(
            account=settings.id,
            rule=settings.delete,
            store=store,
            tree=tree,
            book=self._book,
            refusals=self._refusals,
            clock=clock,
            log=log,
        )
        self._out_of_sight = OutOfSight(account=settings.id, store=store, tree=tree, book=self._book, log=log)
        self._owed: frozenset[MailboxName] = frozenset()
        self._resend: Mapping[tuple[MailboxName, MaildirName], int] = {}
        self._is_prepared = False

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        """Deletions that wait for a person, as of the last pass."""
        return self._holds.current

    @property
    def listed(self) -> Mapping[MailboxName, RemoteMailbox]:
        """The mailboxes kept in step as the server listed them last, with the numbers it gave; empty before a full pass."""
        return self._book.listed

    async def approve(self, mailbox: MailboxName) -> None:
        """Let the held deletions of this mailbox go on in the next pass."""
        await self._holds.approve(mailbox)

    def note_local_change(self) -> None:
        """Somebody asks: look at every directory in the next pass, and at every mailbox without mod-sequences."""
        self._scan.forget()
        self._look.comparisons.forget()

    async def recover(self) -> None:
        """Make the store whole after whatever ended the last run; no network.

        Raises:
            StoreForeign: The tree is missing or of another store; nothing was touched.
        """
        await self._holds.load()
        if await self._store.facts.get(self._account, _TREE_CLAIMED) is None:
            await self._tree.claim(adopt=True)
            await self._store.facts.set(self._account, _TREE_CLAIMED, "1")
        await self._changes.recover()
        records = await self._book.records()
        await self._backups.look(records.keys())
        await self._recovery.run(records)
        await void_if_server_changed(self._settings, self._store, self._rematch, records.values())
        self._is_prepared = True

    async def run_pass(
        self,
        client: ImapClient,
        *,
        only: Collection[MailboxName] | None = None,
        news: LocalNews | None = None,
    ) -> PassResult:
        """What was done; repeat until it is quiet. `only` looks at these mailboxes and trusts the rest.

        `news` is what a watch on the tree has told of them since the last pass, None where there is no watch: with it
        only what was told is looked at, as far as that is enough.

        Raises:
            MailError: With blast ACCOUNT: the pass ended early. What it had begun is made whole by the next one.
        """
        return await self._run(client, only=only, news=news)

    async def _run(
        self,
        client: ImapClient,
        *,
        only: Collection[MailboxName] | None,
        news: LocalNews | None,
        is_again: bool = False,
    ) -> PassResult:
        if not self._is_prepared:
            await self.recover()
        await self._tree.check_identity()
        tally = Tally(self._account, self._on_progress)
        known, judged = await self._known(client, only, tally)
        unborn = await self._recovery.run(known.all_records)
        remade = await self._removal.make_approved(known)
        wishes = Wishes(self._store, await self._store.operations.pending(self._account))
        uploads = await self._open_uploads.resolve(client, known.records, known.all_records)
        served = {name: record for name, record in known.records.items() if name not in uploads.unresolved}
        resend, self._resend = {**self._resend, **uploads.resend}, {}
        owed, self._owed = self._owed, frozenset()
        asked = served if only is None else {name: served[name] for name in {*only, *owed} if name in served}
        review = self._backups.review
        ignored = {
            name: uploads.uncertain.get(name, _NOTHING) | unborn.get(name, _NOTHING) for name in served
        }
        self._look.begin(is_again=is_again)
        look_at = functools.partial(
            self._look.see,
            client,
            served=served,
            records=known.all_records,
            wishes=wishes,
            ignored=ignored,
            review=review,
            tally=tally,
        )
        wanted = {*self._holds.current, *self._holds.undone, *review.mailboxes}
        work: Collection[MailboxRecord] = asked.values()
        found: Mapping[MailboxName, Seen] | None = None
        if only is not None and not any(
            name in wanted or name in owed or self._look.is_retry_due(name) for name in asked
        ):
            found = await self._partial_look.see(
                client, list(work), news=news, wishes=wishes, ignored=ignored
            )
        if found is None:
            work = await self._look.mailboxes_with_work(client, asked, known.remote, wishes, wanted)
            found = await look_at(work)
        found, returned = await self._out_of_sight.find_returned(found, served, look_at, tally)
        traced = await self._tracing.trace(
            client,
            found,
            known,
            served,
            wishes=wishes,
            look_at=look_at,
            failed=frozenset(record.name for record in work if record.name not in found),
            tally=tally,
        )
        seen, returned = await self._out_of_sight.settle(traced.seen, returned, traced.strays.values())
        overtaken = {name for name in uploads.postponed & seen.keys() if seen[name].facts.remote_appeared}
        if overtaken:
            # What has come may be an upload. Nothing of the plan has been done yet: look once more, with it resolved.
            self._open_uploads.look_again(overtaken)
            self._owed, self._resend = owed, resend
            await client.unselect()
            again = await self._run(client, only=only, news=news, is_again=True)
            return replace(tally.result, failed=0).plus(again)
        guarded = guard_plan(
            replace(
                plan_account(
                    (one.facts for one in seen.values()),
                    can_move=client.caps.has("UIDPLUS"),
                    strays={**traced.strays, **returned},
                ),
                relocations=traced.relocations,
            ),
            {name: one.situation(self._holds) for name, one in seen.items()},
            self._breaker,
            account_size=self._store.counts_of(self._account).total,
            now=self._clock.now(),
        )
        # A directory that is missing may have been renamed, which only a pass over everything can tell.
        lost = self._look.lost_directories if only is None else {}
        await self._holds.confine(one.facts for one in seen.values())
        await self._holds.record(
            [*guarded.held, *judged.held, *lost.values()],
            looked_at=[*seen, *judged.looked_at, *lost, *remade],
            undecided={name: uids_of(one.facts.undecided) for name, one in seen.items()},
        )
        # Where something is neither there nor proved to be gone, a look ends no review.
        decided = {name for name, one in seen.items() if not one.facts.undecided}
        execution = Execution(
            settings=self._settings,
            store=self._store,
            tree=self._tree,
            scan=self._scan,
            clock=self._clock,
            log=self._log,
            tally=tally,
            refusals=self._refusals,
            unrest=self._unrest,
            wishes=wishes,
            seen=seen,
            resend=resend,
            trash=known.trash,
        )
        try:
            complete = await execution.carry_out(
                client, guarded.plan, held={hold.mailbox for hold in guarded.held if hold.side is Side.HERE}
            )
        finally:
            await self._holds.spend(execution.carried_out)
        self._owed = execution.owed
        if client.is_lost:  # by a file that changed under our hands: the rest was not even tried
            raise ConnectionLost("the line was given up during the pass")
        await self._holds.withdraw(remade)
        await self._backups.reviewed(complete & decided)
        await self._look.comparisons.complete(complete & decided)
        if only is None:
            self._backups.tell(known.records.keys() - complete)
        await self._removal.finish(client, complete & decided)
        if (
            only is None
            and complete.issuperset(record.name for record in work)
            and review.mailboxes.isdisjoint(served)
        ):
            await wishes.settle_orphans(self._account, known.all_records)
        result = replace(tally.result, held=sum(hold.count for hold in self._holds.current.values()))
        if traced.is_behind and only is not None:  # what went may be in a mailbox that is not known yet
            return result.plus(await self.run_pass(client))
        return result

    async def _known(
        self, client: ImapClient, only: Collection[MailboxName] | None, tally: Tally
    ) -> tuple[KnownMailboxes, Judged]:
        """The mailboxes of this pass; in one over everything, what was done to mailboxes is followed first."""
        if only is not None:
            return await self._book.known(), Judged(held=[], looked_at=set())
        # QUIRK Dovecot 2.3: STATUS of the selected mailbox tells what the session has seen, not what there is.
        await client.unselect()
        before = await client.list_mailboxes()
        await self._book.believe(before)
        followed = await self._changes.follow(client, before, tally)
        judged = await self._removal.follow(client, followed.missing, await self._deletions(tally), tally)
        listed = await client.list_mailboxes() if judged.must_list else followed.listed
        known = await self._book.reconcile(listed, tally)
        await self._reviews.prepare(known.records, known.all_records)
        await self._subscriptions.follow(client, known.records, known.remote)
        return known, judged

    async def _deletions(self, tally: Tally) -> Deletions:
        return Deletions(
            account=self._account,
            rule=self._settings.delete,
            store=self._store,
            tree=self._tree,
            clock=self._clock,
            log=self._log,
            tally=tally,
            wishes=Wishes(self._store, await self._store.operations.pending(self._account)),
            refusals=self._refusals,
        )
