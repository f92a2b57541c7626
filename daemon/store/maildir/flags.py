"""Flag changes and removal on disk: one rename or unlink of exactly the path last seen, else look up and do it again.

A file is never renamed by guesswork: ENOENT means that another program was faster, so its letters are read anew and
our change is merged into them (sync.md 6). Letters we do not know survive. Blocks; runs in a named pool.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from daemon.model.flags import LETTER_FLAGS, NO_FLAGS, FlagSet, in_spelling_of
from daemon.model.ids import MaildirName
from daemon.model.views import LocalEntry
from daemon.store.maildir import names, rename, scan
from daemon.store.maildir.errors import MessageGone, NameTaken, OtherDisk, disk_errors
from daemon.store.maildir.keywords import KeywordMap, letters_to_flags
from daemon.store.maildir.open_maildir import OpenMaildir

MAX_TRIES: Final = 8
MAX_UNSEEN: Final = (
    2  # listings without the name: readdir may miss a file that is renamed meanwhile, but hardly twice
)
MOST_GUESSED: Final = 16  # for more names a listing is the shorter way, however large the mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagChange:
    """What is to change on one file. `expected_path` is where it was last seen (`cur/NAME:2,S`), None if unknown; then
    `likely_flags` are those that its name shows if nobody has changed it.
    """

    maildir_name: MaildirName
    add: FlagSet = NO_FLAGS
    remove: FlagSet = NO_FLAGS
    expected_path: str | None = None
    likely_flags: FlagSet | None = None

    def first_path(self, keyword_map: KeywordMap) -> str | None:
        """Where to look first; None where only a listing can tell."""
        if self.expected_path is not None or not self.likely_flags:
            return self.expected_path
        return f"cur/{self.maildir_name}:2,{letters_for(self.likely_flags, keyword_map)}"


FlagResult = LocalEntry | MessageGone | NameTaken | OtherDisk


def letters_for(flags: FlagSet, keyword_map: KeywordMap) -> str:
    """Info letters of these flags, sorted; a keyword without a letter is left out."""
    return "".join(sorted(set("".join(keyword_map.letters_of(flag) for flag in flags))))


def carried_flags(
    entry: LocalEntry, last_shown: FlagSet, source: KeywordMap, target: KeywordMap
) -> FlagSet | None:
    """What the letters of a file mean that a program brought from another mailbox as they were; None where they say so.

    Only if the keywords are still those that the file showed there; with other letters the program speaks of this mailbox.
    """
    letters, _ = names.split_info(names.split_file_name(entry.path)[1])
    by_source, has_unknown = letters_to_flags(letters, source)
    by_target, is_unexplained = letters_to_flags(letters, target)
    lettered = {flag.lower() for flag in source.flags}
    last = {flag.lower() for flag in last_shown - LETTER_FLAGS} & lettered
    if has_unknown or last != {flag.lower() for flag in by_source - LETTER_FLAGS}:
        return None
    is_same = not is_unexplained and in_spelling_of(by_target, by_source) == by_source
    return None if is_same else by_source


def changed_path(path: str, change: FlagChange, keyword_map: KeywordMap) -> str:
    """Where the file belongs after the change; the same path where nothing changes."""
    name, info = names.split_file_name(path.partition("/")[2])
    letters, tail = names.split_info(info)
    before = set(letters)
    after = before.difference(letters_for(change.remove, keyword_map))
    after.update(letters_for(change.add, keyword_map))
    if after == before:
        return path
    return f"cur/{name}:2,{''.join(sorted(after))}{tail}"


def set_flags(
    maildir: OpenMaildir, changes: Sequence[FlagChange], keyword_map: KeywordMap
) -> list[FlagResult]:
    """What became of each file, in order; the renames are durable on return."""
    results: dict[int, FlagResult] = {}
    touched: set[str] = set()

    def attempt(at: int, path: str) -> bool:
        change = changes[at]
        target = changed_path(path, change, keyword_map)
        try:
            if target == path:
                part, _, file_name = path.partition("/")
                os.stat(file_name, dir_fd=maildir.part(part), follow_symlinks=False)
            else:
                _move(maildir, path, target)
                touched.update((path.partition("/")[0], "cur"))
        except FileNotFoundError:
            return False
        except FileExistsError:
            results[at] = NameTaken(f"{target} exists beside {path} in {maildir.directory}")
            return True
        results[at] = scan.entry_of(target, keyword_map)
        return True

    wanted = {at: (change.maildir_name, change.first_path(keyword_map)) for at, change in enumerate(changes)}
    with disk_errors(f"cannot change flags in {maildir.directory}"):
        lost = _each_where_it_is(maildir, wanted, attempt)
        maildir.sync(*sorted(touched))
    for at in lost:
        results[at] = MessageGone(f"{changes[at].maildir_name} is no longer in {maildir.directory}")
    return [results[at] for at in range(len(changes))]


def remove(maildir: OpenMaildir, paths: Mapping[MaildirName, str | None]) -> frozenset[MaildirName]:
    """The names whose file was removed now; those already absent are not among them. Durable on return."""
    removed: set[MaildirName] = set()
    touched: set[str] = set()
    wanted = dict(enumerate(paths.items()))

    def attempt(at: int, path: str) -> bool:
        part, _, file_name = path.partition("/")
        try:
            os.unlink(file_name, dir_fd=maildir.part(part))
        except FileNotFoundError:
            return False
        touched.add(part)
        removed.add(wanted[at][0])
        return True

    with disk_errors(f"cannot remove files in {maildir.directory}"):
        _each_where_it_is(maildir, wanted, attempt)
        maildir.sync(*sorted(touched))
    return frozenset(removed)


def _move(maildir: OpenMaildir, path: str, target: str) -> None:
    part, _, file_name = path.partition("/")
    target_part, _, target_name = target.partition("/")
    rename.rename_exclusive(maildir.part(part), file_name, maildir.part(target_part), target_name)


def _each_where_it_is(
    maildir: OpenMaildir,
    wanted: Mapping[int, tuple[MaildirName, str | None]],
    attempt: Callable[[int, str], bool],
) -> set[int]:
    """Try each at its path, and where that is gone at the path a listing shows, a bounded number of times.

    Returns those that are in no listing any more, or too lively to be caught.
    """
    waiting = {at: path for at, (_, path) in wanted.items()}
    unknown = [at for at, path in waiting.items() if path is None]
    if len(unknown) <= MOST_GUESSED:
        waiting |= {at: scan.likely_path(maildir, wanted[at][0]) for at in unknown}
    unseen = dict.fromkeys(wanted, 0)
    lost = set[int]()
    for number in range(MAX_TRIES):
        if number or None in waiting.values():
            lost_names = {wanted[at][0] for at, path in waiting.items() if number or path is None}
            shown = scan.paths_of(maildir, lost_names)
            for at in waiting:
                if wanted[at][0] in lost_names:
                    waiting[at] = shown.get(wanted[at][0])
                    unseen[at] = 0 if waiting[at] else unseen[at] + 1
        for at, path in list(waiting.items()):
            is_lost = unseen[at] >= MAX_UNSEEN
            if is_lost:
                lost.add(at)
            if is_lost or (path is not None and attempt(at, path)):
                del waiting[at]
        if not waiting:
            break
    return lost | waiting.keys()
