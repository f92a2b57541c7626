"""Reviews that no look would ever end: of mailboxes that are not kept or not listed now, or have no directory.

What config excludes or the server does not list is reviewed by what is known: its messages lose their places on the server,
and the files stay as they are. Whoever is kept in step again goes through the re-match, which deletes nothing and doubles
nothing (sync.md 7, 8). A mailbox that is gone on the server keeps its files without partners until somebody decides: they
may be what the backup was restored for. One that is younger than a restored tree gets its directory and its mail again.
"""

from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import StoreForeign
from daemon.model.ids import MailboxName
from daemon.model.mailbox import MailboxRecord
from daemon.store.maildir.tree import MaildirTree
from daemon.sync.backups import Backups
from daemon.sync.reset import Rematch


class Reviews:
    """Helps the reviews of one account to their end."""

    def __init__(
        self,
        *,
        backups: Backups,
        rematch: Rematch,
        tree: MaildirTree,
        is_kept: Callable[[MailboxRecord], bool],
        log: FilteringBoundLogger,
    ) -> None:
        self._backups = backups
        self._tree = tree
        self._log = log
        self._rematch = rematch
        self._is_kept = is_kept
        self._unlisted: frozenset[MailboxName] = frozenset()

    async def prepare(
        self, served: Mapping[MailboxName, MailboxRecord], records: Mapping[MailboxName, MailboxRecord]
    ) -> None:
        """End what no look can end, make what a look needs; `served` are kept and listed, `records` are all the account has.

        One that is merely not listed is given up at the second listing that lacks it: a listing may be cut short.
        """
        left = self._backups.review.mailboxes.difference(served)
        unlisted = {name for name in left if name in records and self._is_kept(records[name])}
        ended = left - (unlisted - self._unlisted)
        self._unlisted = frozenset(unlisted)
        for name in sorted(ended & records.keys()):
            record = records[name]
            if record.uid_validity is not None:
                await self._rematch.void(record, record.uid_validity, reason="backup_restored")
        await self._backups.reviewed(ended)
        if self._backups.review.is_tree_older:
            for name in sorted(self._backups.review.mailboxes & served.keys()):
                await self._make_directory(served[name])

    async def _make_directory(self, record: MailboxRecord) -> None:
        """A directory that is missing from a restored tree is nobody's deletion; a foreign one is left to a person."""
        try:
            await self._tree.check_identity(record.directory)
        except StoreForeign as exc:
            if exc.reason == "store_missing":
                await self._tree.ensure(record.directory)
                self._log.warning("mailbox.directory_made_again", mailbox=record.name)
