"""A stateful model: users, faults and passes in any order, against a simple oracle.

The oracle counts instances of each content. After everything has calmed down:
lost: at least as many instances are on the target as the source holds, less those that target users deleted;
twice: never more than were there at the start plus were ever delivered or moved to a folder at the source.
Folders that no user touched hold exactly what their source folder holds.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path as FilePath

import hypothesis.strategies as st
from hypothesis import note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.conftest import FULL
from tests.engine.world import World
from xdmigrate.engine.advance import Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.model import Path
from xdmigrate.report.verdicts import ItemState
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode, Operation
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import folders, intents, ledger, totals

PATHS: list[Path] = [("INBOX",), ("A",), ("A", "b"), ("C",)]
CONTENTS = [b"\r\nx\r\n", b"\r\ny\r\n", b"Subject: z\r\n\r\nlonger\r\n"]

contents = st.sampled_from(CONTENTS) | st.integers(0, 10**6).map(lambda n: b"Subject: %d\r\n\r\nbody\r\n" % n)
paths = st.sampled_from(PATHS)
powers = st.builds(
    Powers,
    deltas=st.booleans(),
    names_vanished=st.booleans(),
    known_sizes=st.booleans(),
    change_test=st.booleans(),
    ids_returned=st.booleans(),
    ordered_ids=st.sampled_from([True, True, False]),
    exact_sizes=st.sampled_from([True, True, False]),
    rename=st.booleans(),
    move=st.booleans(),
    folder_ids=st.booleans(),
    batch=st.integers(1, 5),
)
OFTEN = ["send", "send", "send", "send", "heads", "heads", "changes", "read", "status", "put"]
SELDOM = ["connect", "folders", "create-folder", "rename-folder", "change-flags", "remove", "subscribe", "abandon"]
SELDOM += ["move", "move", "look-up"]
LIES = {"send", "create-folder", "rename-folder", "move", "remove", "abandon"}
"""Lies about flags are left to verify: no listing proves them (see change_flags)."""

Script = dict[tuple[str, int], Fault]


def _fault(mode: Mode, dies: bool, later: int) -> Fault:
    return Fault(mode, error=Killed, later=later) if dies and mode is not Mode.LYING else Fault(mode, later=later)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Which operations go wrong, by name and count: how, whether the process dies of it, and how late."""
    names = st.sampled_from(OFTEN) | st.sampled_from(SELDOM)
    counts = st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5])
    hits = draw(st.lists(st.tuples(names, counts), min_size=1, max_size=4, unique=True))
    faults = st.builds(_fault, st.sampled_from(list(Mode)), st.booleans(), st.integers(0, 9))
    script = {hit: draw(faults) for hit in hits}
    lies = {hit: fault for hit, fault in script.items() if fault.mode is Mode.LYING}
    return lies or script  # ids burnt by a lie *and* a crash in one range look like a user's deletion: verify tells


def scripted(script: Script) -> Faults:
    def decide(operation: Operation) -> Fault | None:
        fault = script.get((operation.name, operation.nth))
        if fault is None or fault.mode not in operation.modes:
            return None
        return None if fault.mode is Mode.LYING and operation.name not in LIES else fault

    return Faults(decide)


