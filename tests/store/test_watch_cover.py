"""What gets a watch: mailbox directories, new/ and cur/, never tmp/, nothing behind a link."""

import errno
import threading
from pathlib import Path

import pytest
from inotify_simple import INotify

from daemon.store.watch_cover import Coverage, Halted, cover
from daemon.store.watch_events import Place


@pytest.fixture
def inotify():
    with INotify(nonblocking=True) as inotify:
        yield inotify


def make(root: Path, *directories: str) -> Path:
    for directory in directories:
        for part in ("tmp", "new", "cur"):
            (root / directory / part).mkdir(parents=True)
    return root


def look(inotify, root: Path, *starts: str, layout="maildir++", known=None) -> Coverage:
    return cover(inotify, root, layout, starts=starts or ["."], known=known or {}, halt=threading.Event())


def all_of(*directories: str) -> set[Place]:
    return {Place(directory, part) for directory in directories for part in ("", "new", "cur")}


def test_every_mailbox_of_a_maildir_tree_is_watched(inotify, tmp_path) -> None:
    make(tmp_path, ".", ".Sent", ".Sent.2024", "stray")
    assert set(look(inotify, tmp_path).places.values()) == all_of(".", ".Sent", ".Sent.2024")


def test_every_mailbox_of_a_nested_tree_is_watched(inotify, tmp_path) -> None:
    make(tmp_path, "INBOX", "Sent/2024/May", ".notmuch")
    found = set(look(inotify, tmp_path, layout="fs").places.values())
    assert found == all_of("INBOX", "Sent/2024/May") | {Place("."), Place("Sent"), Place("Sent/2024")}


def test_links_are_not_followed_but_for_the_root(inotify, tmp_path) -> None:
    real = make(tmp_path / "real", ".")
    make(tmp_path / "outside", ".")
    (real / ".Link").symlink_to(tmp_path / "outside")
    (real / ".Half").mkdir()
    (real / ".Half" / "cur").symlink_to(tmp_path / "outside" / "cur")
    root = tmp_path / "root"
    root.symlink_to(real)
    assert set(look(inotify, root).places.values()) == all_of(".") | {Place(".Half")}


def test_look_at_one_directory_touches_no_other(inotify, tmp_path) -> None:
    make(tmp_path, ".", ".A", ".B")
    assert set(look(inotify, tmp_path, ".A").places.values()) == all_of(".A")


def test_directory_that_is_gone_is_no_error(inotify, tmp_path) -> None:
    assert look(inotify, tmp_path, ".Gone").places == {}


def test_renamed_mailbox_keeps_its_watches_under_the_new_name(inotify, tmp_path) -> None:
    make(tmp_path, ".", ".A")
    before = look(inotify, tmp_path).places
    (tmp_path / ".A").rename(tmp_path / ".B")
    after = look(inotify, tmp_path, ".A", ".B", known=before)
    assert set(after.added(before)) == all_of(".B")
    assert after.places.keys() <= before.keys()
    assert after.dropped == {}


def test_mailbox_that_left_the_tree_gives_its_watches_back(inotify, tmp_path) -> None:
    root = make(tmp_path / "root", ".", ".A")
    before = look(inotify, root).places
    (root / ".A").rename(tmp_path / "elsewhere")
    coverage = look(inotify, root, ".A", known=before)
    assert set(coverage.dropped.values()) == all_of(".A")
    inotify.read(timeout=0)
    (tmp_path / "elsewhere" / "cur" / "a").touch()
    assert inotify.read(timeout=0) == []


def test_missing_root_is_told(inotify, tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        look(inotify, tmp_path / "gone")


def test_watch_limit_passes_through(tmp_path) -> None:
    class Exhausted(INotify):
        def add_watch(self, path, mask):
            raise OSError(errno.ENOSPC, "No space left on device")

    make(tmp_path, ".")
    with Exhausted() as inotify, pytest.raises(OSError, match="No space left"):
        look(inotify, tmp_path)


def test_halted_look_ends_early(inotify, tmp_path) -> None:
    halt = threading.Event()
    halt.set()
    with pytest.raises(Halted):
        cover(inotify, make(tmp_path, "."), "maildir++", starts=["."], known={}, halt=halt)
