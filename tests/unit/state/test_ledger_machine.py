"""Random sequences of ledger operations, against a model: the arithmetic stays closed, and nothing else moves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection

from tests.conftest import FULL
from tests.unit.state.sample import NOW, Pair, new_folder, new_pair, uid
from xdmigrate.model import Outcome
from xdmigrate_state import failures, folders, ledger, totals
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Counts, FolderRow, NewItem, Settled

FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Answered", "$Label ü"]), max_size=3)
SIZES = st.integers(0, 2**33)
NUMBERS = st.integers(1, 12)
SOME = st.lists(NUMBERS, min_size=1, max_size=6, unique=True)
FOLDERS = st.sampled_from([0, 1])
SETTLEMENTS = [Outcome.COPIED, Outcome.PRESENT, Outcome.MERGED, Outcome.FAILED]
LINKED = (Outcome.COPIED, Outcome.PRESENT)


@dataclass
class Row:
    """What the model knows of an item."""

    outcome: Outcome
    size: int
    flags: frozenset[str]
    note: str = ""
    gone: bool = False
    target: int | None = None
    attempts: int = 0


class Undone(Exception):
    """Thrown to undo a unit."""


class LedgerMachine(RuleBasedStateMachine):
    db: ClassVar[Database]

    @initialize()
    def begin(self) -> None:
        self.pair: Pair = new_pair(self.db, "ann")
        second = self.db.write(lambda c: new_folder(c, self.pair.mailbox, "Sent"))
        self.folders: list[FolderRow] = [self.pair.folder, second]
        self.model: list[dict[int, Row]] = [{}, {}]
        self.target_ids = itertools.count(1)

    # --- operations -----------------------------------------------------------------------------------------------

    @rule(at=FOLDERS, numbers=SOME, size=SIZES, flags=FLAGS, filtered=st.booleans())
    def add(self, at: int, numbers: list[int], size: int, flags: frozenset[str], filtered: bool) -> None:
        new = [number for number in numbers if number not in self.model[at]]
        outcome, note = (Outcome.FILTERED, "scope") if filtered else (Outcome.PENDING, "")
        rows = [NewItem(uid(number), size, outcome, note, flags) for number in new]
        self.db.write(lambda c: ledger.add(c, self.folders[at], rows))
        self.model[at].update({number: Row(outcome, size, flags, note) for number in new})

    @rule(at=FOLDERS, numbers=SOME, to=st.sampled_from(SETTLEMENTS), size=st.none() | SIZES, flags=st.none() | FLAGS)
    def settle(self, at: int, numbers: list[int], to: Outcome, size: int | None, flags: frozenset[str] | None) -> None:
        ready = [n for n in numbers if self._is(at, n, Outcome.PENDING, Outcome.FAILED)]
        targets = {n: next(self.target_ids) for n in ready} if to in LINKED else {}
        self._settle(at, ready, to, size, flags, targets)
        for number in ready:
            row = self.model[at][number]
            row.attempts = row.attempts + 1 if to is Outcome.FAILED else 0
            row.note = "refused" if to is Outcome.FAILED else ""
            row.outcome, row.target = to, targets.get(number)
            row.size = row.size if size is None else size
            row.flags = row.flags if flags is None else flags

    @rule(at=FOLDERS)
    def settle_again(self, at: int) -> None:
        """The same proof again changes nothing."""
        for outcome in LINKED:
            same = {n: row.target for n, row in self.model[at].items() if row.outcome is outcome and row.target}
            self._settle(at, list(same), outcome, 1, frozenset({"\\Draft"}), same)

    @rule(at=FOLDERS, number=NUMBERS, to=st.sampled_from(SETTLEMENTS))
    def settle_otherwise(self, at: int, number: int, to: Outcome) -> None:
        """A copied item cannot become anything else, nor be the copy of another target item."""
        if self._is(at, number, *LINKED):
            with pytest.raises(ValueError, match="already"):
                self._settle(at, [number], to, None, None, {number: next(self.target_ids)})

    @rule(at=FOLDERS, numbers=SOME)
    def reopen(self, at: int, numbers: list[int]) -> None:
        self.db.write(lambda c: ledger.reopen(c, self.folders[at], map(uid, numbers)))
        for number in numbers:
            if number in self.model[at]:
                row = self.model[at][number]
                row.note = row.note if row.outcome is Outcome.PENDING and not row.target else ""
                row.outcome, row.target, row.attempts = Outcome.PENDING, None, 0

    @rule(at=FOLDERS, numbers=SOME)
    def retry(self, at: int, numbers: list[int]) -> None:
        self.db.write(lambda c: ledger.retry(c, self.folders[at], map(uid, numbers)))
        for number in numbers:
            if self._is(at, number, Outcome.FAILED):
                row = self.model[at][number]
                row.note = ledger.RETRIED if row.target else ""
                row.outcome, row.attempts = Outcome.PENDING, 0

    @rule(at=FOLDERS, numbers=SOME, scope=st.sampled_from(["scope", "narrower"]))
    def refilter(self, at: int, numbers: list[int], scope: str) -> None:
        self.db.write(lambda c: ledger.refilter(c, self.folders[at], map(uid, numbers), scope))
        for number in numbers:
            if self._is(at, number, Outcome.PENDING, Outcome.FAILED, Outcome.FILTERED):
                row = self.model[at][number]
                row.outcome, row.note, row.attempts = Outcome.FILTERED, scope, 0

    @rule(at=FOLDERS, numbers=SOME)
    def withdraw(self, at: int, numbers: list[int]) -> None:
        self.db.write(lambda c: ledger.withdraw(c, self.folders[at], map(uid, numbers)))
        for number in numbers:
            if self._is(at, number, Outcome.PENDING, Outcome.FAILED):
                del self.model[at][number]

    @rule(at=FOLDERS, numbers=SOME, to=st.booleans())
    def gone(self, at: int, numbers: list[int], to: bool) -> None:
        function = ledger.gone if to else ledger.back
        self.db.write(lambda c: function(c, self.folders[at], map(uid, numbers)))
        for number in numbers:
            if number in self.model[at]:
                row = self.model[at][number]
                if row.gone and not to and row.outcome is Outcome.MERGED:  # what it relied on was given up
                    row.outcome, row.note = Outcome.PENDING, ""
                row.gone = to

    @rule(at=FOLDERS, numbers=SOME, flags=FLAGS)
    def rebase(self, at: int, numbers: list[int], flags: frozenset[str]) -> None:
        self.db.write(lambda c: ledger.rebase(c, self.folders[at], [(uid(number), flags) for number in numbers]))
        for number in numbers:
            if number in self.model[at]:
                self.model[at][number].flags = flags

    @rule(at=FOLDERS, turn=st.integers(0, 5))
    def relink(self, at: int, turn: int) -> None:
        """Linked items exchange their target ids: none may be claimed twice on the way."""
        linked = {n: row.target for n, row in self.model[at].items() if row.outcome in LINKED and row.target}
        turned = list(linked.values())[turn:] + list(linked.values())[:turn]
        new = dict(zip(linked, turned, strict=True))
        rows = [(uid(n), self.pair.place.id, uid(target)) for n, target in new.items()]
        self.db.write(lambda c: ledger.relink(c, self.folders[at], rows))
        for number, target in new.items():
            self.model[at][number].target = target

    @rule(at=FOLDERS, numbers=SOME, size=SIZES)
    def resize(self, at: int, numbers: list[int], size: int) -> None:
        self.db.write(lambda c: ledger.resize(c, self.folders[at], [(uid(n), size, b"f" * 16) for n in numbers]))
        for number in numbers:
            if number in self.model[at]:
                self.model[at][number].size = size

    @rule(at=FOLDERS, numbers=SOME, shift=st.sampled_from([0, 1]))
    def transfer(self, at: int, numbers: list[int], shift: int) -> None:
        """To the other folder, or under new ids within the same one."""
        to = (at + shift) % 2
        mine = [n for n in numbers if n in self.model[at]]
        new = dict(zip(mine, reversed(mine), strict=True)) if to == at else {n: n + 100 for n in mine}
        if to != at and any(number in self.model[to] for number in new.values()):
            return
        rows = [(uid(old), uid(number)) for old, number in new.items()]
        self.db.write(lambda c: ledger.transfer(c, self.folders[at], self.folders[to], rows))
        moved = {number: self.model[at].pop(old) for old, number in new.items()}
        self.model[to].update(moved)

    @rule(at=FOLDERS, numbers=SOME)
    def fail_in_the_middle(self, at: int, numbers: list[int]) -> None:
        """A unit that fails leaves nothing behind, words included."""

        def unit(c: Connection) -> None:
            ledger.refilter(c, self.folders[at], map(uid, numbers), f"never kept {numbers}")
            ledger.withdraw(c, self.folders[at], map(uid, numbers))
            ledger.reopen(c, self.folders[1 - at], map(uid, numbers))
            raise Undone

        with pytest.raises(Undone):
            self.db.write(unit)

    # --- what always holds ----------------------------------------------------------------------------------------

    @invariant()
    def counters_are_what_a_scan_counts(self) -> None:
        for folder, model in zip(self.folders, self.model, strict=True):
            kept = self.db.read(partial(folders.get, folder_id=folder.id)).counts
            assert kept == self.db.read(partial(ledger.recount, folder_id=folder.id))
            assert kept == _counted(model)
            assert kept.closed

    @invariant()
    def rows_are_the_model(self) -> None:
        for folder, model in zip(self.folders, self.model, strict=True):
            found = self.db.read(partial(ledger.scan, folder=folder))
            assert [item.source_id for item in found] == [uid(number) for number in sorted(model)]
            for item, number in zip(found, sorted(model), strict=True):
                row = model[number]
                assert (item.outcome, item.size, item.gone) == (row.outcome, row.size, row.gone)
                assert (item.base_flags, item.note) == (row.flags, row.note)
                assert item.target_id == (None if row.target is None else uid(row.target))
                assert (item.place_id is None) == (row.target is None)

    @invariant()
    def failed_items_are_the_quarantine(self) -> None:
        found = self.db.read(lambda c: failures.of_plan(c, self.pair.plan.id))
        expected = {
            (folder.id, uid(number), row.attempts)
            for folder, model in zip(self.folders, self.model, strict=True)
            for number, row in model.items()
            if row.outcome is Outcome.FAILED
        }
        assert {(failure.folder_id, failure.source_id, failure.attempts) for failure in found} == expected

    @invariant()
    def claims_are_the_links(self) -> None:
        account, place = self.pair.mailbox.account_id, self.pair.place.id
        targets = sorted(row.target for model in self.model for row in model.values() if row.target is not None)
        assert self.db.read(lambda c: ledger.claims(c, account, place)) == [uid(target) for target in targets]

    @invariant()
    def the_plan_adds_up(self) -> None:
        sums = self.db.read(lambda c: totals.mailbox_counts(c, self.pair.plan.id))
        assert sums == {self.pair.mailbox.id: {"mail": _counted(self.model[0]) + _counted(self.model[1])}}

    # --- inner ----------------------------------------------------------------------------------------------------

    def _is(self, at: int, number: int, *outcomes: Outcome) -> bool:
        return number in self.model[at] and self.model[at][number].outcome in outcomes

    def _settle(
        self,
        at: int,
        numbers: list[int],
        to: Outcome,
        size: int | None,
        flags: frozenset[str] | None,
        targets: dict[int, int],
    ) -> None:
        place = self.pair.place.id if to in LINKED else None
        rows = [
            Settled(
                uid(number),
                to,
                size=size,
                place_id=place,
                target_id=uid(targets[number]) if to in LINKED else None,
                flags=flags,
                reason="refused" if to is Outcome.FAILED else "",
            )
            for number in numbers
        ]
        self.db.write(lambda c: ledger.settle(c, self.folders[at], rows, NOW))


def _counted(model: dict[int, Row]) -> Counts:
    def number(outcome: Outcome) -> int:
        return sum(row.outcome is outcome for row in model.values())

    return Counts(
        seen=len(model),
        pending=number(Outcome.PENDING),
        copied=number(Outcome.COPIED),
        present=number(Outcome.PRESENT),
        merged=number(Outcome.MERGED),
        filtered=number(Outcome.FILTERED),
        failed=number(Outcome.FAILED),
        gone=sum(row.gone for row in model.values()),
        octets=sum(row.size for row in model.values()),
        octets_pending=sum(row.size for row in model.values() if row.outcome is Outcome.PENDING),
    )


def test_any_sequence_keeps_the_ledger_true(database: Database) -> None:
    class Machine(LedgerMachine):
        db = database

    many = Machine.TestCase.settings
    run_state_machine_as_test(Machine, settings=many if FULL or database.path else settings(many, max_examples=8))
