"""Listings of a mailbox's new/ and cur/: what is there now, and what two listings prove to be gone.

A listing reads names only; no file is opened and none is stat'ed unless its name appeared twice. readdir gives no
snapshot: a file that another program renames meanwhile may be seen twice or not at all. Seen twice is settled by a
look at both paths; not seen proves nothing, hence `confirm_missing` (sync.md 12). Symbolic links, FIFOs, devices and
directories are reported and never opened (faults.md L18). Blocks; runs in a named pool.
"""

import itertools
import os
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from daemon.model.flags import FlagSet
from daemon.model.ids import MaildirName
from daemon.model.views import LocalEntry
from daemon.store.maildir import names
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.keywords import KEYWORDS_FILE, KeywordMap, letters_to_flags
from daemon.store.maildir.open_maildir import OpenMaildir

PARTS: Final = (
    "new",
    "cur",
)  # in this order: a file on its way from new/ to cur/ is seen twice rather than not
MAX_ODDITIES: Final = 100
SETTLE_SECONDS: Final = 0.025  # above the coarsest tick by which kernels stamp directories (10 ms at HZ=100)
MAX_LISTINGS: Final = 6

_unsettled_numbers: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class DirStamp:
    """State of new/, cur/ and the keyword file. Two equal stamps prove that nothing changed in between.

    A stamp taken so soon after a change that another one could bear the same time equals no other (`unsettled`).
    """

    times: tuple[int, ...]
    unsettled: int = 0

    def __str__(self) -> str:
        """As text for storing; `parse` reads it."""
        return " ".join(map(str, (*self.times, self.unsettled)))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The stamp written as text; None for anything else and for unsettled ones, which prove nothing."""
        try:
            *times, unsettled = map(int, text.split())
        except ValueError:
            return None
        return None if unsettled or len(times) != 6 else cls(tuple(times))


@dataclass(frozen=True, slots=True)
class Twin:
    """Two files in one mailbox with one unique name, by path relative to the mailbox's directory."""

    maildir_name: MaildirName
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One complete listing. `stamp` was taken before it began.

    `keywords` are those that have a letter in this mailbox: only they can be seen, set or missed in a file.
    `unknown_letters` has the files with letters that the keyword map does not explain: which keywords those are
    cannot be told, so none may be taken as removed.
    """

    entries: Mapping[MaildirName, LocalEntry]
    stamp: DirStamp
    oddities: tuple[str, ...] = ()
    duplicates: tuple[Twin, ...] = ()
    keywords: FlagSet = frozenset()
    unknown_letters: frozenset[MaildirName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What became of names that a scan did not find. `gone`: proved absent from all mailboxes. `found`: where they
    are now. `unproved`: the tree changed during every listing; ask again in the next pass, infer nothing.
    """

    gone: frozenset[MaildirName] = frozenset()
    found: Mapping[MaildirName, tuple[str, LocalEntry]] = field(default_factory=dict)
    unproved: frozenset[MaildirName] = frozenset()


def take_stamp(maildir: OpenMaildir) -> DirStamp:
    """The stamp of a mailbox's directory as it is now."""
    with disk_errors(f"cannot read {maildir.directory}"):
        times: list[int] = []
        for part in PARTS:
            status = os.fstat(maildir.part(part))
            times += (status.st_mtime_ns, status.st_ino)
        try:
            status = os.stat(KEYWORDS_FILE, dir_fd=maildir.fd, follow_symlinks=False)
        except FileNotFoundError:
            times += (0, 0)
        else:
            times += (status.st_mtime_ns, status.st_ino)
    age = time.time_ns() - max(times[0], times[2])
    is_settled = age > SETTLE_SECONDS * 1e9
    return DirStamp(tuple(times), 0 if is_settled else next(_unsettled_numbers))


