"""Reading: two threads, each with connections of its own, that never wait for the writer nor hold it up.

A query runs in one snapshot. In WAL mode a reader sees the last commit; the writer's futures resolve after theirs, so
whoever awaited a write reads what it wrote.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from daemon.store.database import connect, disconnect, needs_reopening, store_error
from daemon.store.pools import Pools

R = TypeVar("R")


@dataclass(slots=True)
class _Open:
    """The connections of one thread, by file."""

    connections: dict[Path, Connection] = field(default_factory=dict)


class Readers:
    """Queries on both databases, in the pool `readers`."""

    def __init__(self, pools: Pools, index_path: Path, state_path: Path) -> None:
        self._pools = pools
        self._index_path = index_path
        self._state_path = state_path
        self._local = threading.local()
        self._opened: list[_Open] = []
        self.has_found_damage = False

    async def index(self, query: Callable[[Connection], R]) -> R:
        """What `query` returns for the index. Raises StoreError."""
        return await self._pools.run("readers", self._read, self._index_path, query)

    async def state(self, query: Callable[[Connection], R]) -> R:
        """What `query` returns for the state database. Raises StoreError."""
        return await self._pools.run("readers", self._read, self._state_path, query)

    def close(self) -> None:
        """Connections closed; call after the pool has ended and before the writer closes."""
        for mine in self._opened:
            for connection in mine.connections.values():
                disconnect(connection)
        self._opened.clear()

    def _read(self, path: Path, query: Callable[[Connection], R]) -> R:
        mine = getattr(self._local, "open", None)
        if mine is None:
            mine = self._local.open = _Open()
            self._opened.append(mine)
        connection = mine.connections.get(path)
        if connection is None:
            connection = mine.connections[path] = connect(path, is_writer=False)
        try:
            connection.exec_driver_sql("BEGIN")
            try:
                return query(connection)
            finally:
                connection.rollback()
        except DBAPIError as error:
            if needs_reopening(error):
                self.has_found_damage = True
                disconnect(mine.connections.pop(path))
            raise store_error(error, path) from error
