"""How many messages each mailbox shows, kept in memory.

Read when the store is opened, moved by each commit, never counted again. Lives in the event loop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update

from daemon.model.ids import AccountId, MailboxName
from daemon.model.mailbox import MailboxCounts
from daemon.store.tables_index import MAILBOX, MESSAGE
from daemon.store.transactions import IndexTx


@dataclass(slots=True)
class _Count:
    account: AccountId
    name: MailboxName
    total: int
    unread: int


class CountBook:
    """Counts of shown messages, by mailbox and by account."""

    def __init__(self) -> None:
        self._by_id: dict[int, _Count] = {}
        self._by_account: dict[AccountId, MailboxCounts] = {}

    def add(self, mailbox_id: int, account: AccountId, name: MailboxName, total: int, unread: int) -> None:
        """A mailbox that was not there before."""
        self._by_id[mailbox_id] = _Count(account, name, total, unread)
        self._shift_account(account, total, unread)

    def drop(self, mailbox_id: int) -> None:
        """A mailbox that is no longer there, its messages with it."""
        count = self._by_id.pop(mailbox_id, None)
        if count is not None:
            self._shift_account(count.account, -count.total, -count.unread)

    def rename(self, mailbox_id: int, name: MailboxName) -> None:
        """The same mailbox under another name."""
        self._by_id[mailbox_id].name = name

    def shift(self, shifts: Iterable[tuple[int, tuple[int, int]]]) -> None:
        """More or fewer messages shown, by mailbox; unknown mailboxes were dropped in the same commit."""
        for mailbox_id, (total, unread) in shifts:
            count = self._by_id.get(mailbox_id)
            if count is not None:
                count.total += total
                count.unread += unread
                self._shift_account(count.account, total, unread)

    def of_account(self, account: AccountId) -> MailboxCounts:
        """The sum over the account's mailboxes."""
        return self._by_account.get(account, MailboxCounts(total=0, unread=0))

    def of_mailboxes(self, account: AccountId) -> Mapping[MailboxName, MailboxCounts]:
        """The account's mailboxes one by one."""
        return {
            count.name: MailboxCounts(total=count.total, unread=count.unread)
            for count in self._by_id.values()
            if count.account == account
        }

    def _shift_account(self, account: AccountId, total: int, unread: int) -> None:
        old = self.of_account(account)
        self._by_account[account] = MailboxCounts(total=old.total + total, unread=old.unread + unread)


def recount(tx: IndexTx) -> None:
    """The numbers beside the mailboxes made true by counting; for an index whose last writer did not end cleanly."""
    shown = select(func.count()).where(MESSAGE.c.mailbox_id == MAILBOX.c.id, MESSAGE.c.is_hidden.is_(False))
    tx.connection.execute(
        update(MAILBOX).values(
            shown_total=shown.scalar_subquery(),
            shown_unread=shown.where(MESSAGE.c.is_unread.is_(True)).scalar_subquery(),
        )
    )
