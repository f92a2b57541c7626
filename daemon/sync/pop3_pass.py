"""One poll of a POP3 maildrop: the tree first, then what is new comes down, then what may leave the server leaves it.

The street is one-way: nothing that happens in the tree ever reaches the server (decisions.md 4). A fault of one message
is recorded and the others go on; what stops the account leaves as MailError, and the next poll makes whole what this one
had begun.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, ServerRefused, Throttled
from daemon.model.ids import INBOX, MailboxName, MaildirName
from daemon.model.mailbox import MailboxRecord
from daemon.model.passes import PassResult, Progress
from daemon.model.settings import Pop3Settings
from daemon.net.pop3.client import Listing, MaildropEntry, Pop3Client
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.backups import Backups
from daemon.sync.fingerprint import is_server_other, note_server
from daemon.sync.local_scan import LocalScan
from daemon.sync.maildrop_plan import Comparison, compare, match_nameless
from daemon.sync.one_way_tree import OneWayTree
from daemon.sync.pop3_announcement import Announcement
from daemon.sync.pop3_days import Days
from daemon.sync.pop3_downloads import REMEMBERED_SECONDS, Pop3Downloads
from daemon.sync.pop3_removals import Removals, header_digests
from daemon.sync.postponed import Postponed, Trouble
from daemon.sync.recovery import LocalRecovery
from daemon.sync.tally import Tally
from daemon.sync.unchanged import Standing
from daemon.sync.wishes import Wishes

_PRUNED_EVERY_SECONDS: Final = 3600.0  # it walks over all that we ever had deleted
_TREE_CLAIMED: Final = "tree_claimed"
_POSTPONED: Final = "pop3.postponed"
_HEADERS_SINGLY: Final = "pop3.headers_singly"
_LOCKSTEP_HOSTS: Final = ("pop.gmail.com", "pop.googlemail.com")  # QUIRK Gmail: RETR itself hides the message


class Pop3Sync:
    """Keeps one maildrop's mail here, poll by poll, on a connection that is handed in."""

    def __init__(
        self,
        *,
        settings: Pop3Settings,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._account = settings.id
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._on_progress = on_progress
        self._scan = LocalScan(tree, log)
        self._ways = OneWayTree(
            account=settings.id, store=store, tree=tree, scan=self._scan, clock=clock, log=log
        )
        self._backups = Backups(account=settings.id, store=store, tree=tree, log=log)
        self._recovery = LocalRecovery(account=settings.id, store=store, tree=tree, log=log)
        self._announcement = Announcement(
            account=settings.id, leave_on_server=settings.leave_on_server, store=store, log=log
        )
        self._days = Days(
            account=settings.id,
            leave_on_server=settings.leave_on_server,
            poll_interval_seconds=settings.poll_interval_seconds,
            store=store,
            clock=clock,
        )
        self._removals = Removals(
            account=settings.id,
            leave_on_server=settings.leave_on_server,
            announcement=self._announcement,
            store=store,
            clock=clock,
            log=log,
        )
        self._postponed = Postponed()
        self._standing: Standing | None = None
        self._without_top: set[MaildropEntry] = set()
        self._is_prepared = False
        self._pruned_at = float("-inf")
        self.announced_count = 0
        """How many messages the next poll will remove from the server, said once before it begins; see `note_shown`."""

    def note_local_change(self) -> None:
        """The tree may have changed: look at every directory the next time."""
        self._scan.forget()

    async def note_shown(self) -> None:
        """What the last poll announced was shown: the next one may begin."""
        await self._announcement.confirm()

    async def recover(self) -> None:
        """Make the store whole after whatever ended the last run; no network.

        Raises:
            StoreForeign: The tree is missing or of another store; nothing was touched.
            MailError: protocol_changed.
        """
        is_other = await is_server_other(self._settings, self._store)
        if await self._store.facts.get(self._account, _TREE_CLAIMED) is None:
            await self._tree.claim(adopt=True)
            await self._store.facts.set(self._account, _TREE_CLAIMED, "1")
        records = await self._ways.records()
        await self._backups.look(records.keys())
        await self._recovery.run(records)
        if is_other:
            await self._store.maildrop.unname(self._account, self._clock.now())
            await self._store.facts.set(self._account, _POSTPONED, None)
        self._postponed = Postponed(await self._store.facts.get(self._account, _POSTPONED))
        await note_server(self._settings, self._store)
        self._is_prepared = True

    async def follow_tree(self) -> PassResult:
        """Bring index and wishes in step with the files; no network."""
        tally = Tally(self._account, self._on_progress)
        await self._follow(tally)
        return tally.result

    async def run_pass(self, client: Pop3Client) -> PassResult:
        """What was done; the session is over afterwards, QUIT answered where anything depends on it.

        Raises:
            MailError: The poll ended early; nothing counts as deleted. What it had begun the next one makes whole.
        """
        tally = Tally(self._account, self._on_progress)
        records = await self._follow(tally)
        inbox = records[INBOX]
        listed = await client.list_unless(self._seal_if(inbox))
        await self._days.count()
        if listed is None:
            self._log.debug("maildrop.unchanged")
            await self._leave(client, is_anything_marked=False)
            return tally.result
        self._standing = None
        revision = self._store.maildrop.revision(self._account)
        before = await self._compare(listed)
        wanted, named = await self._unknown(client, before)
        await self._note_listing(before, named)
        tally.expect(messages=len(wanted), octets=sum(entry.size or 0 for entry in wanted))
        downloads = Pop3Downloads(
            account=self._account,
            store=self._store,
            tree=self._tree,
            clock=self._clock,
            log=self._log,
            tally=tally,
            postponed=self._postponed,
        )
        try:
            refused = await downloads.run(
                client,
                inbox,
                wanted,
                chain(before.known_rows, named),
                is_lockstep=self._settings.host.lower() in _LOCKSTEP_HOSTS,
            )
        except MailError:
            await self._keep_postponed()
            raise
        self._postponed.keep(listed)
        await self._keep_postponed()
        if not inbox.is_first_pass_done or inbox.message_count != len(listed):
            await self._store.mailboxes.save(
                replace(inbox, is_first_pass_done=True, message_count=len(listed))
            )
        fetched = {entry.number for entry in wanted} - refused
        after = await self._compare(listed) if fetched else before
        await self._confirm_fetched(client, listed, after, fetched)
        if listed.is_disputed and self._settings.leave_on_server is not True:
            await client.list_messages()  # raises where a number is another message's by now
        marked, announced = await self._removals.mark(client, listed, after, fetched)
        await self._leave(client, is_anything_marked=bool(marked))
        self.announced_count = announced
        if not announced:
            await self._announcement.confirm()
        await self._forget_long_gone()
        tally.add(PassResult(expunged_there=len(marked)))
        if not (before.unknown or marked or announced):
            await self._stand(listed, revision)
        return tally.result

    async def _forget_long_gone(self) -> None:
        now = self._clock.now()
        if abs(now - self._pruned_at) >= _PRUNED_EVERY_SECONDS:
            await self._store.maildrop.prune(self._account, now - REMEMBERED_SECONDS)
            self._pruned_at = now

    def _seal_if(self, inbox: MailboxRecord) -> bytes | None:
        if self._standing is None:
            return None
        revision = self._store.maildrop.revision(self._account)
        return self._standing.seal_if(revision, inbox, self._clock.now())

    async def _stand(self, listed: Listing, revision: int) -> None:
        """Remember a poll that left nothing undone, if nothing has changed since it compared."""
        days, due_at = self._settings.leave_on_server, None
        if days is False:
            return  # what is left there is to be tried again
        if days is not True:
            earliest = await self._store.maildrop.earliest(self._account)
            due_at = earliest + days if earliest is not None else None
        if listed.seal is not None and self._store.maildrop.revision(self._account) == revision:
            self._standing = Standing(
                seal=listed.seal, revision=revision, count=len(listed), at=self._clock.now(), due_at=due_at
            )

    async def _leave(self, client: Pop3Client, *, is_anything_marked: bool) -> None:
        """QUIT. Where nothing is marked for deletion, nothing hangs on its answer."""
        try:
            await client.quit()
        except (ConnectionLost, RemoteProtocolError, ServerRefused) as exc:
            if is_anything_marked:
                raise
            self._log.info("quit.unanswered", reason=exc.reason, detail=str(exc))

    async def _follow(self, tally: Tally) -> Mapping[MailboxName, MailboxRecord]:
        if not self._is_prepared:
            await self.recover()
        await self._tree.check_identity()
        records = await self._ways.records()
        unborn: Mapping[MailboxName, frozenset[MaildirName]] = await self._recovery.run(records)
        wishes = Wishes(self._store, await self._store.operations.pending(self._account))
        review = self._backups.review
        await self._ways.follow(
            records,
            wishes,
            tally,
            unborn=unborn,
            is_backup=bool(review.mailboxes) and review.is_tree_older,
        )
        await self._backups.reviewed(records.keys())
        return records

    async def _compare(self, listed: Sequence[MaildropEntry]) -> Comparison:
        return await self._store.maildrop.compare(self._account, lambda keys: compare(listed, keys))

    async def _unknown(
        self, client: Pop3Client, comparison: Comparison
    ) -> tuple[list[MaildropEntry], list[int]]:
        """What is to be fetched, and the rows of messages without a unique id that are known by their header."""
        wanted = self._postponed.choose(comparison.unknown, self._clock.now())
        nameless = [entry for entry in wanted if entry.uidl is None]
        if not nameless or not comparison.nameless_rows:
            return wanted, []
        sightings = await self._store.maildrop.get_many(comparison.nameless_rows)
        sizes = {one.size for one in sightings}
        asked = [
            entry
            for entry in nameless
            if entry.size in sizes and not self._postponed.tries(entry) and entry not in self._without_top
        ]
        digests = await self._header_digests(client, asked)
        if digests is None:
            return wanted, []  # no TOP: the digest of the whole tells
        headers = [(entry, digests[entry.number]) for entry in nameless if entry.number in digests]
        found = match_nameless(headers, sightings)
        rows = [one.number for one in found.values() if one.number is not None]
        return [entry for entry in wanted if entry.number not in found], rows

    async def _header_digests(
        self, client: Pop3Client, entries: Sequence[MaildropEntry]
    ) -> Mapping[int, bytes] | None:
        """Digests of headers by number. After a line was lost they are asked for one by one, to know which it was."""
        singly_since = await self._store.facts.get(self._account, _HEADERS_SINGLY) if entries else None
        if singly_since is None or self._clock.now() - float(singly_since) > REMEMBERED_SECONDS:
            try:
                return await header_digests(client, [entry.number for entry in entries])
            except (ConnectionLost, RemoteProtocolError, Throttled):
                await self._store.facts.set(self._account, _HEADERS_SINGLY, str(self._clock.now()))
                raise
        digests: dict[int, bytes] = {}
        for entry in entries:
            try:
                found = await header_digests(client, [entry.number])
            except (ConnectionLost, RemoteProtocolError, Throttled):
                self._without_top.add(entry)
                self._postponed.note_failed(entry, Trouble.LINE_LOST, self._clock.now())
                await self._keep_postponed()
                raise
            if found is None:
                return None
            digests.update(found)
        return digests

    async def _confirm_fetched(
        self, client: Pop3Client, listed: Sequence[MaildropEntry], after: Comparison, fetched: Collection[int]
    ) -> None:
        """Numbers that shifted while messages came have put octets under ids of others: those prove nothing then, and
        the next poll fetches them again (faults.md P12).
        """
        last = max((entry for entry in listed if entry.number in fetched), key=_number, default=None)
        if last is None or last.uidl is None:
            return
        try:
            await client.confirm(last)
        except RemoteProtocolError:
            rows = [row for number, row in zip(*after.known, strict=True) if number in fetched]
            await self._store.maildrop.note_gone(self._account, rows, self._clock.now())
            raise

    async def _note_listing(self, comparison: Comparison, named: Sequence[int]) -> None:
        """What is listed no more is remembered for a while. Before the download: what it takes up again is there."""
        await self._store.maildrop.note_gone(
            self._account,
            [*comparison.vanished, *set(comparison.nameless_rows).difference(named)],
            self._clock.now(),
        )

    async def _keep_postponed(self) -> None:
        if self._postponed.is_changed:
            await self._store.facts.set(self._account, _POSTPONED, self._postponed.format())


def _number(entry: MaildropEntry) -> int:
    return entry.number
