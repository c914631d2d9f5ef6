"""Copies with other bytes than their source, and repaired attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, and a column to the quarantine."""
    op.create_table(
        "alteration",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("accepted_at", sa.Float(), nullable=True),
        sa.Column("accepted_why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_alteration_folder_id_folder"),
        sa.PrimaryKeyConstraint("folder_id", "source_id", name="pk_alteration"),
    )
    op.add_column("failure", sa.Column("mended_at", sa.Float(), nullable=True))
