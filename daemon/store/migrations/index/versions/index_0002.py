# noqa: INP001 - alembic runs this file by its path
"""Which name the server itself has for a message's octets. A revision that was released is never changed."""

import sqlalchemy as sa
from alembic import op

revision = "index_0002"
down_revision = "index_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_id",
        sa.Column("message_id", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("email_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_email_id")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_email_id_account_email_id"), "email_id", ["account", "email_id"], unique=False)
