"""Units of work: whole or not at all, on disk before they are acknowledged, in order."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.unit.state.sample import NOW, Pair, copied, counts, fill, new_pair
from xdmigrate.errors import StateUnusable
from xdmigrate_state import ledger, plans, requests, words
from xdmigrate_state.database import Database


class Undone(Exception):
    """Thrown to undo a unit."""


def test_a_failing_unit_undoes_only_itself(database: Database, pair: Pair) -> None:
    """All of them are queued before the first one runs, so that they share a group."""
    gate = threading.Event()

    def wait(_c: Connection) -> None:
        gate.wait(30)

    def fail(c: Connection) -> None:
        fill(c, pair, 5, first=100)
        raise Undone

    opener = threading.Timer(0.05, gate.set)
    opener.start()
    waiting = database.submit(wait)
    first = database.submit(lambda c: fill(c, pair, 3, first=1))
    own = database.submit(fail)
    double = database.submit(lambda c: fill(c, pair, 3, first=2))
    last = database.submit(lambda c: fill(c, pair, 3, first=10))
    for future in (waiting, first, last):
        assert future.result(30) is None
    assert isinstance(own.exception(30), Undone)
    assert isinstance(double.exception(30), IntegrityError)
    opener.join()
    assert counts(database, pair.folder).seen == 6


def test_a_future_resolves_after_the_commit(database: Database, address: str, pair: Pair) -> None:
    with Database.open(address) as other:
        for number in range(1, 30):
            database.write(partial(fill, pair=pair, count=1, first=number))
            assert other.read(lambda c: ledger.recount(c, pair.folder.id)).seen == number


def test_units_of_one_thread_keep_their_order(database: Database, pair: Pair) -> None:
    seen: list[int] = []

    def note(_c: Connection, number: int) -> None:
        seen.append(number)

    futures = [database.submit(partial(note, number=number)) for number in range(200)]
    for future in futures:
        future.result(30)
    assert seen == list(range(200))


def test_many_threads_lose_nothing(database: Database) -> None:
    pairs = [new_pair(database, f"user{number}", plan="shared") for number in range(2)]

    def work(pair: Pair) -> None:
        for number in range(1, 40):
            row = copied(pair, number, number)
            database.write(partial(fill, pair=pair, count=1, first=number))
            database.write(partial(ledger.settle, folder=pair.folder, rows=[row], now=NOW))

    threads = [threading.Thread(target=work, args=[pair]) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [counts(database, pair.folder).copied for pair in pairs] == [39, 39]


def test_close_commits_what_is_queued(address: str) -> None:
    db = Database.open(address)
    pair = new_pair(db, "ann")
    futures = [db.submit(partial(fill, pair=pair, count=1, first=number)) for number in range(1, 50)]
    db.close()
    db.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with Database.open(address) as again:
        assert not again.new
        assert counts(again, pair.folder).seen == 49


def test_a_read_sees_one_moment(database: Database, pair: Pair) -> None:
    def read(c: Connection) -> tuple[int, int]:
        before = ledger.recount(c, pair.folder.id).seen
        database.write(lambda writing: fill(writing, pair, 5))
        return before, ledger.recount(c, pair.folder.id).seen

    assert database.read(read) == (0, 0)
    assert counts(database, pair.folder).seen == 5


def test_a_read_cannot_write(database: Database, pair: Pair) -> None:
    with pytest.raises((DBAPIError, StateUnusable)):
        database.read(lambda c: plans.set_stage(c, pair.plan.id, "closed"))
    found = database.read(lambda c: plans.find(c, pair.plan.name))
    assert found is not None
    assert found.stage == "draft"


def test_a_unit_cannot_wait_for_another_one(tmp_path: Path) -> None:
    with Database.open(tmp_path / "state.db") as db, pytest.raises(RuntimeError, match="compose"):
        db.write(lambda _c: db.write(lambda _inner: None))


def test_words_of_an_undone_unit_are_forgotten(database: Database, pair: Pair) -> None:
    """Otherwise the number would come to mean the next new text."""

    def fail(c: Connection) -> None:
        words.ids(c, ["never kept"])
        raise Undone

    def intern(c: Connection) -> dict[str, int]:
        return {text: words.ids(c, [text])[text] for text in ("other", "never kept")}

    with pytest.raises(Undone):
        database.write(fail)
    numbers = database.write(intern)
    assert len(set(numbers.values())) == 2
    assert database.read(lambda c: dict(words.texts(c, numbers.values()))) == {n: text for text, n in numbers.items()}


def test_two_processes_write_one_state(database: Database, address: str, pair: Pair) -> None:
    """A posted request comes from another process than the running sync."""
    with Database.open(address) as other:
        futures = [database.submit(partial(fill, pair=pair, count=100, first=1 + n * 100)) for n in range(20)]
        posted = other.write(lambda c: requests.post(c, pair.plan.id, "pause", {}, NOW))
        for future in futures:
            future.result(60)
    assert [row.id for row in database.write(lambda c: requests.take(c, pair.plan.id, NOW))] == [posted]
    assert counts(database, pair.folder).seen == 2000


def test_deadlocked_units_run_again(postgres_url: str) -> None:
    """PostgreSQL undoes one of two units that wait for each other; nobody is told."""
    meet = threading.Barrier(2, timeout=30)
    met: list[int] = []

    def unit(c: Connection, first: int, second: int) -> None:
        c.execute(text("UPDATE plan SET stage = 'x' WHERE id = :id"), {"id": first})
        if len(met) < 2:
            met.append(first)
            meet.wait()
        c.execute(text("UPDATE plan SET stage = 'y' WHERE id = :id"), {"id": second})

    with Database.open(postgres_url) as db:
        one, two = (new_pair(db, "ann").plan.id for _ in range(2))
        threads = [
            threading.Thread(target=db.write, args=[lambda c: unit(c, one, two)]),
            threading.Thread(target=db.write, args=[lambda c: unit(c, two, one)]),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = db.read(lambda c: [plan.stage for plan in plans.every(c)])
    assert set(found) <= {"x", "y"}
    assert sorted(met) == sorted([one, two])
