"""Moves at the source become moves at the target, whatever goes wrong meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath

import pytest

from tests.engine.world import FOREVER, USER, World
from xdmigrate.engine import moving
from xdmigrate.engine.advance import Advancer, Verdict
from xdmigrate.engine.context import Leg, Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import AccessDenied, Throttled
from xdmigrate.model import Kind, Login, Path
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.testing.memory.target import MemoryTarget
from xdmigrate.wrap.dry_run import DryRunTarget
from xdmigrate.wrap.dry_source import DryRunSource
from xdmigrate_state import folders, intents, journal, ledger, totals
from xdmigrate_state.database import scratch_copy
from xdmigrate_state.rows import Counts

INBOX: Path = ("INBOX",)
DONE: Path = ("Done",)
KEPT: Path = ("Kept",)


def body(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody\r\n" % number


def filled(home: FilePath, count: int = 10, **settings: object) -> World:
    world = World(home, **settings)  # type: ignore[arg-type]
    world.old.create_folder(DONE)
    for number in range(count):
        world.old.deliver(INBOX, body(number), ["\\Seen"] if number % 2 else [])
    world.sync()
    return world


def take(world: World, count: int, path: Path = INBOX, to: Path = DONE) -> None:
    """The source's user moves the oldest so many."""
    world.old.create_folder(to)
    for ref in sorted(world.old.box(path).items)[:count]:
        world.old.move(path, ref, to)


def counts(world: World) -> Counts:
    found = world.db.read(lambda c: totals.mailbox_counts(c, world.plan_id))[world.mailbox_id][Kind.MAIL]
    assert found.closed
    for row in world.db.read(lambda c: folders.of_mailbox(c, world.mailbox_id, live=False)):
        assert world.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts
    return found


def flags(world: World, path: Path) -> dict[bytes, frozenset[str]]:
    return {kept.data: kept.flags for kept in world.new.box(path).items.values()}


def assert_equal(world: World, *, kept: int = 0) -> None:
    """Both sides hold the same in every folder, but for copies of what the source has no longer."""
    old = {(box.path, data): n for box in world.old.boxes() for data, n in Counter(contents(box)).items()}
    new = {(box.path, data): n for box in world.new.boxes() for data, n in Counter(contents(box)).items()}
    assert (Counter(old) - Counter(new)).total() == 0
    assert (Counter(new) - Counter(old)).total() == kept
    verdict = world.verify()
    assert verdict.verdict is Judged.PASS, verdict
    assert verdict.kinds[Kind.MAIL].kept == kept
    assert not world.db.read(lambda c: intents.of_mailbox(c, world.mailbox_id))


def contents(box: object) -> list[bytes]:
    return [kept.data for kept in box.items.values()] if box.selectable else []  # type: ignore[attr-defined]


# --- calm -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deltas", [True, False])
@pytest.mark.parametrize("ids_returned", [True, False])
def test_a_move_leaves_exactly_one_copy(tmp_path: FilePath, *, deltas: bool, ids_returned: bool) -> None:
    world = filled(tmp_path, source=Powers(deltas=deltas), target=Powers(ids_returned=ids_returned))
    take(world, 4)
    assert world.writes(world.sync) == ["move"]
    assert_equal(world)
    assert counts(world) == Counts(seen=10, copied=10, octets=10 * len(body(0)))
    assert world.writes(world.sync) == []


def test_what_is_moved_is_journalled_in_one_entry(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 4)
    world.sync()
    entries = world.db.read(lambda c: journal.show(c, world.plan_id, world.mailbox_id))
    (entry,) = [entry for entry in entries if entry.event == "moved"]
    assert (entry.facts["moved"], entry.facts["unmoved"]) == (4, 0)


def test_flags_changed_at_the_same_time_follow_and_those_of_the_base_are_kept(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 4)
    for ref in sorted(world.old.box(INBOX).items):
        world.old.flag(INBOX, ref, add=["\\Flagged", "$Later"], remove=["\\Seen"])
    take(world, 4)
    assert world.writes(world.sync) == ["move", "change-flags"]
    assert set(flags(world, DONE).values()) == {frozenset({"\\Flagged", "$Later"})}
    assert_equal(world)
    assert world.writes(world.sync) == []


