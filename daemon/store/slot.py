"""One database in the writer's hands: its connection, and whether that can still be believed."""

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from daemon.model.errors import StoreError
from daemon.store.database import connect, disconnect, is_sound


class Slot:
    """A file and the writer's connection to it."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self._connection: Connection | None = connection
        self.damage: StoreError | None = None

    def connection(self) -> Connection:
        """The connection, opened anew and checked where it was distrusted; raises StoreError."""
        if self.damage is not None:
            raise self.damage
        if self._connection is None:
            self._connection = connect(self.path, is_writer=True)
            if not is_sound(self._connection):
                self.damage = StoreError(
                    f"{self.path.name} is damaged",
                    reason="store_damaged",
                    remedy="restart: a damaged database is set aside and made anew",
                )
                raise self.damage
        return self._connection

    def distrust(self) -> None:
        """Close what can no longer be believed; the next use opens it anew and checks it."""
        if self._connection is not None:
            disconnect(self._connection)
            self._connection = None


def is_undone(connection: Connection) -> bool:
    """Whether the transaction could be rolled back."""
    try:
        connection.rollback()
    except DBAPIError:
        return False
    return True
