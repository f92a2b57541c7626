"""The server's own names for octets: which message has which, and which messages have one (RFC 8474 §5.1, X-GM-MSGID).

Two messages of one account with one such name have the same octets, in whatever mailboxes they lie.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from daemon.model.ids import AccountId, MessageId
from daemon.store.encoding import chunks, id_from_bytes, id_to_bytes
from daemon.store.readers import Readers
from daemon.store.tables_index import EMAIL_ID
from daemon.store.transactions import IndexTx

_PUT = sqlite_insert(EMAIL_ID)
_PUT = _PUT.on_conflict_do_update(
    index_elements=["message_id"],
    set_={"account": _PUT.excluded.account, "email_id": _PUT.excluded.email_id},
    where=_PUT.excluded.email_id != EMAIL_ID.c.email_id,
)


class EmailIdRoom:
    """Reading these names; they are written with the messages."""

    def __init__(self, readers: Readers) -> None:
        self._readers: Final = readers

    async def of(self, message_ids: Collection[MessageId]) -> Mapping[MessageId, str]:
        """The names of these messages, as far as they are known."""

        def query(connection: Connection) -> dict[MessageId, str]:
            found: dict[MessageId, str] = {}
            for part in chunks(map(id_to_bytes, message_ids)):
                rows = connection.execute(
                    select(EMAIL_ID.c.message_id, EMAIL_ID.c.email_id).where(EMAIL_ID.c.message_id.in_(part))
                )
                found.update((id_from_bytes(row.message_id), row.email_id) for row in rows)
            return found

        return await self._readers.index(query)

    async def holders(self, account: AccountId, email_ids: Collection[str]) -> Mapping[str, MessageId]:
        """For each of these names one message of the account that has it; names nobody has are left out."""

        def query(connection: Connection) -> dict[str, MessageId]:
            found: dict[str, MessageId] = {}
            for part in chunks(email_ids):
                rows = connection.execute(
                    select(EMAIL_ID.c.email_id, EMAIL_ID.c.message_id).where(
                        EMAIL_ID.c.account == account, EMAIL_ID.c.email_id.in_(part)
                    )
                )
                found.update((row.email_id, id_from_bytes(row.message_id)) for row in rows)
            return found

        return await self._readers.index(query)


def put_email_ids(tx: IndexTx, account: AccountId, email_ids: Mapping[bytes, str]) -> None:
    """These messages have these names."""
    for part in chunks(email_ids.items()):
        tx.connection.execute(
            _PUT, [{"message_id": raw, "account": account, "email_id": name} for raw, name in part]
        )
