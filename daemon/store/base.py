"""Base: what both sides last agreed on, message by message, and the rows of the messages themselves.

Each call is one index transaction, and each may be repeated: a pass that was killed after its commit does the same
again and changes nothing. Planning, files and servers are elsewhere; nothing here decides what is right.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, insert, select, update

from daemon.model.events import NewEvent
from daemon.model.flags import FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.views import BaseState, BaseView
from daemon.store import absent_uids
from daemon.store.arrivals import Arrival, ArrivalWriter
from daemon.store.base_reading import BaseCounts, BasePart, Wanted, count_entries, load_all, load_part
from daemon.store.encoding import chunks, flags_to_text, id_from_bytes, id_to_bytes
from daemon.store.mailboxes import find_mailbox, require_mailbox
from daemon.store.message_rows import remove_messages, set_flags
from daemon.store.readers import Readers
from daemon.store.tables_index import MAILBOX, MESSAGE, PLACEMENT
from daemon.store.tables_state import NAME
from daemon.store.transactions import IndexTx, StateTx
from daemon.store.writer import Writer

__all__ = ["Arrival", "BaseCounts", "BasePart", "BaseRoom", "Binding", "FlagUpdate", "Wanted"]

Binding = tuple[MessageId, Uid | None, BaseState, FlagSet | None]
"""Message, its new UID, how far both sides agree, and the flags both have (None: as they were)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagUpdate:
    """New flags of a message: `flags` shown (the file's), `base_flags` agreed on. None leaves what is stored."""

    message_id: MessageId
    flags: FlagSet | None = None
    base_flags: FlagSet | None = None
    mod_seq: ModSeq | None = None


