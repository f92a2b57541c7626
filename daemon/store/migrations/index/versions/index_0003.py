# noqa: INP001 - alembic runs this file by its path
"""The server's own id of a mailbox, by which a renamed one is known. A revision that was released is never changed."""

import sqlalchemy as sa
from alembic import op

revision = "index_0003"
down_revision = "index_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("object_id", sa.String(), nullable=True))
