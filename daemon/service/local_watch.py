"""The local watch of one account: what another program changes in the tree wakes the account, by mailbox.

Belongs to the account's runner and outlives its sessions: what happens while there is no line is looked at by the next
one's first pass. Where the tree cannot be watched the schedule goes on finding changes; that is said in the log and in
the account's status, and tried again now and then.
"""

from collections.abc import Mapping
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import MailboxName
from daemon.model.local_news import NewsOfFiles
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.settings import ImapSettings, Pop3Settings
from daemon.service.wakes import WakeReason, Wakes
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.store.watch import NOT_STARTED, TreeWatch, TreeWatchMode, TreeWatchReport
from daemon.store.watch_events import LocalChange
from daemon.sync.mailboxes import MailboxPatterns

STRANGERS_LIMIT: Final = 1000  # directories without a mailbox that may get one; beyond it all are looked at
RETRY_SECONDS: Final = 900.0  # each try takes what watches are left, if only for a moment


class LocalWatch:
    """Turns changes of the tree into wakes. The event loop's thread only."""

    def __init__(
        self,
        *,
        settings: ImapSettings | Pop3Settings,
        store: Store,
        tree: MaildirTree,
        wakes: Wakes,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = settings.id
        self._patterns = (
            MailboxPatterns(settings.mailboxes, settings.exclude)
            if isinstance(settings, ImapSettings)
            else MailboxPatterns(("*",), ())
        )
        self._store = store
        self._wakes = wakes
        self._clock = clock
        self._log = log
        self._watch = TreeWatch(
            tree.root, layout=tree.layout, pools=store.pools, name=settings.id, on_change=self._note
        )
        self._mailboxes: dict[str, MailboxName | None] = {}
        self._strangers: set[str] = set()
        self._told = NOT_STARTED
        self._retry_at = float("-inf")

    @property
    def report(self) -> TreeWatchReport:
        """How the tree is watched now."""
        return self._watch.report

    @property
    def is_watching(self) -> bool:
        """Whether whatever changes in the tree is told."""
        return self._watch.report.mode is TreeWatchMode.INOTIFY

    async def ensure(self) -> None:
        """Watch the tree unless it is watched; before a pass over everything, which finds what happened until now."""
        if self._is_limited and self._clock.monotonic() < self._retry_at:
            return
        await self._watch.start()
        self._retry_at = self._clock.monotonic() + RETRY_SECONDS
        self._tell_report()

    async def refresh(self) -> None:
        """Learn which directories stand for which mailboxes; after a pass over everything, which may have made some."""
        records = await self._store.mailboxes.list(self._account)
        self._mailboxes = {
            record.directory: record.name if self._patterns.keeps(_as_listed(record)) else None
            for record in records
        }
        known = self._strangers.intersection(self._mailboxes)
        self._strangers -= known
        self._wake(known, {})

    async def stop(self) -> None:
        """Give every watch back."""
        await self._watch.stop()
        self._told = NOT_STARTED
        self._retry_at = float("-inf")

    @property
    def _is_limited(self) -> bool:
        """Whether the machine has no watches for us, as opposed to a tree that went and may be back."""
        report = self._watch.report
        return report.mode is TreeWatchMode.SCAN and report.reason not in {None, "watch_tree_gone"}

    def _note(self, change: LocalChange) -> None:
        if change.is_everything:
            self._retry_at = self._clock.monotonic() + RETRY_SECONDS
            self._tell_report()
            if self._watch.report.mode is TreeWatchMode.INOTIFY:
                self._log.warning("tree.watch_overflowed")
            self._wakes.wake(WakeReason.LOCAL)
            return
        unknown = change.directories.difference(self._mailboxes)
        self._strangers |= unknown
        is_crowded = len(self._strangers) > STRANGERS_LIMIT
        if is_crowded:
            self._strangers.clear()
        if is_crowded or change.reshaped:
            # A mailbox nobody knew, or one that went or has another name: only a listing of all can tell.
            self._wakes.wake(WakeReason.LOCAL)
        self._wake(change.directories - unknown, change.files)

    def _wake(self, directories: frozenset[str] | set[str], files: Mapping[str, NewsOfFiles]) -> None:
        """All in one go, so that one pass looks at both ends of a move."""
        for directory in directories:
            mailbox = self._mailboxes[directory]
            if mailbox is not None:  # sync.md 11: what config leaves out is not even looked at
                self._wakes.wake(WakeReason.LOCAL, mailbox, files.get(directory))

    def _tell_report(self) -> None:
        report = self._watch.report
        if report == self._told:
            return
        self._told = report
        if report.mode is TreeWatchMode.INOTIFY:
            self._log.info("tree.watched", directories=self._watch.directory_count)
            return
        self._log.warning("tree.watch_failed", reason=report.reason, remedy=report.remedy)


def _as_listed(record: MailboxRecord) -> RemoteMailbox:
    return RemoteMailbox(
        name=record.name,
        wire_name=record.wire_name,
        delimiter=record.delimiter,
        special_use=record.special_use,
    )
