"""Grants and notes of folders: what was looked at, and what is left to be done by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "shared",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("aspects", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_shared_folder_id_folder"),
        sa.PrimaryKeyConstraint("folder_id", name="pk_shared"),
    )
    op.create_table(
        "leftover",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_leftover_folder_id_folder"),
        sa.PrimaryKeyConstraint("folder_id", "what", "name", name="pk_leftover"),
    )
