"""The mailboxes of each account. The records are few and asked for in every pass, so they are also kept in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from daemon.model.errors import NotFound, StoreError
from daemon.model.events import NewEvent
from daemon.model.ids import AccountId, MailboxName, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxCounts, MailboxRecord, SpecialUse
from daemon.store.counts import CountBook
from daemon.store.message_rows import remove_messages
from daemon.store.tables_index import MAILBOX, MESSAGE, PLACEMENT
from daemon.store.tables_state import INTENT, NAME, TOMBSTONE
from daemon.store.transactions import IndexTx, StateTx
from daemon.store.writer import Writer

Key = tuple[AccountId, MailboxName]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMailbox:
    """A record with its row's number and counts, as read when the store is opened."""

    id: int
    record: MailboxRecord
    total: int
    unread: int


class MailboxRoom:
    """Records of mailboxes. Reading does no I/O."""

    def __init__(self, writer: Writer, counts: CountBook, stored: Sequence[StoredMailbox]) -> None:
        self._writer: Final = writer
        self._counts: Final = counts
        self._records: dict[Key, MailboxRecord] = {}
        for mailbox in stored:
            self._records[mailbox.record.account, mailbox.record.name] = mailbox.record
            counts.add(mailbox.id, mailbox.record.account, mailbox.record.name, mailbox.total, mailbox.unread)

    async def list(self, account: AccountId) -> tuple[MailboxRecord, ...]:
        """The account's mailboxes, by name."""
        found = [record for (owner, _), record in self._records.items() if owner == account]
        return tuple(sorted(found, key=lambda record: record.name))

    async def get(self, account: AccountId, name: MailboxName) -> MailboxRecord | None:
        """The mailbox of that name."""
        return self._records.get((account, name))

    async def counts(self, account: AccountId) -> Mapping[MailboxName, MailboxCounts]:
        """Shown messages of each of the account's mailboxes."""
        return self._counts.of_mailboxes(account)

    async def save(self, *records: MailboxRecord, events: Sequence[NewEvent] = ()) -> None:
        """Store the records, new or changed; nothing is written when nothing differs and there are no events."""
        if not events and all(
            self._records.get((record.account, record.name)) == record for record in records
        ):
            return

        def work(tx: IndexTx) -> None:
            for record in records:
                self._save_one(tx, record)
            tx.add_events(events)

        await self._writer.index(work)

    async def remove(self, account: AccountId, name: MailboxName, events: Sequence[NewEvent] = ()) -> None:
        """Forget the mailbox, and whatever rows of messages it still has; an unknown one counts as forgotten."""

        def work(tx: IndexTx) -> None:
            mailbox_id = find_mailbox(tx.connection, account, name)
            if mailbox_id is not None:
                ids = tx.connection.execute(select(MESSAGE.c.id).where(MESSAGE.c.mailbox_id == mailbox_id))
                remove_messages(tx, ids.scalars().all())
                tx.connection.execute(delete(PLACEMENT).where(PLACEMENT.c.mailbox_id == mailbox_id))
                tx.connection.execute(delete(MAILBOX).where(MAILBOX.c.id == mailbox_id))
                tx.shifts.pop(mailbox_id, None)
                tx.after_commit(lambda: self._forget(mailbox_id, account, name))
            tx.add_events(events)

        await self._writer.index(work)

    async def rename(self, old: MailboxName, record: MailboxRecord, events: Sequence[NewEvent] = ()) -> None:
        """Store the mailbox `old` as `record`, under its new name; its messages keep their ids.

        Two transactions, each of which does nothing the second time: whoever calls keeps a note until it returns. An
        unknown `old` counts as renamed, and no event is written.

        Raises:
            StoreError: Another mailbox has the new name (mailbox_exists).
        """
        account, name = record.account, record.name

        def move_state(tx: StateTx) -> None:
            for table in (NAME, TOMBSTONE, INTENT):
                tx.connection.execute(
                    update(table)
                    .prefix_with("OR REPLACE")
                    .where(table.c.account == account, table.c.mailbox == old)
                    .values(mailbox=name)
                )

        def move_index(tx: IndexTx) -> None:
            mailbox_id = find_mailbox(tx.connection, account, old)
            if mailbox_id is None:
                return
            if name != old and find_mailbox(tx.connection, account, name) is not None:
                raise StoreError(f"there is a mailbox {name!r} already", reason="mailbox_exists")
            tx.connection.execute(
                update(MAILBOX).where(MAILBOX.c.id == mailbox_id).values(_values_of(record))
            )
            tx.after_commit(lambda: self._renamed(mailbox_id, old, record))
            tx.add_events(events)

        await self._writer.state(move_state)
        await self._writer.index(move_index)

    def _renamed(self, mailbox_id: int, old: MailboxName, record: MailboxRecord) -> None:
        self._records.pop((record.account, old), None)
        self._records[record.account, record.name] = record
        self._counts.rename(mailbox_id, record.name)

    def _save_one(self, tx: IndexTx, record: MailboxRecord) -> None:
        values = _values_of(record)
        mailbox_id = find_mailbox(tx.connection, record.account, record.name)
        if mailbox_id is not None:
            tx.connection.execute(update(MAILBOX).where(MAILBOX.c.id == mailbox_id).values(values))
            tx.after_commit(lambda: self._records.update({(record.account, record.name): record}))
            return
        result = tx.connection.execute(insert(MAILBOX).values(shown_total=0, shown_unread=0, **values))
        key = result.inserted_primary_key
        assert key is not None  # noqa: S101 - for the type checker
        new_id = int(key[0])
        tx.after_commit(lambda: self._know(new_id, record))

    def _know(self, mailbox_id: int, record: MailboxRecord) -> None:
        self._records[record.account, record.name] = record
        self._counts.add(mailbox_id, record.account, record.name, 0, 0)

    def _forget(self, mailbox_id: int, account: AccountId, name: MailboxName) -> None:
        self._records.pop((account, name), None)
        self._counts.drop(mailbox_id)


