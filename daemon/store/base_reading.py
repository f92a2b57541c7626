"""Reading base: all entries of a mailbox, or those of some names, messages and UIDs, by index.

Runs in a reader's snapshot; writes nothing and decides nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, func, select

from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView
from daemon.store.encoding import chunks, flags_from_text, from_ms, id_from_bytes, id_to_bytes
from daemon.store.tables_index import CONTENT, MAILBOX, MESSAGE, PLACEMENT

MOST_ENTRIES: Final = 1000  # some forty milliseconds; beyond it there is little to be gained over all

_ENTRIES: Final = select(
    PLACEMENT.c.id,
    PLACEMENT.c.message_id,
    PLACEMENT.c.uid_validity,
    PLACEMENT.c.uid,
    PLACEMENT.c.state,
    PLACEMENT.c.flags,
    PLACEMENT.c.retry_at_ms,
    MESSAGE.c.maildir_name,
    CONTENT.c.wire_size,
).select_from(
    PLACEMENT.outerjoin(MESSAGE, MESSAGE.c.id == PLACEMENT.c.message_id).outerjoin(
        CONTENT, CONTENT.c.id == MESSAGE.c.content_id
    )
)
_STATES: Final = {state.value: state for state in BaseState}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Entries to be read: of these unique names, these messages, these UIDs."""

    names: Collection[MaildirName] = ()
    message_ids: Collection[MessageId] = ()
    uids: UidSet = field(default_factory=UidSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePart:
    """Some entries of a mailbox. `has_void`: it has entries without a UID under its present UIDVALIDITY as well."""

    view: BaseView
    has_void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCounts:
    """Entries of a mailbox: `placed` have a UID under its present UIDVALIDITY, `synced` of those are here and there."""

    placed: int
    synced: int


@dataclass(frozen=True, slots=True)
class _Record:
    """The mailbox's row, as far as base is concerned."""

    id: int
    uid_validity: UidValidity | None
    uid_next: Uid | None
    highest_mod_seq: ModSeq | None


def load_all(connection: Connection, account: AccountId, mailbox: MailboxName) -> BaseView:
    """Every entry, by UID."""
    record = _record(connection, account, mailbox)
    if record is None:
        return _unknown(mailbox)
    rows = connection.execute(
        _ENTRIES.where(PLACEMENT.c.mailbox_id == record.id).order_by(
            PLACEMENT.c.uid_validity, PLACEMENT.c.uid
        )
    )
    return _view(mailbox, record, _entries(rows, record.uid_validity))


def load_part(
    connection: Connection, account: AccountId, mailbox: MailboxName, wanted: Wanted
) -> BasePart | None:
    """The entries asked for; None where they are too many."""
    record = _record(connection, account, mailbox)
    if record is None:
        return BasePart(view=_unknown(mailbox), has_void=False)
    if len(wanted.names) + len(wanted.message_ids) + len(wanted.uids.ranges) > MOST_ENTRIES:
        return None
    found: dict[int, Sequence[Any]] = {}
    for query in _queries(record.id, record.uid_validity, wanted):
        for row in connection.execute(query.limit(MOST_ENTRIES + 1)):
            found[row.id] = row
        if len(found) > MOST_ENTRIES:
            return None
    rows = sorted(found.values(), key=lambda row: (row[2] or 0, row[3] or 0))  # UIDVALIDITY, UID
    return BasePart(
        view=_view(mailbox, record, _entries(rows, record.uid_validity)),
        has_void=_has_void(connection, record.id, record.uid_validity),
    )


def count_entries(connection: Connection, account: AccountId, mailbox: MailboxName) -> BaseCounts:
    """Counted by index and rows of the mailbox."""
    record = _record(connection, account, mailbox)
    if record is None or record.uid_validity is None:
        return BaseCounts(placed=0, synced=0)
    is_synced = PLACEMENT.c.state == BaseState.SYNCED.value
    placed, synced = connection.execute(
        select(func.count(), func.count().filter(is_synced)).where(
            PLACEMENT.c.mailbox_id == record.id,
            PLACEMENT.c.uid_validity == record.uid_validity,
            PLACEMENT.c.uid.is_not(None),
        )
    ).one()
    return BaseCounts(placed=placed, synced=synced)


def _record(connection: Connection, account: AccountId, mailbox: MailboxName) -> _Record | None:
    row = connection.execute(
        select(MAILBOX.c.id, MAILBOX.c.uid_validity, MAILBOX.c.uid_next, MAILBOX.c.highest_mod_seq).where(
            MAILBOX.c.account == account, MAILBOX.c.name == mailbox
        )
    ).first()
    return None if row is None else _Record(*row)


def _unknown(mailbox: MailboxName) -> BaseView:
    return BaseView(mailbox=mailbox, uid_validity=None, uid_next=None, highest_mod_seq=None)


def _view(mailbox: MailboxName, record: _Record, entries: Iterable[BaseEntry]) -> BaseView:
    return BaseView(
        mailbox=mailbox,
        uid_validity=record.uid_validity,
        uid_next=record.uid_next,
        highest_mod_seq=record.highest_mod_seq,
        entries=tuple(entries),
    )


def _queries(mailbox_id: int, validity: UidValidity | None, wanted: Wanted) -> Iterator[Select[Any]]:
    here = PLACEMENT.c.mailbox_id == mailbox_id
    for names in chunks(wanted.names):
        yield _ENTRIES.where(here, MESSAGE.c.mailbox_id == mailbox_id, MESSAGE.c.maildir_name.in_(names))
    for ids in chunks(map(id_to_bytes, wanted.message_ids)):
        yield _ENTRIES.where(here, PLACEMENT.c.message_id.in_(ids))
    at_validity = and_(here, PLACEMENT.c.uid_validity == validity)
    singles = [low for low, high in wanted.uids.ranges if low == high]
    for uids in chunks(singles):
        yield _ENTRIES.where(at_validity, PLACEMENT.c.uid.in_(uids))
    for low, high in wanted.uids.ranges:
        if low != high:
            yield _ENTRIES.where(at_validity, PLACEMENT.c.uid.between(low, high))


def _has_void(connection: Connection, mailbox_id: int, validity: UidValidity | None) -> bool:
    """Four short walks along the index of places; one condition for all would read every row of the mailbox."""
    here = PLACEMENT.c.mailbox_id == mailbox_id
    if validity is None:
        return connection.execute(select(PLACEMENT.c.id).where(here).limit(1)).first() is not None
    ways = (
        PLACEMENT.c.uid_validity.is_(None),
        PLACEMENT.c.uid_validity < validity,
        PLACEMENT.c.uid_validity > validity,
        and_(PLACEMENT.c.uid_validity == validity, PLACEMENT.c.uid.is_(None)),
    )
    return any(
        connection.execute(select(PLACEMENT.c.id).where(here, way).limit(1)).first() is not None
        for way in ways
    )


def _entries(rows: Iterable[Sequence[Any]], validity: UidValidity | None) -> Iterator[BaseEntry]:
    for _, message_id, row_validity, uid, state, flags, retry_at_ms, maildir_name, wire_size in rows:
        is_void = uid is None or row_validity != validity
        if is_void and maildir_name is None:
            continue  # failed or marked under a numbering that is gone: there is nothing left to match
        yield BaseEntry(
            message_id=id_from_bytes(message_id) if message_id is not None else None,
            uid=None if is_void else Uid(uid),
            maildir_name=MaildirName(maildir_name) if maildir_name is not None else None,
            flags=flags_from_text(flags),
            state=BaseState.UNMATCHED if uid is not None and is_void else _STATES[state],
            wire_size=wire_size or 0,
            retry_at=from_ms(retry_at_ms) if retry_at_ms is not None else None,
        )
