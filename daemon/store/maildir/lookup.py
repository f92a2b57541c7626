"""Single files of a mailbox, looked up where they should be; only for those that are not there are the names listed.

What a listing of the mailbox costs grows with the mailbox, a look-up does not. A file found at its place may have a twin
elsewhere, which only a listing shows (`scan.scan_maildir`). Absent is what a complete listing of names lacks; a file that
another program renames meanwhile is neither found nor absent. Blocks; runs in a named pool.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.model.flags import FlagSet
from daemon.model.ids import MaildirName
from daemon.model.views import LocalEntry
from daemon.store.maildir import names, scan
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.flags import letters_for
from daemon.store.maildir.keywords import KeywordMap, letters_to_flags
from daemon.store.maildir.open_maildir import OpenMaildir

MOST_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Sought:
    """One file: the path at which it was last seen, or else the flags that its name is likely to show."""

    path: str | None = None
    flags: FlagSet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What was found. `is_empty` says whether the mailbox has no file at all; None where nothing was listed.

    `keywords` and `unknown_letters` are as those of a `scan.Scan`.
    """

    entries: Mapping[MaildirName, LocalEntry]
    absent: frozenset[MaildirName]
    keywords: FlagSet
    unknown_letters: frozenset[MaildirName]
    is_empty: bool | None = None


def look_up(maildir: OpenMaildir, keyword_map: KeywordMap, wanted: Mapping[MaildirName, Sought]) -> Lookup:
    """Where these files are now.

    Raises:
        StoreForeign: A directory is missing (store_missing).
        StoreError: The listing could not be completed.
    """
    paths: dict[MaildirName, str] = {}
    with disk_errors(f"cannot look into {maildir.directory}"):
        for name, sought in wanted.items():
            for path in _likely_paths(name, sought, keyword_map):
                if scan.is_file(maildir, path):
                    paths[name] = path
                    break
    missing = wanted.keys() - paths.keys()
    absent: Collection[MaildirName] = ()
    is_empty = None
    for _ in range(MOST_TRIES):
        if not missing:
            break
        shown, is_empty = _listed(maildir, missing)
        absent = missing - shown.keys()
        with disk_errors(f"cannot look into {maildir.directory}"):
            paths.update((name, path) for name, path in shown.items() if scan.is_file(maildir, path))
        missing = missing - paths.keys() - absent
    entries: dict[MaildirName, LocalEntry] = {}
    unknown = set[MaildirName]()
    for name, path in paths.items():
        letters, _ = names.split_info(names.split_file_name(path)[1])
        flags, has_unknown = letters_to_flags(letters, keyword_map)
        entries[name] = LocalEntry(maildir_name=name, path=path, flags=flags, is_ours=names.is_ours(name))
        if has_unknown:
            unknown.add(name)
    return Lookup(
        entries=entries,
        absent=frozenset(absent),
        keywords=keyword_map.flags,
        unknown_letters=frozenset(unknown),
        is_empty=is_empty,
    )


def _likely_paths(name: MaildirName, sought: Sought, keyword_map: KeywordMap) -> Iterator[str]:
    if sought.path is not None:
        yield sought.path
    if sought.flags is not None:
        letters = letters_for(sought.flags, keyword_map)
        yield f"cur/{name}:2,{letters}"
        if not letters:
            yield f"new/{name}"


def _listed(maildir: OpenMaildir, wanted: Collection[MaildirName]) -> tuple[dict[MaildirName, str], bool]:
    """Paths at which these names are listed, and whether nothing at all is."""
    found: dict[MaildirName, str] = {}
    is_empty = True
    for part in scan.PARTS:
        listed = maildir.names(part)
        is_empty = is_empty and all(file_name.startswith(".") for file_name in listed)
        for file_name in listed:
            name = MaildirName(file_name.partition(":")[0])
            if name in wanted:
                found[name] = f"{part}/{file_name}"
    return found, is_empty
