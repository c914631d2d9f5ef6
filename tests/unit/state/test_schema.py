"""Opening: migrations equal the tables, and what cannot be used is told in one line."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from tests.live.postgres import Postgres
from tests.unit.state.sample import counts, fill, new_pair
from xdmigrate.errors import StateUnusable
from xdmigrate_state import engines, migrations, schema
from xdmigrate_state.database import Database
from xdmigrate_state.tables import PARTITIONS, metadata


def test_head_is_the_newest_revision() -> None:
    """The fast path asks no Alembic; were HEAD forgotten, nobody would ever be migrated."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrations.__file__).parent))
    script = ScriptDirectory.from_config(settings)
    assert script.get_heads() == [schema.HEAD]
    assert {revision.revision for revision in script.walk_revisions()} == schema.REVISIONS


def difference(c: Connection) -> list[object]:
    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
        return kind != "table" or not str(name).startswith(("item_", "alembic_"))

    options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
    found: list[object] = compare_metadata(MigrationContext.configure(c, opts=options), metadata)
    return found


def test_migrations_equal_the_tables(database: Database) -> None:
    assert database.read(difference) == []


def test_migrations_from_empty_equal_the_tables_on_sqlite(tmp_path: Path) -> None:
    migrated = engines.sqlite_writer(tmp_path / "migrated.db")
    with migrated.begin() as c:
        schema.upgrade(c)
        assert difference(c) == []
        assert schema.revision(c) == schema.HEAD
    migrated.dispose()


def sqlite_dump(c: Connection) -> dict[str, list[str]]:
    """The clauses of every table and index; their order tells nothing."""
    rows = c.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL"))
    return {name: sorted(re.split(r",\s*|\s*\(\s*|\s*\)\s*", sql.replace('"', ""))) for name, sql in rows}


def test_migrations_equal_the_tables_word_for_word_on_sqlite(tmp_path: Path) -> None:
    """Also what Alembic does not compare: row ids, AUTOINCREMENT, the conditions of indexes."""
    migrated = engines.sqlite_writer(tmp_path / "migrated.db")
    with Database.open(tmp_path / "state.db") as db, migrated.begin() as c:
        schema.upgrade(c)
        expected = sqlite_dump(c)
        assert db.read(sqlite_dump) == expected
        assert db.read(schema.revision) == schema.HEAD
    assert "WITHOUT ROWID" in [clause.strip() for clause in expected["item"]]
    migrated.dispose()


def postgres_dump(c: Connection) -> list[tuple[object, ...]]:
    """Columns, constraints and indexes as the server spells them, partitions left out."""
    queries = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT partrelid::regclass::text, partstrat, partattrs::text FROM pg_partitioned_table",
    )
    rows = [tuple(row) for query in queries for row in c.execute(text(query))]
    return sorted((row for row in rows if not str(row[0]).startswith(("item_", "alembic"))), key=str)


def test_migrations_equal_the_tables_word_for_word_on_postgresql(postgres_cluster: Postgres, postgres_url: str) -> None:
    other = postgres_cluster.create_database()
    fresh = create_engine(other)
    metadata.create_all(fresh)
    with Database.open(postgres_url) as db, fresh.connect() as c:
        assert db.read(postgres_dump) == postgres_dump(c)
    fresh.dispose()
    postgres_cluster.drop_database(other)


def test_the_ledger_is_partitioned_on_postgresql(postgres_url: str) -> None:
    with Database.open(postgres_url) as db:
        pairs = [new_pair(db, f"user{number}", plan="contoso") for number in range(8)]
        for pair in pairs:
            db.write(lambda c, pair=pair: fill(c, pair, 3))  # type: ignore[misc] # bound now
        query = text("SELECT tableoid::regclass::text, count(*) FROM item GROUP BY 1")
        found = db.read(lambda c: {str(name): int(count) for name, count in c.execute(query)})
        partitions = db.read(lambda c: c.execute(text("SELECT count(*) FROM pg_inherits")).scalar_one())
    assert sum(found.values()) == 24
    assert len(found) > 1
    assert partitions >= PARTITIONS


