"""Versions of the two databases: what a file is, how a new one is made, how an old one is brought up.

A fresh file is made from the tables and stamped; alembic, 12 MiB and a quarter of a second, is imported only when a
migration must run. Each database has migrations of its own, applied in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, MetaData, inspect

from daemon.store.database import begin
from daemon.store.tables_index import IndexModel
from daemon.store.tables_state import StateModel


@dataclass(frozen=True, slots=True)
class Schema:
    """One database's tables and the ids of its migrations, oldest first."""

    name: str
    metadata: MetaData
    revisions: tuple[str, ...]

    @property
    def scripts(self) -> Path:
        """Where its migrations are."""
        return Path(__file__).parent / "migrations" / self.name


INDEX: Final = Schema("index", IndexModel.metadata, ("index_0001", "index_0002", "index_0003"))
STATE: Final = Schema("state", StateModel.metadata, ("state_0001", "state_0002", "state_0003"))


class FileKind(Enum):
    """What a database file turned out to be."""

    EMPTY = auto()
    CURRENT = auto()
    OLDER = auto()
    NEWER = auto()
    FOREIGN = auto()


def kind_of(connection: Connection, schema: Schema) -> FileKind:
    """What the open file is. A revision we do not know, with our tables around it, was made by a newer program."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return FileKind.EMPTY
    if not {"alembic_version", "meta"} <= tables:
        return FileKind.FOREIGN
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if not isinstance(revision, str) or not revision.startswith(f"{schema.name}_"):
        return FileKind.FOREIGN
    if revision not in schema.revisions:
        return FileKind.NEWER
    return FileKind.CURRENT if revision == schema.revisions[-1] else FileKind.OLDER


def create(connection: Connection, schema: Schema, meta: Mapping[str, str]) -> None:
    """All tables in their present form and the first facts, in an empty file, in one transaction."""
    begin(connection)
    schema.metadata.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (\n\tversion_num VARCHAR(32) NOT NULL, \n"
        "\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (schema.revisions[-1],))
    for key, value in meta.items():
        connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES (?, ?)", (key, value))
    connection.commit()


def upgrade(connection: Connection, schema: Schema, *, revision: str = "head") -> None:
    """The file brought to `revision` in one transaction; an interrupted migration leaves it as it was."""
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(schema.scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = schema.metadata
    begin(connection)
    try:
        command.upgrade(config, revision)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
