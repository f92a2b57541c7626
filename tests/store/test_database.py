"""Connections, and SQLite's errors as ours."""

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from daemon.model.errors import StoreError
from daemon.store.database import (
    begin,
    checkpoint,
    connect,
    disconnect,
    is_in_transaction,
    is_sound,
    mapped,
    needs_reopening,
    raw_connection,
    store_error,
)

NOBODY = 65534


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sqlite3"


@pytest.fixture
def writer(path):
    connection = connect(path, is_writer=True)
    connection.exec_driver_sql("CREATE TABLE t (x)")
    connection.commit()
    yield connection
    disconnect(connection)


def pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_every_commit_is_synced_and_only_the_writer_checkpoints(path, writer):
    reader = connect(path, is_writer=False)
    assert (pragma(writer, "journal_mode"), pragma(writer, "synchronous")) == ("wal", 2)
    assert pragma(writer, "wal_autocheckpoint") == 4000
    assert (pragma(reader, "wal_autocheckpoint"), pragma(reader, "query_only")) == (0, 1)
    assert (pragma(writer, "cache_size"), pragma(reader, "cache_size")) == (-1024, -1024)
    assert pragma(writer, "mmap_size") in (0, None)
    disconnect(reader)


def test_reader_cannot_write(path, writer):
    reader = connect(path, is_writer=False)
    with pytest.raises(StoreError) as refused, mapped(path):
        reader.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert refused.value.reason == "store_readonly"
    disconnect(reader)


def test_transaction_is_ours_to_open_and_close(writer):
    assert not is_in_transaction(writer)
    begin(writer)
    assert is_in_transaction(writer)
    writer.exec_driver_sql("INSERT INTO t VALUES (1)")
    writer.rollback()
    assert not is_in_transaction(writer)
    assert writer.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    writer.rollback()


def test_checkpoint_empties_the_log(path, writer):
    begin(writer)
    writer.exec_driver_sql("INSERT INTO t VALUES (1)")
    writer.commit()
    checkpoint(writer)
    assert path.with_name("a.sqlite3-wal").stat().st_size == 0


def test_full_disk_is_told_as_such(path, writer):
    writer.exec_driver_sql("PRAGMA max_page_count = 3")
    with pytest.raises(StoreError) as refused, mapped(path):
        writer.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")
    assert refused.value.reason == "disk_full"
    assert not needs_reopening(refused.value.__cause__)


def test_text_of_an_error_has_no_values_in_it(path, writer):
    """An error's text is logged; what people write in mail is not."""
    from sqlalchemy import text

    with pytest.raises(StoreError) as refused, mapped(path):
        writer.execute(text("INSERT INTO nowhere VALUES (:x)"), {"x": "my secret subject"})
    assert "secret" not in str(refused.value)
    assert "secret" not in str(refused.value.__cause__)


@pytest.mark.parametrize("octets", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damaged_file_is_told_as_such(path, octets):
    path.write_bytes(octets)
    with pytest.raises(StoreError) as refused:
        connect(path, is_writer=True)
    assert refused.value.reason == "store_damaged"


def test_soundness_is_checked(path, writer):
    begin(writer)
    for number in range(2000):
        writer.exec_driver_sql("INSERT INTO t VALUES (?)", (f"{number}" * 20,))
    writer.commit()
    assert is_sound(writer)
    writer.rollback()
    disconnect(writer)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    damaged = connect(path, is_writer=True)
    assert not is_sound(damaged)
    disconnect(damaged)


def test_missing_directory_is_a_failure_of_the_disk(tmp_path):
    with pytest.raises(StoreError) as refused:
        connect(tmp_path / "none" / "a.sqlite3", is_writer=True)
    assert refused.value.reason in ("store_io", "store_readonly")


@pytest.fixture
def locked_directory():
    """A directory that we may enter but not write, whoever we are."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    effective = os.geteuid()
    if effective == 0:
        os.seteuid(NOBODY)
    yield directory
    os.seteuid(effective)
    directory.chmod(0o755)
    shutil.rmtree(directory)


def test_directory_that_may_not_be_written_is_read_only(locked_directory):
    with pytest.raises(PermissionError):
        (locked_directory / "proof").write_text("")
    with pytest.raises(StoreError) as refused:
        connect(locked_directory / "a.sqlite3", is_writer=True)
    assert refused.value.reason == "store_readonly"


def test_failed_sync_puts_the_connection_in_doubt(path):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert needs_reopening(error)
    assert store_error(error, path).reason == "store_io"
    assert not needs_reopening(ValueError("x"))


def test_raw_connection_is_sqlite3s_own(writer):
    assert isinstance(raw_connection(writer), sqlite3.Connection)


def test_disconnecting_twice_is_harmless(path, writer):
    disconnect(writer)
    disconnect(writer)
