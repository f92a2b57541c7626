"""Matching files with server messages when UIDs are of no help: a rebuilt index, a changed UIDVALIDITY, a first pass
over a tree that was there before.

Pure. The key is (size, internal date = file's mtime, SHA-256 of the header block); equal keys are matched as
multisets, k-th to k-th in UID order (sync.md 7). Message-ID alone is never identity. Headers are asked for only where
size and date leave doubt, or where the file is not known to have come from a server.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daemon.model.ids import MaildirName, Uid
from daemon.model.views import RemoteEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKey:
    """What is known of a file without its row. `was_on_server`: its name carries our mark or is remembered."""

    maildir_name: MaildirName
    file_size: int
    wire_size: int
    mtime: int
    header_sha256: bytes
    was_on_server: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Pairs found, and the UIDs whose header must be seen before more can be said."""

    pairs: Mapping[MaildirName, Uid]
    needs_header: frozenset[Uid]


def candidates(files: Iterable[FileKey], remote: Iterable[RemoteEntry]) -> Matching:
    """Pairs that size and date alone make certain, and UIDs to ask the header of.

    Certain is: one file and one message with this size and date, and the file is known to come from a server.
    """
    by_size = _files_by_size(files)
    takers: dict[Uid, tuple[FileKey, ...]] = {}
    wanted: dict[MaildirName, list[Uid]] = defaultdict(list)
    for entry in remote:
        found = by_size.get(entry.size, ()) if entry.size is not None else ()
        if found:
            takers[entry.uid] = found
            for file in found:
                wanted[file.maildir_name].append(entry.uid)
    dates = {entry.uid: entry.internal_date for entry in remote}
    pairs: dict[MaildirName, Uid] = {}
    needs_header = set[Uid]()
    for uid, found in takers.items():
        only = found[0]
        if (
            len(found) == 1
            and len(wanted[only.maildir_name]) == 1
            and only.was_on_server
            and dates[uid] == only.mtime
        ):
            pairs[only.maildir_name] = uid
        else:
            needs_header.add(uid)
    return Matching(pairs=pairs, needs_header=frozenset(needs_header))


def match_by_header(
    files: Iterable[FileKey], remote: Iterable[RemoteEntry], header_sha256: Mapping[Uid, bytes]
) -> Mapping[MaildirName, Uid]:
    """Pairs among what size and date left open: same size and header, same date preferred, k-th to k-th in UID order.

    A file whose mtime was changed by a copy still matches by size and header when no file with the right date does. Of
    equal files those that were on the server take their messages first: another is new, and goes up, where one that was
    there and has no partner would only be shelved.
    """
    by_key: dict[tuple[int, bytes], list[FileKey]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (not file.was_on_server, file.maildir_name)):
        for size in {file.file_size, file.wire_size}:
            by_key[size, file.header_sha256].append(file)
    pairs: dict[MaildirName, Uid] = {}
    entries = sorted((entry for entry in remote if entry.uid in header_sha256), key=lambda entry: entry.uid)
    for needs_date in (True, False):
        taken = set(pairs.values())
        for entry in entries:
            if entry.uid in taken or entry.size is None:
                continue
            for file in by_key.get((entry.size, header_sha256[entry.uid]), ()):
                if file.maildir_name in pairs or (needs_date and file.mtime != entry.internal_date):
                    continue
                pairs[file.maildir_name] = entry.uid
                break
    return pairs


def _files_by_size(files: Iterable[FileKey]) -> Mapping[int, tuple[FileKey, ...]]:
    by_size: dict[int, list[FileKey]] = defaultdict(list)
    for file in files:
        for size in {file.file_size, file.wire_size}:
            by_size[size].append(file)
    return {size: tuple(found) for size, found in by_size.items()}
