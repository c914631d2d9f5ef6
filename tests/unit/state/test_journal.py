"""The journal finds any single edit, deletion and swap, and a tail that was cut off."""

from __future__ import annotations

import threading
from itertools import product
from random import Random

import pytest
from sqlalchemy import Connection, Row, delete, insert, select, update

from tests.unit.state.sample import NOW, Pair, new_pair
from xdmigrate_state import journal
from xdmigrate_state.database import Database
from xdmigrate_state.tables import chain
from xdmigrate_state.tables import journal as entries

CHAINS = (journal.PLAN_CHAIN, 1, 2)


def history(c: Connection, pair: Pair) -> None:
    """Three chains; the plan's one is anchored in the middle, so that every chain has a tail behind the anchor."""
    for number in range(5):
        for name in CHAINS:
            facts: dict[str, object] = {"items": 1000, "first": number, "folder": "Entwürfe"}
            journal.append(c, pair.plan.id, name, "range", facts, NOW + number)
        if number == 2:
            journal.anchor(c, pair.plan.id, NOW + number)


@pytest.fixture
def written(database: Database, pair: Pair) -> Pair:
    database.write(lambda c: history(c, pair))
    return pair


def rows(db: Database) -> list[Row[tuple[object, ...]]]:
    order = (entries.c.chain, entries.c.seq)
    return db.read(lambda c: list(c.execute(select(entries).order_by(*order))))


def after(db: Database, pair: Pair, *statements: object) -> list[str]:
    """What verify finds after a change that is undone again."""
    found: list[str] = []

    def change(c: Connection) -> None:
        with c.begin_nested() as savepoint:
            for statement in statements:
                c.execute(statement)  # type: ignore[call-overload] # any statement
            found.extend(journal.verify(c, pair.plan.id))
            savepoint.rollback()

    db.write(change)
    return found


def at(row: Row[tuple[object, ...]]) -> object:
    return (
        (entries.c.plan_id == row._mapping["plan_id"])
        & (entries.c.chain == row._mapping["chain"])
        & (entries.c.seq == row._mapping["seq"])
    )


def test_an_untouched_journal_is_whole(database: Database, written: Pair) -> None:
    assert database.read(lambda c: journal.verify(c, written.plan.id)) == []
    assert len(rows(database)) == 16


EDITS = {
    "at": NOW + 0.5,
    "event": "other",
    "facts": '{"items": 1000}',
    "previous": b"x" * 32,
    "hash": b"x" * 32,
    "seq": 99,
    "chain": 7,
}


def test_any_edit_is_found(database: Database, written: Pair) -> None:
    for row, (column, value) in product(rows(database), EDITS.items()):
        assert after(database, written, update(entries).where(at(row)).values({column: value})), row  # type: ignore[arg-type]


def test_an_edit_of_blanks_is_found(database: Database, written: Pair) -> None:
    row = rows(database)[0]
    spaced = str(row._mapping["facts"]).replace(":", ": ", 1)
    (found,) = after(database, written, update(entries).where(at(row)).values(facts=spaced))  # type: ignore[arg-type]
    assert found == "chain 0: entry 1 was edited"


def test_any_deletion_is_found(database: Database, written: Pair) -> None:
    """The last entries of each chain, too."""
    for row in rows(database):
        found = after(database, written, delete(entries).where(at(row)))  # type: ignore[arg-type]
        assert any("missing" in line or "cut off" in line or "anchored" in line for line in found), row


def test_any_swap_is_found(database: Database, written: Pair, rng: Random) -> None:
    """Two entries change places, in one chain or between two, each keeping its own hash."""
    found = rows(database)
    for _ in range(20):
        one, two = rng.sample(found, 2)
        keys = ("plan_id", "chain", "seq")
        first, second = dict(one._mapping), dict(two._mapping)
        for key in keys:
            first[key], second[key] = second[key], first[key]
        moves = [delete(entries).where(at(one)), delete(entries).where(at(two))]  # type: ignore[arg-type]
        assert after(database, written, *moves, insert(entries).values(first), insert(entries).values(second))


