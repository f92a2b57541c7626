# noqa: INP001 - alembic runs this file by its path
"""Which messages of POP3 maildrops left them because we had them deleted."""

import sqlalchemy as sa
from alembic import op

revision = "state_0003"
down_revision = "state_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("maildrop", sa.Column("removed_at_ms", sa.BigInteger(), nullable=True))
    op.create_index(
        op.f("ix_maildrop_account_gone_at_ms"), "maildrop", ["account", "gone_at_ms"], unique=False
    )
