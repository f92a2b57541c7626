"""What the watch on the tree tells of a history: inotify, the sorter and what the service makes of it are the real ones.

Only the waiting is left out, which would cost each history more than all else: the events that lie in the kernel's queue
are read when the history says so, and the sorter is handed a time at which nothing waits any more for its second half, or
one at which it does. News may come late, come twice, or be lost, with the kernel's word for it or without.
"""

import os
import threading
from typing import Final

import structlog
from inotify_simple import Event, INotify, flags, parse_events

from daemon.model.ids import MailboxName
from daemon.service.local_watch import LocalWatch
from daemon.service.wakes import Agenda, WakeReason, Wakes
from daemon.store.watch_cover import cover
from daemon.store.watch_events import REMOVALS_MOST_SECONDS, EventSorter, LocalChange
from tests.support.bridge import Bridge

READ_BYTES: Final = 64 * 1024
SETTLED_SECONDS: Final = 4 * REMOVALS_MOST_SECONDS  # more than anything waits for
OVERFLOW: Final = Event(-1, int(flags.Q_OVERFLOW), 0, "")


class Ear:
    """The watch of one start of the engine, and the wakes that it gives."""

    def __init__(self, bridge: Bridge) -> None:
        self._tree = bridge.tree
        self._wakes = Wakes()
        self._local = LocalWatch(
            settings=bridge.settings,
            store=bridge.store,
            tree=bridge.tree,
            wakes=self._wakes,
            clock=bridge.clock,
            log=structlog.get_logger(),
        )
        self._sorter = EventSorter(bridge.tree.layout)
        self._inotify = INotify(nonblocking=True)
        self._now = 0.0
        self._last: LocalChange | None = None
        self._cover(["."])

    def close(self) -> None:
        self._inotify.close()

    async def learn(self) -> None:
        """Which directories stand for which mailboxes; after a pass over everything."""
        await self._local.refresh()

    def wake(self, mailbox: MailboxName, reason: WakeReason) -> None:
        """Somebody else has news of this mailbox."""
        self._wakes.wake(reason, mailbox)

    def listen(self, *, is_settled: bool) -> None:
        """Take in what has happened; what waits for its second half goes on waiting unless it is settled."""
        self._sorter.sort(self._read(), self._now)
        self._tell()
        while unsettled := self._sorter.take_unsettled():
            self._cover(sorted(unsettled))
            self._sorter.sort(self._read(), self._now)
        if is_settled:
            self._now += SETTLED_SECONDS
        self._tell()

    def lose(self, *, is_known: bool) -> None:
        """What has happened is never told; the kernel says so, or nobody does. Directories are covered all the same."""
        self._sorter.sort(self._read(), self._now)
        if is_known:
            self._sorter.sort([OVERFLOW], self._now)
            return
        self._now += SETTLED_SECONDS
        while unsettled := self._sorter.take_unsettled():
            self._cover(sorted(unsettled))
        self._sorter.take(self._now)

    def repeat(self) -> None:
        """What was told last is told again."""
        if self._last is not None:
            self._local._note(self._last)

    def take(self) -> Agenda:
        """What is to be looked at, as a session takes it."""
        return self._wakes.take()

    def _tell(self) -> None:
        change = self._sorter.take(self._now)
        if change is not None:
            self._last = change
            self._local._note(change)

    def _read(self) -> list[Event]:
        events: list[Event] = []
        while True:
            try:
                events += parse_events(os.read(self._inotify.fileno(), READ_BYTES))
            except BlockingIOError:
                return events

    def _cover(self, starts: list[str]) -> None:
        coverage = cover(
            self._inotify,
            self._tree.root,
            self._tree.layout,
            starts=starts,
            known=self._sorter.places,
            halt=threading.Event(),
        )
        added = coverage.added(self._sorter.places) if self._sorter.places else ()
        self._sorter.note_covered(added, coverage.dropped.values())
        for wd in coverage.dropped:
            del self._sorter.places[wd]
        self._sorter.places.update(coverage.places)


def as_told(agenda: Agenda) -> str:
    """What it says, in words."""
    files = {name: sorted(news) for name, news in agenda.news.files.items()}
    return f"{sorted(agenda.only or ())}, of files {files}, unknown {sorted(agenda.news.unknown)}"