class BaseRoom:
    """Base views, and the confirmations that move them."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer: Final = writer
        self._readers: Final = readers

    async def load(self, account: AccountId, mailbox: MailboxName) -> BaseView:
        """All entries of the mailbox; an empty view for an unknown one.

        An entry under another UIDVALIDITY than the mailbox's has lost its UID: it comes as unmatched, without one.
        """
        return await self._readers.index(lambda connection: load_all(connection, account, mailbox))

    async def load_part(self, account: AccountId, mailbox: MailboxName, wanted: Wanted) -> BasePart | None:
        """The entries asked for, and what can be said of the rest; None where they are more than `MOST_ENTRIES`.

        Costs what is asked for, not what there is.
        """
        return await self._readers.index(lambda connection: load_part(connection, account, mailbox, wanted))

    async def count(self, account: AccountId, mailbox: MailboxName) -> BaseCounts:
        """How many entries the mailbox has."""
        return await self._readers.index(lambda connection: count_entries(connection, account, mailbox))

    async def confirm(
        self,
        account: AccountId,
        mailbox: MailboxName,
        uid_validity: UidValidity | None,
        arrivals: Sequence[Arrival],
        events: Sequence[NewEvent] = (),
    ) -> frozenset[MessageId]:
        """Store content, message and placement of each arrival; gives the ids of those that were *not* taken, because
        another message holds their UID.

        A message known already is brought up to date; one that lies in another mailbox has moved here. Where the
        unique name is known under another id, that message is meant and keeps its id. `message.new` is written only
        for messages not known before.
        """

        def work(tx: IndexTx) -> frozenset[MessageId]:
            mailbox_id = require_mailbox(tx.connection, account, mailbox)
            return ArrivalWriter(tx, account, mailbox_id, uid_validity).write(arrivals, events)

        return await self._writer.index(work)

    async def record_flags(
        self,
        account: AccountId,
        mailbox: MailboxName,
        updates: Sequence[FlagUpdate],
        events: Sequence[NewEvent] = (),
    ) -> None:
        """Store new flags; rows that have them already are not written, unknown messages are passed over."""

        def work(tx: IndexTx) -> None:
            shown = [
                (id_to_bytes(update.message_id), update.flags)
                for update in updates
                if update.flags is not None
            ]
            set_flags(tx, shown)
            _set_base_flags(tx, updates)
            tx.add_events(events)

        await self._writer.index(work)

    async def bind(
        self,
        account: AccountId,
        mailbox: MailboxName,
        uid_validity: UidValidity | None,
        bindings: Sequence[Binding],
        events: Sequence[NewEvent] = (),
    ) -> None:
        """Give messages that are here their place on the server; unknown messages are passed over.

        Whatever row stood at such a UID gives way: a failed one is settled by this, another message's is void.
        """

        def work(tx: IndexTx) -> None:
            mailbox_id = require_mailbox(tx.connection, account, mailbox)
            for part in chunks(bindings):
                _bind(tx, mailbox_id, uid_validity, part)
            tx.add_events(events)

        await self._writer.index(work)

    async def record_failed(  # noqa: PLR0917 - a place on the server and what is known of it
        self,
        account: AccountId,
        mailbox: MailboxName,
        uid_validity: UidValidity,
        uid: Uid,
        flags: FlagSet,
        reason: str,
        retry_at: float | None,
    ) -> None:
        """Note that a UID could not be fetched; a UID whose message is here stays as it is."""

        def work(tx: IndexTx) -> None:
            mailbox_id = require_mailbox(tx.connection, account, mailbox)
            absent_uids.put_failed(tx, mailbox_id, uid_validity, uid, flags, reason, retry_at)

        await self._writer.index(work)

    async def record_marked(
        self,
        account: AccountId,
        mailbox: MailboxName,
        uid_validity: UidValidity,
        marked: Mapping[Uid, FlagSet],
    ) -> None:
        """Note that these UIDs are absent here by decision; a UID that has a row stays as it is."""

        def work(tx: IndexTx) -> None:
            mailbox_id = require_mailbox(tx.connection, account, mailbox)
            absent_uids.put_marked(tx, mailbox_id, uid_validity, marked)

        await self._writer.index(work)

    async def set_state(
        self, account: AccountId, mailbox: MailboxName, message_id: MessageId, state: BaseState
    ) -> None:
        """Store how far both sides agree on a message; an unknown one is passed over.

        `MARKED` is set before the message is buried: its UID's row then outlives the message.
        """

        def work(tx: IndexTx) -> None:
            tx.connection.execute(
                update(PLACEMENT)
                .where(PLACEMENT.c.message_id == id_to_bytes(message_id))
                .values(state=state.value)
            )

        await self._writer.index(work)

    async def aside(self, account: AccountId) -> frozenset[MessageId]:
        """The account's messages whose files lie where nothing is kept in step. Reads every place: once a start."""

        def query(connection: Connection) -> frozenset[MessageId]:
            found = connection.execute(
                select(PLACEMENT.c.message_id)
                .select_from(PLACEMENT.join(MAILBOX, MAILBOX.c.id == PLACEMENT.c.mailbox_id))
                .where(MAILBOX.c.account == account, PLACEMENT.c.state == BaseState.ASIDE.value)
            ).scalars()
            return frozenset(id_from_bytes(raw) for raw in found if raw is not None)

        return await self._readers.index(query)

    async def clear_placements(self, account: AccountId, mailbox: MailboxName) -> None:
        """Forget every UID of the mailbox. Its messages stay, unmatched until they are bound again, or set aside as they
        were; rows without a message go.
        """

        def work(tx: IndexTx) -> None:
            mailbox_id = require_mailbox(tx.connection, account, mailbox)
            here = PLACEMENT.c.mailbox_id == mailbox_id
            with_message = PLACEMENT.c.message_id.in_(select(MESSAGE.c.id))
            tx.connection.execute(
                delete(PLACEMENT).where(here, PLACEMENT.c.message_id.is_(None) | ~with_message)
            )
            tx.connection.execute(
                update(PLACEMENT)
                .where(here)
                .values(
                    uid=None,
                    uid_validity=None,
                    mod_seq=None,
                    state=case(
                        (PLACEMENT.c.state == BaseState.ASIDE.value, BaseState.ASIDE.value),
                        else_=BaseState.UNMATCHED.value,
                    ),
                )
            )

        await self._writer.index(work)

    async def remove(
        self,
        account: AccountId,
        mailbox: MailboxName,
        message_ids: Collection[MessageId] = (),
        uids: Collection[Uid] = (),
        events: Sequence[NewEvent] = (),
    ) -> None:
        """Remove messages by id, and whatever stands at the given UIDs of its present UIDVALIDITY; what is unknown counts as
        removed. A message that has got its place in another mailbox meanwhile stays there, and nobody is told of its end.
        """

        def work(tx: IndexTx) -> None:
            mailbox_id = find_mailbox(tx.connection, account, mailbox)
            ids = {id_to_bytes(message_id) for message_id in message_ids}
            if mailbox_id is not None and uids:
                ids |= _clear_uids(tx, mailbox_id, uids)
            elsewhere = _ids_elsewhere(tx, mailbox_id, ids)
            removed = remove_messages(tx, sorted(ids - elsewhere))
            names = [row.maildir_name for row in removed if row.mailbox_id == mailbox_id]
            if names:
                tx.later(lambda state: _forget_names(state, account, mailbox, names))
            tx.add_events(
                [
                    event
                    for event in events
                    if event.message_id is None or id_to_bytes(event.message_id) not in elsewhere
                ]
            )

        await self._writer.index(work)


