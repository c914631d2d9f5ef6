"""A target that another tool had half filled, with duplicates of its own: what is counted as what, and what stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path as FilePath

import pytest

from tests.engine.world import World
from xdmigrate.model import Kind, Path
from xdmigrate.report.verdicts import KindVerdict
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import totals

INBOX: Path = ("INBOX",)
WORK: Path = ("Work",)


def body(number: int, more: bytes = b"") -> bytes:
    return b"Subject: %03d\r\n%s\r\n%s\r\n" % (number, more, b"." * (number % 7))


def counts(world: World) -> dict[str, int]:
    found = world.db.read(lambda c: totals.mailbox_counts(c, world.plan_id))[world.mailbox_id][Kind.MAIL]
    assert found.closed
    return {name: count for name in ("copied", "present", "merged", "pending") if (count := getattr(found, name))}


def verified(world: World) -> KindVerdict:
    verdict = world.verify()
    assert verdict.verdict is Judged.PASS, verdict
    return verdict.kinds[Kind.MAIL]


def half_filled(home: FilePath, **powers: bool) -> World:
    """Of 60 messages each in two folders, another tool brought 40 of each, ran twice over 10 of them, and has 7 own."""
    world = World(home, target=Powers(ids_returned=powers.get("ids_returned", True)))
    for path in (INBOX, WORK):
        world.old.create_folder(path)
        world.new.create_folder(path)
        for number in range(60):
            world.old.deliver(path, body(number), ["\\Seen"] if number % 2 else ["\\Answered"])
        for number in (*range(40), *range(10)):
            world.new.deliver(path, body(number), ["\\Flagged"])
        for number in range(7):
            world.new.deliver(path, body(1000 + number))
    return world


@pytest.mark.parametrize("ids_returned", [True, False])
def test_counts_after_another_tool(tmp_path: FilePath, ids_returned: bool) -> None:
    world = half_filled(tmp_path, ids_returned=ids_returned)
    before = {path: dict(world.new.box(path).items) for path in (INBOX, WORK)}
    world.sync()
    assert counts(world) == {"present": 80, "copied": 40}
    there = Counter(map(body, (*range(60), *range(10), *range(1000, 1007))))
    assert world.bodies(INBOX) == world.bodies(WORK) == there
    assert all(before[path].keys() <= world.new.box(path).items.keys() for path in before)
    found = verified(world)
    assert (found.source, found.verified, found.own, found.unexplained) == (120, 120, 34, 0)
    assert world.writes(world.sync) == []


def test_what_is_adopted_gains_flags_and_loses_none(tmp_path: FilePath) -> None:
    world = half_filled(tmp_path)
    world.sync()
    flags = Counter(kept.flags for kept in world.new.box(INBOX).items.values())
    assert flags[frozenset({"\\Flagged", "\\Seen"})] == 20
    assert flags[frozenset({"\\Flagged", "\\Answered"})] == 20
    assert flags[frozenset({"\\Flagged"})] == 10  # the surplus is nobody's
    ref = next(ref for ref, kept in world.old.box(INBOX).items.items() if kept.data == body(1))
    world.old.flag(INBOX, ref, remove=["\\Seen"], add=["\\Draft"])
    world.sync()
    copies = [kept.flags for kept in world.new.box(INBOX).items.values() if kept.data == body(1)]
    assert frozenset({"\\Flagged", "\\Seen", "\\Draft"}) in copies
    assert world.verify().verdict is Judged.PASS


@pytest.mark.parametrize("operation", ["heads", "read", "change-flags", "send"])
@pytest.mark.parametrize("nth", [2, 9])
def test_a_process_that_dies_while_adopting(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch, operation: str, nth: int
) -> None:
    monkeypatch.setattr("xdmigrate.engine.match.AT_ONCE", 10)  # one size is one step: seven for each folder
    world = half_filled(tmp_path)
    killed = Fault(Mode.AFTER, error=Killed)
    world.target_faults = Faults(lambda op: killed if (op.name, op.nth) == (operation, nth) else None)
    try:
        world.step()
    except Killed:
        assert counts(world) != {"present": 80, "copied": 40}
    else:
        assert (operation, nth) == ("heads", 9)  # all others happen at least as often
    world.calm()
    world.sync()
    assert counts(world) == {"present": 80, "copied": 40}
    found = verified(world)
    assert (found.verified, found.own) == (120, 34)
    assert world.writes(world.sync) == []


def test_what_the_other_tool_altered_is_not_equal(tmp_path: FilePath) -> None:
    """Like mbsync, which adds a header of its own to every message."""
    world = World(tmp_path)
    for number in range(20):
        world.old.deliver(INBOX, body(number))
    for number in range(10):
        world.new.deliver(INBOX, body(number, b"X-TUID: abcdefghijkl\r\n"))
    world.sync()
    assert counts(world) == {"copied": 20}
    found = verified(world)
    assert (found.verified, found.own) == (20, 10)


def test_what_others_bring_between_two_passes_is_adopted(tmp_path: FilePath) -> None:
    """The other tool is still at work, and the owner uses his new mailbox."""
    world = World(tmp_path)
    for number in range(10):
        world.old.deliver(INBOX, body(number))
    world.sync()
    for number in range(10, 20):
        world.old.deliver(INBOX, body(number))
    for number in (*range(10, 15), *range(10, 13)):
        world.new.deliver(INBOX, body(number))
    world.new.deliver(INBOX, body(1000))
    world.sync()
    assert counts(world) == {"copied": 15, "present": 5}
    assert world.bodies(INBOX) == Counter(map(body, (*range(20), *range(10, 13), 1000)))
    assert world.writes(world.sync) == []
    found = world.verify().kinds[Kind.MAIL]
    # Equal bytes that came after our first write may be a fault of ours: that is said, not excused.
    assert (found.verified, found.own, found.unexplained) == (20, 1, 3)


def test_a_pass_without_anything_new_looks_for_nothing(tmp_path: FilePath) -> None:
    world = half_filled(tmp_path)
    world.sync()
    world.new.deliver(INBOX, body(0))
    world.target_faults = Faults(lambda _operation: None)
    world.sync()
    assert not {operation.name for operation, _fault in world.target_faults.log} & {"heads", "read"}
