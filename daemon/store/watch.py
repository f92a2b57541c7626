"""The watch on an account's tree: tells which mailbox directories other programs, and we, have changed.

One inotify instance for each account: a burst, or an overflow, in one tree costs the others nothing. The event loop
watches its descriptor; there is no thread, no polling and no wait but the one of `watch_events` for the second half
of something. Two watches for each mailbox and one for its directory, which shows it come and go. Yields names; never
reads or writes mail.

What inotify cannot do is never an error: when there are no more instances or watches, or no inotify, `report` says so
and the owner's schedule is what finds changes. Our own writes are told too: a look that finds nothing ends that.
"""

import asyncio
import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

from inotify_simple import INotify, parse_events

from daemon.store.maildir.names import Layout
from daemon.store.pools import Pools
from daemon.store.watch_cover import Coverage, cover
from daemon.store.watch_events import EVERYTHING_CHANGED, EventSorter, LocalChange

READ_BYTES: Final = 64 * 1024  # some thousand events: two milliseconds of the loop's time
MOST_READS: Final = 64  # more than the kernel's queue holds: what comes faster is told in between

OnChange = Callable[[LocalChange], None]
R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class TreeWatchMode(StrEnum):
    """How changes of the tree are noticed."""

    INOTIFY = "inotify"
    SCAN = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeWatchReport:
    """How the tree is watched now, and when by schedule only, why and what a person can do."""

    mode: TreeWatchMode
    reason: str | None = None
    detail: str | None = None
    remedy: str | None = None


WATCHED: Final = TreeWatchReport(mode=TreeWatchMode.INOTIFY)
NOT_STARTED: Final = TreeWatchReport(mode=TreeWatchMode.SCAN)
_BY_SCHEDULE: Final = "changes of the local tree are found by schedule, not at once"
_FAILURES: Final = {
    errno.ENOSPC: TreeWatchReport(
        mode=TreeWatchMode.SCAN,
        reason="watch_limit",
        detail=f"{_BY_SCHEDULE}: there are no more inotify watches",
        remedy="raise fs.inotify.max_user_watches with sysctl",
    ),
    errno.EMFILE: TreeWatchReport(
        mode=TreeWatchMode.SCAN,
        reason="watch_instances",
        detail=f"{_BY_SCHEDULE}: there are no more inotify instances",
        remedy="raise fs.inotify.max_user_instances with sysctl, or the limit of open files",
    ),
    errno.ENOENT: TreeWatchReport(
        mode=TreeWatchMode.SCAN,
        reason="watch_tree_gone",
        detail=f"{_BY_SCHEDULE}: the tree was moved or removed",
        remedy="put it back; it is watched again from the next look on",
    ),
}


def _report_on(error: OSError) -> TreeWatchReport:
    known = _FAILURES.get(error.errno or 0)
    if known is not None:
        return known
    return TreeWatchReport(
        mode=TreeWatchMode.SCAN,
        reason="watch_unavailable",
        detail=f"{_BY_SCHEDULE}: inotify does not work here ({error.strerror})",
        remedy="use a file system and a kernel that offer inotify, if changes are to be found at once",
    )


def _open_inotify() -> INotify:
    return INotify(nonblocking=True)


