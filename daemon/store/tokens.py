"""API tokens: their digests. They are few and asked for at every request, so they are also kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from daemon.store.encoding import from_ms
from daemon.store.tables_state import TOKEN
from daemon.store.transactions import StateTx
from daemon.store.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One token: the SHA-256 of its text, and what it may do."""

    name: str
    sha256: bytes
    scope: str = "admin"
    created_at: float


class TokenRoom:
    """Tokens by name. Reading does no I/O."""

    def __init__(self, writer: Writer, stored: Sequence[TokenRecord]) -> None:
        self._writer: Final = writer
        self._records = {record.name: record for record in stored}

    @property
    def known(self) -> tuple[TokenRecord, ...]:
        """All tokens. No I/O: this is what each request asks."""
        return tuple(self._records.values())

    async def list(self) -> tuple[TokenRecord, ...]:
        """All tokens, by name."""
        return tuple(sorted(self._records.values(), key=lambda record: record.name))

    async def put(self, name: str, sha256: bytes, *, scope: str = "admin") -> TokenRecord:
        """The token as it is kept; one of the same name is replaced."""
        standing = self._records.get(name)
        if standing is not None and (standing.sha256, standing.scope) == (sha256, scope):
            return standing

        def work(tx: StateTx) -> TokenRecord:
            tx.connection.execute(
                insert(TOKEN)
                .prefix_with("OR REPLACE")
                .values(name=name, sha256=sha256, scope=scope, created_at_ms=tx.now_ms)
            )
            record = TokenRecord(name=name, sha256=sha256, scope=scope, created_at=from_ms(tx.now_ms))
            tx.after_commit(lambda: self._records.update({name: record}))
            return record

        return await self._writer.state(work)

    async def remove(self, name: str) -> None:
        """Forget the token; an unknown one counts as forgotten."""

        def work(tx: StateTx) -> None:
            tx.connection.execute(delete(TOKEN).where(TOKEN.c.name == name))
            tx.after_commit(lambda: self._records.pop(name, None))

        await self._writer.state(work)


def load_tokens(connection: Connection) -> tuple[TokenRecord, ...]:
    """All tokens, as read when the store is opened."""
    return tuple(
        TokenRecord(name=row.name, sha256=row.sha256, scope=row.scope, created_at=from_ms(row.created_at_ms))
        for row in connection.execute(select(TOKEN).order_by(TOKEN.c.name))
    )