def test_a_copy_that_the_targets_user_touched_stays_and_the_item_is_copied(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 3)
    first, second, _third = sorted(world.new.box(INBOX).items)
    world.new.flag(INBOX, first, add=["\\Answered"])
    world.new.create_folder(("Own",))
    world.new.move(INBOX, second, ("Own",))
    take(world, 3)
    world.sync()
    assert world.bodies(DONE) == {body(0): 1, body(1): 1, body(2): 1}
    assert world.bodies(INBOX) == {body(0): 1}
    assert world.verify().verdict is Judged.PASS
    assert counts(world).gone == 2


def test_moved_twice_between_passes_and_again_in_each(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 5)
    take(world, 5, DONE, KEPT)
    assert world.writes(world.sync) == ["create-folder", "move"]
    assert_equal(world)
    take(world, 2, KEPT, DONE)
    assert world.writes(world.sync) == ["move"]
    take(world, 2, DONE, INBOX)
    assert world.writes(world.sync) == ["move"]
    assert_equal(world)


def test_what_was_moved_out_and_back_between_passes_needs_no_write(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 3)
    world.old.flag(INBOX, min(world.old.box(INBOX).items), add=["\\Flagged"])
    take(world, 3)
    take(world, 3, DONE, INBOX)
    assert world.writes(world.sync) == ["change-flags"]
    assert_equal(world)
    assert counts(world).gone == 0


def test_of_ten_equal_copies_three_move(tmp_path: FilePath) -> None:
    world = World(tmp_path)
    for _ in range(10):
        world.old.deliver(INBOX, body(1))
    world.sync()
    take(world, 2)
    take(world, 1, to=KEPT)
    assert world.writes(world.sync).count("move") == 2
    assert [world.bodies(path)[body(1)] for path in (INBOX, DONE, KEPT)] == [7, 2, 1]
    assert_equal(world)


def test_an_equal_message_that_came_anew_keeps_its_own_date(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 2)
    world.old.delete(INBOX, min(world.old.box(INBOX).items))
    world.old.deliver(DONE, body(0))
    assert "move" not in world.writes(world.sync)
    assert_equal(world, kept=1)


def test_more_arrive_than_left(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 2)
    take(world, 1)
    world.old.deliver(DONE, body(0))
    world.old.deliver(DONE, b"Subject: 0\r\n\r\nBODY\r\n")  # as large, but another
    world.sync()
    assert world.bodies(DONE) == {body(0): 2, b"Subject: 0\r\n\r\nBODY\r\n": 1}
    assert_equal(world)


def test_a_folder_that_was_emptied_and_deleted(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 4)
    take(world, 4)
    world.sync()
    take(world, 4, DONE, KEPT)
    world.old.remove_folder(DONE)
    assert world.writes(world.sync) == ["create-folder", "move"]
    assert not world.new.box(DONE).items
    assert world.bodies(KEPT) == {body(number): 1 for number in range(4)}
    assert world.verify().verdict is Judged.PASS
    assert counts(world).gone == 0


def test_many_are_moved_in_ranges(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "RANGE_ITEMS", 3)
    world = filled(tmp_path, 10)
    take(world, 8)
    assert world.writes(world.sync) == ["move"] * 3
    assert_equal(world)


def test_out_of_several_folders_into_one(tmp_path: FilePath) -> None:
    world = filled(tmp_path, 6)
    take(world, 2, to=KEPT)
    world.sync()
    take(world, 2)
    take(world, 2, KEPT, DONE)
    assert world.writes(world.sync) == ["move", "move"]
    assert_equal(world)


def test_a_target_that_cannot_move_gets_a_second_copy(tmp_path: FilePath) -> None:
    world = filled(tmp_path, target=Powers(move=False))
    take(world, 4)
    assert "move" not in world.writes(world.sync)
    assert_equal(world, kept=4)


def test_a_target_that_refuses_to_move_gets_a_second_copy(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 4)
    world.target_faults = Faults.scripted({("move", 1): Fault(Mode.BEFORE, error=lambda: AccessDenied("no right"))})
    world.sync()
    assert_equal(world, kept=4)


