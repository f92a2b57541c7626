"""A mailbox's directory moved to where its new name puts it, and what becomes of directories within.

A directory that cannot be moved stays where it is, under the new name: a mailbox need not lie where its name says
(sync.md 26). INBOX of a Maildir++ tree is the root and never moves: its known messages do, file by file. Repeating any
of it changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import StoreError, StoreForeign
from daemon.model.ids import AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord
from daemon.store.maildir.errors import MessageGone, NameTaken
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.mailboxes import MailboxBook
from daemon.sync.subscriptions import Subscriptions

_ROOT = "."


class Places:
    """Directories of one account's mailboxes, while their names change."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        book: MailboxBook,
        subscriptions: Subscriptions,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._book = book
        self._subscriptions = subscriptions
        self._log = log

    def require_free(self, record: MailboxRecord, target: str, others: Sequence[MailboxRecord]) -> None:
        """Raise NameTaken where a mailbox must move and cannot: the root is INBOX's, whatever INBOX was before."""
        if record.directory == _ROOT and any(other.directory == target for other in others):
            raise NameTaken(f"{target} is another mailbox's")

    async def move(
        self, mailbox: MailboxName, source: str, target: str, others: Sequence[MailboxRecord]
    ) -> str:
        """Where the directory of `mailbox` is in the end: where it was, if its own place is taken or cannot be made."""
        if source == target:
            return source
        if any(other.directory == target for other in others):
            return source
        if source == _ROOT:
            await self._empty_root(mailbox, target)
            return target
        try:
            await self._tree.rename_directory(source, target)
        except StoreForeign:
            if not await self._is_ours(target):
                return source
        except StoreError as exc:
            if exc.reason not in {"name_taken", "store_io"}:
                raise
            self._log.warning("mailbox.directory_kept", mailbox=mailbox, path=source, reason=exc.reason)
            return source
        await self._take_along(source, target, others)
        return target

    async def _take_along(self, source: str, target: str, others: Sequence[MailboxRecord]) -> None:
        """Directories within have come along; their mailboxes follow, or keep these places under their own names."""
        for other in others:
            if other.directory.startswith(source + "/"):
                moved = replace(other, directory=target + other.directory[len(source) :])
                await self._book.remember_directory(other.name, moved.directory)
                await self._subscriptions.renamed(other, moved)
                await self._store.mailboxes.save(moved)

    async def _empty_root(self, mailbox: MailboxName, target: str) -> None:
        """INBOX was renamed on the server: what both sides had in it goes, what is new here stays (RFC 9051 §6.3.6)."""
        await self._tree.ensure(target)
        base = await self._store.base.load(self._account, mailbox)
        known = {entry.maildir_name for entry in base.entries}
        for name, entry in (await self._tree.scan(_ROOT)).entries.items():
            if name not in known:
                continue
            try:
                await self._tree.move(_ROOT, entry, target)
            except (MessageGone, NameTaken) as exc:
                self._log.warning("message.left_behind", mailbox=mailbox, reason=exc.reason)

    async def _is_ours(self, directory: str) -> bool:
        try:
            await self._tree.check_identity(directory)
        except StoreForeign:
            return False
        return True
