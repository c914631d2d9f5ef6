"""Several pairs of sessions at work on one mailbox: nothing lost, nothing twice, whatever fails in whichever lane.

Threads meet as they like here, so trials are repeated with seeds rather than replayed step by step.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from random import Random

import pytest

from tests.conftest import FULL
from tests.engine.world import FOREVER, World
from xdmigrate.contract import Source, Target
from xdmigrate.engine import closing, copying, lanes
from xdmigrate.engine.advance import Advancer, Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.elsewhere import Unkept
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.work import Work
from xdmigrate.errors import Throttled
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode, Operation
from xdmigrate.testing.faults.decide import ALL
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import folders, intents, ledger
from xdmigrate_state.rows import MailboxRow

TRIALS = 400 if FULL else 8
FLAGS = ("\\Seen", "\\Flagged", "Work")
ALIKE = b"Subject: again\r\n\r\nthe same\r\n"


class Lends:
    """A lender with so many pairs to give, that counts them."""

    def __init__(self, world: World, pairs: int = 3) -> None:
        self.world = world
        self.left = pairs
        self.opened = 0
        self.others_wait = False
        self.refuses = False

    def lends(self) -> bool:
        return self.left > 0

    def source(self, mailbox: MailboxRow) -> Source:
        self.left -= 1
        self.opened += 1
        if self.refuses:
            raise Throttled("too many connections")
        return self.world.source(mailbox)

    def target(self, mailbox: MailboxRow) -> Target:
        return self.world.target(mailbox)

    def wanted(self) -> bool:
        return self.others_wait


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "RANGE_ITEMS", 12)
    monkeypatch.setattr(copying, "FEWEST_ITEMS", 3)


@pytest.fixture
def world(tmp_path: FilePath) -> Iterator[World]:
    world = World(tmp_path, policy=Policy(Scope(), failures=1000))
    world.lender = Lends(world)
    yield world
    world.db.close()


def lender(world: World) -> Lends:
    assert isinstance(world.lender, Lends)
    return world.lender


def fill(world: World, random: Random, count: int = 60) -> None:
    """New mail in two folders, every third message equal to others, whatever its flags."""
    world.old.create_folder(("A",))
    for _ in range(count):
        data = ALIKE if random.random() < 0.3 else b"Subject: %d\r\n\r\nbody\r\n" % random.randrange(10**9)
        flags = [flag for flag in FLAGS if random.random() < 0.3]
        world.old.deliver(("INBOX",) if random.random() < 0.7 else ("A",), data, flags)


def complete(world: World) -> None:
    for path in (("INBOX",), ("A",)):
        assert Counter(world.new.contents(path)) == Counter(world.old.contents(path))
    assert not world.db.read(partial(intents.of_mailbox, mailbox_id=world.mailbox_id))
    for row in world.db.read(lambda c: folders.of_mailbox(c, world.mailbox_id)):
        assert row.counts.closed
        assert not row.counts.pending
        assert world.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts
    verdict = world.verify()  # by the links: equal items are not linked crosswise
    assert verdict.verdict is Judged.PASS, verdict


def meeting(monkeypatch: pytest.MonkeyPatch, count: int) -> set[int]:
    """Let so many lanes meet in their first ranges: none does all the work before the others have begun."""
    seen: set[int] = set()
    ready = threading.Barrier(count)
    copy_range = copying._copy_range

    def watched(work: Work, span: closing.Range) -> list[Unkept]:
        lane = threading.get_ident()
        if lane not in seen and len(seen) < count:
            seen.add(lane)
            ready.wait(20)
        return copy_range(work, span)

    monkeypatch.setattr(copying, "_copy_range", watched)
    return seen


@pytest.mark.parametrize("count", [2, 4])
def test_lanes_share_one_mailbox(world: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Every lane opens the next: that all of them meet shows that none waits for the first one's first range."""
    seen = meeting(monkeypatch, count)
    fill(world, Random(1), 200)
    world.sync()
    assert len(seen) == count
    complete(world)


def test_no_lane_is_left_behind(world: World) -> None:
    fill(world, Random(2), 100)
    world.sync()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane-")]


def test_a_pass_that_is_dropped_ends_its_lanes(world: World) -> None:
    fill(world, Random(3), 300)
    advancer = Advancer(world.context())
    deadline = 0.0
    for _ in range(12):  # into the middle of copying
        assert advancer.advance(world.mailbox_id, deadline).verdict is Verdict.CONTINUE
    advancer.drop(world.mailbox_id)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane-")]
    assert not world.db.read(partial(intents.of_mailbox, mailbox_id=world.mailbox_id))  # what was begun was proved
    world.sync()
    complete(world)