@pytest.mark.parametrize("error", [lambda: AccessDenied("no right"), Killed])
def test_an_equal_of_the_targets_own_is_claimed_and_the_copy_that_stayed_is_kept(
    tmp_path: FilePath, error: Callable[[], BaseException]
) -> None:
    world = filled(tmp_path, 3)
    take(world, 1)
    world.new.deliver(DONE, body(0))
    world.target_faults = Faults.scripted({("move", 1): Fault(Mode.BEFORE, error=error)})
    interrupted(world)
    world.calm()
    world.sync()
    assert_equal(world, kept=1)
    assert counts(world).gone == 1


def test_mirroring_does_not_remove_what_was_moved(tmp_path: FilePath) -> None:
    world = filled(tmp_path, policy=Policy(Scope(), mirror=True))
    take(world, 4)
    world.old.delete(INBOX, sorted(world.old.box(INBOX).items)[0])
    assert world.writes(world.sync) == ["move", "remove"]
    assert_equal(world)


def test_what_the_plan_filters_is_not_moved(tmp_path: FilePath) -> None:
    world = filled(tmp_path, policy=Policy(Scope(exclude=("Done",))))
    take(world, 4)
    assert world.writes(world.sync) == []
    assert len(world.new.box(INBOX).items) == 10


def test_nothing_is_read_for_what_merely_vanished_or_merely_came(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    world.old.delete(INBOX, min(world.old.box(INBOX).items))
    world.old.deliver(DONE, b"of another size\r\n")
    world.target_faults = Faults(lambda _operation: None)
    world.sync()
    assert "look-up" not in [operation.name for operation, _ in world.target_faults.log]
    assert_equal(world, kept=1)


@pytest.mark.parametrize("path", [INBOX, DONE])
@pytest.mark.parametrize("side", ["old", "new"])
def test_moved_and_renumbered_at_once(tmp_path: FilePath, side: str, path: Path) -> None:
    world = filled(tmp_path)
    take(world, 4)
    getattr(world, side).change_validity(path)
    world.sync()
    assert_equal(world)
    take(world, 2, DONE, INBOX)
    world.sync()
    assert_equal(world)
    getattr(world, side).change_validity(path)
    assert world.writes(world.sync) == []
    assert_equal(world)


def test_a_dry_run_predicts_moves(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 4)
    login = Login(USER, USER, "secret-old"), Login(USER, USER, "secret-new")
    target = DryRunTarget(MemoryTarget(world.new_server.log_in(login[1])))
    with scratch_copy(world.db, "contoso") as scratch:
        leg = Leg(
            world.kinds,
            lambda _mailbox: DryRunSource(MemorySource(world.old_server.log_in(login[0]))),
            lambda _mailbox: target,
        )
        context = replace(world.context(), db=scratch, legs=(leg,))
        assert Advancer(context).advance(world.mailbox_id, FOREVER).verdict is Verdict.DONE
    told = target.prediction.folders
    assert [(path, one.moved, one.items) for path, one in told.items() if one.moved or one.items] == [(DONE, 4, 0)]
    assert len(world.new.box(INBOX).items) == 10
    assert world.writes(world.sync) == ["move"]


# --- crashes and lies -------------------------------------------------------------------------------------------

DIES = {"dies": Killed, "is cut": None}


WRONG = [(mode, dies) for mode in Mode for dies in DIES if mode is not Mode.LYING or dies == "is cut"]


def fault(mode: Mode, dies: str, later: int = 3) -> Fault:
    error: Callable[[], BaseException] | None = DIES[dies]
    return Fault(mode, later=later) if error is None else Fault(mode, error=error, later=later)


def interrupted(world: World) -> None:
    """One attempt that a scripted fault may end."""
    try:
        world.step()
    except Killed:
        return


@pytest.mark.parametrize("ids_returned", [True, False])
@pytest.mark.parametrize(("mode", "dies"), WRONG)
def test_a_move_that_goes_wrong_loses_nothing_and_sends_nothing_twice(
    tmp_path: FilePath, mode: Mode, dies: str, *, ids_returned: bool
) -> None:
    world = filled(tmp_path, target=Powers(ids_returned=ids_returned))
    refs = sorted(world.old.box(INBOX).items)
    world.old.flag(INBOX, refs[0], add=["\\Flagged"])
    world.old.flag(INBOX, refs[3], remove=["\\Seen"])
    take(world, 7)
    world.target_faults = Faults.scripted({("move", 1): fault(mode, dies)})
    interrupted(world)
    world.calm()
    later = world.writes(world.sync)
    lied_away = mode is Mode.LYING and ids_returned
    kept_back = mode is Mode.LYING and not ids_returned
    assert "put" not in later
    assert "send" not in later
    assert_equal(world, kept=4 if kept_back else 0)
    assert counts(world).gone == (4 if lied_away or kept_back else 0)
    assert flags(world, DONE) == {kept.data: kept.flags for kept in world.old.box(DONE).items.values()}
    assert world.writes(world.sync) == []


@pytest.mark.parametrize(("name", "nth"), [("heads", 1), ("look-up", 1), ("look-up", 2), ("change-flags", 1)])
def test_killed_around_a_move(tmp_path: FilePath, name: str, nth: int) -> None:
    world = filled(tmp_path)
    for ref in sorted(world.old.box(INBOX).items)[:2]:
        world.old.flag(INBOX, ref, add=["\\Flagged"])
    take(world, 5)
    world.target_faults = Faults.scripted({(name, nth): Fault(Mode.BEFORE, error=Killed)})
    interrupted(world)
    world.calm()
    assert "put" not in world.writes(world.sync)
    assert_equal(world)
    assert counts(world).gone == 0


@pytest.mark.parametrize("mode", [Mode.AFTER, Mode.HALF])
def test_moved_on_at_the_source_before_the_crash_is_explained(tmp_path: FilePath, mode: Mode) -> None:
    world = filled(tmp_path)
    take(world, 6)
    world.target_faults = Faults.scripted({("move", 1): Fault(mode)})
    interrupted(world)
    take(world, 6, DONE, KEPT)
    world.calm()
    assert "put" not in world.writes(world.sync)
    assert_equal(world)


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize("path", [INBOX, DONE])
@pytest.mark.parametrize("mode", [Mode.AFTER, Mode.HALF])
def test_renumbered_while_a_move_is_open(tmp_path: FilePath, mode: Mode, path: Path, side: str) -> None:
    world = filled(tmp_path)
    take(world, 6)
    world.target_faults = Faults.scripted({("move", 1): Fault(mode)})
    interrupted(world)
    getattr(world, side).change_validity(path)
    world.calm()
    world.sync()
    world.sync()
    assert_equal(world)
    assert counts(world).pending == 0


def test_a_user_who_moves_a_copy_on_while_a_move_is_open(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 6)
    world.target_faults = Faults.scripted({("move", 1): Fault(Mode.AFTER)})
    interrupted(world)
    world.new.create_folder(("Own",))
    world.new.move(DONE, sorted(world.new.box(DONE).items)[2], ("Own",))
    world.calm()
    assert "put" not in world.writes(world.sync)
    assert world.everything() == {body(number): 1 for number in range(10)}
    verdict = world.verify()
    assert (verdict.verdict, verdict.kinds[Kind.MAIL].moved) == (Judged.PASS, 1)


def test_a_late_move_after_the_copy_was_sent_makes_no_twin(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 3)
    world.target_faults = Faults.scripted({("move", 1): Fault(Mode.LATE, later=1000)})
    interrupted(world)
    late, world.target_faults = world.target_faults, Faults(lambda _operation: None)
    world.new_server.powers = Powers(move=False)  # so that it is sent
    world.sync()
    late.commit_late()
    world.new_server.powers = Powers()
    world.sync()
    assert_equal(world)


def test_asked_to_slow_down_it_goes_on_later(tmp_path: FilePath) -> None:
    world = filled(tmp_path)
    take(world, 6)
    world.target_faults = Faults.scripted({("move", 1): Fault(Mode.HALF, error=lambda: Throttled("slow", delay=1.0))})
    assert world.step().verdict is Verdict.RETRY_AT
    world.calm()
    assert world.writes(world.sync) == ["move"]
    assert_equal(world)
