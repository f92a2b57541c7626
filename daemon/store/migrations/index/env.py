# noqa: INP001 - alembic runs this file by its path
"""Runs the migrations of `index.sqlite3` on the connection, and inside the transaction, that `store.schema` hands in."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
)
context.run_migrations()
