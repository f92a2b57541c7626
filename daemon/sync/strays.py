"""Files that are new in the tree and hold the very octets of a message whose own file is missing: moved, not copied.

Programs give a file another unique name when they move it; then size and SHA-256 are the proof (sync.md 9). Only files of
the size of a missing one are read. Equal octets are matched as multisets: which of them went where makes no difference.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from daemon.model.ids import MailboxName, MessageId
from daemon.model.message import Message
from daemon.model.views import LocalEntry
from daemon.store.maildir.tree import MaildirTree
from daemon.sync.file_facts import file_facts

Place = tuple[MailboxName, LocalEntry]


async def find_strays(
    tree: MaildirTree,
    directories: Mapping[MailboxName, str],
    missing: Iterable[Message],
    appeared: Mapping[MailboxName, Sequence[LocalEntry]],
) -> dict[MessageId, Place]:
    """Where the files of these messages are, among those that `appeared`; the ones that are nowhere are left out."""
    messages = list(missing)
    sizes = {message.content.file_size for message in messages}
    by_digest: dict[bytes, list[Place]] = defaultdict(list)
    for mailbox, entries in appeared.items():
        for entry, digest in await _digests(tree, directories[mailbox], entries, sizes):
            by_digest[digest].append((mailbox, entry))
    found: dict[MessageId, Place] = {}
    for message in messages:
        places = by_digest.get(message.content.file_sha256)
        if places:
            place = next((one for one in places if one[1].maildir_name == message.maildir_name), places[0])
            places.remove(place)
            found[message.id] = place
    return found


async def _digests(
    tree: MaildirTree, directory: str, entries: Sequence[LocalEntry], sizes: Collection[int]
) -> list[tuple[LocalEntry, bytes]]:
    """SHA-256 of those files that have one of these sizes."""
    if not entries or not sizes:
        return []
    status = await tree.status_of(directory, entries)
    alike = [
        entry
        for entry in entries
        if entry.maildir_name in status and status[entry.maildir_name].size in sizes
    ]
    return [(facts.entry, facts.content.file_sha256) for facts in await file_facts(tree, directory, alike)]
