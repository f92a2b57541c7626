"""The maildrops of POP3 accounts: what was seen there, and what it became here.

Nothing here decides whether two are the same message; `sync.maildrop_plan` does. Rows are never removed by their
disappearance from a listing: they are marked as gone, and pruned after a time that the caller names (sync.md 25). Those
that went because we had them deleted lose only their unique id then: that their octets have left the maildrop stays known.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from daemon.model.ids import AccountId, MessageId
from daemon.model.maildrop import Sighting
from daemon.store.encoding import chunks, from_ms, id_from_bytes, id_to_bytes, to_ms
from daemon.store.readers import Readers
from daemon.store.tables_index import CONTENT, MESSAGE
from daemon.store.tables_state import MAILDROP, TOMBSTONE
from daemon.store.transactions import StateTx
from daemon.store.writer import Writer

R = TypeVar("R")


class SightingKey(NamedTuple):
    """What a listing is compared with: the row's number, and what was listed."""

    number: int
    uidl: str | None
    size: int | None


class MaildropRoom:
    """Sightings of all accounts; each call names one."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer: Final = writer
        self._readers: Final = readers
        self._revisions: Counter[AccountId] = Counter()

    def revision(self, account: AccountId) -> int:
        """A number that is another one after every change of the account's sightings, in this process."""
        return self._revisions[account]

    async def _write(self, account: AccountId, work: Callable[[StateTx], R]) -> R:
        """Have the writer do it. The revision is another before, when it is durable, and however it ends."""
        self._note_change(account)

        def noted(tx: StateTx) -> R:
            tx.after_commit(lambda: self._note_change(account))
            return work(tx)

        try:
            return await self._writer.state(noted)
        finally:
            self._note_change(account)

    def _note_change(self, account: AccountId) -> None:
        self._revisions[account] += 1

    async def compare(self, account: AccountId, consume: Callable[[Iterable[SightingKey]], R]) -> R:
        """What `consume` makes of the account's keys that the last listing had, oldest first.

        Nothing is known by what is gone: servers give unique ids of deleted messages to new ones.
        They are handed over one by one, in a reader's thread: a maildrop may hold hundreds of thousands.
        """
        keys = (
            select(MAILDROP.c.number, MAILDROP.c.uidl, MAILDROP.c.size)
            .where(MAILDROP.c.account == account, MAILDROP.c.gone_at_ms.is_(None))
            .order_by(MAILDROP.c.number)
        )

        def query(connection: Connection) -> R:
            rows = connection.execute(keys)
            return consume(SightingKey(*row) for row in rows)

        return await self._readers.state(query)

    async def get_many(self, numbers: Collection[int]) -> tuple[Sighting, ...]:
        """The sightings of these rows; unknown ones are left out."""

        def query(connection: Connection) -> tuple[Sighting, ...]:
            found: list[Sighting] = []
            for part in chunks(numbers):
                rows = connection.execute(select(MAILDROP).where(MAILDROP.c.number.in_(part)))
                found.extend(_sighting_of(row) for row in rows.mappings())
            return tuple(found)

        return await self._readers.state(query)

    async def with_digests(self, account: AccountId, digests: Collection[bytes]) -> tuple[Sighting, ...]:
        """All sightings of messages with these octets, oldest first."""

        def query(connection: Connection) -> tuple[Sighting, ...]:
            found: list[Sighting] = []
            for part in chunks(digests):
                rows = connection.execute(
                    select(MAILDROP)
                    .where(MAILDROP.c.account == account, MAILDROP.c.sha256.in_(part))
                    .order_by(MAILDROP.c.number)
                )
                found.extend(_sighting_of(row) for row in rows.mappings())
            return tuple(found)

        return await self._readers.state(query)

    async def unseen_holders(
        self, account: AccountId, digests: Collection[bytes], *, deleted_since: float
    ) -> Mapping[bytes, tuple[MessageId, ...]]:
        """Messages of the account with these octets that no sighting names: stored, or removed by decision since then.

        A stop between storing a message and noting where it came from leaves such.
        """

        def stored(connection: Connection) -> list[tuple[bytes, bytes]]:
            found: list[tuple[bytes, bytes]] = []
            for part in chunks(digests):
                rows = connection.execute(
                    select(CONTENT.c.file_sha256, MESSAGE.c.id)
                    .select_from(MESSAGE.join(CONTENT, CONTENT.c.id == MESSAGE.c.content_id))
                    .where(MESSAGE.c.account == account, CONTENT.c.file_sha256.in_(part))
                )
                found.extend((row[0], row[1]) for row in rows)
            return found

        def unseen(
            connection: Connection, holders: list[tuple[bytes, bytes]]
        ) -> Mapping[bytes, tuple[MessageId, ...]]:
            for part in chunks(digests):
                rows = connection.execute(
                    select(TOMBSTONE.c.file_sha256, TOMBSTONE.c.message_id).where(
                        TOMBSTONE.c.account == account,
                        TOMBSTONE.c.file_sha256.in_(part),
                        TOMBSTONE.c.at_ms >= to_ms(deleted_since),
                    )
                )
                holders.extend((row[0], row[1]) for row in rows)
            seen: set[bytes] = set()
            for some in chunks({raw for _, raw in holders}):
                seen.update(
                    connection.execute(
                        select(MAILDROP.c.message_id).where(
                            MAILDROP.c.account == account, MAILDROP.c.message_id.in_(some)
                        )
                    ).scalars()
                )
            found: dict[bytes, list[MessageId]] = {}
            for digest, raw in dict.fromkeys(holders):
                if raw not in seen:
                    found.setdefault(digest, []).append(id_from_bytes(raw))
            return {digest: tuple(ids) for digest, ids in found.items()}

        holders = await self._readers.index(stored)
        return await self._readers.state(lambda connection: unseen(connection, holders))

    async def due(self, account: AccountId, seen_before: float) -> frozenset[int]:
        """Rows of messages in the maildrop with a unique id that were first seen at that time or earlier."""

        def query(connection: Connection) -> frozenset[int]:
            return frozenset(
                connection.execute(
                    select(MAILDROP.c.number).where(
                        MAILDROP.c.account == account,
                        MAILDROP.c.uidl.is_not(None),
                        MAILDROP.c.gone_at_ms.is_(None),
                        MAILDROP.c.first_seen_ms <= to_ms(seen_before),
                    )
                ).scalars()
            )

        return await self._readers.state(query)

    async def earliest(self, account: AccountId) -> float | None:
        """When the first of those that are in the maildrop was first seen; None where none is."""
        found = await self._readers.state(
            lambda connection: connection.execute(
                select(func.min(MAILDROP.c.first_seen_ms)).where(
                    MAILDROP.c.account == account, MAILDROP.c.gone_at_ms.is_(None)
                )
            ).scalar()
        )
        return from_ms(found) if found is not None else None

    async def count(self, account: AccountId) -> int:
        """How many sightings of the account are in the maildrop as it was last listed."""
        return await self._readers.state(
            lambda connection: connection.execute(
                select(func.count())
                .select_from(MAILDROP)
                .where(MAILDROP.c.account == account, MAILDROP.c.gone_at_ms.is_(None))
            ).scalar_one()
        )

    async def save(self, account: AccountId, sightings: Sequence[Sighting]) -> None:
        """Store new sightings, and those with a number as they are now."""
        fresh = [_values_of(account, one) for one in sightings if one.number is None]
        changed = [
            {"row_number": one.number, **_values_of(account, one)}
            for one in sightings
            if one.number is not None
        ]

        def work(tx: StateTx) -> None:
            if fresh:
                tx.connection.execute(insert(MAILDROP), fresh)
            if changed:
                tx.connection.execute(_CHANGE, changed)

        if fresh or changed:
            await self._write(account, work)

    async def note_gone(self, account: AccountId, numbers: Collection[int], at: float) -> None:
        """Mark what the listing has no more as gone since `at`, unless it is so already."""

        def work(tx: StateTx) -> None:
            for part in chunks(numbers):
                which = (
                    MAILDROP.c.account == account,
                    MAILDROP.c.number.in_(part),
                    MAILDROP.c.gone_at_ms.is_(None),
                )
                tx.connection.execute(update(MAILDROP).where(*which).values(gone_at_ms=to_ms(at)))

        if numbers:
            await self._write(account, work)

    async def note_removed(self, account: AccountId, numbers: Collection[int], at: float | None) -> None:
        """Mark what we are about to have deleted as gone since `at`, or as there after all (None)."""
        went = to_ms(at) if at is not None else None

        def work(tx: StateTx) -> None:
            for part in chunks(numbers):
                which = (MAILDROP.c.account == account, MAILDROP.c.number.in_(part))
                tx.connection.execute(
                    update(MAILDROP).where(*which).values(gone_at_ms=went, removed_at_ms=went)
                )

        if numbers:
            await self._write(account, work)

    async def shift_first_seen(self, account: AccountId, seconds: float, *, latest: float) -> None:
        """Have all sightings be first seen so much later (earlier, if negative), but at `latest` then."""

        def work(tx: StateTx) -> None:
            tx.connection.execute(
                update(MAILDROP)
                .where(MAILDROP.c.account == account)
                .values(
                    first_seen_ms=func.min(MAILDROP.c.first_seen_ms + round(seconds * 1000), to_ms(latest))
                )
            )

        await self._write(account, work)

    async def unname(self, account: AccountId, at: float) -> None:
        """Forget the unique ids: the maildrop is another one, where they mean nothing. The digests stay."""

        def work(tx: StateTx) -> None:
            tx.connection.execute(
                update(MAILDROP)
                .where(MAILDROP.c.account == account, MAILDROP.c.gone_at_ms.is_(None))
                .values(gone_at_ms=to_ms(at))
            )
            tx.connection.execute(
                update(MAILDROP).where(MAILDROP.c.account == account).values(uidl=None, size=None)
            )

        await self._write(account, work)

    async def forget(self, account: AccountId, message_ids: Collection[MessageId]) -> None:
        """Forget where these messages came from: what is still there comes down again."""

        def work(tx: StateTx) -> None:
            for part in chunks(message_ids):
                tx.connection.execute(
                    delete(MAILDROP).where(
                        MAILDROP.c.account == account,
                        MAILDROP.c.message_id.in_([id_to_bytes(message_id) for message_id in part]),
                    )
                )

        if message_ids:
            await self._write(account, work)

    async def prune(self, account: AccountId, gone_before: float) -> int:
        """How many sightings were forgotten, because they are gone since before that time.

        What we had deleted keeps its row without a unique id, else its message would seem to be one that came before its
        sighting could be noted (`unseen_holders`), and new mail with the same octets would pass for it.
        """
        long_gone = (MAILDROP.c.account == account, MAILDROP.c.gone_at_ms < to_ms(gone_before))
        forgettable = (*long_gone, or_(MAILDROP.c.removed_at_ms.is_(None), MAILDROP.c.uidl.is_not(None)))
        if not await self._readers.state(
            lambda connection: connection.execute(
                select(MAILDROP.c.number).where(*forgettable).limit(1)
            ).first()
        ):
            return 0

        def work(tx: StateTx) -> int:
            unnamed = tx.connection.execute(
                update(MAILDROP)
                .where(*long_gone, MAILDROP.c.removed_at_ms.is_not(None), MAILDROP.c.uidl.is_not(None))
                .values(uidl=None, size=None)
            ).rowcount
            dropped = tx.connection.execute(
                delete(MAILDROP).where(*long_gone, MAILDROP.c.removed_at_ms.is_(None))
            ).rowcount
            return unnamed + dropped

        return await self._write(account, work)