class Migration(RuleBasedStateMachine):
    """One mailbox under everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.home = FilePath(tempfile.mkdtemp(prefix="xdmigrate-model-"))
        self.allowed: Counter[bytes] = Counter()  # instances that may be on the target
        self.deleted: Counter[bytes] = Counter()  # by the target's users
        self.orphans = False  # a source item may be gone whose copy was never claimed: no longer to be told from a twin
        self.touched: dict[Path, Counter[bytes]] = {}  # what target users deleted or moved away
        self.stable: dict[Path, set[bytes]] = {}  # target ids that a completed pass left behind

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.calm_and_compare()
                self.world.db.close()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    @initialize(old=powers, new=powers, already=st.lists(contents, max_size=4))
    def begin(self, old: Powers, new: Powers, already: list[bytes]) -> None:
        self.world = World(self.home, source=old, target=new, policy=Policy(Scope(), failures=1000))
        for data in already:
            self.world.new.deliver(("INBOX",), data)
            self.allowed[data] += 1

    # --- the source's users -----------------------------------------------------------------------------------

    @rule(path=paths, data=contents, count=st.integers(1, 3), seen=st.booleans())
    def deliver(self, path: Path, data: bytes, count: int, *, seen: bool) -> None:
        self.world.old.create_folder(path)
        for _ in range(count):
            self.world.old.deliver(path, data, ["\\Seen"] if seen else [])
            self.allowed[data] += 1

    @rule(data=st.data())
    def source_user(self, data: st.DataObject) -> None:
        found = [(box.path, ref) for box in self.world.old.boxes() if box.selectable for ref in sorted(box.items)]
        if not found:
            return
        path, ref = data.draw(st.sampled_from(found))
        self.orphans |= bool(self.world.db.read(partial(intents.of_mailbox, mailbox_id=self.world.mailbox_id)))
        match data.draw(st.sampled_from(["flag", "delete", "move"])):
            case "flag":
                self.world.old.flag(path, ref, add=["\\Flagged"])
            case "delete":
                self.world.old.delete(path, ref)
            case "move":
                to = data.draw(paths)
                self.world.old.create_folder(to)
                self._move(path, ref, to)

    @rule(path=paths, to=paths)
    def source_user_empties_a_folder(self, path: Path, to: Path) -> None:
        if path not in {box.path for box in self.world.old.boxes() if box.selectable}:
            return
        self.orphans |= bool(self.world.db.read(partial(intents.of_mailbox, mailbox_id=self.world.mailbox_id)))
        self.world.old.create_folder(to)
        for ref in sorted(self.world.old.box(path).items):
            self._move(path, ref, to)

    def _move(self, path: Path, ref: bytes, to: Path) -> None:
        """The copy follows; or it stays, where the target cannot move it or somebody touched it, and one is added."""
        self.allowed[self.world.old.box(path).items[ref].data] += 1
        self.world.old.move(path, ref, to)

    # --- the target's users: only on what a completed pass has left there ---------------------------------------

    @precondition(lambda self: any(getattr(self, "stable", {}).values()))
    @rule(data=st.data())
    def target_user(self, data: st.DataObject) -> None:
        there = {box.path: box for box in self.world.new.boxes() if box.selectable}
        found = [
            (path, ref)
            for path, refs in sorted(self.stable.items())
            for ref in sorted(refs)
            if path in there and ref in there[path].items
        ]
        if not found:
            return
        path, ref = data.draw(st.sampled_from(found))
        self.touched.setdefault(path, Counter())[there[path].items[ref].data] += 1
        if data.draw(st.booleans()):
            self.deleted[there[path].items[ref].data] += 1
            self.world.new.delete(path, ref)
        else:
            self.world.new.create_folder(("Elsewhere",))
            self.world.new.move(path, ref, ("Elsewhere",))

    # --- the servers ----------------------------------------------------------------------------------------------

    @rule(path=paths, what=st.sampled_from(["renumber source", "renumber target", "expire cursors"]))
    def server(self, path: Path, what: str) -> None:
        account = self.world.new if what == "renumber target" else self.world.old
        if what == "expire cursors":
            account.expire_cursors()
        elif path in {box.path for box in account.boxes()}:
            account.change_validity(path)
        if what == "renumber target":
            self.stable.pop(path, None)
            # Ids are gone, so what a user took away looks lost with the restore: it is sent again rather than missed.
            self.allowed += self.touched.pop(path, Counter())

    # --- the engine -----------------------------------------------------------------------------------------------

    @rule(path=paths, new=st.lists(contents, min_size=1, max_size=9), on_source=scripts(), on_target=scripts())
    def sync_under_faults(self, path: Path, new: list[bytes], on_source: Script, on_target: Script) -> None:
        for data in new:
            self.deliver(path, data, 1, seen=False)
        self.world.source_faults.commit_late()
        self.world.target_faults.commit_late()
        self.world.source_faults, self.world.target_faults = scripted(on_source), scripted(on_target)
        try:
            step = self.world.step()
        except Killed:
            return
        assert step.verdict in {Verdict.DONE, Verdict.RETRY_AT}, step
        self.arithmetic_closes()

    @rule()
    def sync_calmly(self) -> None:
        self.world.calm()
        self.world.sync()
        self.stable = {box.path: set(box.items) for box in self.world.new.boxes() if box.selectable}
        self.arithmetic_closes()
        self.ledger_follows()

    def ledger_follows(self) -> None:
        """What it says to be at the source is there, with these flags, and nothing else is."""
        db = self.world.db
        boxes = {box.path: box for box in self.world.old.boxes() if box.selectable}
        rows = {row.path: row for row in db.read(lambda c: folders.of_mailbox(c, self.world.mailbox_id))}
        assert boxes.keys() <= rows.keys()
        for path, box in boxes.items():
            known = {item.source_id: item for item in db.read(partial(ledger.scan, folder=rows[path])) if not item.gone}
            assert {ref: kept.flags for ref, kept in box.items.items()} == {
                ref: item.base_flags for ref, item in known.items()
            }
            assert all(item.size >= 0 for item in known.values())

    def arithmetic_closes(self) -> None:
        db = self.world.db
        for kinds in db.read(lambda c: totals.mailbox_counts(c, self.world.plan_id)).values():
            assert all(counts.closed for counts in kinds.values())
        for row in db.read(lambda c: folders.of_mailbox(c, self.world.mailbox_id, live=False)):
            assert db.read(lambda c, row=row: ledger.recount(c, row.id)) == row.counts  # type: ignore[misc]

    # --- the oracle -----------------------------------------------------------------------------------------------

    def calm_and_compare(self) -> None:
        self.world.calm()
        self.world.retry_quarantine()  # a target that lied twice about an item: it is known, not lost
        for _ in range(3):
            self.world.sync()
        self.ledger_follows()
        there = self.world.everything()
        wanted: Counter[bytes] = Counter()
        for box in self.world.old.boxes():
            if box.selectable:
                wanted += Counter(self.world.old.contents(box.path))
        note(f"there={there} wanted={wanted} allowed={self.allowed} deleted={self.deleted}")
        for data, count in wanted.items():
            assert there[data] + self.deleted[data] >= count, f"lost: {data!r}"
        for data, count in there.items():
            assert count + self.deleted[data] <= self.allowed[data], f"twice: {data!r}"
        assert self.world.writes(self.world.sync) == []
        verdict = self.world.verify()
        note(str(verdict.details))
        strange = {ItemState.CHANGED} if self.orphans else {ItemState.UNEXPLAINED, ItemState.CHANGED}
        assert not [detail for detail in verdict.details if detail.state in strange]


TestMigration = Migration.TestCase
TestMigration.settings = settings(max_examples=1000 if FULL else 20, stateful_step_count=15)
