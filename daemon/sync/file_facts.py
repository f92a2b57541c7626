"""What a file in the tree is now: its entry, its octets' facts and its time, read in one go for many."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.model.envelope import Content
from daemon.model.views import LocalEntry
from daemon.store.maildir.errors import MessageGone
from daemon.store.maildir.tree import MaildirTree


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file. `mtime` is seconds since 1970, UTC: the internal date it is sent or matched with."""

    entry: LocalEntry
    content: Content
    mtime: int


async def file_facts(tree: MaildirTree, directory: str, entries: Sequence[LocalEntry]) -> list[FileFacts]:
    """Facts of these files, in order; those that are gone since they were listed are left out."""
    if not entries:
        return []
    status = await tree.status_of(directory, entries)
    there = [entry for entry in entries if entry.maildir_name in status]
    try:
        contents = await tree.contents_of(directory, [(entry.maildir_name, entry.path) for entry in there])
    except MessageGone:
        if len(there) == 1:
            return []
        return [facts for entry in there for facts in await file_facts(tree, directory, [entry])]
    return [
        FileFacts(entry=entry, content=content, mtime=int(status[entry.maildir_name].mtime))
        for entry, content in zip(there, contents, strict=True)
    ]
