"""What is proved to be missing from the tree, and what merely lies somewhere else in it.

A name absent from one listing proves nothing: another program may be renaming the file. Missing is what is absent from
complete listings of every Maildir in the account's tree, of mailboxes kept in step or not (sync.md 12). A file that is
found elsewhere has been moved: that is for the plan to say, once the mailbox where it lies has been looked at too.
A directory that cannot be listed may hold any of them, so that nothing is proved while one is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from daemon.model.errors import StoreForeign
from daemon.model.ids import MailboxName, MaildirName
from daemon.model.mailbox import MailboxRecord
from daemon.store.maildir.tree import MaildirTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`gone` from their mailboxes for certain; `moved_to` says in which other mailbox some of them are now.

    `lost` are mailboxes whose directory is missing or foreign: while there is one, nothing is proved.
    """

    gone: Mapping[MailboxName, frozenset[MaildirName]] = field(default_factory=dict)
    moved_to: Mapping[MaildirName, MailboxName] = field(default_factory=dict)
    lost: frozenset[MailboxName] = frozenset()


async def prove_missing(
    tree: MaildirTree,
    absent: Mapping[MailboxName, frozenset[MaildirName]],
    records: Iterable[MailboxRecord],
) -> Proof:
    """What a first listing did not show, judged by further ones. `records` are all the account has.

    A name that is neither gone nor moved stays undecided until another pass.
    """
    wanted = frozenset[MaildirName]().union(*absent.values())
    if not wanted:
        return Proof()
    directories = {record.directory: record.name for record in records}
    lost = frozenset([name for directory, name in directories.items() if not await _is_ours(tree, directory)])
    if lost:
        return Proof(lost=lost)
    unknown = [place for place in await tree.list_directories() if place not in directories]
    try:
        verdict = await tree.confirm_missing(wanted, [*unknown, *directories])
    except StoreForeign:  # lost between the two looks
        return Proof()
    own = {name: directory for directory, name in directories.items()}
    gone: dict[MailboxName, frozenset[MaildirName]] = {}
    moved_to: dict[MaildirName, MailboxName] = {}
    for mailbox, names in absent.items():
        elsewhere = {
            name: directories[verdict.found[name][0]]
            for name in names
            if name in verdict.found
            and verdict.found[name][0] in directories
            and verdict.found[name][0] != own[mailbox]
        }
        if elsewhere:
            still_here = await tree.find_many(elsewhere, [own[mailbox]])
            elsewhere = {name: place for name, place in elsewhere.items() if name not in still_here}
        moved_to |= elsewhere
        gone[mailbox] = (names & verdict.gone) | elsewhere.keys()
    return Proof(gone=gone, moved_to=moved_to)


async def _is_ours(tree: MaildirTree, directory: str) -> bool:
    try:
        await tree.check_identity(directory)
    except StoreForeign:
        return False
    return True
