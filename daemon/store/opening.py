"""Opening the two databases: what is there, what is damaged, what is of another store, and what generation it has.

Blocking; runs in a pool, before the writer starts. The order matters. A copy of a sound state database is taken before
anything changes it. The state's generation is raised first and the index follows; `is_raising` tells a start that was
killed in between from an index that someone restored from a backup.
"""

import os
import secrets
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, func, select

from daemon.model.clock import Clock
from daemon.model.errors import StoreError
from daemon.store import schema, tables_index, tables_state
from daemon.store.database import begin, connect, disconnect, is_sound, make_private, mapped, raw_connection
from daemon.store.schema import FileKind, Schema
from daemon.store.transactions import read_meta, write_meta

STATE_NAME: Final = "state.sqlite3"
BACKUP_NAME: Final = "state.backup.sqlite3"
INDEX_NAME: Final = "index.sqlite3"


@dataclass(slots=True, kw_only=True)
class OpenedFiles:
    """Both databases, ready for the writer, and what was found.

    `needs_review`: the index may not show every effect of the state, or its counts be wrong; look again at all of it.
    """

    state: Connection
    index: Connection
    store_id: str
    epoch: str
    generation: int
    last_event_number: int
    was_index_rebuilt: bool
    generation_gap: bool
    needs_review: bool
    findings: list[str] = field(default_factory=list)


def open_files(path: Path, clock: Clock) -> OpenedFiles:
    """Both databases opened, made where missing, restored or set aside where damaged, generation raised.

    Raises:
        StoreError: disk_full, store_readonly, store_io; store_newer for a file of a newer version, which is not touched.
    """
    findings: list[str] = []
    opened: list[Connection] = []
    try:
        with mapped(path / STATE_NAME):
            state, is_new_state = _open_state(path, clock, findings)
            opened.append(state)
        with mapped(path / INDEX_NAME):
            meta = read_meta(state, is_state=True)
            index = _open_index(path, clock, meta, findings)
            opened.append(index)
            return _raise_generation(state, index, meta, findings, is_new_state=is_new_state)
    except BaseException:
        for connection in opened:
            disconnect(connection)
        raise


def mark_clean(state: Connection) -> None:
    """Say that both files were closed in order, so the next start need not check them."""
    begin(state)
    write_meta(state, "is_clean", "1", is_state=True)
    state.commit()


def settle_generation(state: Connection) -> None:
    """The raise is complete; see `open_files`. Runs inside a transaction."""
    write_meta(state, "is_raising", "0", is_state=True)


def _open_state(path: Path, clock: Clock, findings: list[str]) -> tuple[Connection, bool]:
    file, backup = path / STATE_NAME, path / BACKUP_NAME
    connection = _open_sound(file, schema.STATE)
    if connection is None:
        if _has_content(file):
            findings.append(f"state_damaged: set aside as {_set_aside(file, clock).name}")
        copy = _open_sound(backup, schema.STATE) if backup.exists() else None
        if copy is not None:
            disconnect(copy)
            _restore(backup, file)
            findings.append("state_restored: from the copy taken at the last start")
            connection = _open_sound(file, schema.STATE)
    if connection is None:
        connection = connect(file, is_writer=True)
        first = {
            "store_id": secrets.token_hex(16),
            "epoch": secrets.token_hex(4),
            "generation": "0",
            "is_raising": "0",
            "is_clean": "1",
        }
        schema.create(connection, schema.STATE, first)
        _back_up(connection, backup)
        return connection, True
    _back_up(connection, backup)
    if schema.kind_of(connection, schema.STATE) is FileKind.OLDER:
        schema.upgrade(connection, schema.STATE)
    return connection, False


def _open_index(path: Path, clock: Clock, state_meta: dict[str, str], findings: list[str]) -> Connection:
    file = path / INDEX_NAME
    connection = _open_sound(file, schema.INDEX, is_check_needed=state_meta["is_clean"] != "1")
    if connection is not None and read_meta(connection).get("store_id") != state_meta["store_id"]:
        disconnect(connection)
        connection = None
        findings.append(f"index_foreign: set aside as {_set_aside(file, clock).name}")
    if connection is None:
        if _has_content(file):
            findings.append(f"index_damaged: set aside as {_set_aside(file, clock).name}")
        connection = connect(file, is_writer=True)
        if schema.kind_of(connection, schema.INDEX) is FileKind.EMPTY:
            # no epoch yet: a start that dies before it is given one is told apart by that
            first = {"store_id": state_meta["store_id"], "generation": state_meta["generation"], "epoch": ""}
            schema.create(connection, schema.INDEX, first)
        return connection
    if schema.kind_of(connection, schema.INDEX) is FileKind.OLDER:
        schema.upgrade(connection, schema.INDEX)
    return connection


