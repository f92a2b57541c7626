"""Intents: acts that may or may not have happened, durable before the act; and which message a file's name stands for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, Uid, UidValidity
from daemon.model.operations import Intent, IntentKind
from daemon.store.encoding import chunks, flags_from_text, flags_to_text, id_from_bytes, id_to_bytes
from daemon.store.readers import Readers
from daemon.store.tables_state import INTENT, NAME
from daemon.store.transactions import StateTx
from daemon.store.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """An intent about to be written; the store gives it its number."""

    kind: IntentKind
    account: AccountId
    mailbox: MailboxName
    uid_validity: UidValidity
    uid: Uid | None = None
    uid_next: Uid | None = None
    maildir_name: MaildirName
    message_id: MessageId
    flags: FlagSet = NO_FLAGS
    file_size: int
    file_sha256: bytes
    wire_size: int
    wire_sha256: bytes
    internal_date: int


class IntentRoom:
    """Open intents, and message ids by unique name, which outlive both the intent and the index."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer: Final = writer
        self._readers: Final = readers

    async def open(self, intents: Sequence[NewIntent]) -> tuple[Intent, ...]:
        """The intents with their numbers, durable: the acts may begin."""
        if not intents:
            return ()

        def work(tx: StateTx) -> tuple[Intent, ...]:
            numbers = tx.take_numbers("intent", len(intents))
            opened = tuple(
                Intent(id=number, **_fields_of(new)) for number, new in zip(numbers, intents, strict=True)
            )
            tx.connection.execute(insert(INTENT), [_values_of(intent) for intent in opened])
            return opened

        return await self._writer.state(work)

    async def close(self, ids: Collection[int], *, remember: bool = True) -> None:
        """The acts have ended. With `remember` the files' names stay known as those messages'."""
        if not ids:
            return

        def work(tx: StateTx) -> None:
            for part in chunks(ids):
                if remember:
                    closed = select(
                        INTENT.c.account, INTENT.c.mailbox, INTENT.c.maildir_name, INTENT.c.message_id
                    ).where(INTENT.c.id.in_(part))
                    tx.connection.execute(
                        insert(NAME)
                        .prefix_with("OR REPLACE")
                        .from_select(["account", "mailbox", "maildir_name", "message_id"], closed)
                    )
                tx.connection.execute(delete(INTENT).where(INTENT.c.id.in_(part)))

        await self._writer.state(work)

    async def pending(self, account: AccountId) -> tuple[Intent, ...]:
        """The account's open intents, oldest first."""

        def query(connection: Connection) -> tuple[Intent, ...]:
            rows = connection.execute(select(INTENT).where(INTENT.c.account == account).order_by(INTENT.c.id))
            return tuple(_intent_of(row) for row in rows.mappings())

        return await self._readers.state(query)

    async def count_attempt(self, ids: Collection[int]) -> None:
        """One more attempt at each is about to be made."""

        def work(tx: StateTx) -> None:
            for part in chunks(ids):
                tx.connection.execute(
                    update(INTENT).where(INTENT.c.id.in_(part)).values(attempts=INTENT.c.attempts + 1)
                )

        if ids:
            await self._writer.state(work)

    async def names(self, account: AccountId, mailbox: MailboxName) -> Mapping[MaildirName, MessageId]:
        """Message ids by unique name: of files whose intents were closed, and those told to `remember`."""

        def query(connection: Connection) -> dict[MaildirName, MessageId]:
            rows = connection.execute(
                select(NAME.c.maildir_name, NAME.c.message_id).where(
                    NAME.c.account == account, NAME.c.mailbox == mailbox
                )
            )
            return {MaildirName(name): id_from_bytes(raw) for name, raw in rows}

        return await self._readers.state(query)

    async def remember(
        self, account: AccountId, mailbox: MailboxName, names: Mapping[MaildirName, MessageId]
    ) -> None:
        """These unique names stand for these messages."""
        rows = [
            {
                "account": account,
                "mailbox": mailbox,
                "maildir_name": name,
                "message_id": id_to_bytes(message_id),
            }
            for name, message_id in names.items()
        ]
        if not rows:
            return
        put = sqlite_insert(NAME)
        put = put.on_conflict_do_update(
            index_elements=["account", "mailbox", "maildir_name"],
            set_={"message_id": put.excluded.message_id},
            where=put.excluded.message_id != literal_column("name.message_id"),
        )

        def work(tx: StateTx) -> None:
            tx.connection.execute(put, rows)

        await self._writer.state(work)


# Not dataclasses.asdict: it copies every value and took as long as all the rest of a batch.
_NEW_FIELDS: Final = tuple(field.name for field in fields(NewIntent))
_FIELDS: Final = tuple(field.name for field in fields(Intent))


def _fields_of(new: NewIntent) -> dict[str, Any]:
    return {name: getattr(new, name) for name in _NEW_FIELDS}


def _values_of(intent: Intent) -> dict[str, Any]:
    values = {name: getattr(intent, name) for name in _FIELDS}
    values["kind"] = intent.kind.value
    values["message_id"] = id_to_bytes(intent.message_id)
    values["flags"] = flags_to_text(intent.flags)
    return values


def _intent_of(row: Mapping[Any, Any]) -> Intent:
    return Intent(
        id=row["id"],
        kind=IntentKind(row["kind"]),
        account=AccountId(row["account"]),
        mailbox=MailboxName(row["mailbox"]),
        uid_validity=UidValidity(row["uid_validity"]),
        uid=Uid(row["uid"]) if row["uid"] is not None else None,
        uid_next=Uid(row["uid_next"]) if row["uid_next"] is not None else None,
        maildir_name=MaildirName(row["maildir_name"]),
        message_id=id_from_bytes(row["message_id"]),
        flags=flags_from_text(row["flags"]),
        file_size=row["file_size"],
        file_sha256=row["file_sha256"],
        wire_size=row["wire_size"],
        wire_sha256=row["wire_sha256"],
        internal_date=row["internal_date"],
        attempts=row["attempts"],
    )
