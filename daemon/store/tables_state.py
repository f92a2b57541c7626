"""Tables of `state.sqlite3`: the little that neither Maildir nor servers can give back.

The only place that defines these columns. Units and types as in `store.tables_index`. Numbers that must never come
back (intents, hand-overs, events) are counted in `counter`, not taken from SQLite's row numbers.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, MetaData, text
from sqlmodel import Field, SQLModel

from daemon.store.tables_index import NAMING, row_number, table_of


class StateModel(SQLModel):
    """Base of the state's tables; they share one metadata of their own."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)


class StateMetaRow(StateModel, table=True):
    """store_id, epoch, generation, is_raising, is_clean."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class CounterRow(StateModel, table=True):
    """The last number given out, or reserved, under a name."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)


class IntentRow(StateModel, table=True):
    """`model.operations.Intent`: an act that may or may not have happened."""

    __tablename__ = "intent"
    __table_args__ = (Index(None, "account"),)

    id: int | None = Field(default=None, sa_column=row_number())
    kind: str
    account: str
    mailbox: str
    uid_validity: int = Field(sa_type=BigInteger)
    uid: int | None = Field(sa_type=BigInteger)
    uid_next: int | None = Field(sa_type=BigInteger)
    maildir_name: str
    message_id: bytes
    flags: str
    file_size: int = Field(sa_type=BigInteger)
    file_sha256: bytes
    wire_size: int = Field(sa_type=BigInteger)
    wire_sha256: bytes
    internal_date: int = Field(sa_type=BigInteger)
    attempts: int


class NameRow(StateModel, table=True):
    """Which message a file's unique name stands for; outlives the index."""

    __tablename__ = "name"
    __table_args__ = ({"sqlite_with_rowid": False},)

    account: str = Field(primary_key=True)
    mailbox: str = Field(primary_key=True)
    maildir_name: str = Field(primary_key=True)
    message_id: bytes


class OperationRow(StateModel, table=True):
    """`model.operations.Operation`: what a person asked for. At most one is pending for a message."""

    __tablename__ = "operation"
    __table_args__ = (
        Index("ix_operation_pending", "message_id", unique=True, sqlite_where=text("state = 'pending'")),
    )

    id: bytes = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger)
    account: str
    message_id: bytes
    kind: str
    state: str
    created_at_ms: int = Field(sa_type=BigInteger)
    finished_at_ms: int | None = Field(sa_type=BigInteger)
    add_flags: str
    remove_flags: str
    target: str | None
    reason: str | None
    detail: str | None
    scope: str


class TombstoneRow(StateModel, table=True):
    """`model.operations.Tombstone`: a message removed here by decision."""

    __tablename__ = "tombstone"
    __table_args__ = (
        Index("ix_tombstone_unlink_pending", "account", sqlite_where=text("is_unlink_pending = 1")),
        {"sqlite_with_rowid": False},
    )

    account: str = Field(primary_key=True)
    mailbox: str = Field(primary_key=True)
    maildir_name: str = Field(primary_key=True)
    message_id: bytes
    file_sha256: bytes
    uid_validity: int | None = Field(sa_type=BigInteger)
    uid: int | None = Field(sa_type=BigInteger)
    is_unlink_pending: bool
    at_ms: int = Field(sa_type=BigInteger)


class FactRow(StateModel, table=True):
    """A small fact under a key; `account` is empty for the store as a whole."""

    __tablename__ = "fact"
    __table_args__ = ({"sqlite_with_rowid": False},)

    account: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: str


class TokenRow(StateModel, table=True):
    """An API token: its digest, never itself."""

    __tablename__ = "token"

    name: str = Field(primary_key=True)
    sha256: bytes = Field(unique=True)
    scope: str
    created_at_ms: int = Field(sa_type=BigInteger)


class MaildropRow(StateModel, table=True):
    """`model.maildrop.Sighting`: a message of a POP3 maildrop, remembered for some time after it is gone from there."""

    __tablename__ = "maildrop"
    __table_args__ = (
        Index(None, "account", "uidl"),
        Index(None, "account", "sha256"),
        Index(None, "account", "message_id"),
        Index(None, "account", "gone_at_ms"),
    )

    number: int | None = Field(default=None, sa_column=row_number())
    account: str
    uidl: str | None
    size: int | None = Field(sa_type=BigInteger)
    sha256: bytes
    header_sha256: bytes
    message_id: bytes
    first_seen_ms: int = Field(sa_type=BigInteger)
    gone_at_ms: int | None = Field(sa_type=BigInteger)
    removed_at_ms: int | None = Field(sa_type=BigInteger)


class HandoverRow(StateModel, table=True):
    """An effect on the index that belongs to a committed change here (`store.effects`)."""

    __tablename__ = "handover"

    number: int | None = Field(default=None, sa_column=row_number())
    effect: str


META: Final = table_of(StateMetaRow)
COUNTER: Final = table_of(CounterRow)
INTENT: Final = table_of(IntentRow)
NAME: Final = table_of(NameRow)
OPERATION: Final = table_of(OperationRow)
TOMBSTONE: Final = table_of(TombstoneRow)
FACT: Final = table_of(FactRow)
TOKEN: Final = table_of(TokenRow)
MAILDROP: Final = table_of(MaildropRow)
HANDOVER: Final = table_of(HandoverRow)

# Written out, not bound: SQLite chooses a partial index only for conditions it can read.
IS_PENDING: Final = text("operation.state = 'pending'")
IS_UNLINK_PENDING: Final = text("tombstone.is_unlink_pending = 1")