def scan_maildir(maildir: OpenMaildir, keyword_map: KeywordMap) -> Scan:
    """One complete listing of new/ and cur/.

    Raises:
        StoreForeign: A directory is missing (store_missing).
        StoreError: The listing could not be completed: it proves nothing.
    """
    stamp = take_stamp(maildir)
    entries: dict[MaildirName, LocalEntry] = {}
    oddities: list[str] = []
    seen_twice: list[tuple[MaildirName, str]] = []
    unknown: set[MaildirName] = set()
    flags_of_info: dict[str, tuple[FlagSet, bool]] = {}
    for part in PARTS:
        for file_name in _list_part(maildir, part, oddities):
            name, info = names.split_file_name(file_name)
            known = flags_of_info.get(info)
            if known is None:
                known = flags_of_info[info] = letters_to_flags(names.split_info(info)[0], keyword_map)
            flags, has_unknown = known
            if has_unknown:
                unknown.add(name)
            if name in entries:
                seen_twice.append((name, entries[name].path))
            entries[name] = LocalEntry(
                maildir_name=name, path=f"{part}/{file_name}", flags=flags, is_ours=names.OUR_MARK in name
            )
    twins = tuple(_settle_twice(maildir, entries, seen_twice, keyword_map)) if seen_twice else ()
    return Scan(
        entries=entries,
        stamp=stamp,
        oddities=tuple(oddities),
        duplicates=twins,
        keywords=keyword_map.flags,
        unknown_letters=frozenset(unknown),
    )


def entry_of(path: str, keyword_map: KeywordMap) -> LocalEntry:
    """The entry of a file known by its path relative to the mailbox's directory."""
    name, info = names.split_file_name(path.partition("/")[2])
    flags, _ = letters_to_flags(names.split_info(info)[0], keyword_map)
    return LocalEntry(maildir_name=name, path=path, flags=flags, is_ours=names.is_ours(name))


def paths_of(maildir: OpenMaildir, wanted: Collection[MaildirName]) -> dict[MaildirName, str]:
    """Where these files are now, by one listing; the path in cur/ where a name was seen twice."""
    found: dict[MaildirName, str] = {}
    for part in PARTS:
        for file_name in _list_part(maildir, part, []):
            name = MaildirName(file_name.partition(":")[0])
            if name in wanted:
                found[name] = f"{part}/{file_name}"
    return found


def likely_path(maildir: OpenMaildir, name: MaildirName) -> str | None:
    """The path if the file has one of the common names: a listing of a large mailbox costs a thousand times more."""
    for path in (f"cur/{name}:2,S", f"new/{name}", f"cur/{name}:2,"):
        if is_file(maildir, path):
            return path
    return None


def is_file(maildir: OpenMaildir, path: str) -> bool:
    """Whether there is a regular file at this path, relative to the mailbox's directory."""
    return _stat_path(maildir, path) is not None


def letters_in_use(maildir: OpenMaildir) -> Iterator[str]:
    """Keyword letters in the names of the mailbox's files; nothing is listed before the first is asked for."""
    seen: set[str] = set()
    for part in PARTS:
        for file_name in _list_part(maildir, part, []):
            for letter in names.split_info(names.split_file_name(file_name)[1])[0]:
                if letter.islower() and letter not in seen:
                    seen.add(letter)
                    yield letter


def separate_twins(maildir: OpenMaildir, twins: Sequence[Twin], fresh: Iterator[MaildirName]) -> list[str]:
    """Make unique names unique again (sync.md 6): paths of the files that are new messages now.

    Of two names on one inode the second is dropped; other seconds get a fresh name and keep their letters.
    """
    renamed: list[str] = []
    touched: set[str] = set()
    with disk_errors(f"cannot separate files of one name in {maildir.directory}"):
        for twin in twins:
            first, second = _stat_path(maildir, twin.first), _stat_path(maildir, twin.second)
            if first is None or second is None:
                continue
            part, _, file_name = twin.second.partition("/")
            fd = maildir.part(part)
            if (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino):
                os.unlink(file_name, dir_fd=fd)
            else:
                _, colon, info = file_name.partition(":")
                target = f"{next(fresh)}{colon}{info}"
                os.rename(file_name, target, src_dir_fd=fd, dst_dir_fd=fd)
                renamed.append(f"{part}/{target}")
            touched.add(part)
    maildir.sync(*touched)
    return renamed


