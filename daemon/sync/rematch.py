"""Matching files with server messages when UIDs are of no help: a rebuilt index, a changed UIDVALIDITY, a first pass
over a tree that was there before.

Pure. The key is (size, internal date = file's mtime, SHA-256 of the header block); equal keys are matched as
multisets, k-th to k-th in UID order (sync.md 7). Message-ID alone is never identity. Headers are asked for where the file
is not known to have come from a server, and where size and date leave doubt. They do where they are not unique; where
both sides have something without a partner, for then the mailbox may be another one, or an older one, in which a different
message has the size and the second of one of these; and where there are so few that chance can make all of them fit. A
message taken for another is never fetched. Thousands of messages under new numbers, each with its partner by size and
date, are beyond doubt.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.model.ids import MaildirName, Uid
from daemon.model.views import RemoteEntry

CHANCE: Final = 250  # as many headers are asked for at once


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKey:
    """What is known of a file without its row. `was_on_server`: its name carries our mark or is remembered."""

    maildir_name: MaildirName
    file_size: int
    wire_size: int
    mtime: int
    header_sha256: bytes
    was_on_server: bool

    @property
    def sizes(self) -> frozenset[int]:
        return frozenset({self.file_size, self.wire_size})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Pairs found, and the UIDs whose header must be seen before more can be said."""

    pairs: Mapping[MaildirName, Uid]
    needs_header: frozenset[Uid]


def candidates(files: Iterable[FileKey], remote: Iterable[RemoteEntry]) -> Matching:
    """Pairs by size and date, and UIDs to ask the header of. `leaves_doubt` says whether the pairs can be believed.

    Paired are one file and one message, alone with this size and date, if the file is known to come from a server.
    """
    files, remote = list(files), list(remote)
    by_key: dict[tuple[int, int], list[FileKey]] = defaultdict(list)
    for file in files:
        for size in file.sizes:
            by_key[size, file.mtime].append(file)
    takers: dict[MaildirName, list[Uid]] = defaultdict(list)
    only: dict[Uid, FileKey] = {}
    for entry in remote:
        if entry.size is None or entry.internal_date is None:
            continue
        found = by_key.get((entry.size, entry.internal_date), ())
        for file in found:
            takers[file.maildir_name].append(entry.uid)
        if len(found) == 1 and found[0].was_on_server:
            only[entry.uid] = found[0]
    pairs = {file.maildir_name: uid for uid, file in only.items() if len(takers[file.maildir_name]) == 1}
    paired = frozenset(pairs.values())
    return Matching(
        pairs=pairs,
        needs_header=of_a_size(
            (file for file in files if file.maildir_name not in pairs),
            (entry for entry in remote if entry.uid not in paired),
        ),
    )


def of_a_size(files: Iterable[FileKey], remote: Iterable[RemoteEntry]) -> frozenset[Uid]:
    """UIDs of the messages that have the size of one of these files."""
    sizes = frozenset(size for file in files for size in file.sizes)
    return frozenset(entry.uid for entry in remote if entry.size in sizes)


def leaves_doubt(
    files: Iterable[FileKey],
    remote: Iterable[RemoteEntry],
    pairs: Mapping[MaildirName, Uid],
    by_date: Mapping[MaildirName, Uid],
) -> bool:
    """Whether those of the `pairs` that were made `by_date` and size alone must be confirmed by their headers."""
    if len(by_date) <= CHANCE:
        return bool(by_date)
    paired = frozenset(pairs.values())
    return any(file.was_on_server and file.maildir_name not in pairs for file in files) and any(
        entry.uid not in paired for entry in remote
    )


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
        for size in file.sizes:
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
