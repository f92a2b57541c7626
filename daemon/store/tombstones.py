"""Tombstones: messages removed here by decision, remembered so that no scan and no server revives them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from daemon.model.events import NewEvent
from daemon.model.ids import AccountId, MailboxName, MaildirName, Uid, UidValidity
from daemon.model.operations import Tombstone
from daemon.store.effects import Effect
from daemon.store.encoding import chunks, from_ms, id_from_bytes, id_to_bytes, to_ms
from daemon.store.readers import Readers
from daemon.store.tables_state import IS_UNLINK_PENDING, NAME, TOMBSTONE
from daemon.store.transactions import StateTx
from daemon.store.writer import Writer

_PAIRS: Final = 200  # an OR of so many terms stays below SQLite's limit of nesting

_PUT = sqlite_insert(TOMBSTONE)
_PUT = _PUT.on_conflict_do_update(
    index_elements=["account", "mailbox", "maildir_name"],
    set_={column.name: _PUT.excluded[column.name] for column in TOMBSTONE.columns if not column.primary_key},
)


class TombstoneRoom:
    """What was removed, and which of it still has a file to unlink."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer: Final = writer
        self._readers: Final = readers

    async def bury(self, tombstones: Sequence[Tombstone], events: Sequence[NewEvent] = ()) -> None:
        """Remember the messages as removed, then remove their rows and write the events; the files come after.

        A message in base state `marked` leaves its UID's row behind, so that it is not fetched again.
        """
        if not tombstones and not events:
            return
        rows = [_values_of(tombstone) for tombstone in tombstones]
        effect = Effect(bury=tuple(tombstone.message_id for tombstone in tombstones), events=tuple(events))

        def work(tx: StateTx) -> None:
            if rows:
                tx.connection.execute(_PUT, rows)
            for part in chunks(tombstones, _PAIRS):
                tx.connection.execute(
                    delete(NAME).where(
                        or_(
                            *(
                                and_(
                                    NAME.c.account == tombstone.account,
                                    NAME.c.mailbox == tombstone.mailbox,
                                    NAME.c.maildir_name == tombstone.maildir_name,
                                )
                                for tombstone in part
                            )
                        )
                    )
                )
            tx.hand_over(effect)

        await self._writer.state(work)

    async def unlinked(self, account: AccountId, names: Sequence[tuple[MailboxName, MaildirName]]) -> None:
        """The files are gone and their directories synced."""

        def work(tx: StateTx) -> None:
            for part in chunks(names, _PAIRS):
                tx.connection.execute(
                    update(TOMBSTONE)
                    .where(
                        TOMBSTONE.c.account == account,
                        or_(
                            *(
                                and_(TOMBSTONE.c.mailbox == mailbox, TOMBSTONE.c.maildir_name == name)
                                for mailbox, name in part
                            )
                        ),
                    )
                    .values(is_unlink_pending=False)
                )

        if names:
            await self._writer.state(work)

    async def pending_unlinks(self, account: AccountId) -> tuple[Tombstone, ...]:
        """Tombstones whose files may still be there."""
        return await self._readers.state(
            lambda connection: _load(connection, TOMBSTONE.c.account == account, IS_UNLINK_PENDING)
        )

    async def find(self, account: AccountId, mailbox: MailboxName) -> Mapping[MaildirName, Tombstone]:
        """The mailbox's tombstones by unique name."""
        found = await self._readers.state(
            lambda connection: _load(
                connection, TOMBSTONE.c.account == account, TOMBSTONE.c.mailbox == mailbox
            )
        )
        return {tombstone.maildir_name: tombstone for tombstone in found}


def load_buried(connection: Connection) -> tuple[Tombstone, ...]:
    """The tombstones of all accounts."""
    return _load(connection)


def _load(connection: Connection, *conditions: Any) -> tuple[Tombstone, ...]:
    rows = connection.execute(select(TOMBSTONE).where(*conditions).order_by(TOMBSTONE.c.at_ms))
    return tuple(_tombstone_of(row) for row in rows.mappings())


def _values_of(tombstone: Tombstone) -> dict[str, Any]:
    return {
        "account": tombstone.account,
        "mailbox": tombstone.mailbox,
        "maildir_name": tombstone.maildir_name,
        "message_id": id_to_bytes(tombstone.message_id),
        "file_sha256": tombstone.file_sha256,
        "uid_validity": tombstone.uid_validity,
        "uid": tombstone.uid,
        "is_unlink_pending": tombstone.is_unlink_pending,
        "at_ms": to_ms(tombstone.at),
    }


def _tombstone_of(row: Mapping[Any, Any]) -> Tombstone:
    return Tombstone(
        account=AccountId(row["account"]),
        mailbox=MailboxName(row["mailbox"]),
        maildir_name=MaildirName(row["maildir_name"]),
        message_id=id_from_bytes(row["message_id"]),
        file_sha256=row["file_sha256"],
        uid_validity=UidValidity(row["uid_validity"]) if row["uid_validity"] is not None else None,
        uid=Uid(row["uid"]) if row["uid"] is not None else None,
        is_unlink_pending=row["is_unlink_pending"],
        at=from_ms(row["at_ms"]),
    )