def confirm_missing(
    root: Path, directories: Sequence[str], wanted: Collection[MaildirName], maps: Mapping[str, KeywordMap]
) -> Missing:
    """What became of `wanted`, proved by complete listings of all `directories` (all mailboxes of the account).

    A name is gone when two listings lack it, the second begun after the first ended, and at least one of them is a
    snapshot: no directory changed from before it began until after it ended. Listings are repeated a bounded number
    of times while others keep changing the tree; what is still open then is `unproved`.

    Raises:
        StoreForeign: A mailbox's directory is missing: nothing is proved about anything.
        StoreError: A listing could not be completed.
    """
    open_names = set(wanted)
    found: dict[MaildirName, tuple[str, LocalEntry]] = {}
    has_snapshot = False
    listings = 0
    while open_names and listings < MAX_LISTINGS and not (has_snapshot and listings >= 2):
        before = [_state(root, directory) for directory in directories]
        time.sleep(SETTLE_SECONDS)  # a later change bears a later time than any in `before`
        for directory in directories:
            keyword_map = maps.get(directory) or KeywordMap()
            with OpenMaildir(root, directory) as maildir:
                for name, path in paths_of(maildir, open_names).items():
                    found[name] = (directory, entry_of(path, keyword_map))
        open_names.difference_update(found)
        listings += 1
        has_snapshot = has_snapshot or before == [_state(root, directory) for directory in directories]
    if has_snapshot and listings >= 2:
        return Missing(gone=frozenset(open_names), found=found)
    return Missing(found=found, unproved=frozenset(open_names))


def _list_part(maildir: OpenMaildir, part: str, oddities: list[str]) -> Iterator[str]:
    """Names of the regular files, whatever else lies there noted in `oddities`. Dot files are no messages."""
    with (
        disk_errors(f"cannot list {maildir.directory}/{part}"),
        os.scandir(maildir.part(part)) as listing,
    ):
        for entry in listing:
            name = entry.name
            if name[0] == ".":
                continue
            if entry.is_file(follow_symlinks=False) and (name.isascii() or names.is_text(name)):
                yield name
            elif len(oddities) < MAX_ODDITIES:
                oddities.append(f"{part}/{name.encode('utf-8', 'backslashreplace').decode()}")


def _settle_twice(
    maildir: OpenMaildir,
    entries: dict[MaildirName, LocalEntry],
    seen_twice: list[tuple[MaildirName, str]],
    keyword_map: KeywordMap,
) -> Iterator[Twin]:
    """Twins among the names seen twice; of a file that was renamed meanwhile the path that still exists stays."""
    for name, earlier in seen_twice:
        latest = entries[name].path
        if latest == earlier:
            continue
        has_earlier = _stat_path(maildir, earlier) is not None
        has_latest = _stat_path(maildir, latest) is not None
        if has_earlier and has_latest:
            yield Twin(name, latest, earlier)
        elif has_earlier:
            entries[name] = entry_of(earlier, keyword_map)


def _stat_path(maildir: OpenMaildir, path: str) -> os.stat_result | None:
    part, _, file_name = path.partition("/")
    try:
        status = os.stat(file_name, dir_fd=maildir.part(part), follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _state(root: Path, directory: str) -> tuple[int, ...]:
    """Which directories new/ and cur/ are, and when their names last changed."""
    state: list[int] = []
    with OpenMaildir(root, directory) as maildir, disk_errors(f"cannot read {directory}"):
        for part in PARTS:
            status = os.fstat(maildir.part(part))
            state += (status.st_dev, status.st_ino, status.st_mtime_ns)
    return tuple(state)
