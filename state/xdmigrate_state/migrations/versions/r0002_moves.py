"""Open ranges may be moves: they name the rows to which the copies belonged before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Ranges that are open now are copies."""
    op.add_column("intent", sa.Column("former_folder_id", sa.Integer(), nullable=True))
    op.add_column("intent", sa.Column("former_refs", sa.LargeBinary(), nullable=True))