def _ids_elsewhere(tx: IndexTx, mailbox_id: int | None, ids: Collection[bytes]) -> set[bytes]:
    """Those of messages that are in another mailbox."""
    found: set[bytes] = set()
    if mailbox_id is None:
        return found
    for part in chunks(ids):
        rows = tx.connection.execute(
            select(MESSAGE.c.id).where(MESSAGE.c.id.in_(part), MESSAGE.c.mailbox_id != mailbox_id)
        )
        found.update(row[0] for row in rows)
    return found


_SET_BASE: Final = (
    update(PLACEMENT)
    .where(PLACEMENT.c.id == bindparam("row_id"))
    .values(flags=bindparam("new_flags"), mod_seq=bindparam("new_mod_seq"))
)


def _set_base_flags(tx: IndexTx, updates: Sequence[FlagUpdate]) -> None:
    wanted = {
        id_to_bytes(update.message_id): update
        for update in updates
        if update.base_flags is not None or update.mod_seq is not None
    }
    for part in chunks(wanted):
        changes: list[dict[str, Any]] = []
        for row in tx.connection.execute(
            select(PLACEMENT.c.id, PLACEMENT.c.message_id, PLACEMENT.c.flags, PLACEMENT.c.mod_seq).where(
                PLACEMENT.c.message_id.in_(part)
            )
        ):
            update_ = wanted[row.message_id]
            flags = flags_to_text(update_.base_flags) if update_.base_flags is not None else row.flags
            mod_seq = update_.mod_seq if update_.mod_seq is not None else row.mod_seq
            if (flags, mod_seq) != (row.flags, row.mod_seq):
                changes.append({"row_id": row.id, "new_flags": flags, "new_mod_seq": mod_seq})
        if changes:
            tx.connection.execute(_SET_BASE, changes)


def _bind(
    tx: IndexTx, mailbox_id: int, uid_validity: UidValidity | None, bindings: Sequence[Binding]
) -> None:
    wanted = {id_to_bytes(message_id): binding for binding in bindings for message_id in binding[:1]}
    known = tx.connection.execute(
        select(MESSAGE.c.id, MESSAGE.c.flags, PLACEMENT.c.flags.label("base_flags"))
        .select_from(MESSAGE.outerjoin(PLACEMENT, PLACEMENT.c.message_id == MESSAGE.c.id))
        .where(MESSAGE.c.id.in_(list(wanted)), MESSAGE.c.mailbox_id == mailbox_id)
    ).all()
    tx.connection.execute(delete(PLACEMENT).where(PLACEMENT.c.message_id.in_([row.id for row in known])))
    rows: list[dict[str, Any]] = []
    for row in known:
        _, uid, state, flags = wanted[row.id]
        kept = row.base_flags if row.base_flags is not None else row.flags
        rows.append(
            {
                "mailbox_id": mailbox_id,
                "uid_validity": uid_validity if uid is not None else None,
                "uid": uid,
                "message_id": row.id,
                "state": state.value,
                "flags": flags_to_text(flags) if flags is not None else kept,
            }
        )
    uids = [row["uid"] for row in rows if row["uid"] is not None]
    at_uids = (
        PLACEMENT.c.mailbox_id == mailbox_id,
        PLACEMENT.c.uid_validity == uid_validity,
        PLACEMENT.c.uid.in_(uids),
    )
    has_message = PLACEMENT.c.message_id.in_(select(MESSAGE.c.id))
    tx.connection.execute(
        update(PLACEMENT)
        .where(*at_uids, has_message)
        .values(uid=None, uid_validity=None, state=BaseState.UNMATCHED.value)
    )
    tx.connection.execute(delete(PLACEMENT).where(*at_uids))
    if rows:
        tx.connection.execute(insert(PLACEMENT), rows)


def _clear_uids(tx: IndexTx, mailbox_id: int, uids: Collection[Uid]) -> set[bytes]:
    """Rows at these UIDs, under the mailbox's UIDVALIDITY, removed; the ids of messages they named."""
    ids: set[bytes] = set()
    validity = tx.connection.execute(
        select(MAILBOX.c.uid_validity).where(MAILBOX.c.id == mailbox_id)
    ).scalar()
    for part in chunks(uids):
        at_uids = (
            PLACEMENT.c.mailbox_id == mailbox_id,
            PLACEMENT.c.uid_validity == validity,
            PLACEMENT.c.uid.in_(part),
        )
        named = tx.connection.execute(select(PLACEMENT.c.message_id).where(*at_uids)).scalars()
        ids.update(raw for raw in named if raw is not None)
        tx.connection.execute(delete(PLACEMENT).where(*at_uids))
    return ids


def _forget_names(
    tx: StateTx, account: AccountId, mailbox: MailboxName, names: Sequence[MaildirName]
) -> None:
    for part in chunks(names):
        tx.connection.execute(
            delete(NAME).where(
                NAME.c.account == account, NAME.c.mailbox == mailbox, NAME.c.maildir_name.in_(part)
            )
        )
