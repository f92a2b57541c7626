"""Watches on a tree: one on every mailbox's directory and on its new/ and cur/, none on tmp/.

A directory is watched before it is listed, so nothing that appears below it can slip through. Symbolic links are not
followed, but for the root, which may be one. What cannot be entered is left out: the pass that meets it will say so.
Blocks; runs in a named pool.
"""

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inotify_simple import INotify, flags

from daemon.store.maildir.names import Layout
from daemon.store.watch_events import (
    MAILBOX_MASK,
    PART_MASK,
    ROOT_MASK,
    WATCHED_PARTS,
    Place,
    is_mailbox_step,
    join,
)

_NO_LINK: Final = int(flags.DONT_FOLLOW)
_NOT_TO_BE_ENTERED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES})


class Halted(Exception):
    """The owner does not want it any more."""


@dataclass(slots=True)
class Coverage:
    """What a look at the tree changed: watches that are there now, and watches given back."""

    places: dict[int, Place] = field(default_factory=dict)
    dropped: dict[int, Place] = field(default_factory=dict)

    def added(self, known: Mapping[int, Place]) -> tuple[Place, ...]:
        """Places that were not watched before, or under another name."""
        return tuple(place for wd, place in self.places.items() if known.get(wd) != place)


def cover(
    inotify: INotify,
    root: Path,
    layout: Layout,
    *,
    starts: Iterable[str],
    known: Mapping[int, Place],
    halt: threading.Event,
) -> Coverage:
    """Watch all that is now at and below `starts`, and give back `known` watches that have no place there any more.

    Raises:
        FileNotFoundError: The root is to be watched and is not there.
        OSError: No more watches are to be had (ENOSPC), or worse; some may have been added.
        Halted: `halt` was set meanwhile.
    """
    asked = frozenset(starts)
    coverage = Coverage()
    for start in asked:
        for wd, place in _watch_below(inotify, root, layout, start):
            if halt.is_set():
                raise Halted
            coverage.places[wd] = place
    if "." in asked and Place(".") not in coverage.places.values():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    below = tuple(f"{start}/" for start in asked)
    for wd, place in known.items():
        is_asked = "." in asked or place.directory in asked or place.directory.startswith(below)
        if is_asked and wd not in coverage.places:
            coverage.dropped[wd] = place
            with suppress(OSError):  # the kernel has given it back with the directory
                inotify.rm_watch(wd)
    return coverage


def _watch_below(inotify: INotify, root: Path, layout: Layout, start: str) -> Iterator[tuple[int, Place]]:
    waiting = [start]
    while waiting:
        directory = waiting.pop()
        path = str(root) if directory == "." else f"{root}/{directory}"
        wd = _add(inotify, path, ROOT_MASK if directory == "." else MAILBOX_MASK | _NO_LINK)
        if wd is None:
            continue
        yield wd, Place(directory)
        for part in WATCHED_PARTS:
            part_wd = _add(inotify, f"{path}/{part}", PART_MASK | _NO_LINK)
            if part_wd is not None:
                yield part_wd, Place(directory, part)
        if directory == "." or layout == "fs":
            waiting += (
                join(directory, name)
                for name in _directories_in(path)
                if is_mailbox_step(directory, name, layout)
            )


def _add(inotify: INotify, path: str, mask: int) -> int | None:
    try:
        wd: int = inotify.add_watch(path, mask)
    except OSError as exc:
        if exc.errno in _NOT_TO_BE_ENTERED:
            return None
        raise
    return wd


def _directories_in(path: str) -> list[str]:
    try:
        with os.scandir(path) as listing:
            return [entry.name for entry in listing if entry.is_dir(follow_symlinks=False)]
    except OSError as exc:
        if exc.errno in _NOT_TO_BE_ENTERED:
            return []
        raise
