"""Mailboxes that share a place on the target, and sources that show one object in several folders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Remember how a mailbox shares its place, which copy stands for a merged item, and what names an object."""
    op.add_column("mailbox", sa.Column("merge", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "merged_into",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("place_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_merged_into_folder_id_folder"),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name="fk_merged_into_place_id_place"),
        sa.PrimaryKeyConstraint("folder_id", "source_id", name="pk_merged_into"),
        sa.UniqueConstraint("place_id", "target_id", "folder_id", name="uq_merged_into_place_id_target_id_folder_id"),
    )
    op.create_table(
        "identity",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_identity_folder_id_folder"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="fk_identity_mailbox_id_mailbox"),
        sa.PrimaryKeyConstraint("folder_id", "source_id", name="pk_identity"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identity_mailbox_id_digest", "identity", ["mailbox_id", "digest"], unique=False)
