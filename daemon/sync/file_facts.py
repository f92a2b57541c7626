"""What a file in the tree is now: its entry, its octets' facts and its time, read in one go for many."""

from collections.abc import Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from daemon.model.envelope import Content
from daemon.model.passes import PassResult
from daemon.model.views import LocalEntry
from daemon.store.maildir.errors import FileUnreadable, MessageGone
from daemon.store.maildir.tree import MaildirTree
from daemon.sync.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file. `mtime` is seconds since 1970, UTC: the internal date it is sent or matched with."""

    entry: LocalEntry
    content: Content
    mtime: int


async def file_facts(tree: MaildirTree, directory: str, entries: Sequence[LocalEntry]) -> list[FileFacts]:
    """Facts of these files, in order; those that are gone since they were listed are left out.

    Raises:
        FileUnreadable: One of them cannot be read; nothing may be concluded from what the others say.
    """
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


async def readable_facts(
    tree: MaildirTree,
    directory: str,
    entries: Sequence[LocalEntry],
    *,
    tally: Tally,
    log: FilteringBoundLogger,
) -> list[FileFacts]:
    """`file_facts` of those files that can be read; the others are logged and counted as failed.

    For what goes out, where one file is no other's concern. Never for matching files with messages: a file left out
    there would come down a second time.
    """
    try:
        return await file_facts(tree, directory, entries)
    except FileUnreadable as exc:
        if len(entries) > 1:
            return [
                facts
                for entry in entries
                for facts in await readable_facts(tree, directory, [entry], tally=tally, log=log)
            ]
        tally.add(PassResult(failed=1))
        log.warning(
            "file.unreadable", directory=directory, path=entries[0].path, reason=exc.reason, detail=str(exc)
        )
        return []
