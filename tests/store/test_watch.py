"""The watch on real directories: every change is told at once, and what cannot be watched is said."""

import asyncio
import contextlib
import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from inotify_simple import INotify

from daemon.store.pools import Pools
from daemon.store.watch import TreeWatch, TreeWatchMode
from daemon.store.watch_events import LocalChange


def make_maildir(root: Path, directory: str = ".") -> Path:
    for part in ("tmp", "new", "cur"):
        (root / directory / part).mkdir(parents=True, exist_ok=True)
    return root / directory


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "tree"
    make_maildir(root)
    make_maildir(root, ".Lists")
    return root


@pytest.fixture
async def pools():
    pools = Pools()
    yield pools
    await pools.close()


class Changes:
    """What was told, and a wait for it."""

    def __init__(self) -> None:
        self.all: list[LocalChange] = []

    @property
    def directories(self) -> frozenset[str]:
        return frozenset().union(*(change.directories for change in self.all))

    async def until(self, condition, seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, self.all
            await asyncio.sleep(0.002)

    async def until_quiet(self) -> None:
        """Return when nothing more comes; the waits of the watch itself are shorter."""
        count = -1
        while count != len(self.all):
            count = len(self.all)
            await asyncio.sleep(0.15)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
async def open_watch(root, pools, changes):
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, layout="maildir++", at=root, **options) -> TreeWatch:
            watch = TreeWatch(
                at, layout=layout, pools=pools, name="work", on_change=changes.all.append, **options
            )
            stack.push_async_callback(watch.stop)
            await watch.start()
            return watch

        yield start


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_quiet_tree_tells_nothing(open_watch, changes) -> None:
    watch = await open_watch()
    await changes.until_quiet()
    assert changes.all == []
    assert watch.report.mode is TreeWatchMode.INOTIFY
    assert watch.directory_count == 6


async def test_each_kind_of_change_names_its_directory(open_watch, root, changes) -> None:
    await open_watch()
    cur = root / ".Lists" / "cur"

    async def is_told(act) -> None:
        changes.all.clear()
        act()
        await changes.until(lambda seen: seen.directories == {".Lists"})
        await changes.until_quiet()

    (root / "tmp" / "a").write_text("x")
    await is_told(lambda: (root / "tmp" / "a").rename(cur / "a:2,"))
    await is_told(lambda: (cur / "b:2,").write_text("made in place"))
    await is_told(lambda: os.link(root / ".Lists" / "cur" / "b:2,", cur / "c:2,"))
    await is_told(lambda: (cur / "a:2,").rename(cur / "a:2,S"))
    await is_told((cur / "a:2,S").unlink)
    await is_told(lambda: (cur / "b:2,").rename(root / "tmp" / "b"))


async def test_move_between_mailboxes_is_one_change(open_watch, root, changes) -> None:
    (root / "cur" / "a:2,").touch()
    await open_watch()
    (root / "cur" / "a:2,").rename(root / ".Lists" / "cur" / "a:2,")
    await changes.until_quiet()
    [change] = changes.all
    assert change.directories == {".", ".Lists"}
    assert [news["a"].event for news in (change.files["."], change.files[".Lists"])] == [
        "departed",
        "arrived",
    ]


async def test_tmp_is_never_watched(open_watch, root, changes) -> None:
    await open_watch()
    (root / "tmp" / "a").write_text("x")
    (root / ".Lists" / "tmp" / "b").write_text("x")
    (root / ".Lists" / "dovecot.index").write_text("x")
    await changes.until_quiet()
    assert changes.all == []


async def test_burst_of_renames_is_few_changes(open_watch, root, changes) -> None:
    for number in range(1000):
        (root / "cur" / f"{number}:2,").touch()
    await open_watch()

    def rename_all() -> None:
        for number in range(1000):
            (root / "cur" / f"{number}:2,").rename(root / "cur" / f"{number}:2,S")

    rename_all()
    await changes.until(lambda seen: seen.directories == {"."})
    await changes.until_quiet()
    assert len(changes.all) == 1


async def test_reading_and_changing_modes_tells_nothing(open_watch, root, changes) -> None:
    (root / "cur" / "a:2,").write_text("x")
    await open_watch()
    (root / "cur" / "a:2,").read_text()
    (root / "cur" / "a:2,").chmod(0o600)
    os.utime(root / "cur" / "a:2,", (1, 1))
    await changes.until_quiet()
    assert changes.all == []


async def test_new_mailbox_is_watched_as_it_appears(open_watch, root, changes) -> None:
    watch = await open_watch()
    make_maildir(root, ".New")
    await changes.until(lambda seen: watch.directory_count == 9)
    await changes.until_quiet()
    assert ".New" in changes.all[-1].reshaped
    changes.all.clear()
    (root / ".New" / "cur" / "a:2,").touch()
    await changes.until(lambda seen: seen.directories == {".New"})


async def test_new_mailbox_deep_in_a_nested_tree_is_watched(open_watch, tmp_path, changes) -> None:
    root = tmp_path / "nested"
    root.mkdir()
    await open_watch(layout="fs", at=root)
    make_maildir(root, "a/b/c")
    await changes.until(lambda seen: "a/b/c" in seen.directories)
    await changes.until_quiet()
    changes.all.clear()
    (root / "a" / "b" / "c" / "new" / "x").touch()
    await changes.until(lambda seen: seen.directories == {"a/b/c"})


