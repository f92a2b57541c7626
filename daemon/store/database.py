"""Connections to the two SQLite files, and the one seam where SQLite's errors become ours.

Transactions are ours to open: `isolation_level=None` keeps sqlite3 from opening deferred ones that lose updates, and a
write begins with BEGIN IMMEDIATE. Only the writer checkpoints: readers switch automatic checkpoints off and are closed
first (SQLite before 3.51.3 can lose a WAL that two connections reset). Every commit is synced (synchronous=FULL).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, cast

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from daemon.model.errors import StoreError

BUSY_SECONDS: Final = 10  # only backup, restore and another process's sqlite3 shell ever wait for us
PRIMARY_CODE: Final = 0xFF  # an extended result code carries the primary one in its lowest byte

_WRITER_CACHE_KIB: Final = 1024
_READER_CACHE_KIB: Final = 1024
_CHECKPOINT_PAGES: Final = 4000  # 16 MiB: pages that one batch after another touches are written back once

_REASONS: Final = {
    sqlite3.SQLITE_FULL: ("disk_full", "free some space; the store goes on by itself"),
    sqlite3.SQLITE_READONLY: ("store_readonly", "make the store's directory writable"),
    sqlite3.SQLITE_PERM: ("store_readonly", "make the store's directory writable"),
    sqlite3.SQLITE_CORRUPT: ("store_damaged", "restart: a damaged database is set aside and made anew"),
    sqlite3.SQLITE_NOTADB: ("store_damaged", "restart: a damaged database is set aside and made anew"),
}
_UNTRUSTED: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def connect(path: Path, *, is_writer: bool) -> Connection:
    """An open connection; a writer's creates the file where it is missing. Raises StoreError."""

    def open_file() -> sqlite3.Connection:
        if is_writer:
            make_private(path)
        raw = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            if is_writer:
                raw.execute("PRAGMA journal_mode = WAL")
                raw.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            else:
                raw.execute("PRAGMA query_only = 1")
                raw.execute("PRAGMA wal_autocheckpoint = 0")
            raw.execute("PRAGMA synchronous = FULL")
            raw.execute(f"PRAGMA cache_size = {-(_WRITER_CACHE_KIB if is_writer else _READER_CACHE_KIB)}")
            raw.execute("PRAGMA mmap_size = 0")
            raw.execute("PRAGMA trusted_schema = 0")
        except BaseException:
            raw.close()
            raise
        return raw

    engine = create_engine(
        "sqlite://",
        creator=open_file,
        poolclass=NullPool,
        query_cache_size=200,
        hide_parameters=True,  # an error's text is logged; what people write in mail is not
    )
    with mapped(path):
        return engine.connect()


def make_private(path: Path) -> None:
    """See to it that the file is there and is nobody else's to read; SQLite gives -wal and -shm the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        return  # SQLite meets the same fault and says what it means


def raw_connection(connection: Connection) -> sqlite3.Connection:
    """sqlite3's own connection inside."""
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def disconnect(connection: Connection) -> None:
    """The connection closed, whatever state it is in."""
    with suppress(SQLAlchemyError, sqlite3.Error):
        connection.rollback()
    with suppress(SQLAlchemyError, sqlite3.Error):
        connection.close()


def begin(connection: Connection) -> None:
    """A write transaction opened."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def is_in_transaction(connection: Connection) -> bool:
    """Whether SQLite still holds the transaction; after some errors it has rolled back by itself."""
    return raw_connection(connection).in_transaction


def is_sound(connection: Connection) -> bool:
    """Whether SQLite finds the file's structure whole. Costs about 30 ms for 100,000 messages."""
    try:
        return connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok"
    except DBAPIError:
        return False


def checkpoint(connection: Connection) -> None:
    """The WAL written into the file and emptied, as far as readers allow."""
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()


def needs_reopening(error: BaseException) -> bool:
    """Whether the connection that raised this can no longer be believed.

    After a failed fsync the kernel may have dropped the pages; asking the same descriptor again would succeed and lie.
    """
    return _primary_code(error) in _UNTRUSTED


def store_error(error: BaseException, where: Path) -> StoreError:
    """What an error of SQLite means for the store."""
    code = _primary_code(error)
    cause = error.orig if isinstance(error, DBAPIError) else error
    if code == sqlite3.SQLITE_CANTOPEN and not _is_writable(where):
        code = sqlite3.SQLITE_PERM
    reason, remedy = _REASONS.get(code, ("store_io", None))
    return StoreError(f"{where.name}: {cause}", reason=reason, remedy=remedy)


@contextmanager
def mapped(where: Path) -> Iterator[None]:
    """Errors of SQLite raised inside come out as StoreError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise store_error(error, where) from error


def _primary_code(error: BaseException) -> int:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", 0) & PRIMARY_CODE if isinstance(cause, sqlite3.Error) else 0


def _is_writable(path: Path) -> bool:
    def may(what: Path, mode: int) -> bool:
        return os.access(what, mode, effective_ids=True)

    return may(path.parent, os.W_OK | os.X_OK) and (not path.exists() or may(path, os.W_OK))
