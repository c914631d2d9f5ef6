"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTITIONS = 16


def upgrade() -> None:
    """Make every table; a table is made after those it refers to."""
    _plans()
    _folders()
    _ledger()
    _partitions()
    _open_ends()
    _journal()


def _plans() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
        sa.UniqueConstraint("name", name="uq_plan_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_account_plan_id_plan"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("plan_id", "system", "address", name="uq_account_plan_id_system_address"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("into_path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wave", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("passes", sa.Integer(), nullable=False),
        sa.Column("last_pass_at", sa.Float(), nullable=True),
        sa.Column("retry_at", sa.Float(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("attention_code", sa.Text(), nullable=False),
        sa.Column("attention_text", sa.Text(), nullable=False),
        sa.Column("attention_remedy", sa.Text(), nullable=False),
        sa.Column("attention_at", sa.Float(), nullable=True),
        sa.Column("rejected_mark", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_mailbox_plan_id_plan"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_mailbox_account_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_mailbox"),
        sa.UniqueConstraint(
            "plan_id", "source", "target", "into_path", name="uq_mailbox_plan_id_source_target_into_path"
        ),
        sqlite_autoincrement=True,
    )


def _folders() -> None:
    op.create_table(
        "place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("ref", sa.LargeBinary(), nullable=False),
        sa.Column("validity", sa.BigInteger(), nullable=False),
        sa.Column("baseline_next", sa.LargeBinary(), nullable=False),
        sa.Column("baseline_ids", sa.LargeBinary(), nullable=False),
        sa.Column("baseline_count", sa.Integer(), nullable=False),
        sa.Column("next_id", sa.LargeBinary(), nullable=False),
        sa.Column("unproved_from", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_place_account_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_place"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_place_account_id", "place", ["account_id"], unique=False)
    op.create_table(
        "folder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("ref", sa.LargeBinary(), nullable=False),
        sa.Column("validity", sa.BigInteger(), nullable=False),
        sa.Column("next_id", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("cursor", sa.LargeBinary(), nullable=False),
        sa.Column("target_path", sa.Text(), nullable=True),
        sa.Column("place_id", sa.Integer(), nullable=True),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("vanished", sa.Boolean(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("copied", sa.Integer(), nullable=False),
        sa.Column("present", sa.Integer(), nullable=False),
        sa.Column("merged", sa.Integer(), nullable=False),
        sa.Column("filtered", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("octets_pending", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="fk_folder_mailbox_id_mailbox"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_folder_account_id_account"),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name="fk_folder_place_id_place"),
        sa.PrimaryKeyConstraint("id", name="pk_folder"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_folder_mailbox_id", "folder", ["mailbox_id"], unique=False)


def _ledger() -> None:
    op.create_table(
        "word",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_word"),
        sa.UniqueConstraint("digest", name="uq_word_digest"),
    )
    op.create_table(
        "item",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("folder_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("place_id", sa.Integer(), nullable=True),
        sa.Column("target_id", sa.LargeBinary(), nullable=True),
        sa.Column("base_flags", sa.Integer(), nullable=True),
        sa.Column("base_version", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "folder_id", "source_id", name="pk_item"),
        postgresql_partition_by="HASH (account_id)",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_item_target",
        "item",
        ["account_id", "place_id", "target_id"],
        unique=True,
        sqlite_where=sa.text("target_id IS NOT NULL"),
        postgresql_where=sa.text("target_id IS NOT NULL"),
    )


def _partitions() -> None:
    """PostgreSQL: the ledger's rows lie by target mailbox, so that what belongs together is read together."""
    if op.get_bind().dialect.name == "postgresql":
        for number in range(PARTITIONS):
            op.execute(
                f"CREATE TABLE item_{number} PARTITION OF item"
                f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            )


def _open_ends() -> None:
    op.create_table(
        "intent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("place_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("floor", sa.LargeBinary(), nullable=False),
        sa.Column("refs", sa.LargeBinary(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_intent_folder_id_folder"),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name="fk_intent_place_id_place"),
        sa.PrimaryKeyConstraint("id", name="pk_intent"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_intent_folder_id", "intent", ["folder_id"], unique=False)
    op.create_table(
        "failure",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("accepted_at", sa.Float(), nullable=True),
        sa.Column("accepted_why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_failure_folder_id_folder"),
        sa.PrimaryKeyConstraint("folder_id", "source_id", name="pk_failure"),
    )
    op.create_table(
        "doubt",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("place_id", sa.Integer(), nullable=False),
        sa.Column("floor", sa.LargeBinary(), nullable=False),
        sa.Column("until_pass", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name="fk_doubt_folder_id_folder"),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name="fk_doubt_place_id_place"),
        sa.PrimaryKeyConstraint("folder_id", "source_id", name="pk_doubt"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("chain", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_journal_plan_id_plan"),
        sa.PrimaryKeyConstraint("plan_id", "chain", "seq", name="pk_journal"),
    )
    op.create_table(
        "chain",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("chain", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_chain_plan_id_plan"),
        sa.PrimaryKeyConstraint("plan_id", "chain", name="pk_chain"),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.Float(), nullable=False),
        sa.Column("taken_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_request_plan_id_plan"),
        sa.PrimaryKeyConstraint("id", name="pk_request"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_request_plan_id", "request", ["plan_id"], unique=False)