async def test_renamed_mailbox_is_told_under_its_new_name(open_watch, root, changes) -> None:
    await open_watch()
    (root / ".Lists").rename(root / ".Else")
    await changes.until(lambda seen: ".Else" in seen.directories)
    await changes.until_quiet()
    changes.all.clear()
    (root / ".Else" / "cur" / "a:2,").touch()
    await changes.until(lambda seen: seen.directories == {".Else"})


async def test_removed_mailbox_is_told_and_its_watches_are_gone(open_watch, root, changes) -> None:
    watch = await open_watch()
    shutil.rmtree(root / ".Lists")
    await changes.until(lambda seen: ".Lists" in seen.directories)
    await changes.until(lambda seen: watch.directory_count == 3)


async def test_real_overflow_is_everything_and_the_watch_goes_on(open_watch, root, changes) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 70_000:
        pytest.skip(f"a queue of {limit} events takes too long to fill")
    await open_watch()
    first, second = root / "cur" / "a:2,", root / "cur" / "b:2,"
    first.touch()
    for _ in range(limit // 4 + 10):  # without a turn of the loop; two events for each rename
        first.rename(second)
        second.rename(first)
    await changes.until(lambda seen: any(change.is_everything for change in seen.all))
    await changes.until_quiet()
    changes.all.clear()
    first.unlink()
    await changes.until(lambda seen: seen.directories == {"."})


class NoMoreWatches(INotify):
    """As the kernel answers at fs.inotify.max_user_watches; `left` watches are to be had."""

    left = 0

    def add_watch(self, path, mask):
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        return super().add_watch(path, mask)


async def test_watch_limit_falls_back_to_scanning(open_watch) -> None:
    before = descriptors()
    watch = await open_watch(open_inotify=lambda: NoMoreWatches(nonblocking=True))
    assert (watch.report.mode, watch.report.reason) == (TreeWatchMode.SCAN, "watch_limit")
    assert "max_user_watches" in watch.report.remedy
    assert descriptors() == before


async def test_watch_limit_met_later_falls_back_and_tells_everything(open_watch, root, changes) -> None:
    class Few(NoMoreWatches):
        left = 7

    watch = await open_watch(open_inotify=lambda: Few(nonblocking=True))
    assert watch.report.mode is TreeWatchMode.INOTIFY
    make_maildir(root, ".New")
    await changes.until(lambda seen: any(change.is_everything for change in seen.all))
    assert watch.report.reason == "watch_limit"
    assert watch.directory_count == 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.EMFILE, "watch_instances"), (errno.ENOSYS, "watch_unavailable")],
)
async def test_missing_inotify_falls_back_to_scanning(open_watch, code: int, reason: str) -> None:
    def refuse() -> INotify:
        raise OSError(code, os.strerror(code))

    watch = await open_watch(open_inotify=refuse)
    assert (watch.report.mode, watch.report.reason) == (TreeWatchMode.SCAN, reason)
    assert watch.report.detail
    assert watch.report.remedy


async def test_tree_that_moved_away_is_told_and_watched_again_when_it_is_back(
    open_watch, root, changes, tmp_path
) -> None:
    watch = await open_watch()
    root.rename(tmp_path / "away")
    await changes.until(lambda seen: any(change.is_everything for change in seen.all))
    assert watch.report.reason == "watch_tree_gone"
    await watch.start()
    assert watch.report.reason == "watch_tree_gone"
    (tmp_path / "away").rename(root)
    await watch.start()
    assert watch.report.mode is TreeWatchMode.INOTIFY
    changes.all.clear()
    (root / "cur" / "a:2,").touch()
    await changes.until(lambda seen: seen.directories == {"."})


async def test_tree_behind_another_path_is_noticed_by_the_next_start(
    open_watch, root, changes, tmp_path
) -> None:
    """A directory above it was renamed, or a disk mounted over it: no event tells."""
    above = tmp_path / "above"
    above.mkdir()
    make_maildir(above / "tree")
    watch = await open_watch(at=above / "tree")
    above.rename(tmp_path / "was-above")
    make_maildir(above / "tree")
    await watch.start()
    (above / "tree" / "cur" / "a:2,").touch()
    await changes.until(lambda seen: seen.directories == {"."})


async def test_start_is_idempotent(open_watch, root, changes) -> None:
    watch = await open_watch()
    before = descriptors()
    await watch.start()
    assert descriptors() == before
    (root / "cur" / "a:2,").touch()
    await changes.until_quiet()
    assert len(changes.all) == 1


async def test_nothing_leaks_over_many_starts_and_stops(root, pools, changes) -> None:
    watch = TreeWatch(root, layout="maildir++", pools=pools, name="work", on_change=changes.all.append)
    await watch.start()
    await watch.stop()
    tasks, before = len(asyncio.all_tasks()), descriptors()
    for number in range(100):
        await watch.start()
        if number % 2:  # else the task is cancelled before its first step
            (root / "cur" / f"{number}:2,").touch()
            await asyncio.sleep(0)
        await watch.stop()
    assert len(asyncio.all_tasks()) == tasks
    assert descriptors() == before
    assert not asyncio.get_running_loop()._selector.get_map().keys() - _own_descriptors()


def _own_descriptors() -> set[int]:
    """The loop's own way to wake itself."""
    return {asyncio.get_running_loop()._ssock.fileno()}


async def test_cancelled_start_leaves_nothing_open(root, pools, changes) -> None:
    for number in range(200):
        make_maildir(root, f".M{number}")
    watch = TreeWatch(root, layout="maildir++", pools=pools, name="work", on_change=changes.all.append)
    await pools.run("files", lambda: None)
    before = descriptors()
    for turns in range(20):
        task = asyncio.create_task(watch.start())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await watch.stop()
    assert descriptors() == before
