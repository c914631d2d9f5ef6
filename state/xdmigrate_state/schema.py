"""Brings a database to this version's schema, or says why it cannot be used."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from xdmigrate.errors import StateUnusable
from xdmigrate_state.tables import metadata

HEAD = "0007"
"""The newest revision in `migrations/versions`; a database that is there needs no Alembic."""

REVISIONS = frozenset({"0001", "0002", "0003", "0004", "0005", "0006", HEAD})

_VERSION_TABLE = "alembic_version"
_UPGRADE_LOCK = 0x78646D69  # PostgreSQL advisory lock: "xdmi"


def ensure(reader: Engine, writer: Engine, where: str, *, create: bool) -> bool:
    """Migrate to HEAD in one transaction; True when the schema was made by this call.

    A state that is at HEAD is only read, so that opening it never waits for the process that writes it.

    Raises StateUnusable when the database belongs to something else, was written by a newer version, or does not
    exist and `create` is false.
    """
    with reader.begin() as c:
        if revision(c) == HEAD:
            return False
    with writer.begin() as c:
        if c.dialect.name == "postgresql":
            c.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        version = revision(c)
        if version == HEAD:
            return False
        _refuse(c, version, where, create=create)
        if version is None and c.dialect.name == "sqlite":
            _make(c)
        else:  # PostgreSQL's partitions are made by the first migration
            upgrade(c)
        return version is None


def _make(c: Connection) -> None:
    """The newest schema at once: what the migrations from empty come to, in a tenth of the time."""
    metadata.create_all(c)
    c.execute(text(f"CREATE TABLE {_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    c.execute(text(f"INSERT INTO {_VERSION_TABLE} VALUES (:head)"), {"head": HEAD})


def revision(c: Connection) -> str | None:
    """The revision that the database is at; None when it has none."""
    if not inspect(c).has_table(_VERSION_TABLE):
        return None
    found = c.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()
    return None if found is None else str(found)


def upgrade(c: Connection, target: str = "head") -> None:
    """Run Alembic's migrations inside the open transaction."""
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    settings.attributes["connection"] = c
    command.upgrade(settings, target)


def _refuse(c: Connection, version: str | None, where: str, *, create: bool) -> None:
    if version is not None and version not in REVISIONS:
        raise StateUnusable(
            f"state: {where} was written by a newer xdmigrate (schema {version}, this one knows {HEAD})",
            remedy="install that version or a newer one",
        )
    if version is None and set(inspect(c).get_table_names()) & set(metadata.tables):
        raise StateUnusable(f"state: {where} holds tables of something else", remedy="give the state its own database")
    if version is None and not create:
        raise StateUnusable(f"state: there is none at {where}", remedy="check the path, or run sync first")
