"""Rows of UIDs that have no message here: those that could not be fetched, and those left out by decision.

Both keep what is below a mailbox's marks accounted for (sync.md 5, 20). Runs in the writer's index transaction.
"""

from collections.abc import Mapping

from sqlalchemy import insert, select, update

from daemon.model.flags import FlagSet
from daemon.model.ids import Uid, UidValidity
from daemon.model.views import BaseState
from daemon.store.encoding import chunks, flags_to_text, to_ms
from daemon.store.tables_index import PLACEMENT
from daemon.store.transactions import IndexTx


def put_failed(  # noqa: PLR0917 - a place on the server and what is known of it
    tx: IndexTx,
    mailbox_id: int,
    uid_validity: UidValidity,
    uid: Uid,
    flags: FlagSet,
    reason: str,
    retry_at: float | None,
) -> None:
    """A UID that could not be fetched, with the time to try again; one whose message is here stays as it is."""
    values = {
        "state": BaseState.FAILED.value,
        "flags": flags_to_text(flags),
        "reason": reason,
        "retry_at_ms": to_ms(retry_at) if retry_at is not None else None,
    }
    row = tx.connection.execute(
        select(PLACEMENT.c.id, PLACEMENT.c.state).where(
            PLACEMENT.c.mailbox_id == mailbox_id,
            PLACEMENT.c.uid_validity == uid_validity,
            PLACEMENT.c.uid == uid,
        )
    ).first()
    if row is None:
        tx.connection.execute(
            insert(PLACEMENT).values(mailbox_id=mailbox_id, uid_validity=uid_validity, uid=uid, **values)
        )
    elif row.state == BaseState.FAILED.value:
        tx.connection.execute(update(PLACEMENT).where(PLACEMENT.c.id == row.id).values(values))


def put_marked(
    tx: IndexTx, mailbox_id: int, uid_validity: UidValidity, marked: Mapping[Uid, FlagSet]
) -> None:
    """UIDs that are absent here by decision; one that has a row stays as it is."""
    for part in chunks(marked):
        known = tx.connection.execute(
            select(PLACEMENT.c.uid).where(
                PLACEMENT.c.mailbox_id == mailbox_id,
                PLACEMENT.c.uid_validity == uid_validity,
                PLACEMENT.c.uid.in_(part),
            )
        )
        rows = [
            {
                "mailbox_id": mailbox_id,
                "uid_validity": uid_validity,
                "uid": uid,
                "state": BaseState.MARKED.value,
                "flags": flags_to_text(marked[uid]),
            }
            for uid in sorted(set(part).difference(known.scalars()))
        ]
        if rows:
            tx.connection.execute(insert(PLACEMENT), rows)
