"""The local view: what lies in the tree, with what people have asked for laid over it.

A name absent from one listing proves nothing: another program may be renaming the file; `sync.missing` looks again.
Directories whose stamp is that of the last quiet pass are not read at all.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from daemon.model.flags import FlagSet, in_spelling_of
from daemon.model.ids import MailboxName, MaildirName
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import Operation, OperationKind
from daemon.model.views import BaseState, BaseView, LocalEntry, LocalView
from daemon.store.maildir.scan import DirStamp
from daemon.store.maildir.tree import MaildirTree
from daemon.sync.plan import shown_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One complete listing of a mailbox's files, and the stamp its directories had when it began; None where only some
    files were looked up.
    """

    entries: Mapping[MaildirName, LocalEntry]
    lettered_keywords: FlagSet
    unexplained: frozenset[MaildirName]
    stamp: DirStamp | None


class LocalScan:
    """Lists the tree of one account and remembers which directories were settled when last seen."""

    def __init__(self, tree: MaildirTree, log: FilteringBoundLogger) -> None:
        self._tree = tree
        self._log = log
        self._settled: dict[str, DirStamp] = {}

    async def unsettled(self, records: Iterable[MailboxRecord]) -> frozenset[MailboxName]:
        """Mailboxes whose directories differ from the last settled look."""
        names = {record.directory: record.name for record in records}
        settled = [directory for directory in names if directory in self._settled]
        stamps = await self._tree.stamps(settled) if settled else []
        same = {
            directory
            for directory, stamp in zip(settled, stamps, strict=True)
            if self._settled[directory] == stamp
        }
        return frozenset(name for directory, name in names.items() if directory not in same)

    def settle(self, record: MailboxRecord, listing: Listing) -> None:
        """Nothing was to be done about this listing: until the stamp changes, nothing will be. A look at some files
        settles nothing.
        """
        if listing.stamp is not None:
            self._settled[record.directory] = listing.stamp

    def forget(self) -> None:
        """Look at every directory again in the next pass."""
        self._settled.clear()

    async def list(self, records: Iterable[MailboxRecord]) -> dict[MailboxName, Listing]:
        """One complete listing of each of these mailboxes.

        Raises:
            StoreForeign: A directory is missing or not the one we made: an empty one in its place proves nothing.
        """
        listings: dict[MailboxName, Listing] = {}
        for record in records:
            await self._tree.check_identity(record.directory)
            scan = await self._tree.scan(record.directory)
            if scan.duplicates:
                await self._tree.separate_twins(record.directory, scan.duplicates)
                scan = await self._tree.scan(record.directory)
            for oddity in scan.oddities:
                self._log.warning("tree.oddity_ignored", mailbox=record.name, path=oddity)
            listings[record.name] = Listing(
                entries=scan.entries,
                lettered_keywords=scan.keywords,
                unexplained=scan.unknown_letters,
                stamp=scan.stamp,
            )
        return listings


def absent_names(base: BaseView, listing: Listing) -> frozenset[MaildirName]:
    """Names that base says are files here and this listing does not have."""
    return frozenset(
        entry.maildir_name
        for entry in base.entries
        if entry.state in {BaseState.SYNCED, BaseState.UNMATCHED}
        and entry.maildir_name is not None
        and entry.maildir_name not in listing.entries
    )


def is_as_agreed(base: BaseView, listing: Listing) -> bool:
    """Whether the listing has just the files of base, with the flags of base."""
    view = view_of(base.mailbox, listing, missing=(), operations=(), ignored=())
    files = 0
    for entry in base.entries:
        if entry.state is BaseState.FAILED:
            return False  # to be asked for again, whatever the tree says
        if entry.maildir_name is None:
            continue
        here = listing.entries.get(entry.maildir_name)
        if here is None and entry.state is BaseState.ASIDE:
            continue
        if here is None or entry.state is not BaseState.SYNCED:
            return False
        if in_spelling_of(shown_flags(here, entry.flags, view), entry.flags) != entry.flags:
            return False
        files += 1
    return files == len(listing.entries)


def view_of(
    mailbox: MailboxName,
    listing: Listing,
    *,
    missing: Collection[MaildirName],
    operations: Collection[Operation],
    ignored: Collection[MaildirName],
) -> LocalView:
    """The listing with open operations and intents laid over it (sync.md 16, 18)."""
    return LocalView(
        mailbox=mailbox,
        entries=listing.entries,
        missing=frozenset(missing),
        lettered_keywords=listing.lettered_keywords,
        unexplained=listing.unexplained,
        deleted_by_name=frozenset(
            operation.message_id for operation in operations if operation.kind is OperationKind.DELETE
        ),
        wished={
            operation.message_id: (operation.add, operation.remove)
            for operation in operations
            if operation.kind is OperationKind.FLAGS
        },
        ignored=frozenset(ignored),
    )
