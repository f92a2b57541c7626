"""Messages as the API shows them: pages of listings, and single ones."""

import heapq
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, Select, func, select, text, tuple_

from daemon.model.envelope import Content, Envelope
from daemon.model.errors import NotFound
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, Uid, is_hex_id
from daemon.model.message import Message, MessagePage, MessageQuery
from daemon.model.views import BaseState
from daemon.store.encoding import chunks, flags_from_text, id_from_bytes, id_to_bytes
from daemon.store.mailboxes import find_mailbox
from daemon.store.readers import Readers
from daemon.store.tables_index import CONTENT, MAILBOX, MESSAGE, PLACEMENT

MOST_ITEMS: Final = 1000

# Written out, not bound: SQLite chooses a partial index only for conditions it can read.
_IS_SHOWN: Final = text("message.is_hidden = 0")
_IS_UNREAD: Final = text("message.is_unread = 1")
_IS_READ: Final = text("message.is_unread = 0")

_WHOLE: Final = select(
    MESSAGE.c.id,
    MESSAGE.c.account,
    MESSAGE.c.maildir_name,
    MESSAGE.c.flags,
    MESSAGE.c.is_hidden,
    MESSAGE.c.internal_date,
    MAILBOX.c.name.label("mailbox"),
    MAILBOX.c.directory,
    MAILBOX.c.uid_validity.label("mailbox_validity"),
    PLACEMENT.c.uid,
    PLACEMENT.c.uid_validity,
    PLACEMENT.c.state,
    *(column for column in CONTENT.columns if column.name != "id"),
).select_from(
    MESSAGE.join(MAILBOX, MAILBOX.c.id == MESSAGE.c.mailbox_id)
    .join(CONTENT, CONTENT.c.id == MESSAGE.c.content_id)
    .outerjoin(PLACEMENT, PLACEMENT.c.message_id == MESSAGE.c.id)
)


_ALIKE: Final = select(
    MESSAGE.c.id, MAILBOX.c.name, MESSAGE.c.internal_date, CONTENT.c.file_size, CONTENT.c.wire_size
).select_from(
    MESSAGE.join(MAILBOX, MAILBOX.c.id == MESSAGE.c.mailbox_id).join(
        CONTENT, CONTENT.c.id == MESSAGE.c.content_id
    )
)


class MessageRoom:
    """Reading messages; what changes them is in `base`, `operations` and `tombstones`."""

    def __init__(self, readers: Readers) -> None:
        self._readers: Final = readers

    async def page(self, query: MessageQuery) -> MessagePage:
        """Messages of one page, newest first, hidden ones left out; an unknown account or mailbox has none."""
        return await self._readers.index(lambda connection: _page(connection, query))

    async def get(self, message_id: MessageId) -> Message:
        """The message, hidden or not; raises NotFound."""
        if is_hex_id(message_id):
            raw = id_to_bytes(message_id)
            row = await self._readers.index(
                lambda connection: connection.execute(_WHOLE.where(MESSAGE.c.id == raw)).mappings().first()
            )
            if row is not None:
                return _message_of(row)
        raise NotFound("no such message", reason="message_unknown")

    async def get_many(self, message_ids: Collection[MessageId]) -> Mapping[MessageId, Message]:
        """These messages by id, hidden or not; unknown ones are left out."""

        def query(connection: Connection) -> dict[MessageId, Message]:
            found: dict[MessageId, Message] = {}
            for part in chunks(map(id_to_bytes, message_ids)):
                for row in connection.execute(_WHOLE.where(MESSAGE.c.id.in_(part))).mappings():
                    message = _message_of(row)
                    found[message.id] = message
            return found

        return await self._readers.index(query)

    async def alike(
        self, account: AccountId, keys: Collection[tuple[int, int]]
    ) -> Mapping[MailboxName, frozenset[MessageId]]:
        """Messages with one of these internal dates and sizes (of file or wire form), by mailbox: perhaps the same."""
        sizes: dict[int, set[int]] = {}
        for date, size in keys:
            sizes.setdefault(date, set()).add(size)

        def query(connection: Connection) -> dict[MailboxName, frozenset[MessageId]]:
            found: dict[MailboxName, set[MessageId]] = {}
            for part in chunks(sizes):
                rows = connection.execute(
                    _ALIKE.where(MESSAGE.c.account == account, MESSAGE.c.internal_date.in_(part))
                )
                for row in rows:
                    if not sizes[row.internal_date].isdisjoint((row.file_size, row.wire_size)):
                        found.setdefault(MailboxName(row.name), set()).add(id_from_bytes(row.id))
            return {mailbox: frozenset(ids) for mailbox, ids in found.items()}

        return await self._readers.index(query)

    async def octets_elsewhere(
        self, account: AccountId, mailbox: MailboxName, digests: Collection[bytes]
    ) -> frozenset[bytes]:
        """Those of the digests of files that messages in the account's other mailboxes have."""

        def query(connection: Connection) -> frozenset[bytes]:
            here = select(MAILBOX.c.id).where(MAILBOX.c.account == account, MAILBOX.c.name == mailbox)
            return frozenset(
                digest
                for part in chunks(digests)
                for digest in connection.execute(
                    select(CONTENT.c.file_sha256)
                    .select_from(CONTENT.join(MESSAGE, MESSAGE.c.content_id == CONTENT.c.id))
                    .where(
                        CONTENT.c.file_sha256.in_(part),
                        MESSAGE.c.account == account,
                        MESSAGE.c.mailbox_id.not_in(here),
                    )
                ).scalars()
            )

        return await self._readers.index(query) if digests else frozenset()

    async def names_elsewhere(
        self, account: AccountId, mailbox: MailboxName, maildir_names: Collection[MaildirName]
    ) -> frozenset[MaildirName]:
        """Those of the unique names that files of the account's other mailboxes have."""

        def query(connection: Connection) -> frozenset[MaildirName]:
            others = (
                connection.execute(
                    select(MAILBOX.c.id).where(MAILBOX.c.account == account, MAILBOX.c.name != mailbox)
                )
                .scalars()
                .all()
            )
            return frozenset(
                MaildirName(name)
                for part in chunks(maildir_names)
                for few in chunks(others)
                for name in connection.execute(
                    select(MESSAGE.c.maildir_name).where(
                        MESSAGE.c.mailbox_id.in_(few), MESSAGE.c.maildir_name.in_(part)
                    )
                ).scalars()
            )

        return await self._readers.index(query) if maildir_names else frozenset()

    async def arrivals(self, account: AccountId, since: int) -> Mapping[MailboxName, int]:
        """How many messages of each mailbox have an internal date from `since` on; mailboxes without any are left out.

        Costs a walk over those messages, not over all: the index on (account, internal date) finds them.
        """
        counted = (
            select(MAILBOX.c.name, func.count())
            .join_from(MESSAGE, MAILBOX, MAILBOX.c.id == MESSAGE.c.mailbox_id)
            .where(MESSAGE.c.account == account, MESSAGE.c.internal_date >= since)
            .group_by(MAILBOX.c.name)
        )
        return await self._readers.index(
            lambda connection: {MailboxName(row[0]): int(row[1]) for row in connection.execute(counted)}
        )

    async def by_name(
        self, account: AccountId, mailbox: MailboxName, maildir_name: MaildirName
    ) -> Message | None:
        """The message whose file has that unique name in that mailbox."""

        def query(connection: Connection) -> Message | None:
            mailbox_id = find_mailbox(connection, account, mailbox)
            row = (
                connection.execute(
                    _WHOLE.where(MESSAGE.c.mailbox_id == mailbox_id, MESSAGE.c.maildir_name == maildir_name)
                )
                .mappings()
                .first()
            )
            return _message_of(row) if row is not None else None

        return await self._readers.index(query)


