"""A stateful model of items that change: edits on both sides, faults and passes in any order, against a simple oracle.

After everything has calmed down, the latest version of every source object is on the target, once; unless the target's
user changed or removed the copy, and the object changed at the source after the last pass that saw the copy untouched:
then it is quarantined as changed there. What the target's user wrote is there as he wrote it.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path as FilePath

import hypothesis.strategies as st
from hypothesis import note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.conftest import FULL
from tests.engine.test_changing import TEAM, outcomes, rows
from tests.engine.test_model import Script, scripted, scripts
from tests.engine.world import World
from xdmigrate.contract import CHANGED_THERE
from xdmigrate.engine.advance import Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.model import Kind, Outcome
from xdmigrate.report.verdicts import ItemState
from xdmigrate.testing.faults import Killed
from xdmigrate.testing.memory.powers import Powers, keeps_every_byte
from xdmigrate.testing.objects import made, rewritten, uid
from xdmigrate_state import failures
from xdmigrate_state.rows import FailureRow

texts = st.integers(0, 10**6).map(str)
powers = st.builds(
    Powers,
    deltas=st.booleans(),
    names_vanished=st.booleans(),
    change_test=st.booleans(),
    ids_returned=st.booleans(),
    exact_sizes=st.booleans(),
    ordered_ids=st.booleans(),
    batch=st.integers(1, 4),
    rewrite=st.sampled_from([keeps_every_byte, rewritten]),
    updates=st.just(True),
    versions=st.just(True),
    name=st.just(uid),
    keywords=st.just(False),
    dates=st.just(False),
    move=st.booleans(),
)


def says(data: bytes) -> bytes:
    return rewritten(data)


class Changing(RuleBasedStateMachine):
    """One calendar under everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory(prefix="xdmigrate-changing-")
        self.numbers = 0
        self.theirs: dict[bytes, bytes | None] = {}  # by UID: what the target's user made of a copy; None: removed
        self.own: set[bytes] = set()  # UIDs of what was the target user's own from the beginning
        self.anew: set[bytes] = set()  # UIDs of what was written anew under another id, or asked for once more
        self.stable: set[bytes] = set()  # target ids that a completed pass left behind

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.calm_and_compare()
                self.world.db.close()
        finally:
            self.home.cleanup()

    @initialize(old=powers, new=powers, already=st.lists(st.booleans(), max_size=3))
    def begin(self, old: Powers, new: Powers, already: list[bool]) -> None:
        self.world = World(FilePath(self.home.name), source=old, target=new, policy=Policy(Scope(), failures=1000))
        self.world.kinds = frozenset({Kind.CALENDAR})
        self.world.old.create_folder(TEAM, Kind.CALENDAR)
        for equal in already:
            data = self.create("x")
            self.world.new.create_folder(TEAM, Kind.CALENDAR)
            if equal:
                self.world.new.deliver(TEAM, says(data))
            else:
                self.own.add(uid(data))
                self.theirs[uid(data)] = made(Kind.CALENDAR, uid(data).decode(), "their own")
                self.world.new.deliver(TEAM, self.theirs[uid(data)] or b"")
        if already:
            self.sync_calmly()

    # --- the source's users -----------------------------------------------------------------------------------

    @rule(text=texts)
    def creates(self, text: str) -> None:
        self.create(text)

    def create(self, text: str) -> bytes:
        self.numbers += 1
        data = made(Kind.CALENDAR, str(self.numbers), text)
        self.world.old.deliver(TEAM, data)
        return data

    @rule(data=st.data(), text=texts, count=st.integers(1, 4))
    def edit(self, data: st.DataObject, text: str, count: int) -> None:
        items = self.world.old.box(TEAM).items
        for _ in range(count if items else 0):
            ref = data.draw(st.sampled_from(sorted(items)))
            self.world.old.edit(TEAM, ref, made(Kind.CALENDAR, uid(items[ref].data).decode(), text))

    @rule(data=st.data(), text=texts, edited=st.booleans())
    def write_anew(self, data: st.DataObject, text: str, *, edited: bool) -> None:
        """As clients do: under another id, perhaps with other content."""
        items = self.world.old.box(TEAM).items
        if items:
            ref = data.draw(st.sampled_from(sorted(items)))
            same = items[ref].data
            self.anew.add(uid(same))
            self.world.old.delete(TEAM, ref)
            self.world.old.deliver(TEAM, made(Kind.CALENDAR, uid(same).decode(), text) if edited else same)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        items = self.world.old.box(TEAM).items
        if items:
            self.world.old.delete(TEAM, data.draw(st.sampled_from(sorted(items))))

    # --- the target's users: only on what a completed pass has left there ---------------------------------------

    @rule(data=st.data(), text=texts, remove=st.booleans())
    def target_user(self, data: st.DataObject, text: str, *, remove: bool) -> None:
        items = self.world.new.box(TEAM).items if self.stable else {}
        found = sorted(self.stable & items.keys())
        if not found:
            return
        ref = data.draw(st.sampled_from(found))
        name = uid(items[ref].data)
        if remove and name in self.own:  # what takes its place, if the source writes it once more, is a first copy
            return
        if remove:
            self.theirs[name] = None
            self.world.new.delete(TEAM, ref)
        else:
            self.theirs[name] = made(Kind.CALENDAR, name.decode(), f"theirs {text}")
            self.world.new.edit(TEAM, ref, self.theirs[name] or b"")

    @rule()
    def cursors_expire(self) -> None:
        self.world.old.expire_cursors()

    # --- the engine -----------------------------------------------------------------------------------------------

    @rule(text=texts, data=st.data(), on_source=scripts(), on_target=scripts())
    def sync_under_faults(self, text: str, data: st.DataObject, on_source: Script, on_target: Script) -> None:
        self.create(text)
        self.edit(data, f"edit {text}", 2)
        self.world.source_faults.commit_late()
        self.world.target_faults.commit_late()
        self.world.source_faults, self.world.target_faults = scripted(on_source), scripted(on_target)
        self.stable = set()  # users act on what they see when nothing is under way
        try:
            step = self.world.step()
        except Killed:
            return
        assert step.verdict in {Verdict.DONE, Verdict.RETRY_AT}, step
        outcomes(self.world)

    @rule()
    def sync_calmly(self) -> None:
        self.world.calm()
        self.world.sync()
        outcomes(self.world)
        self.stable = set(self.world.new.box(TEAM).items)

    @rule()
    def retry_quarantine(self) -> None:
        """A person asks once more for what failed, also for what the target's user has removed."""
        items = self.world.old.box(TEAM).items
        failed = {uid(items[each.source_id].data) for each in self.failed() if each.source_id in items}
        self.anew |= {name for name in failed if name in self.theirs and self.theirs[name] is None}
        self.world.retry_quarantine()
        outcomes(self.world)

    # --- the oracle -----------------------------------------------------------------------------------------------

    def calm_and_compare(self) -> None:
        self.world.calm()
        self._retry_lies()
        for _ in range(3):
            self.world.sync()
        outcomes(self.world)
        known = rows(self.world)
        there: dict[bytes, list[bytes]] = {}
        for data in self.world.new.contents(TEAM):
            there.setdefault(uid(data), []).append(says(data))
        note(f"there={there} theirs={self.theirs}")
        note(f"known={known}")
        copies = {ref: uid(kept.data) for ref, kept in self.world.new.box(TEAM).items.items()}
        gone = [row for row in known.values() if row.gone and row.outcome is Outcome.PRESENT]
        adopted = {copies.get(row.target_id or b"", b"") for row in gone}  # not ours to replace by what is written anew
        for name, found in there.items():
            assert len(found) == 1, f"twice: {name!r}"
        for name, wanted in self.theirs.items():
            if wanted is None and name in self.anew:  # another item: it is copied though the first copy was removed
                continue
            found = there.get(name, [])
            assert found == ([] if wanted is None else [says(wanted)]), f"overwritten: {name!r}"
        for ref, kept in self.world.old.box(TEAM).items.items():
            name = uid(kept.data)
            if name not in self.theirs and not (name in adopted and known[ref].outcome is Outcome.FAILED):
                assert there[name] == [says(kept.data)], f"not current: {name!r}"
                assert known[ref].outcome in {Outcome.COPIED, Outcome.PRESENT}
        reasons = {each.source_id: each.reason for each in self.failed()}
        assert set(reasons.values()) <= {CHANGED_THERE, "uid-taken"}
        items = self.world.old.box(TEAM).items
        assert {uid(items[ref].data) for ref in reasons} <= self.theirs.keys() | adopted
        assert self.world.writes(self.world.sync) == []
        self._verified()

    def _verified(self) -> None:
        """Only what the target's user changed differs, and nothing is there that nobody can explain."""
        items = self.world.old.box(TEAM).items
        told = self.world.verify().details
        note(str(told))
        assert ItemState.UNEXPLAINED not in {each.state for each in told}
        changed = {uid(items[bytes.fromhex(each.ref)].data) for each in told if each.state is ItemState.CHANGED}
        assert changed <= self.theirs.keys()

    def failed(self) -> list[FailureRow]:
        return self.world.db.read(partial(failures.of_plan, plan_id=self.world.plan_id))

    def _retry_lies(self) -> None:
        """A target that lied twice about an item: it is known, not lost."""
        self.world.sync()
        if any(each.reason == "not-kept" for each in self.failed()):
            self.world.retry_quarantine()


TestChanging = Changing.TestCase
TestChanging.settings = settings(max_examples=1000 if FULL else 12, stateful_step_count=12)