_CHANGE: Final = (
    update(MAILDROP)
    .where(MAILDROP.c.number == bindparam("row_number"))
    .values(
        {
            column.name: bindparam(column.name)
            for column in MAILDROP.columns
            if column.name not in {"number", "account"}
        }
    )
)


def _values_of(account: AccountId, one: Sighting) -> dict[str, Any]:
    return {
        "account": account,
        "uidl": one.uidl,
        "size": one.size,
        "sha256": one.sha256,
        "header_sha256": one.header_sha256,
        "message_id": id_to_bytes(one.message_id),
        "first_seen_ms": to_ms(one.first_seen),
        "gone_at_ms": to_ms(one.gone_at) if one.gone_at is not None else None,
        "removed_at_ms": to_ms(one.removed_at) if one.removed_at is not None else None,
    }


def _sighting_of(row: Mapping[Any, Any]) -> Sighting:
    return Sighting(
        number=row["number"],
        uidl=row["uidl"],
        size=row["size"],
        sha256=row["sha256"],
        header_sha256=row["header_sha256"],
        message_id=id_from_bytes(row["message_id"]),
        first_seen=from_ms(row["first_seen_ms"]),
        gone_at=from_ms(row["gone_at_ms"]) if row["gone_at_ms"] is not None else None,
        removed_at=from_ms(row["removed_at_ms"]) if row["removed_at_ms"] is not None else None,
    )
