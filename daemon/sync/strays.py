"""Files that are new in the tree and hold the very octets of a message whose own file is missing: moved, not copied.

Programs give a file another unique name when they move it; then size and SHA-256 are the proof (sync.md 9). Only files of
the size of a missing one are read. Equal octets are matched as multisets: which of them went where makes no difference, but one that has another name in its
own mailbox has not moved.
A file of such a size that cannot be read may be any of the messages that are found nowhere else: both are told.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from daemon.model.ids import MailboxName, MaildirName, MessageId
from daemon.model.message import Message
from daemon.model.views import LocalEntry
from daemon.store.maildir.tree import MaildirTree
from daemon.sync.file_facts import readable_facts
from daemon.sync.tally import Tally

Place = tuple[MailboxName, LocalEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """Where files of missing messages are. `unread` could not be read now: each may be one of the `doubtful` messages."""

    places: Mapping[MessageId, Place] = field(default_factory=dict)
    unread: frozenset[tuple[MailboxName, MaildirName]] = frozenset()
    doubtful: frozenset[MessageId] = frozenset()


async def find_strays(
    tree: MaildirTree,
    directories: Mapping[MailboxName, str],
    missing: Iterable[Message],
    appeared: Mapping[MailboxName, Sequence[LocalEntry]],
    *,
    tally: Tally,
    log: FilteringBoundLogger,
) -> Strays:
    """Where the files of these messages are, among those that `appeared`; the ones that are nowhere are left out.

    A file that cannot be read is logged and counted as failed.
    """
    messages = list(missing)
    sizes = {message.content.file_size for message in messages}
    by_digest: dict[bytes, list[Place]] = defaultdict(list)
    unread: list[tuple[MailboxName, MaildirName, int]] = []
    for mailbox, entries in appeared.items():
        alike = await _alike(tree, directories[mailbox], entries, sizes)
        facts = await readable_facts(
            tree, directories[mailbox], [entry for entry, _ in alike], tally=tally, log=log
        )
        read = {one.entry.maildir_name for one in facts}
        for one in facts:
            by_digest[one.content.file_sha256].append((mailbox, one.entry))
        unread += [
            (mailbox, entry.maildir_name, size) for entry, size in alike if entry.maildir_name not in read
        ]
    found = _matched(messages, by_digest)
    unread_sizes = {size for _, _, size in unread}
    doubtful = {
        message.id: message.content.file_size
        for message in messages
        if message.id not in found and message.content.file_size in unread_sizes
    }
    return Strays(
        places=found,
        unread=frozenset((mailbox, name) for mailbox, name, size in unread if size in doubtful.values()),
        doubtful=frozenset(doubtful),
    )


def _matched(messages: Sequence[Message], by_digest: Mapping[bytes, list[Place]]) -> dict[MessageId, Place]:
    """Each message with one of the files of its octets: of its own name, else in its own mailbox, else any.

    A message takes only what no other has a better claim to: equal messages of two mailboxes that got other names where
    they are have not changed places, and each keeps its own flags.
    """
    claims: tuple[Callable[[Message, Place], bool], ...] = (
        lambda message, place: place[1].maildir_name == message.maildir_name,
        lambda message, place: place[0] == message.mailbox,
        lambda _message, _place: True,
    )
    found: dict[MessageId, Place] = {}
    for has_claim in claims:
        for message in messages:
            places = by_digest.get(message.content.file_sha256, [])
            place = next((one for one in places if has_claim(message, one)), None)
            if place is not None and message.id not in found:
                places.remove(place)
                found[message.id] = place
    return found


async def _alike(
    tree: MaildirTree, directory: str, entries: Sequence[LocalEntry], sizes: Collection[int]
) -> list[tuple[LocalEntry, int]]:
    """Those files that have one of these sizes, with it."""
    if not entries or not sizes:
        return []
    status = await tree.status_of(directory, entries)
    return [
        (entry, status[entry.maildir_name].size)
        for entry in entries
        if entry.maildir_name in status and status[entry.maildir_name].size in sizes
    ]