def _page(connection: Connection, query: MessageQuery) -> MessagePage:
    limit = max(1, min(query.limit, MOST_ITEMS))
    keys = _keys(connection, query, limit + 1)
    shown = keys[:limit]
    if not shown:
        return MessagePage(items=(), next_after=None)
    rows = connection.execute(_WHOLE.where(MESSAGE.c.id.in_([raw for _, raw in shown])))
    messages = {row["id"]: _message_of(row) for row in rows.mappings()}
    last_date, last_id = shown[-1]
    return MessagePage(
        items=tuple(messages[raw] for _, raw in shown),
        next_after=(last_date, id_from_bytes(last_id)) if len(keys) > limit else None,
    )


def _keys(connection: Connection, query: MessageQuery, limit: int) -> Sequence[tuple[int, bytes]]:
    """Date and id of the next `limit` messages. Each statement walks one index and stops after `limit` rows."""
    if query.mailbox is not None:
        accounts = [query.account] if query.account is not None else _accounts(connection)
        found = [find_mailbox(connection, account, query.mailbox) for account in accounts]
        places = [MESSAGE.c.mailbox_id == number for number in found if number is not None]
    elif query.account is not None:
        places = [MESSAGE.c.account == query.account]
    else:  # accounts are few: merging theirs spares every insertion one more index
        places = [MESSAGE.c.account == account for account in _accounts(connection)]
    lists = [
        [(row[0], row[1]) for row in connection.execute(_key_statement(query, limit).where(place))]
        for place in places
    ]
    if len(lists) == 1:
        return lists[0]
    return list(heapq.merge(*lists, reverse=True))[:limit]


def _key_statement(query: MessageQuery, limit: int) -> Select[int, bytes]:
    statement = (
        select(MESSAGE.c.internal_date, MESSAGE.c.id)
        .where(_IS_SHOWN)
        .order_by(MESSAGE.c.internal_date.desc(), MESSAGE.c.id.desc())
        .limit(limit)
    )
    if query.unread is not None:
        statement = statement.where(_IS_UNREAD if query.unread else _IS_READ)
    if query.after is not None:
        date, message_id = query.after
        statement = statement.where(
            tuple_(MESSAGE.c.internal_date, MESSAGE.c.id) < (date, id_to_bytes(message_id))
        )
    return statement


def _accounts(connection: Connection) -> list[AccountId]:
    return [AccountId(name) for name in connection.execute(select(MAILBOX.c.account).distinct()).scalars()]


def _message_of(row: RowMapping) -> Message:
    has_uid = row["uid"] is not None and row["uid_validity"] == row["mailbox_validity"]
    return Message(
        id=id_from_bytes(row["id"]),
        account=AccountId(row["account"]),
        mailbox=MailboxName(row["mailbox"]),
        directory=row["directory"],
        maildir_name=MaildirName(row["maildir_name"]),
        uid=Uid(row["uid"]) if has_uid else None,
        flags=flags_from_text(row["flags"]),
        internal_date=row["internal_date"],
        content=Content(
            file_size=row["file_size"],
            file_sha256=row["file_sha256"],
            wire_size=row["wire_size"],
            wire_sha256=row["wire_sha256"] if row["wire_sha256"] is not None else row["file_sha256"],
            header_sha256=row["header_sha256"],
            envelope=Envelope(
                subject=row["subject"],
                sender=row["sender"],
                recipients=row["recipients"],
                message_id_header=row["message_id_header"],
                date_header=row["date_header"],
                is_limited=row["is_limited"],
            ),
        ),
        is_hidden=row["is_hidden"],
        is_unmatched=row["state"] == BaseState.UNMATCHED,
    )
