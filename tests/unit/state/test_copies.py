"""Copies of a whole state: backup, another database, a scratch copy for a dry run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.unit.state.sample import NOW, Pair, copied, counts, fill, new_pair, uid
from xdmigrate.errors import StateUnusable
from xdmigrate.model import Outcome
from xdmigrate_state import (
    alterations,
    canaries,
    doubts,
    failures,
    folders,
    identities,
    intents,
    journal,
    ledger,
    leftovers,
    merges,
    plans,
    requests,
)
from xdmigrate_state.copies import restored
from xdmigrate_state.database import Database, copy, scratch_copy
from xdmigrate_state.rows import Altered, CanaryRow, NewItem, Settled, Standing
from xdmigrate_state.tables import metadata

Content = dict[str, list[tuple[object, ...]]]


def content(db: Database) -> Content:
    """Every row of every table."""
    return db.read(
        lambda c: {
            table.name: sorted((tuple(row) for row in c.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }
    )


def use_everything(db: Database, pair: Pair) -> None:
    """A row in every table, and ids that were given and are free again."""
    failed = Settled(uid(2), Outcome.FAILED, reason="too-big", detail="NO [TOOBIG]", flags=frozenset({"\\Seen"}))
    db.write(lambda c: fill(c, pair, 3000))
    db.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 7), failed], NOW))
    db.write(lambda c: doubts.add(c, pair.folder.id, pair.place.id, [uid(3)], uid(1), 2))
    for number in (4, 5):
        db.write(lambda c, n=number: intents.open(c, pair.folder.id, pair.place.id, 1, uid(1), [uid(n)], 9, NOW))  # type: ignore[misc]
    db.write(lambda c: intents.close(c, intents.of_place(c, pair.place.id)[-1].id))
    db.write(lambda c: identities.remember(c, pair.folder, pair.mailbox.id, [NewItem(uid(6), 9, identity=b"x")]))
    db.write(lambda c: merges.add(c, pair.folder, {uid(6): Standing(pair.place.id, uid(7))}))
    db.write(lambda c: alterations.record(c, pair.folder.id, [Altered(uid(1), alterations.ALTERED, "x", 8)], NOW))
    db.write(lambda c: leftovers.record(c, pair.folder.id, ["grants"], [leftovers.Leftover("grant", "bob", "lr")]))
    db.write(lambda c: journal.append(c, pair.plan.id, 0, "range", {"items": 1}, NOW))
    db.write(lambda c: requests.post(c, pair.plan.id, "pause", {"wave": "pilot"}, NOW))
    told = CanaryRow("dav://new:443", "new", "silent", True, NOW, "Cyrus/3.6", "ann@new.example", "bea@new.example")
    db.write(lambda c: canaries.record(c, pair.plan.id, told))


@pytest.fixture
def used(database: Database, pair: Pair) -> Pair:
    use_everything(database, pair)
    return pair


def next_intent(db: Database, pair: Pair) -> int:
    return db.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 1, b"", [], 0, NOW))


def test_a_copy_is_equal_and_goes_on(database: Database, used: Pair, tmp_path: Path) -> None:
    """SQLite to SQLite, and PostgreSQL to SQLite."""
    with Database.open(tmp_path / "copy.db") as target:
        copy(database, target)
        assert content(target) == content(database)
        assert all(content(target).values()), "no table is left out"
        assert target.read(lambda c: journal.verify(c, used.plan.id)) == []
        assert next_intent(target, used) == next_intent(database, used), "an id is never used twice"
        assert new_pair(target, "bob").mailbox.id == new_pair(database, "bob").mailbox.id
        assert counts(target, used.folder) == counts(database, used.folder)


def test_there_and_back_again(tmp_path: Path, postgres_url: str) -> None:
    with Database.open(tmp_path / "a.db") as first, Database.open(postgres_url) as second:
        pair = new_pair(first, "ann")
        use_everything(first, pair)
        copy(first, second)
        assert content(second) == content(first)
        with Database.open(tmp_path / "b.db") as third:
            copy(second, third)
            assert content(third) == content(first)
            assert next_intent(third, pair) == next_intent(second, pair) == next_intent(first, pair)


def test_a_copy_into_a_used_state_is_refused(database: Database, used: Pair, tmp_path: Path) -> None:
    with Database.open(tmp_path / "copy.db") as target:
        new_pair(target, "bob")
        before = content(target)
        with pytest.raises(StateUnusable, match="not empty"):
            copy(database, target)
        assert content(target) == before


def test_a_backup_is_a_state(database: Database, used: Pair, tmp_path: Path) -> None:
    database.backup(tmp_path / "backup.db")
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    with Database.open(tmp_path / "backup.db", create=False) as backup:
        assert content(backup) == content(database)
    with pytest.raises(StateUnusable, match="exists already"):
        database.backup(tmp_path / "backup.db")
    assert not list(tmp_path.glob("*.part"))


def test_a_restored_state_matches_before_it_sends(database: Database, used: Pair) -> None:
    database.write(lambda c: folders.set_adopted(c, used.folder.id))
    database.write(lambda c: restored(c, NOW))
    assert not database.read(lambda c: folders.get(c, used.folder.id)).adopted
    assert database.read(lambda c: journal.show(c, used.plan.id))[-1].event == "restored"
    assert database.read(lambda c: journal.verify(c, used.plan.id)) == []


def test_a_backup_sees_one_moment_of_a_busy_state(database: Database, pair: Pair, tmp_path: Path) -> None:
    stop = threading.Event()

    def work() -> None:
        number = 1
        while not stop.is_set():
            row = copied(pair, number, number)

            def unit(c: object, number: int = number, row: object = row) -> None:
                fill(c, pair, 1, first=number)  # type: ignore[arg-type]
                ledger.settle(c, pair.folder, [row], NOW)  # type: ignore[arg-type, list-item]

            database.write(unit)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(3):
            database.backup(tmp_path / f"{number}.db")
    finally:
        stop.set()
        thread.join()
    for number in range(3):
        with Database.open(tmp_path / f"{number}.db", create=False) as backup:
            assert counts(backup, pair.folder).pending == 0


def test_a_backup_into_nowhere_is_told(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusable, match="cannot"):
        database.backup(tmp_path / "file" / "backup.db")


def test_a_scratch_copy_is_thrown_away(database: Database, used: Pair) -> None:
    before = content(database)
    with scratch_copy(database) as scratch:
        assert scratch.path is not None
        assert content(scratch) == before
        scratch.write(lambda c: ledger.reopen(c, used.folder, [b"\0\0\0\1"]))
        assert counts(scratch, used.folder).copied == 0
        directory = scratch.path.parent
    assert not directory.exists()
    assert content(database) == before


def test_a_scratch_copy_of_one_plan_among_many(postgres_url: str) -> None:
    with Database.open(postgres_url) as db:
        pairs = [new_pair(db, name, plan=f"plan-{name}") for name in ("ann", "bob")]
        for pair in pairs:
            use_everything(db, pair)
        with scratch_copy(db, "plan-bob") as scratch:
            assert [plan.name for plan in scratch.read(plans.every)] == ["plan-bob"]
            assert counts(scratch, pairs[1].folder) == counts(db, pairs[1].folder)
            kept = content(scratch)
            assert all(len(kept[name]) == 1 for name in ("mailbox", "folder", "place", "failure", "doubt", "journal"))
            assert len(kept["item"]) == 3000
            assert scratch.read(lambda c: failures.of_plan(c, pairs[0].plan.id)) == []
