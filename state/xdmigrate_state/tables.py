"""The schema (SQLAlchemy Core), the same on SQLite and PostgreSQL. The invariants stand in the package's docstring.

Times are UTC seconds since the epoch (float). Paths are JSON arrays of levels. Small repeated texts (flag sets,
quarantine reasons, scope hashes) are interned in `word`, so that a ledger row stays at about 60 bytes. Integer ids
are never used twice (`sqlite_autoincrement`), because idempotency keys and people's notes outlive the rows.
Text that an outside system controls is never indexed: PostgreSQL limits an index entry to 2,700 bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

plan = Table(
    "plan",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("path", Text, nullable=False),  # the plan file; two files with one name are refused
    Column("checksum", Text, nullable=False),
    Column("snapshot", Text, nullable=False),  # JSON of the plan as last applied, references only
    Column("stage", Text, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

account = Table(
    "account",  # one target mailbox; lock and epoch stand here
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan_id", ForeignKey("plan.id"), nullable=False),
    Column("system", Text, nullable=False),  # the connector's identity of the endpoint
    Column("address", Text, nullable=False),
    Column("epoch", Integer, nullable=False, default=0),
    Column("owner", Text, nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    UniqueConstraint("plan_id", "system", "address"),
    sqlite_autoincrement=True,
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan_id", ForeignKey("plan.id"), nullable=False),
    Column("account_id", ForeignKey("account.id"), nullable=False),
    Column("source", Text, nullable=False),  # addresses are attributes; the id is the key
    Column("target", Text, nullable=False),
    Column("into_path", Text, nullable=False, default="[]"),
    Column("name", Text, nullable=False, default=""),
    Column("wave", Text, nullable=False, default=""),
    Column("stage", Text, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("skipped", Text, nullable=False, default=""),  # the reason; empty: not skipped
    Column("listed", Boolean, nullable=False, default=True),  # stands in the plan file as last applied
    Column("passes", Integer, nullable=False, default=0),  # completed passes
    Column("last_pass_at", Float),
    Column("retry_at", Float, nullable=False, default=0.0),
    Column("retries", Integer, nullable=False, default=0),  # attempts in a row that ended in try-later
    Column("attention_code", Text, nullable=False, default=""),
    Column("attention_text", Text, nullable=False, default=""),
    Column("attention_remedy", Text, nullable=False, default=""),
    Column("attention_at", Float),
    Column("rejected_mark", LargeBinary),  # keyed mark of the secrets that were rejected; see xdmigrate_plans.vault
    Column("merge", Text, nullable=False, server_default=text("''")),  # with others in one place: keep, dedupe
    UniqueConstraint("plan_id", "source", "target", "into_path"),
    sqlite_autoincrement=True,
)

place = Table(
    "place",  # one incarnation (validity) of a target folder
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("account.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("ref", LargeBinary, nullable=False, default=b""),
    Column("validity", BigInteger, nullable=False),
    Column("baseline_next", LargeBinary, nullable=False),
    Column("baseline_ids", LargeBinary, nullable=False),  # ids that were there before our first write, packed
    Column("baseline_count", Integer, nullable=False),
    Column("next_id", LargeBinary, nullable=False),  # lower bound of the next id: highest listed or acknowledged + 1
    Column("unproved_from", LargeBinary),  # closing listing is due from here; NULL: all proved
    Column("created", Boolean, nullable=False),  # by us
    Column("superseded", Boolean, nullable=False, default=False),
    sqlite_autoincrement=True,
)

folder = Table(
    "folder",  # a folder pair: one incarnation of a source folder and where it goes
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mailbox_id", ForeignKey("mailbox.id"), nullable=False, index=True),
    Column("account_id", ForeignKey("account.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("role", Text, nullable=False, default=""),
    Column("ref", LargeBinary, nullable=False, default=b""),
    Column("validity", BigInteger, nullable=False),
    Column("next_id", LargeBinary, nullable=False, default=b""),
    Column("state", LargeBinary, nullable=False, default=b""),  # change token of the last completed pass
    Column("cursor", LargeBinary, nullable=False, default=b""),
    Column("target_path", Text),  # frozen at the first write; NULL: not mapped yet
    Column("place_id", ForeignKey("place.id")),
    Column("adopted", Boolean, nullable=False, default=False),  # what was there before has been matched
    Column("vanished", Boolean, nullable=False, default=False),  # the source folder is gone
    Column("superseded", Boolean, nullable=False, default=False),  # validity changed; rows moved to the next one
    Column("seen", Integer, nullable=False, default=0),
    Column("pending", Integer, nullable=False, default=0),
    Column("copied", Integer, nullable=False, default=0),
    Column("present", Integer, nullable=False, default=0),
    Column("merged", Integer, nullable=False, default=0),
    Column("filtered", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("gone", Integer, nullable=False, default=0),
    Column("octets", BigInteger, nullable=False, default=0),  # of all seen
    Column("octets_pending", BigInteger, nullable=False, default=0),
    sqlite_autoincrement=True,
)

COUNTERS = ("seen", "pending", "copied", "present", "merged", "filtered", "failed", "gone", "octets", "octets_pending")

item = Table(
    "item",  # the ledger
    metadata,
    Column("account_id", Integer, nullable=False, primary_key=True, autoincrement=False),
    Column("folder_id", Integer, nullable=False, primary_key=True, autoincrement=False),
    Column("source_id", LargeBinary, nullable=False, primary_key=True),
    Column("outcome", SmallInteger, nullable=False),
    Column("gone", Boolean, nullable=False, default=False),
    Column("size", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary),
    Column("place_id", Integer),
    Column("target_id", LargeBinary),
    Column("base_flags", Integer),  # word
    Column("base_version", LargeBinary),
    Column("note", Integer),  # word: scope hash of a filtered row, reason of a failed one
    Column("target_version", LargeBinary),  # of the copy as we wrote it; NULL: unknown, or the target tells none
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (account_id)",
)

# One target item is claimed once. Pending rows stay out of the index: a listing of a million rows does not pay for it.
Index(
    "uq_item_target",
    item.c.account_id,
    item.c.place_id,
    item.c.target_id,
    unique=True,
    sqlite_where=item.c.target_id.is_not(None),
    postgresql_where=item.c.target_id.is_not(None),
)

PARTITIONS = 16
"""Hash partitions of `item` on PostgreSQL; they are made by the first migration."""

word = Table(
    "word",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # first 16 bytes of SHA-256: the text may be long
    Column("text", Text, nullable=False),
)

failure = Table(
    "failure",  # the quarantine
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("source_id", LargeBinary, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, default=""),  # the server's words, never content
    Column("attempts", Integer, nullable=False, default=1),
    Column("at", Float, nullable=False),
    Column("accepted_at", Float),
    Column("accepted_why", Text, nullable=False, default=""),
    Column("mended_at", Float),  # the repaired attempt was made, or found impossible; NULL: it may yet be made
)

alteration = Table(
    "alteration",  # items whose copy has other bytes than the source: by the target, or repaired by the plan's wish
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("source_id", LargeBinary, primary_key=True),
    Column("reason", Text, nullable=False),  # altered, repaired; repairing: about to be sent, not listed
    Column("detail", Text, nullable=False, default=""),  # what was altered, never content
    Column("size", BigInteger, nullable=False),  # of the copy; the source's stands in the ledger
    Column("fingerprint", LargeBinary),  # of the copy; NULL: nobody has read it
    Column("at", Float, nullable=False),
    Column("accepted_at", Float),
    Column("accepted_why", Text, nullable=False, default=""),
)

doubt = Table(
    "doubt",  # items sent a second time after an unknown first time: a late twin may yet appear
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("source_id", LargeBinary, primary_key=True),
    Column("place_id", ForeignKey("place.id"), nullable=False),
    Column("floor", LargeBinary, nullable=False),  # a twin's id is >= this
    Column("until_pass", Integer, nullable=False),  # looked for until the mailbox has completed this many passes
    Column("fingerprint", LargeBinary),  # of what was sent in the place of a copy; NULL: it was sent as a new item
)

merged_into = Table(
    "merged_into",  # which target item stands for a merged one; a row goes when the source item does
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("source_id", LargeBinary, primary_key=True),
    Column("place_id", ForeignKey("place.id"), nullable=False),
    Column("target_id", LargeBinary, nullable=False),
    UniqueConstraint("place_id", "target_id", "folder_id"),  # within one source folder it stands for one item
)

identity = Table(
    "identity",  # the source's own name for the content of an item, where it gives any
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("source_id", LargeBinary, primary_key=True),
    Column("mailbox_id", ForeignKey("mailbox.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False),  # first 16 bytes of SHA-256 of the name
    Index("ix_identity_mailbox_id_digest", "mailbox_id", "digest"),
    sqlite_with_rowid=False,
)

shared = Table(
    "shared",  # folders whose grants and notes were looked at
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("aspects", Text, nullable=False),  # JSON: what was looked at
)

leftover = Table(
    "leftover",  # what a folder carries at the source and the target did not get: to be done by hand
    metadata,
    Column("folder_id", ForeignKey("folder.id"), primary_key=True),
    Column("what", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("detail", Text, nullable=False),
)

intent = Table(
    "intent",  # open ranges; a row goes when its outcomes are committed
    metadata,
    Column("id", Integer, primary_key=True),
    Column("folder_id", ForeignKey("folder.id"), nullable=False, index=True),
    Column("place_id", ForeignKey("place.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("floor", LargeBinary, nullable=False),  # lower bound of the target's next id when it was opened
    Column("refs", LargeBinary, nullable=False),  # source ids, packed, in the order of sending
    Column("octets", BigInteger, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("former_folder_id", Integer),  # of a move: the folder whose rows the copies belonged to; NULL: a copy
    Column("former_refs", LargeBinary),  # of a move: the source ids there, packed, in the order of `refs`
    Column("contents", LargeBinary),  # fingerprints of what is written, in the order of `refs`; NULL: not known before
    sqlite_autoincrement=True,
)

journal = Table(
    "journal",
    metadata,
    Column("plan_id", ForeignKey("plan.id"), primary_key=True),
    Column("chain", Integer, primary_key=True, autoincrement=False),  # mailbox id, or 0: the plan's own chain
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("event", Text, nullable=False),
    Column("facts", Text, nullable=False),  # canonical JSON
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

chain = Table(
    "chain",  # the head of each journal chain, so that a cut tail is noticed
    metadata,
    Column("plan_id", ForeignKey("plan.id"), primary_key=True),
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

canary = Table(
    "canary",  # what the last canary on a system told about its invitations; one that told nothing leaves no row
    metadata,
    Column("plan_id", ForeignKey("plan.id"), primary_key=True),
    Column("system", Text, primary_key=True),  # the connector's identity of the endpoint
    Column("endpoint", Text, nullable=False),  # its name in the plan
    Column("verdict", Text, nullable=False),
    Column("mailed", Boolean, nullable=False),  # whether the server sent any mail
    Column("at", Float, nullable=False),
    Column("server", Text, nullable=False),  # what the server calls itself
    Column("organizer", Text, nullable=False),
    Column("attendee", Text, nullable=False),
)

request = Table(
    "request",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan_id", ForeignKey("plan.id"), nullable=False, index=True),
    Column("verb", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    Column("posted_at", Float, nullable=False),
    Column("taken_at", Float),
    sqlite_autoincrement=True,
)
