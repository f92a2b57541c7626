"""Changes to rows of messages that more than one room makes. Runs in the writer's index transaction.

Each change tells the transaction how the numbers of shown and unread messages move, so nothing is ever counted again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from daemon.model.flags import SEEN, FlagSet
from daemon.model.ids import MaildirName
from daemon.model.operations import Tombstone
from daemon.store.effects import Effect, FlagChange
from daemon.store.encoding import chunks, flags_from_text, flags_to_text, id_to_bytes
from daemon.store.tables_index import APPLIED, CONTENT, EMAIL_ID, MAILBOX, MESSAGE, PLACEMENT
from daemon.store.transactions import IndexTx


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """Where a removed message's file was."""

    mailbox_id: int
    maildir_name: MaildirName


def apply_handover(tx: IndexTx, number: int, effect: Effect) -> None:
    """The effect applied, unless it was before."""
    if tx.connection.execute(select(APPLIED.c.number).where(APPLIED.c.number == number)).first() is not None:
        return
    tx.connection.execute(insert(APPLIED).values(number=number))
    apply_effect(tx, effect)


def apply_effect(tx: IndexTx, effect: Effect) -> None:
    """Rows hidden, shown, changed and removed as the effect says, its events written; unknown ids are passed over."""
    set_hidden(tx, map(id_to_bytes, effect.hide), is_hidden=True)
    set_hidden(tx, map(id_to_bytes, effect.show), is_hidden=False)
    for change in effect.flags:
        change_flags(tx, change)
    remove_messages(tx, map(id_to_bytes, effect.bury), keep_marked=True)
    tx.add_events(effect.events)


def set_hidden(tx: IndexTx, ids: Iterable[bytes], *, is_hidden: bool) -> None:
    """The messages hidden from listings, or shown in them again."""
    for part in chunks(ids):
        rows = tx.connection.execute(
            select(MESSAGE.c.id, MESSAGE.c.mailbox_id, MESSAGE.c.is_unread).where(
                MESSAGE.c.id.in_(part), MESSAGE.c.is_hidden.is_(not is_hidden)
            )
        ).all()
        if rows:
            tx.connection.execute(
                update(MESSAGE).where(MESSAGE.c.id.in_([row.id for row in rows])).values(is_hidden=is_hidden)
            )
        sign = -1 if is_hidden else 1
        for row in rows:
            tx.shift(row.mailbox_id, sign, sign * row.is_unread)


def change_flags(tx: IndexTx, change: FlagChange) -> None:
    """Flags shown of one message, changed; passed over where the message is unknown."""
    raw = id_to_bytes(change.message_id)
    row = tx.connection.execute(select(MESSAGE.c.flags).where(MESSAGE.c.id == raw)).first()
    if row is not None:
        set_flags(tx, [(raw, (flags_from_text(row.flags) | change.add) - change.remove)])


_SET_FLAGS = (
    update(MESSAGE)
    .where(MESSAGE.c.id == bindparam("row_id"))
    .values(flags=bindparam("new_flags"), is_unread=bindparam("new_unread"))
)


def set_flags(tx: IndexTx, flags: Collection[tuple[bytes, FlagSet]]) -> None:
    """Flags shown of messages; rows that have them already are not written."""
    for part in chunks(flags):
        wanted = dict(part)
        changes: list[dict[str, Any]] = []
        for row in tx.connection.execute(
            select(
                MESSAGE.c.id, MESSAGE.c.flags, MESSAGE.c.is_unread, MESSAGE.c.is_hidden, MESSAGE.c.mailbox_id
            ).where(MESSAGE.c.id.in_(list(wanted)))
        ):
            text = flags_to_text(wanted[row.id])
            if text == row.flags:
                continue
            is_unread = SEEN not in wanted[row.id]
            changes.append({"row_id": row.id, "new_flags": text, "new_unread": is_unread})
            if not row.is_hidden:
                tx.shift(row.mailbox_id, 0, is_unread - row.is_unread)
        if changes:
            tx.connection.execute(_SET_FLAGS, changes)


def remove_messages(tx: IndexTx, ids: Iterable[bytes], *, keep_marked: bool = False) -> list[RemovedRow]:
    r"""The messages' rows removed, and what they alone referred to; says where their files were.

    With `keep_marked` the place of a message left on the server with `\\Deleted` stays, so that it is not fetched again.
    """
    removed: list[RemovedRow] = []
    for part in chunks(ids):
        rows = tx.connection.execute(
            select(
                MESSAGE.c.id,
                MESSAGE.c.mailbox_id,
                MESSAGE.c.maildir_name,
                MESSAGE.c.content_id,
                MESSAGE.c.is_unread,
                MESSAGE.c.is_hidden,
            ).where(MESSAGE.c.id.in_(part))
        ).all()
        tx.connection.execute(delete(MESSAGE).where(MESSAGE.c.id.in_(part)))
        tx.connection.execute(delete(EMAIL_ID).where(EMAIL_ID.c.message_id.in_(part)))
        places = delete(PLACEMENT).where(PLACEMENT.c.message_id.in_(part))
        if keep_marked:
            places = places.where(PLACEMENT.c.state != "marked")
        tx.connection.execute(places)
        drop_unused_contents(tx, {row.content_id for row in rows})
        for row in rows:
            if not row.is_hidden:
                tx.shift(row.mailbox_id, -1, -row.is_unread)
            removed.append(RemovedRow(row.mailbox_id, MaildirName(row.maildir_name)))
    return removed


def remove_buried(tx: IndexTx, tombstones: Iterable[Tombstone]) -> None:
    """Rows removed that still stand where a tombstone says there is nothing any more.

    An id alone does not decide: a message that was buried in one place may have come back in another.
    """
    for part in chunks(tombstones):
        graves = {
            (id_to_bytes(grave.message_id), grave.account, grave.mailbox, grave.maildir_name)
            for grave in part
        }
        rows = tx.connection.execute(
            select(MESSAGE.c.id, MAILBOX.c.account, MAILBOX.c.name, MESSAGE.c.maildir_name)
            .select_from(MESSAGE.join(MAILBOX, MAILBOX.c.id == MESSAGE.c.mailbox_id))
            .where(MESSAGE.c.id.in_([grave[0] for grave in graves]))
        )
        remove_messages(tx, [row[0] for row in rows.all() if tuple(row) in graves], keep_marked=True)


def drop_unused_contents(tx: IndexTx, content_ids: Collection[int]) -> None:
    """Contents removed that no message has any more."""
    for part in chunks(content_ids):
        still_used = select(MESSAGE.c.content_id).where(MESSAGE.c.content_id.in_(part))
        tx.connection.execute(delete(CONTENT).where(CONTENT.c.id.in_(part), CONTENT.c.id.not_in(still_used)))
