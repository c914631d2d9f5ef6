"""Items that change in place: the version of the copy, and what was about to be written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column to the ledger, to the open ranges and to the doubts."""
    op.add_column("item", sa.Column("target_version", sa.LargeBinary(), nullable=True))
    op.add_column("intent", sa.Column("contents", sa.LargeBinary(), nullable=True))
    op.add_column("doubt", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
