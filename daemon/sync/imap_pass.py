"""One pass over an IMAP account: look, plan, guard, act.

The first pass and the thousandth take the same way. A fault of one mailbox is recorded and the others go on; what
stops the account leaves as MailError, and the next pass makes whole what this one had begun.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.passes import PassResult, Progress
from daemon.model.settings import ImapSettings
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.execution import Execution
from daemon.sync.guard import DeletionBreaker, HeldDeletions, guard_plan
from daemon.sync.holds import Holds
from daemon.sync.local_scan import LocalScan
from daemon.sync.look import Look
from daemon.sync.mailboxes import MailboxBook, MailboxPatterns
from daemon.sync.plan import plan_account
from daemon.sync.recovery import recover_locally, resolve_uploads
from daemon.sync.reset import Rematch
from daemon.sync.tally import Tally
from daemon.sync.uploads import Refusals

_TREE_CLAIMED = "tree_claimed"


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
        )
        self._scan = LocalScan(tree, log)
        self._breaker = DeletionBreaker(share_limit=settings.deletion_limit)
        self._holds = Holds(account=settings.id, store=store, breaker=self._breaker)
        self._look = Look(
            account=settings.id,
            store=store,
            scan=self._scan,
            rematch=Rematch(account=settings.id, store=store, tree=tree, log=log),
            clock=clock,
            log=log,
        )
        self._refusals = Refusals()
        self._needs_recovery = True
        self._is_restored = store.generation_gap

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        """Deletions that wait for a person, as of the last pass."""
        return self._holds.current

    async def approve(self, mailbox: MailboxName) -> None:
        """Let the held deletions of this mailbox go on in the next pass."""
        await self._holds.approve(mailbox)

    def note_local_change(self) -> None:
        """The tree may have changed: look at every directory in the next pass."""
        self._scan.forget()

    async def recover(self) -> None:
        """Make the store whole after whatever ended the last run; no network.

        Raises:
            StoreForeign: The tree is missing or of another store; nothing was touched.
        """
        await self._holds.load()
        if await self._store.facts.get(self._account, _TREE_CLAIMED) is None:
            await self._tree.claim(adopt=True)
            await self._store.facts.set(self._account, _TREE_CLAIMED, "1")
        await self._tree.check_identity()
        records = await self._book.records()
        await recover_locally(
            account=self._account, store=self._store, tree=self._tree, records=records, log=self._log
        )
        self._needs_recovery = False

    async def run_pass(
        self, client: ImapClient, *, only: Collection[MailboxName] | None = None
    ) -> PassResult:
        """What was done; repeat until it is quiet. `only` looks at these mailboxes and trusts the rest.

        Raises:
            MailError: With blast ACCOUNT: the pass ended early. What it had begun is made whole by the next one.
        """
        if self._needs_recovery:
            await self.recover()
        self._needs_recovery = True
        result = await self._pass(client, only)
        self._needs_recovery = False
        return result

    async def _pass(self, client: ImapClient, only: Collection[MailboxName] | None) -> PassResult:
        await self._tree.check_identity()
        tally = Tally(self._account, self._on_progress)
        records, remote = await self._known(client, only)
        pending = await self._store.operations.pending(self._account)
        operations = {operation.message_id: operation for operation in pending}
        open_uploads = await resolve_uploads(
            client, account=self._account, store=self._store, tree=self._tree, records=records, log=self._log
        )
        work = await self._look.mailboxes_with_work(client, records, remote, operations, self._holds.current)
        seen = await self._look.see(
            client,
            work,
            records=records,
            operations=operations,
            uncertain=open_uploads.uncertain,
            tally=tally,
        )
        guarded = guard_plan(
            plan_account((one.facts for one in seen.values()), can_move=client.caps.has("UIDPLUS")),
            {name: one.situation(self._holds) for name, one in seen.items()},
            self._breaker,
            now=self._clock.now(),
            infers_nothing=self._is_restored,
        )
        lost = self._look.lost_directories
        await self._holds.record([*guarded.held, *lost.values()], looked_at=[*seen, *lost])
        execution = Execution(
            settings=self._settings,
            store=self._store,
            tree=self._tree,
            scan=self._scan,
            clock=self._clock,
            log=self._log,
            tally=tally,
            refusals=self._refusals,
            operations=operations,
            open_uploads=open_uploads,
        )
        await execution.carry_out(client, guarded.plan, seen, records)
        if only is None:
            self._is_restored = False
        return replace(tally.result, held=sum(hold.count for hold in self._holds.current.values()))

    async def _known(
        self, client: ImapClient, only: Collection[MailboxName] | None
    ) -> tuple[Mapping[MailboxName, MailboxRecord], Mapping[MailboxName, RemoteMailbox]]:
        if only is None:
            # QUIRK Dovecot 2.3: STATUS of the selected mailbox tells what the session has seen, not what there is.
            await client.unselect()
            known = await self._book.reconcile(await client.list_mailboxes())
            return known.records, known.remote
        records = await self._book.records()
        return {name: records[name] for name in only if name in records}, {}