# --- opening ----------------------------------------------------------------------------------------------------


def test_new_and_known(new_address: str) -> None:
    with Database.open(new_address) as first:
        assert first.new
    with Database.open(new_address, create=False) as second:
        assert not second.new


def test_two_openings_at_once_make_one_schema(new_address: str) -> None:
    script = "import sys; from xdmigrate_state.database import Database; print(Database.open(sys.argv[1]).new)"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, new_address], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = sorted(process.communicate()[0].strip() for process in processes)
    assert told == ["False", "False", "True"]


def test_opening_a_known_state_needs_no_alembic(tmp_path: Path) -> None:
    Database.open(tmp_path / "state.db").close()
    script = (
        "import sys; from xdmigrate_state.database import Database; Database.open(sys.argv[1]).close();"
        " print('alembic' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "state.db"], stdout=subprocess.PIPE, text=True, check=True
    )
    assert told.stdout.strip() == "False"


def test_a_newer_state_is_refused_and_untouched(new_address: str) -> None:
    with Database.open(new_address) as database:
        pair = new_pair(database, "ann")
        database.write(lambda c: fill(c, pair, 3))
        database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
        with pytest.raises(StateUnusable, match=r"newer xdmigrate \(schema 9999.*install that version"):
            Database.open(new_address)
        assert counts(database, pair.folder).seen == 3


def test_a_missing_state_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="there is none at"):
        Database.open(tmp_path / "deep" / "state.db", create=False)
    assert not (tmp_path / "deep").exists()


def test_an_empty_postgresql_database_is_no_state(postgres_url: str) -> None:
    with pytest.raises(StateUnusable, match="there is none at"):
        Database.open(postgres_url, create=False)


def test_the_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE item (id INTEGER)")
    with pytest.raises(StateUnusable, match="holds tables of something else"):
        Database.open(tmp_path / "other.db")


def test_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database " * 1000)
    with pytest.raises(StateUnusable, match=r"state\.db is damaged or no database; restore a backup"):
        Database.open(tmp_path / "state.db")


def test_damage_inside_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Database.open(path) as db:
        pair = new_pair(db, "ann")
        db.write(lambda c: fill(c, pair, 5000))
    whole = path.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    path.write_bytes(whole[:page] + os.urandom(len(whole) - page))
    with pytest.raises(StateUnusable, match="is damaged"), Database.open(path) as again:
        again.read(lambda c: counts_of(c, pair.folder.id))


def counts_of(c: Connection, folder_id: int) -> object:
    return c.execute(text("SELECT * FROM folder WHERE id = :id"), {"id": folder_id}).one()


def test_a_directory_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="cannot open"):
        Database.open(tmp_path)


def test_an_unwritable_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusable, match=r"cannot open .*; check the path and its permissions"):
        Database.open(tmp_path / "file" / "state.db")


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with Database.open(tmp_path / "home" / "state.db") as db:
        new_pair(db, "ann")
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir()}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["plain.db", "with space.db", "100%.db", "a?b#c&d.db", "ü.db", ":memory:"])
def test_any_file_name_is_a_path(tmp_path: Path, name: str) -> None:
    with Database.open(tmp_path / name) as db:
        assert db.path == tmp_path / name
    assert (tmp_path / name).stat().st_size > 0


def test_paths_and_urls_name_the_same_state(tmp_path: Path) -> None:
    with Database.open(f"sqlite:///{tmp_path}/state.db") as one, Database.open(one.url) as two:
        assert (one.path, two.path, one.new, two.new) == (tmp_path / "state.db", tmp_path / "state.db", True, False)


def test_the_password_is_never_shown() -> None:
    with pytest.raises(StateUnusable, match="cannot connect") as caught:
        Database.open("postgresql://ann:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)
    assert "ann:***@127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://[", "://"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StateUnusable):
        Database.open(url)


def test_an_unknown_database_is_told(postgres_url: str) -> None:
    with pytest.raises(StateUnusable, match=r"cannot connect to .*none.* does not exist"):
        Database.open(postgres_url.rpartition("/")[0] + "/none")