def _raise_generation(
    state: Connection,
    index: Connection,
    meta: dict[str, str],
    findings: list[str],
    *,
    is_new_state: bool,
) -> OpenedFiles:
    before = read_meta(index)
    is_new_index = before["epoch"] == ""
    is_new_store = is_new_index and is_new_state and not findings
    generation = int(meta["generation"])
    event, counter = tables_index.EVENT, tables_state.COUNTER
    last_written = max(
        index.execute(select(func.max(event.c.number))).scalar() or 0, int(before.get("pruned_through", "0"))
    )
    reserved = state.execute(select(counter.c.value).where(counter.c.name == "event")).scalar() or 0
    state.rollback()
    index.rollback()
    index_generation = int(before["generation"])
    was_interrupted = meta["is_raising"] == "1" and index_generation == generation - 1
    has_gap = not is_new_index and (
        (index_generation != generation and not was_interrupted) or last_written > reserved
    )
    if has_gap:
        findings.append(f"generation_gap: state {generation}, index {index_generation}")
    is_same_epoch = is_new_store or (before["epoch"] == meta["epoch"] and not has_gap)
    epoch = meta["epoch"] if is_same_epoch else secrets.token_hex(4)
    last_event_number = max(reserved, last_written)
    generation = max(generation, index_generation) + 1

    begin(state)
    for key, value in {
        "epoch": epoch,
        "generation": str(generation),
        "is_raising": "1",
        "is_clean": "0",
    }.items():
        write_meta(state, key, value, is_state=True)
    state.execute(counter.insert().prefix_with("OR REPLACE").values(name="event", value=last_event_number))
    state.commit()

    begin(index)
    if before["epoch"] != epoch:  # ids of another epoch mean nothing here any more
        index.execute(delete(event))
        write_meta(index, "pruned_through", str(last_event_number))
    for key, value in {"store_id": meta["store_id"], "epoch": epoch, "generation": str(generation)}.items():
        write_meta(index, key, value)
    index.commit()
    return OpenedFiles(
        state=state,
        index=index,
        store_id=meta["store_id"],
        epoch=epoch,
        generation=generation,
        last_event_number=last_event_number,
        was_index_rebuilt=is_new_index and not is_new_store,
        generation_gap=has_gap,
        needs_review=has_gap or is_new_index or meta["is_clean"] != "1",
        findings=findings,
    )


def _open_sound(file: Path, wanted: Schema, *, is_check_needed: bool = True) -> Connection | None:
    """The open file, or None where it is missing, empty, damaged or not ours; raises StoreError for a newer one."""
    if not file.exists():
        return None
    connection: Connection | None = None
    try:
        connection = connect(file, is_writer=True)
        with mapped(file):
            kind = schema.kind_of(connection, wanted)
        if kind is FileKind.NEWER:
            raise StoreError(
                f"{file.name} was written by a newer version of this program",
                reason="store_newer",
                remedy="install that version again, or restore the store from a backup",
            )
        if kind in (FileKind.CURRENT, FileKind.OLDER) and (not is_check_needed or is_sound(connection)):
            with mapped(file):
                read_meta(connection, is_state=wanted is schema.STATE)
                connection.rollback()
            return connection
    except StoreError as error:
        if connection is not None:
            disconnect(connection)
        if error.reason != "store_damaged":
            raise
        return None
    disconnect(connection)
    return None


def _has_content(file: Path) -> bool:
    """Whether there is anything to be set aside; a start that was killed leaves a file without tables."""
    if not file.exists() or file.stat().st_size == 0:
        return False
    try:
        connection = connect(file, is_writer=True)
        try:
            with mapped(file):
                return schema.kind_of(connection, schema.STATE) is not FileKind.EMPTY
        finally:
            disconnect(connection)
    except StoreError:
        return True


def _set_aside(file: Path, clock: Clock) -> Path:
    """The file and its WAL renamed; a name that is free."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock.now()))
    target = file.with_name(f"{file.stem}.damaged-{stamp}.sqlite3")
    number = 1
    while target.exists():
        number += 1
        target = file.with_name(f"{file.stem}.damaged-{stamp}-{number}.sqlite3")
    try:
        for suffix in ("", "-wal", "-shm"):
            part = file.with_name(file.name + suffix)
            if part.exists():
                part.rename(target.with_name(target.name + suffix))
        _sync_directory(file.parent)
    except OSError as error:
        raise StoreError(f"{file}: cannot be set aside: {error.strerror}") from error
    return target


def _back_up(connection: Connection, target: Path) -> None:
    """A copy of the open database under `target`, complete or not there at all."""
    staged = target.with_name(target.name + ".new")
    staged.unlink(missing_ok=True)
    make_private(staged)
    copy = sqlite3.connect(staged, isolation_level=None)
    try:
        raw_connection(connection).backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one file
    finally:
        copy.close()
    _publish(staged, target)


def _restore(backup: Path, file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    staged = file.with_name(file.name + ".new")
    make_private(staged)
    source, copy = sqlite3.connect(backup), sqlite3.connect(staged, isolation_level=None)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    _publish(staged, file)


def _publish(staged: Path, target: Path) -> None:
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    staged.rename(target)
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
