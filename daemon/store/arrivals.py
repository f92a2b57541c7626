"""Arrivals written: content, message and placement rows of one batch. Runs in the writer's index transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from daemon.model.envelope import Content
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import SEEN, FlagSet
from daemon.model.ids import AccountId, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.operations import OperationKind
from daemon.model.views import BaseState
from daemon.store.email_ids import put_email_ids
from daemon.store.encoding import chunks, flags_from_text, flags_to_text, id_from_bytes, id_to_bytes
from daemon.store.message_rows import drop_unused_contents
from daemon.store.tables_index import CONTENT, MESSAGE, PLACEMENT
from daemon.store.tables_state import IS_PENDING, OPERATION
from daemon.store.transactions import IndexTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message whose file is durably in place. `flags` are the file's, `base_flags` what both sides have (None: the
    same). `uid` is None where the server did not say it; `email_id` likewise, and what was known of it stays known.
    """

    message_id: MessageId
    uid: Uid | None
    maildir_name: MaildirName
    flags: FlagSet
    base_flags: FlagSet | None = None
    content: Content
    internal_date: int
    mod_seq: ModSeq | None = None
    state: BaseState = BaseState.SYNCED
    email_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A message row as it was before."""

    mailbox_id: int
    content_id: int
    is_unread: bool
    is_hidden: bool


_PUT_MESSAGE = sqlite_insert(MESSAGE)
_PUT_MESSAGE = _PUT_MESSAGE.on_conflict_do_update(
    index_elements=["id"],
    set_={
        name: _PUT_MESSAGE.excluded[name]
        for name in (
            "mailbox_id",
            "account",
            "maildir_name",
            "content_id",
            "flags",
            "is_unread",
            "internal_date",
        )
    },
)
_PUT_CONTENT: Final = sqlite_insert(CONTENT).on_conflict_do_nothing(index_elements=["file_sha256"])


class ArrivalWriter:
    """One batch for one mailbox; see `BaseRoom.confirm`."""

    def __init__(
        self, tx: IndexTx, account: AccountId, mailbox_id: int, uid_validity: UidValidity | None
    ) -> None:
        self._tx = tx
        self._account = account
        self._mailbox_id = mailbox_id
        self._uid_validity = uid_validity

    def write(self, arrivals: Sequence[Arrival], events: Sequence[NewEvent]) -> frozenset[MessageId]:
        """Ids of arrivals that were not taken; the rest is written, with its events."""
        refused: set[MessageId] = set()
        old: set[MessageId] = set()
        for part in chunks(arrivals):
            self._write_part(part, refused, old)
        self._tx.add_events(
            [
                event
                for event in events
                if event.message_id not in refused
                and not (event.name is EventName.MESSAGE_NEW and event.message_id in old)
            ]
        )
        return frozenset(refused)

    def _write_part(self, arrivals: Sequence[Arrival], refused: set[MessageId], old: set[MessageId]) -> None:
        by_name = self._ids_by_name(arrivals)
        by_uid = self._ids_by_uid(arrivals)
        taken: dict[bytes, Arrival] = {}
        for arrival in arrivals:
            raw = by_name.get(arrival.maildir_name, id_to_bytes(arrival.message_id))
            if arrival.uid is not None and by_uid.setdefault(arrival.uid, raw) != raw:
                refused.add(arrival.message_id)
                continue
            if raw != id_to_bytes(arrival.message_id):
                old.add(arrival.message_id)
            taken[raw] = arrival
        known = self._known(taken)
        old.update(map(id_from_bytes, known))
        self._put_messages(taken, known)
        self._put_placements(taken)
        put_email_ids(
            self._tx,
            self._account,
            {raw: arrival.email_id for raw, arrival in taken.items() if arrival.email_id is not None},
        )

    def _ids_by_name(self, arrivals: Sequence[Arrival]) -> dict[str, bytes]:
        rows = self._tx.connection.execute(
            select(MESSAGE.c.maildir_name, MESSAGE.c.id).where(
                MESSAGE.c.mailbox_id == self._mailbox_id,
                MESSAGE.c.maildir_name.in_([arrival.maildir_name for arrival in arrivals]),
            )
        )
        return {row[0]: row[1] for row in rows}

    def _ids_by_uid(self, arrivals: Sequence[Arrival]) -> dict[int, bytes]:
        """Which messages that are here hold the UIDs."""
        rows = self._tx.connection.execute(
            select(PLACEMENT.c.uid, PLACEMENT.c.message_id)
            .select_from(PLACEMENT.join(MESSAGE, MESSAGE.c.id == PLACEMENT.c.message_id))
            .where(
                PLACEMENT.c.mailbox_id == self._mailbox_id,
                PLACEMENT.c.uid_validity == self._uid_validity,
                PLACEMENT.c.uid.in_([arrival.uid for arrival in arrivals if arrival.uid is not None]),
            )
        )
        return {row[0]: row[1] for row in rows}

    def _known(self, taken: Mapping[bytes, Arrival]) -> dict[bytes, _Known]:
        rows = self._tx.connection.execute(
            select(
                MESSAGE.c.id,
                MESSAGE.c.mailbox_id,
                MESSAGE.c.content_id,
                MESSAGE.c.is_unread,
                MESSAGE.c.is_hidden,
            ).where(MESSAGE.c.id.in_(list(taken)))
        )
        return {row[0]: _Known(*row[1:]) for row in rows}

    def _put_messages(self, taken: Mapping[bytes, Arrival], known: Mapping[bytes, _Known]) -> None:
        content_ids = self._put_contents([arrival.content for arrival in taken.values()])
        wishes = self._pending_wishes([raw for raw in taken if raw not in known])
        rows: list[dict[str, Any]] = []
        for raw, arrival in taken.items():
            before = known.get(raw)
            is_hidden, add, remove = wishes.get(raw, (False, frozenset(), frozenset()))
            flags = (arrival.flags | add) - remove
            is_unread = SEEN not in flags
            rows.append(
                {
                    "id": raw,
                    "mailbox_id": self._mailbox_id,
                    "account": self._account,
                    "maildir_name": arrival.maildir_name,
                    "content_id": content_ids[arrival.content.file_sha256],
                    "flags": flags_to_text(flags),
                    "is_unread": is_unread,
                    "is_hidden": is_hidden,
                    "internal_date": arrival.internal_date,
                }
            )
            if before is not None and not before.is_hidden:
                self._tx.shift(before.mailbox_id, -1, -before.is_unread)
            if not (before.is_hidden if before is not None else is_hidden):
                self._tx.shift(self._mailbox_id, 1, is_unread)
        if rows:
            self._tx.connection.execute(_PUT_MESSAGE, rows)
        replaced = {row.content_id for row in known.values()} - set(content_ids.values())
        if replaced:
            drop_unused_contents(self._tx, replaced)

    def _put_contents(self, contents: Sequence[Content]) -> dict[bytes, int]:
        """Row numbers by digest; contents that are there already are not written again."""
        unique = {content.file_sha256: content for content in contents}
        found = self._content_ids(list(unique))
        missing = [_content_values(content) for digest, content in unique.items() if digest not in found]
        if missing:
            self._tx.connection.execute(_PUT_CONTENT, missing)
            found.update(self._content_ids([values["file_sha256"] for values in missing]))
        return found

    def _content_ids(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        rows = self._tx.connection.execute(
            select(CONTENT.c.file_sha256, CONTENT.c.id).where(CONTENT.c.file_sha256.in_(digests))
        )
        return {row[0]: row[1] for row in rows}

    def _pending_wishes(self, ids: Sequence[bytes]) -> dict[bytes, tuple[bool, FlagSet, FlagSet]]:
        """What people have asked for messages that are coming back, as they do after the index was lost."""
        rows = self._tx.state.execute(
            select(
                OPERATION.c.message_id, OPERATION.c.kind, OPERATION.c.add_flags, OPERATION.c.remove_flags
            ).where(IS_PENDING, OPERATION.c.message_id.in_(ids))
        ).all()
        self._tx.state.rollback()
        return {
            row.message_id: (
                row.kind == OperationKind.DELETE,
                flags_from_text(row.add_flags),
                flags_from_text(row.remove_flags),
            )
            for row in rows
        }

    def _put_placements(self, taken: Mapping[bytes, Arrival]) -> None:
        connection = self._tx.connection
        connection.execute(delete(PLACEMENT).where(PLACEMENT.c.message_id.in_(list(taken))))
        uids = [arrival.uid for arrival in taken.values() if arrival.uid is not None]
        if uids:  # what is left at these UIDs failed before, or was marked and has come back
            connection.execute(
                delete(PLACEMENT).where(
                    PLACEMENT.c.mailbox_id == self._mailbox_id,
                    PLACEMENT.c.uid_validity == self._uid_validity,
                    PLACEMENT.c.uid.in_(uids),
                )
            )
        rows = [
            {
                "mailbox_id": self._mailbox_id,
                "uid_validity": self._uid_validity if arrival.uid is not None else None,
                "uid": arrival.uid,
                "message_id": raw,
                "state": arrival.state.value,
                "flags": flags_to_text(
                    arrival.base_flags if arrival.base_flags is not None else arrival.flags
                ),
                "mod_seq": arrival.mod_seq,
            }
            for raw, arrival in taken.items()
        ]
        if rows:
            connection.execute(insert(PLACEMENT), rows)


def _content_values(content: Content) -> dict[str, Any]:
    envelope = content.envelope
    is_same = content.wire_size == content.file_size and content.wire_sha256 == content.file_sha256
    return {
        "file_sha256": content.file_sha256,
        "file_size": content.file_size,
        "wire_size": content.wire_size,
        "wire_sha256": None if is_same else content.wire_sha256,
        "header_sha256": content.header_sha256,
        "subject": envelope.subject,
        "sender": envelope.sender,
        "recipients": envelope.recipients,
        "message_id_header": envelope.message_id_header,
        "date_header": envelope.date_header,
        "is_limited": envelope.is_limited,
    }
