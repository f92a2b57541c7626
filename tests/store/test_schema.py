"""Versions of the two databases."""

import re

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from daemon.store import schema
from daemon.store.database import connect, disconnect
from daemon.store.schema import FileKind

BOTH = pytest.mark.parametrize("wanted", [schema.INDEX, schema.STATE], ids=lambda each: each.name)


@pytest.fixture
def connection(tmp_path):
    connection = connect(tmp_path / "a.sqlite3", is_writer=True)
    yield connection
    disconnect(connection)


def shape(connection):
    """Everything that defines the file; a table by its columns, for a column that was added is written elsewhere."""
    rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master").all()
    found = []
    for kind, name, table, sql in rows:
        if kind == "table":
            columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({name})").all()
            (options,) = connection.exec_driver_sql(f"PRAGMA table_list({name})").all()
            found.append((kind, name, tuple(map(str, columns)), str(options)))
        else:
            found.append((kind, name, table, re.sub(r"\s+", " ", sql or "")))
    connection.rollback()
    return sorted(found)


@BOTH
def test_fresh_file_equals_a_migrated_one(connection, tmp_path, wanted):
    schema.create(connection, wanted, {})
    migrated = connect(tmp_path / "b.sqlite3", is_writer=True)
    schema.upgrade(migrated, wanted)
    assert shape(migrated) == shape(connection)
    for each in (connection, migrated):
        assert schema.kind_of(each, wanted) is FileKind.CURRENT
    disconnect(migrated)


@BOTH
def test_stamp_is_the_newest_migration(wanted):
    scripts = ScriptDirectory.from_config(Config(attributes={}, toml_file=None) if False else _config(wanted))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == wanted.revisions


def _config(wanted):
    config = Config()
    config.set_main_option("script_location", str(wanted.scripts))
    return config


@BOTH
def test_interrupted_migration_leaves_the_file_as_it_was(connection, wanted, monkeypatch):
    connection.exec_driver_sql(
        f"CREATE TABLE {list(wanted.metadata.tables)[-1]} (x)"
    )  # in the migration's way
    connection.commit()
    before = shape(connection)
    with pytest.raises(Exception, match="already exists"):
        schema.upgrade(connection, wanted)
    assert shape(connection) == before


@BOTH
def test_kinds_of_files_are_told_apart(connection, wanted):
    other = schema.STATE if wanted is schema.INDEX else schema.INDEX
    assert schema.kind_of(connection, wanted) is FileKind.EMPTY
    schema.create(connection, wanted, {"a": "b"})
    assert schema.kind_of(connection, wanted) is FileKind.CURRENT
    assert schema.kind_of(connection, other) is FileKind.FOREIGN
    assert connection.exec_driver_sql("SELECT value FROM meta").scalar() == "b"
    for revision, kind in ((f"{wanted.name}_9999", FileKind.NEWER), ("abcdef", FileKind.FOREIGN)):
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
        assert schema.kind_of(connection, wanted) is kind
    connection.exec_driver_sql("DROP TABLE alembic_version")
    assert schema.kind_of(connection, wanted) is FileKind.FOREIGN


def test_older_revision_is_told_as_older(connection):
    longer = schema.Schema("index", schema.INDEX.metadata, (*schema.INDEX.revisions, "index_9999"))
    schema.create(connection, schema.INDEX, {})
    assert schema.kind_of(connection, longer) is FileKind.OLDER


@BOTH
def test_migrations_are_beside_the_code(wanted):
    assert (wanted.scripts / "env.py").is_file()
    assert {file.stem for file in (wanted.scripts / "versions").glob("*.py")} == set(wanted.revisions)


@BOTH
def test_uids_and_mod_sequences_have_room(connection, wanted):
    """A UID is an unsigned 32-bit number, a mod-sequence a 63-bit one (RFC 9051 §9, RFC 7162 §7)."""
    schema.create(connection, wanted, {})
    for table in inspect(connection).get_table_names():
        for column in inspect(connection).get_columns(table):
            if column["name"] in (
                "uid",
                "uid_validity",
                "uid_next",
                "highest_mod_seq",
                "mod_seq",
                "mailbox_id",
            ):
                assert str(column["type"]) == "BIGINT", (table, column["name"])
