"""One pass after the other over memory servers: copy, delta, adoption, renames, renumbering, mirror, guards."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.engine.world import World
from xdmigrate.engine.advance import Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import GuardRefused
from xdmigrate.model import Kind
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import failures, folders, ledger, totals
from xdmigrate_state.database import Database

INBOX = ("INBOX",)
WORK = ("Work", "2024")
SETTLED = {"seen": 0, "copied": 0, "present": 0, "filtered": 0, "failed": 0, "pending": 0, "gone": 0}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def fill(world: World, count: int = 20) -> None:
    world.old.create_folder(WORK)
    for number in range(count):
        path = INBOX if number % 2 else WORK
        world.old.deliver(path, b"Subject: %d\r\n\r\nbody\r\n" % number, ["\\Seen"] if number % 3 else [])


def counts(world: World) -> dict[str, int]:
    found = world.db.read(lambda c: totals.mailbox_counts(c, world.plan_id))[world.mailbox_id][Kind.MAIL]
    assert found.closed
    return {
        name: getattr(found, name) for name in ("seen", "copied", "present", "filtered", "failed", "pending", "gone")
    }


def recounted(world: World) -> bool:
    rows = world.db.read(lambda c: folders.of_mailbox(c, world.mailbox_id, live=False))
    return all(world.db.read(lambda c, row=row: ledger.recount(c, row.id)) == row.counts for row in rows)  # type: ignore[misc]


def assert_same(world: World, *paths: tuple[str, ...]) -> None:
    for path in paths or (INBOX, WORK):
        assert Counter(world.new.contents(path)) == Counter(world.old.contents(path))
    verdict = world.verify()
    assert verdict.verdict is Judged.PASS, verdict
    assert recounted(world)


def test_seed_copies_everything_with_flags_and_dates(world: World) -> None:
    fill(world)
    world.sync()
    assert_same(world)
    assert counts(world) == SETTLED | {"seen": 20, "copied": 20}
    assert world.mailbox().stage == "synced"


def test_a_second_pass_writes_nothing(world: World) -> None:
    fill(world)
    world.sync()
    assert world.writes(world.sync) == []


def test_ten_exact_copies_stay_ten(world: World) -> None:
    for _ in range(10):
        world.old.deliver(INBOX, b"\r\nsame\r\n")
    world.sync()
    world.sync()
    assert world.bodies(INBOX) == {b"\r\nsame\r\n": 10}


def test_delta_brings_new_items_flags_and_notes_deletions(world: World) -> None:
    fill(world)
    world.sync()
    refs = sorted(world.old.box(INBOX).items)
    world.old.flag(INBOX, refs[0], add=["\\Flagged", "$Later"], remove=["\\Seen"])
    world.old.delete(INBOX, refs[1])
    world.old.deliver(INBOX, b"\r\nnew\r\n")
    world.sync()
    assert counts(world)["gone"] == 1
    assert len(world.new.contents(INBOX)) == 11  # additive: the deleted one stays
    assert world.verify().kinds[Kind.MAIL].kept == 1
    assert world.verify().verdict is Judged.PASS


def test_the_targets_own_flag_changes_survive(world: World) -> None:
    world.old.deliver(INBOX, b"\r\na\r\n", ["\\Seen"])
    world.sync()
    (ref,) = world.new.box(INBOX).items
    world.new.flag(INBOX, ref, add=["\\Answered"])
    (source,) = world.old.box(INBOX).items
    world.old.flag(INBOX, source, add=["\\Flagged"])
    world.sync()
    assert world.new.box(INBOX).items[ref].flags == {"\\Seen", "\\Answered", "\\Flagged"}


def test_what_is_already_there_is_adopted_one_to_one(world: World) -> None:
    for _ in range(3):
        world.old.deliver(INBOX, b"\r\ntwin\r\n", ["\\Seen"])
    world.old.deliver(INBOX, b"\r\nonly here\r\n")
    for _ in range(2):
        world.new.deliver(INBOX, b"\r\ntwin\r\n", ["\\Flagged"])
    own = world.new.deliver(INBOX, b"\r\nown1\r\n")
    world.sync()
    assert world.bodies(INBOX) == {b"\r\ntwin\r\n": 3, b"\r\nonly here\r\n": 1, b"\r\nown1\r\n": 1}
    assert counts(world)["present"] == 2
    assert {frozenset(kept.flags) for ref, kept in world.new.box(INBOX).items.items() if ref < own} == {
        frozenset({"\\Seen", "\\Flagged"})
    }
    verdict = world.verify()
    assert verdict.verdict is Judged.PASS
    assert verdict.kinds[Kind.MAIL].own == 1


def test_a_lost_ledger_is_replaced_by_adoption(world: World, tmp_path: Path) -> None:
    fill(world)
    world.sync()
    fresh = World(tmp_path, database=Database.open(tmp_path / "second.sqlite"))
    fresh.old_server, fresh.new_server, fresh.old, fresh.new = world.old_server, world.new_server, world.old, world.new
    assert [name for name in fresh.writes(fresh.sync) if name != "change-flags"] == []
    assert counts(fresh)["present"] == 20


def test_scope_filters_by_folder_date_and_size_and_can_be_widened(tmp_path: Path) -> None:
    world = World(tmp_path, policy=Policy(Scope(exclude=("Work*",), mail_since=date(2020, 1, 1), max_size=1000)))
    fill(world)
    world.old.deliver(INBOX, b"\r\nold\r\n", date=datetime(2019, 12, 31, tzinfo=UTC))
    world.old.deliver(INBOX, b"\r\n" + b"x" * 2000)
    world.sync()
    assert counts(world)["filtered"] == 12
    assert [box.path for box in world.new.boxes()] == [INBOX]
    assert world.verify().verdict is Judged.PASS
    world.policy = Policy(Scope())
    world.sync()
    assert counts(world) == SETTLED | {"seen": 22, "copied": 22}
    assert_same(world)


def test_a_narrower_scope_leaves_copies_alone(world: World) -> None:
    fill(world)
    world.sync()
    world.policy = Policy(Scope(exclude=("Work*",)))
    assert world.writes(world.sync) == []
    assert world.verify().verdict is Judged.PASS


@pytest.mark.parametrize("folder_ids", [True, False])
def test_a_renamed_source_folder_is_renamed_on_the_target(tmp_path: Path, *, folder_ids: bool) -> None:
    world = World(tmp_path, source=Powers(folder_ids=folder_ids))
    fill(world)
    world.sync()
    world.old.rename_folder(("Work",), ("Arbeit",))
    assert world.writes(world.sync) == ["rename-folder"]
    assert ("Arbeit", "2024") in {box.path for box in world.new.boxes()}
    assert_same(world, INBOX, ("Arbeit", "2024"))


@pytest.mark.parametrize("side", ["old", "new"])
def test_renumbering_on_either_side_copies_nothing_again(world: World, side: str) -> None:
    fill(world)
    world.sync()
    getattr(world, side).change_validity(WORK)
    assert world.writes(world.sync) == []
    assert_same(world)
    world.old.deliver(WORK, b"\r\nlater\r\n")
    world.sync()
    assert_same(world)


def test_mirror_removes_only_what_we_copied_and_nobody_touched(tmp_path: Path) -> None:
    world = World(tmp_path, policy=Policy(Scope(), mirror=True))
    world.new.deliver(INBOX, b"\r\nown\r\n")
    refs = [world.old.deliver(INBOX, b"\r\n%d\r\n" % number) for number in range(5)]
    world.sync()
    copies = {kept.data: ref for ref, kept in world.new.box(INBOX).items.items()}
    world.new.flag(INBOX, copies[b"\r\n1\r\n"], add=["\\Answered"])
    for ref in refs[:2]:
        world.old.delete(INBOX, ref)
    world.sync()
    assert world.bodies(INBOX) == {
        b"\r\nown\r\n": 1,
        b"\r\n1\r\n": 1,
        b"\r\n2\r\n": 1,
        b"\r\n3\r\n": 1,
        b"\r\n4\r\n": 1,
    }


def test_a_source_that_suddenly_looks_empty_is_refused_until_accepted(tmp_path: Path) -> None:
    world = World(tmp_path, policy=Policy(Scope(), mirror=True))
    fill(world, 60)
    world.sync()
    before = world.everything()
    for path in (INBOX, WORK):
        for ref in list(world.old.box(path).items):
            world.old.delete(path, ref)
    step = world.step()
    assert step.verdict is Verdict.ATTENTION
    assert step.error is not None
    assert step.error.exit_code == 5
    assert world.everything() == before
    checksum = str(step.error).rpartition(" ")[2]
    world.accept(checksum)
    world.sync()
    assert not world.everything()


def test_refused_items_are_quarantined_and_the_rest_is_copied(tmp_path: Path) -> None:
    world = World(tmp_path, target=Powers(refuse=lambda data: "too-big" if b"poison" in data else "", batch=7))
    fill(world)
    world.old.deliver(INBOX, b"\r\npoison\r\n")
    world.sync()
    assert counts(world)["failed"] == 1
    (failure,) = world.db.read(lambda c: failures.of_plan(c, world.plan_id))
    assert (failure.reason, failure.path) == ("too-big", INBOX)
    assert world.verify().verdict is Judged.FAIL
    world.db.write(lambda c: failures.accept(c, [(failure.folder_id, failure.source_id)], "known", 1.0))
    assert world.verify().verdict is Judged.EXCEPTIONS


def test_unreadable_items_do_not_take_the_others_with_them(tmp_path: Path) -> None:
    world = World(tmp_path, source=Powers(unreadable=lambda data: b"broken" in data))
    fill(world)
    world.old.deliver(INBOX, b"\r\nbroken\r\n")
    world.sync()
    assert counts(world) | {"failed": 1, "copied": 20} == counts(world)


def test_too_many_failures_need_a_person(tmp_path: Path) -> None:
    world = World(tmp_path, target=Powers(refuse=lambda _data: "refused"), policy=Policy(Scope(), failures=3))
    fill(world)
    step = world.step()
    assert step.verdict is Verdict.ATTENTION
    assert world.mailbox().attention_code == "too-many-failures"


def test_a_full_target_stops_the_mailbox_and_fails_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, target=Powers(quota=200))
    fill(world)
    assert world.step().verdict is Verdict.ATTENTION
    assert world.mailbox().attention_code == "quota-exceeded"
    assert counts(world)["failed"] == 0
    world.new_server.powers = replace(world.new_server.powers, quota=None)
    world.sync()
    assert_same(world)


@pytest.mark.parametrize("ids_returned", [True, False])
@pytest.mark.parametrize("mode", list(Mode))
def test_every_kind_of_failed_write_ends_exactly_once(tmp_path: Path, mode: Mode, *, ids_returned: bool) -> None:
    world = World(tmp_path, target=Powers(ids_returned=ids_returned))
    fill(world)
    for _ in range(4):
        world.old.deliver(INBOX, b"\r\nsame\r\n")
    world.target_faults = Faults.scripted({("send", 2): Fault(mode, later=3)})
    world.sync()
    world.calm()
    world.sync()
    assert_same(world)


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_killed_process_resumes_without_loss_or_twins(tmp_path: Path, nth: int) -> None:
    world = World(tmp_path)
    fill(world, 30)
    world.target_faults = Faults.scripted({("send", nth): Fault(Mode.AFTER, error=Killed)})
    with pytest.raises(Killed):
        world.step()
    world.calm()
    world.sync()
    assert_same(world)


def test_equal_items_that_arrived_in_another_order_are_told_apart_by_their_flags(world: World) -> None:
    """The ranges of several lanes commit as they like; then the process dies."""
    looks = [["\\Seen"], [], ["\\Draft", "Work"], ["\\Flagged"]]
    for flags in looks:
        world.old.deliver(INBOX, b"\r\nsame\r\n", flags)
    world.target_faults = Faults.scripted({("send", 1): Fault(Mode.BEFORE, error=Killed)})
    with pytest.raises(Killed):
        world.step()
    sent = list(world.old.box(INBOX).items.values())
    for item in (sent[2], sent[3], sent[0]):
        world.new.deliver(INBOX, item.data, item.flags, item.date)
    world.calm()
    world.sync()
    assert_same(world, INBOX)


def test_a_late_twin_is_removed(tmp_path: Path) -> None:
    world = World(tmp_path)
    fill(world, 8)
    world.target_faults = Faults.scripted({("send", 1): Fault(Mode.LATE, later=1000)})
    assert world.step().verdict is Verdict.RETRY_AT
    late = world.target_faults
    world.target_faults = Faults.scripted({})
    world.sync()
    late.commit_late()
    assert len(world.everything()) < world.everything().total()
    world.sync()
    assert_same(world)


def test_what_the_user_moved_before_we_looked_is_not_sent_again(world: World) -> None:
    fill(world, 12)
    world.target_faults = Faults.scripted({("send", 3): Fault(Mode.AFTER)})
    assert world.step().verdict is Verdict.RETRY_AT
    inbox = sorted(world.new.box(INBOX).items) or sorted(world.new.box(WORK).items)
    path = INBOX if world.new.box(INBOX).items else WORK
    world.new.create_folder(("Done",))
    world.new.move(path, inbox[1], ("Done",))
    world.calm()
    world.sync()
    assert world.everything() == Counter(world.old.contents(INBOX) + world.old.contents(WORK))


def test_a_person_can_rename_our_target_folder(world: World) -> None:
    fill(world)
    world.sync()
    world.new.rename_folder(WORK, ("Archive",))
    world.old.deliver(WORK, b"\r\nlater\r\n")
    world.sync()
    assert Counter(world.new.contents(("Archive",))) == Counter(world.old.contents(WORK))


def test_two_mailboxes_can_go_into_one_target(world: World) -> None:
    fill(world)
    bob = world.old_server.add_account("bob@old.example", "secret-old")
    bob.deliver(INBOX, b"\r\nbob\r\n")
    number = world.add_mailbox("bob@old.example", "ann@old.example", ("Bob (left 2025)",))
    world.sync()
    world.sync(number)
    assert world.bodies(("Bob (left 2025)", "INBOX")) == {b"\r\nbob\r\n": 1}
    assert_same(world)


@pytest.mark.parametrize("side", ["old", "new"])
def test_renumbering_while_a_range_is_open_sends_nothing_twice(world: World, side: str) -> None:
    fill(world, 12)
    world.sync()
    for number in range(6):
        world.old.deliver(WORK, b"\r\nlate %d\r\n" % number)
    world.target_faults = Faults.scripted({("send", 2): Fault(Mode.AFTER)})
    assert world.step().verdict is Verdict.RETRY_AT
    getattr(world, side).change_validity(WORK)
    world.calm()
    world.sync()
    assert_same(world)


def test_verify_does_not_believe_a_source_that_shows_nothing(world: World) -> None:
    fill(world, 60)
    world.sync()
    for path in (INBOX, WORK):
        for ref in list(world.old.box(path).items):
            world.old.delete(path, ref)
    with pytest.raises(GuardRefused, match="shows 0 items where 60 are known"):
        world.verify()


def test_what_is_gone_on_both_sides_is_forgotten_when_the_target_is_renumbered(world: World) -> None:
    fill(world, 8)
    world.sync()
    world.old.delete(INBOX, min(world.old.box(INBOX).items))
    world.sync()
    world.new.delete(INBOX, min(world.new.box(INBOX).items))
    world.new.change_validity(INBOX)
    world.sync()
    assert counts(world) == SETTLED | {"seen": 7, "copied": 7}
    assert_same(world)