@pytest.mark.parametrize("name", [1, 2])
def test_a_chain_rewritten_with_its_head_breaks_the_anchor(database: Database, written: Pair, name: int) -> None:
    """Whoever deletes a whole chain and its head, or writes it anew, cannot make the plan's chain agree."""
    mine = (entries.c.plan_id == written.plan.id) & (entries.c.chain == name)
    head = (chain.c.plan_id == written.plan.id) & (chain.c.chain == name)
    forged: list[str] = []

    def forge(c: Connection) -> None:
        with c.begin_nested() as savepoint:
            c.execute(delete(entries).where(mine))
            c.execute(delete(chain).where(head))
            for number in range(5):
                journal.append(c, written.plan.id, name, "range", {"items": 1001}, NOW + number)
            forged.extend(journal.verify(c, written.plan.id))
            savepoint.rollback()

    assert any(
        "anchored" in line for line in after(database, written, delete(entries).where(mine), delete(chain).where(head))
    )
    database.write(forge)
    assert forged == [f"chain {name}: entry 3 is not the one that the plan's chain is anchored on"]


def test_a_lost_head_is_found(database: Database, written: Pair) -> None:
    for name in CHAINS:
        found = after(database, written, delete(chain).where(chain.c.chain == name))
        assert found == [f"chain {name}: its head is missing"]


def test_an_undone_entry_leaves_the_chain_whole(database: Database, written: Pair) -> None:
    def fail(c: Connection) -> None:
        journal.append(c, written.plan.id, 1, "range", {}, NOW)
        raise ArithmeticError

    futures = [database.submit(unit) for unit in (fail, lambda c: history(c, written), fail)]
    assert [type(future.exception()) for future in futures] == [ArithmeticError, type(None), ArithmeticError]
    assert database.read(lambda c: journal.verify(c, written.plan.id)) == []


def test_threads_and_processes_append_to_one_chain(database: Database, address: str, pair: Pair) -> None:
    def work(db: Database) -> None:
        for _ in range(10):
            db.write(lambda c: journal.append(c, pair.plan.id, journal.PLAN_CHAIN, "range", {}, NOW))

    with Database.open(address) as other:
        threads = [threading.Thread(target=work, args=[db]) for db in (database, other, database)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(rows(database)) == 30
    assert database.read(lambda c: journal.verify(c, pair.plan.id)) == []


def test_show_gives_entries_in_order(database: Database, written: Pair) -> None:
    def show(*arguments: int) -> list[tuple[int, int]]:
        return [(row.chain, row.seq) for row in database.read(lambda c: journal.show(c, written.plan.id, *arguments))]

    assert show(1) == [(1, number) for number in range(1, 6)]
    assert show(1, 3) == [(1, 4), (1, 5)]
    assert show(1, 0, 2) == [(1, 1), (1, 2)]
    assert show() == [(0, n) for n in range(1, 7)] + [(name, n) for name in (1, 2) for n in range(1, 6)]
    (last,) = database.read(lambda c: journal.show(c, written.plan.id, 2, 4))
    assert (last.event, last.at, last.facts["folder"]) == ("range", NOW + 4, "Entwürfe")


def test_plans_have_chains_of_their_own(database: Database, written: Pair) -> None:
    other = new_pair(database, "bob")
    database.write(lambda c: journal.append(c, other.plan.id, 1, "range", {}, NOW))
    assert [row.seq for row in database.read(lambda c: journal.show(c, other.plan.id))] == [1]
    assert database.read(lambda c: journal.verify(c, other.plan.id)) == []


@pytest.mark.parametrize("facts", [{"body": b"bytes"}, {"rate": float("nan")}])
def test_facts_are_json(database: Database, pair: Pair, facts: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        database.write(lambda c: journal.append(c, pair.plan.id, 1, "range", facts, NOW))
