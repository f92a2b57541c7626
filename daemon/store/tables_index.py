"""Tables of `index.sqlite3`: what Maildir and servers can give back.

The only place that defines these columns. Three tables carry the mail: *content* (immutable octets, shared), *message*
(what is shown: one content in one mailbox) and *placement* (the message at mailbox, UIDVALIDITY, UID). UIDs are
unsigned 32-bit and mod-sequences 63-bit numbers, so they are BigInteger; times are whole seconds since 1970 (`_ms`:
milliseconds), digests and message ids raw bytes, flags a compact text (`store.encoding`). No row number is ever shown,
and none is used once its row and everything that named it are gone.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, text
from sqlmodel import Field, SQLModel

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names, so that migrations can name what they change."""


def row_number() -> Column[int]:
    """A 64-bit primary key that SQLite numbers by itself (it does so for INTEGER only)."""
    return Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model."""
    table = model.metadata.tables[str(model.__tablename__)]
    assert isinstance(table, Table)  # noqa: S101 - for the type checker
    return table


class IndexModel(SQLModel):
    """Base of the index's tables; they share one metadata of their own."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)


class IndexMetaRow(IndexModel, table=True):
    """Facts about the file itself: store_id, epoch, generation, pruned_through."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class MailboxRow(IndexModel, table=True):
    """`model.mailbox.MailboxRecord`, and the numbers of messages shown in it."""

    __tablename__ = "mailbox"
    __table_args__ = (Index(None, "account", "name", unique=True),)

    id: int | None = Field(default=None, sa_column=row_number())
    account: str
    name: str
    wire_name: bytes
    delimiter: str | None
    directory: str
    special_use: str | None
    uid_validity: int | None = Field(sa_type=BigInteger)
    uid_next: int | None = Field(sa_type=BigInteger)
    highest_mod_seq: int | None = Field(sa_type=BigInteger)
    message_count: int | None = Field(sa_type=BigInteger)
    is_first_pass_done: bool
    is_read_only: bool
    frozen_reason: str | None
    shown_total: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    shown_unread: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    object_id: str | None = None


class ContentRow(IndexModel, table=True):
    """Facts of octets. `wire_sha256` is NULL where the wire form equals the file, as it does for what was downloaded."""

    __tablename__ = "content"

    id: int | None = Field(default=None, sa_column=row_number())
    file_sha256: bytes = Field(unique=True)
    file_size: int = Field(sa_type=BigInteger)
    wire_size: int = Field(sa_type=BigInteger)
    wire_sha256: bytes | None
    header_sha256: bytes
    subject: str
    sender: str
    recipients: str
    message_id_header: str
    date_header: int | None = Field(sa_type=BigInteger)
    is_limited: bool


class MessageRow(IndexModel, table=True):
    """One content in one mailbox. `account` repeats the mailbox's, for listings over a whole account."""

    __tablename__ = "message"
    __table_args__ = (
        Index(None, "mailbox_id", "maildir_name", unique=True),
        Index(None, "mailbox_id", "internal_date", "id"),
        Index(None, "account", "internal_date", "id"),
        Index(
            # SQLite gives a partial index no credit for its condition; a second equality makes it the cheaper one.
            "ix_message_unread",
            "account",
            "is_unread",
            "internal_date",
            "id",
            sqlite_where=text("is_unread = 1 AND is_hidden = 0"),
        ),
        Index(None, "content_id"),
    )

    id: bytes = Field(primary_key=True)
    mailbox_id: int = Field(sa_type=BigInteger)
    account: str
    maildir_name: str
    content_id: int = Field(sa_type=BigInteger)
    flags: str
    is_unread: bool
    is_hidden: bool
    internal_date: int = Field(sa_type=BigInteger)


class PlacementRow(IndexModel, table=True):
    r"""Base: what both sides last agreed on. Without `message_id`: a UID that could not be fetched yet.

    A row in state `marked` keeps the id of a message that is no longer here.
    """

    __tablename__ = "placement"
    __table_args__ = (Index(None, "mailbox_id", "uid_validity", "uid", unique=True),)

    id: int | None = Field(default=None, sa_column=row_number())
    mailbox_id: int = Field(sa_type=BigInteger)
    uid_validity: int | None = Field(sa_type=BigInteger)
    uid: int | None = Field(sa_type=BigInteger)
    message_id: bytes | None = Field(unique=True)
    state: str
    flags: str
    mod_seq: int | None = Field(sa_type=BigInteger)
    reason: str | None
    retry_at_ms: int | None = Field(sa_type=BigInteger)


class EmailIdRow(IndexModel, table=True):
    """The server's own name for a message's octets (EMAILID, X-GM-MSGID), where it has one.

    A table of its own, because most servers have none, and because it outlives the message's place there.
    """

    __tablename__ = "email_id"
    __table_args__ = (Index(None, "account", "email_id"), {"sqlite_with_rowid": False})

    message_id: bytes = Field(primary_key=True)
    account: str
    email_id: str


class EventRow(IndexModel, table=True):
    """One line of the journal. Numbers are given by the writer and never twice, whatever SQLite would do."""

    __tablename__ = "event"

    number: int | None = Field(default=None, sa_column=row_number())
    name: str
    account: str
    mailbox: str | None
    message_id: bytes | None
    at_ms: int = Field(sa_type=BigInteger)
    data: str


class AppliedRow(IndexModel, table=True):
    """A hand-over from the state database whose effect is in this one (`store.effects`)."""

    __tablename__ = "applied"

    number: int | None = Field(default=None, sa_column=row_number())


META: Final = table_of(IndexMetaRow)
MAILBOX: Final = table_of(MailboxRow)
CONTENT: Final = table_of(ContentRow)
MESSAGE: Final = table_of(MessageRow)
PLACEMENT: Final = table_of(PlacementRow)
EMAIL_ID: Final = table_of(EmailIdRow)
EVENT: Final = table_of(EventRow)
APPLIED: Final = table_of(AppliedRow)