def test_without_told_ids_there_is_one_writer(tmp_path: FilePath) -> None:
    world = World(tmp_path, target=Powers(ids_returned=False))
    world.lender = Lends(world)
    fill(world, Random(4), 100)
    world.sync()
    assert lender(world).opened == 0
    complete(world)
    world.db.close()


def test_connections_are_given_back_when_others_wait(world: World) -> None:
    lender(world).left, lender(world).others_wait = 100, True
    fill(world, Random(5), 150)
    world.sync()
    complete(world)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane-")]


def test_a_lane_that_is_turned_away_is_no_harm(world: World) -> None:
    lender(world).left, lender(world).refuses = 100, True
    fill(world, Random(6), 100)
    world.sync()
    assert 1 <= lender(world).opened <= lanes.MOST_LANES  # and is not asked for again and again
    complete(world)


def test_a_stop_while_a_borrowed_lane_is_still_at_work_completes_no_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lane has run out of ranges; another one is in its last and is cut short."""
    stop, copy_range = threading.Event(), copying._copy_range

    def cut_short(work: Work, span: closing.Range) -> list[Unkept]:
        if threading.current_thread().name.startswith("lane-"):
            stop.wait(20)  # until the first lane waits for this one
        return copy_range(work, span)

    class Waits(lanes.Lanes[closing.Range]):
        def finish(self) -> None:
            stop.set()
            super().finish()

    monkeypatch.setattr(copying, "_copy_range", cut_short)
    monkeypatch.setattr(lanes, "Lanes", Waits)
    lender(world).left = 0
    fill(world, Random(8), 5)
    world.sync()
    passes, lender(world).left = world.mailbox().passes, 1
    stop.clear()
    fill(world, Random(7), 100)
    context = replace(world.context(), stopping=stop.is_set)
    assert Advancer(context).advance(world.mailbox_id, FOREVER).verdict is Verdict.PAUSED
    assert world.mailbox().passes == passes
    monkeypatch.undo()
    world.sync()
    complete(world)


@pytest.mark.parametrize("dies", [False, True], ids=["loses connections", "is killed"])
def test_nothing_lost_nothing_twice_whatever_fails(tmp_path: FilePath, seed: int, *, dies: bool) -> None:
    modes = ALL - {Mode.LYING}  # ids burnt by a lie *and* a crash in one range look like a user's deletion
    for trial in range(TRIALS):
        random = Random(f"{seed} {trial} {dies}")
        (tmp_path / f"{trial}").mkdir()
        world = World(tmp_path / f"{trial}", policy=Policy(Scope(), failures=1000))
        world.lender = Lends(world, random.randrange(1, 4))
        fill(world, random)
        for _ in range(2):
            world.source_faults = seeded(random, modes, dies=dies)
            world.target_faults = seeded(random, modes, dies=dies)
            attempt(world)
            fill(world, random, 20)
            world.source_faults.commit_late()
            world.target_faults.commit_late()
        world.calm()
        world.sync()
        world.sync()  # late twins of the last attempt are looked for once more
        complete(world)
        world.db.close()


def test_a_lying_target(tmp_path: FilePath, seed: int) -> None:
    for trial in range(TRIALS // 4):
        random = Random(f"{seed} {trial}")
        (tmp_path / f"{trial}").mkdir()
        world = World(tmp_path / f"{trial}", policy=Policy(Scope(), failures=1000))
        world.lender = Lends(world)
        fill(world, random)
        lies = Faults.seeded(random.randrange(10**9), rate=0.2, most=3, modes=frozenset({Mode.LYING}))
        world.target_faults = lies
        world.sync()
        world.calm()
        world.retry_quarantine()
        world.sync()
        complete(world)
        world.db.close()


def seeded(random: Random, modes: frozenset[Mode], *, dies: bool) -> Faults:
    left = 2

    def decide(operation: Operation) -> Fault | None:
        nonlocal left
        possible = sorted(operation.modes & modes)
        if not left or not possible or random.random() > 0.1:
            return None
        left -= 1
        later = random.randrange(6)
        mode = random.choice(possible)
        return Fault(mode, error=Killed, later=later) if dies else Fault(mode, later=later)

    return Faults(decide)


def attempt(world: World) -> None:
    try:
        step = world.step()
    except Killed:
        return
    assert step.verdict in {Verdict.DONE, Verdict.RETRY_AT}, step
