# noqa: INP001 - alembic runs this file by its path
"""The first tables of `index.sqlite3`. A revision that was released is never changed."""

import sqlalchemy as sa
from alembic import op

revision = "index_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "applied",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_applied")),
    )
    op.create_table(
        "content",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False),
        sa.Column("wire_size", sa.BigInteger(), nullable=False),
        sa.Column("wire_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("header_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipients", sa.String(), nullable=False),
        sa.Column("message_id_header", sa.String(), nullable=False),
        sa.Column("date_header", sa.BigInteger(), nullable=True),
        sa.Column("is_limited", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
        sa.UniqueConstraint("file_sha256", name=op.f("uq_content_file_sha256")),
    )
    op.create_table(
        "event",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=True),
        sa.Column("message_id", sa.LargeBinary(), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
    )
    op.create_table(
        "mailbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("wire_name", sa.LargeBinary(), nullable=False),
        sa.Column("delimiter", sa.String(), nullable=True),
        sa.Column("directory", sa.String(), nullable=False),
        sa.Column("special_use", sa.String(), nullable=True),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("uid_next", sa.BigInteger(), nullable=True),
        sa.Column("highest_mod_seq", sa.BigInteger(), nullable=True),
        sa.Column("message_count", sa.BigInteger(), nullable=True),
        sa.Column("is_first_pass_done", sa.Boolean(), nullable=False),
        sa.Column("is_read_only", sa.Boolean(), nullable=False),
        sa.Column("frozen_reason", sa.String(), nullable=True),
        sa.Column("shown_total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("shown_unread", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox")),
    )
    op.create_index(op.f("ix_mailbox_account_name"), "mailbox", ["account", "name"], unique=True)
    op.create_table(
        "message",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("mailbox_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("maildir_name", sa.String(), nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.Column("is_unread", sa.Boolean(), nullable=False),
        sa.Column("is_hidden", sa.Boolean(), nullable=False),
        sa.Column("internal_date", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
    )
    op.create_index(
        op.f("ix_message_account_internal_date_id"),
        "message",
        ["account", "internal_date", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_message_content_id"), "message", ["content_id"], unique=False)
    op.create_index(
        op.f("ix_message_mailbox_id_internal_date_id"),
        "message",
        ["mailbox_id", "internal_date", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_message_mailbox_id_maildir_name"), "message", ["mailbox_id", "maildir_name"], unique=True
    )
    op.create_index(
        "ix_message_unread",
        "message",
        ["account", "is_unread", "internal_date", "id"],
        unique=False,
        sqlite_where=sa.text("is_unread = 1 AND is_hidden = 0"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "placement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mailbox_id", sa.BigInteger(), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("uid", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.Column("mod_seq", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("retry_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement")),
        sa.UniqueConstraint("message_id", name=op.f("uq_placement_message_id")),
    )
    op.create_index(
        op.f("ix_placement_mailbox_id_uid_validity_uid"),
        "placement",
        ["mailbox_id", "uid_validity", "uid"],
        unique=True,
    )
