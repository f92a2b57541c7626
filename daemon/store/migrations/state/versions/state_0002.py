# noqa: INP001 - alembic runs this file by its path
"""What was seen in POP3 maildrops."""

import sqlalchemy as sa
from alembic import op

revision = "state_0002"
down_revision = "state_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maildrop",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("uidl", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("header_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("gone_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_maildrop")),
    )
    op.create_index(
        op.f("ix_maildrop_account_message_id"), "maildrop", ["account", "message_id"], unique=False
    )
    op.create_index(op.f("ix_maildrop_account_sha256"), "maildrop", ["account", "sha256"], unique=False)
    op.create_index(op.f("ix_maildrop_account_uidl"), "maildrop", ["account", "uidl"], unique=False)