class TreeWatch:
    """Watches one tree between `start` and `stop`. The event loop's thread only."""

    def __init__(
        self,
        root: Path,
        *,
        layout: Layout,
        pools: Pools,
        name: str,
        on_change: OnChange,
        open_inotify: Callable[[], INotify] = _open_inotify,
    ) -> None:
        """No I/O. `on_change` is called in the loop and must not block; `name` is the account's, for the task."""
        self._root = root
        self._layout = layout
        self._pools = pools
        self._name = name
        self._on_change = on_change
        self._open_inotify = open_inotify
        self._halt = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._inotify: INotify | None = None
        self._identity: tuple[int, int] | None = None
        self.report = NOT_STARTED
        """How the tree is watched now."""

        self.directory_count = 0
        """How many directories are watched."""

    async def start(self) -> None:
        """Watch the tree, as it is at the path now; returns when every directory is covered, or `report` says why not.

        Repeated calls see to it that what is watched is still what lies at the path.

        Cancellation:
            Safe; nothing is left open.
        """
        if self._task is not None:
            if self._task.done():
                self._task.result()  # our own fault, if any, is raised here
            elif self._identity == await self._pools.run("files", _identity_of, self._root):
                return
            await self.stop()
        self._halt = threading.Event()
        sorter = EventSorter(self._layout)
        with contextlib.ExitStack() as opened:
            try:
                inotify, coverage = await self._in_pool(self._open, sorter, opened)
            except OSError as exc:
                self.report = _report_on(exc)
                return
            sorter.places = coverage.places
            self.directory_count = len(sorter.places)
            self.report = WATCHED
            self._task = asyncio.create_task(self._follow(inotify, sorter), name=f"watch:{self._name}")
            self._inotify = inotify
            opened.pop_all()

    async def stop(self) -> None:
        """Give every watch back; harmless when it is not running."""
        self.report = NOT_STARTED
        self.directory_count = 0
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        if self._inotify is not None:
            self._inotify.close()  # a task that is cancelled before its first step closes nothing
            self._inotify = None

    # -- watching ----------------------------------------------------------------------------------------------

    async def _follow(self, inotify: INotify, sorter: EventSorter) -> None:
        """Tell what happens until cancelled, or until there is nothing to watch any more."""
        with inotify:
            try:
                while True:
                    await _readable(inotify.fileno(), sorter.seconds_left(time.monotonic()))
                    await self._read(inotify, sorter)
                    if sorter.is_lost:
                        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._root))
                    self._tell(sorter)
                    if unsettled := sorter.take_unsettled():
                        self._note(sorter, await self._in_pool(self._cover, inotify, sorter, unsettled))
                        self._tell(sorter)
            except OSError as exc:
                self.report = _report_on(exc)
                self.directory_count = 0
                self._on_change(EVERYTHING_CHANGED)  # what came last may not have been read

    async def _read(self, inotify: INotify, sorter: EventSorter) -> None:
        for _ in range(MOST_READS):
            try:
                octets = os.read(inotify.fileno(), READ_BYTES)
            except BlockingIOError:
                return
            sorter.sort(parse_events(octets), time.monotonic())
            if len(octets) < READ_BYTES // 2:  # the next event would have fitted in: that was all
                return
            await asyncio.sleep(0)  # a long burst must not hold up the lines

    def _tell(self, sorter: EventSorter) -> None:
        change = sorter.take(time.monotonic())
        if change is not None:
            self._on_change(change)

    # -- covering ----------------------------------------------------------------------------------------------

    async def _in_pool(self, work: Callable[[*Ts], R], *args: *Ts) -> R:
        """What `work` returned; when cancelled, not before it has ended, for it uses our descriptor."""
        job = asyncio.create_task(self._pools.run("files", work, *args), name=f"watch-cover:{self._name}")
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            self._halt.set()
            await asyncio.wait({job})
            if not job.cancelled():
                job.exception()
            raise

    def _open(self, sorter: EventSorter, opened: contextlib.ExitStack) -> tuple[INotify, Coverage]:
        inotify = opened.enter_context(self._open_inotify())
        self._identity = _identity_of(self._root)
        return inotify, self._cover(inotify, sorter, ["."])

    def _cover(self, inotify: INotify, sorter: EventSorter, starts: Iterable[str]) -> Coverage:
        return cover(inotify, self._root, self._layout, starts=starts, known=sorter.places, halt=self._halt)

    def _note(self, sorter: EventSorter, coverage: Coverage) -> None:
        sorter.note_covered(coverage.added(sorter.places), coverage.dropped.values())
        for wd in coverage.dropped:
            del sorter.places[wd]
        sorter.places.update(coverage.places)
        self.directory_count = len(sorter.places)


async def _readable(fd: int, seconds: float | None) -> None:
    """Return when there is something to read, or after `seconds`."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ready.wait()
    finally:
        loop.remove_reader(fd)


def _identity_of(root: Path) -> tuple[int, int] | None:
    """Which directory lies at the path now; None when there is none."""
    try:
        status = root.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