def find_mailbox(connection: Connection, account: AccountId, name: MailboxName) -> int | None:
    """The number of the mailbox's row."""
    found = connection.execute(
        select(MAILBOX.c.id).where(MAILBOX.c.account == account, MAILBOX.c.name == name)
    ).scalar()
    return None if found is None else int(found)


def require_mailbox(connection: Connection, account: AccountId, name: MailboxName) -> int:
    """The number of the mailbox's row; raises NotFound."""
    found = find_mailbox(connection, account, name)
    if found is None:
        raise NotFound(f"no mailbox {name!r} in account {account}", reason="mailbox_unknown")
    return found


def load_mailboxes(connection: Connection) -> tuple[StoredMailbox, ...]:
    """Every mailbox of every account."""
    return tuple(
        StoredMailbox(
            id=row["id"], record=_record_of(row), total=row["shown_total"], unread=row["shown_unread"]
        )
        for row in connection.execute(select(MAILBOX)).mappings()
    )


def _values_of(record: MailboxRecord) -> dict[str, Any]:
    return {
        "account": record.account,
        "name": record.name,
        "wire_name": record.wire_name,
        "delimiter": record.delimiter,
        "directory": record.directory,
        "special_use": record.special_use.value if record.special_use else None,
        "uid_validity": record.uid_validity,
        "uid_next": record.uid_next,
        "highest_mod_seq": record.highest_mod_seq,
        "message_count": record.message_count,
        "is_first_pass_done": record.is_first_pass_done,
        "is_read_only": record.is_read_only,
        "frozen_reason": record.frozen_reason,
        "object_id": record.mailbox_id,
    }


def _record_of(row: Mapping[Any, Any]) -> MailboxRecord:
    def optional(key: str, kind: type[Any] | Any) -> Any:
        return None if row[key] is None else kind(row[key])

    return MailboxRecord(
        account=AccountId(row["account"]),
        name=MailboxName(row["name"]),
        wire_name=row["wire_name"],
        delimiter=row["delimiter"],
        directory=row["directory"],
        special_use=optional("special_use", SpecialUse),
        uid_validity=optional("uid_validity", UidValidity),
        uid_next=optional("uid_next", Uid),
        highest_mod_seq=optional("highest_mod_seq", ModSeq),
        message_count=row["message_count"],
        is_first_pass_done=row["is_first_pass_done"],
        is_read_only=row["is_read_only"],
        frozen_reason=row["frozen_reason"],
        mailbox_id=row["object_id"],
    )
