"""Small facts that must survive: fingerprints of servers, failed logins, what a throttle said, stamps of directories."""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from daemon.model.ids import AccountId
from daemon.store.readers import Readers
from daemon.store.tables_state import FACT
from daemon.store.transactions import StateTx
from daemon.store.writer import Writer


class FactRoom:
    """Text under a key, of one account or of the store as a whole (None)."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer: Final = writer
        self._readers: Final = readers

    async def get(self, account: AccountId | None, key: str) -> str | None:
        """The text, or None where nothing was set."""
        return await self._readers.state(lambda connection: _get(connection, account, key))

    async def set(self, account: AccountId | None, key: str, value: str | None) -> None:
        """Keep the text, or forget it (None); nothing is written when it is there already."""

        def work(tx: StateTx) -> None:
            if _get(tx.connection, account, key) == value:
                return
            if value is None:
                tx.connection.execute(
                    delete(FACT).where(FACT.c.account == (account or ""), FACT.c.key == key)
                )
            else:
                tx.connection.execute(
                    insert(FACT).prefix_with("OR REPLACE").values(account=account or "", key=key, value=value)
                )

        await self._writer.state(work)


def _get(connection: Connection, account: AccountId | None, key: str) -> str | None:
    return connection.execute(
        select(FACT.c.value).where(FACT.c.account == (account or ""), FACT.c.key == key)
    ).scalar()
