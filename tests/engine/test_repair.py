"""Copies with other bytes than their source: altered by the target, or repaired because the plan wishes it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.conftest import FULL
from tests.engine.world import World
from xdmigrate.engine.advance import Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.repairing import BY_WISH, IN_VAIN
from xdmigrate.engine.scope import Scope
from xdmigrate.formats.meaning import meaning
from xdmigrate.model import Kind
from xdmigrate.report.verdicts import ItemState, KindVerdict, MailboxVerdict
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import alterations, failures, folders, ledger
from xdmigrate_state.database import Database
from xdmigrate_state.rows import AlterationRow, FailureRow

INBOX = ("INBOX",)
GOOD = b"Subject: good\r\n\r\nbody\r\n"
NUL = b"Subject: nul\r\n\r\nbo\0dy\r\n"
LONG = b"Subject: long\r\n\r\n" + b"word " * 400 + b"\r\n"
EIGHT = "Subject: Größe\r\n\r\nbody\r\n".encode()
BARE = b"Subject: bare\n\nbody\n"
BAD = [NUL, LONG, EIGHT, BARE]


def strict(data: bytes) -> str:
    """As Exchange does it."""
    if b"\0" in data:
        return "refused"
    if re.search(rb"[\x80-\xff]", data.partition(b"\r\n\r\n")[0]):
        return "refused"
    if re.search(rb"(?<!\r)\n|\r(?!\n)", data):
        return "refused"
    return "refused" if max(map(len, data.split(b"\r\n"))) > 998 else ""


STRICT = Powers(refuse=strict)
REPAIR = Policy(Scope(), repair=True)


def failed(world: World) -> list[FailureRow]:
    return world.db.read(lambda c: failures.of_plan(c, world.plan_id))


def altered(world: World) -> list[AlterationRow]:
    return world.db.read(lambda c: alterations.of_plan(c, world.plan_id))


def counts(verdict: MailboxVerdict) -> KindVerdict:
    return verdict.kinds[Kind.MAIL]


def accept_altered(world: World) -> None:
    items = [(row.folder_id, row.source_id) for row in altered(world)]
    world.db.write(lambda c: alterations.accept(c, items, "looked at", world.clock.now()))


def begin(home: Path, *bodies: bytes, target: Powers = STRICT, policy: Policy = REPAIR) -> World:
    world = World(home, target=target, policy=policy)
    for data in bodies:
        world.old.deliver(INBOX, data, ["\\Seen"])
    return world


def assert_repaired(world: World, count: int, also: int = 0) -> None:
    """Each bad item is there once, fit and saying the same; nothing is claimed to be equal that is not."""
    assert failed(world) == []
    assert [row.reason for row in altered(world)] == ["repaired"] * count
    there = world.new.contents(INBOX)
    assert len(there) == count + also
    assert not any(map(strict, there))
    said = sorted(meaning(BytesIO(data)).digest for data in there)
    assert said == sorted(meaning(BytesIO(data)).digest for data in world.old.contents(INBOX))
    verdict = world.verify()
    assert (counts(verdict).changed, counts(verdict).verified) == (count, also)
    assert verdict.verdict is (Judged.EXCEPTIONS if count else Judged.PASS)
    for row in world.db.read(lambda c: folders.of_mailbox(c, world.mailbox_id)):
        assert world.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts


# --- repaired by the plan's wish --------------------------------------------------------------------------------


def test_without_the_wish_the_items_stay_in_quarantine(tmp_path: Path) -> None:
    world = begin(tmp_path, GOOD, *BAD, policy=Policy(Scope()))
    world.sync()
    assert [row.reason for row in failed(world)] == ["refused"] * 4
    assert altered(world) == []
    assert world.new.contents(INBOX) == [GOOD]
    world.policy = REPAIR  # the plan is edited: no retry has to be asked for
    world.sync()
    assert_repaired(world, 4, also=1)


def test_what_was_refused_gets_one_repaired_attempt(tmp_path: Path) -> None:
    world = begin(tmp_path, GOOD, *BAD)
    world.sync()
    assert_repaired(world, 4, also=1)
    by_size = {row.size: row for row in altered(world)}
    assert by_size[len(EIGHT)].detail == "8-bit headers encoded"
    assert by_size[len(EIGHT)].accepted_why == BY_WISH
    flags = {item.flags for item in world.new.box(INBOX).items.values()}
    assert flags == {frozenset({"\\Seen"})}
    details = [each for each in world.verify().details if each.state is ItemState.CHANGED]
    assert all(f"(accepted: {BY_WISH})" in each.text for each in details)
    assert world.writes(world.sync) == []


def test_what_cannot_be_repaired_is_said_and_not_tried_again(tmp_path: Path) -> None:
    world = begin(
        tmp_path, GOOD, LONG, target=Powers(refuse=lambda data: "refused" if b"good" in data else strict(data))
    )
    world.sync()
    (row,) = failed(world)
    assert IN_VAIN in row.detail
    assert row.mended_at is not None
    assert len(altered(world)) == 1
    assert world.writes(world.sync) == []


def test_what_is_refused_again_stays_refused(tmp_path: Path) -> None:
    world = begin(tmp_path, LONG, target=Powers(refuse=lambda _data: "refused"))
    world.sync()
    (row,) = failed(world)
    assert (row.attempts, row.detail.startswith("also when repaired (parts encoded anew)")) == (2, True)
    assert altered(world) == []
    assert world.writes(world.sync) == []
    world.retry_quarantine()
    world.new_server.powers = STRICT
    world.sync()
    assert_repaired(world, 1)


def test_reasons_beyond_repair_get_no_attempt(tmp_path: Path) -> None:
    world = begin(tmp_path, LONG, target=Powers(refuse=lambda _data: "too-big"))
    assert world.writes(world.sync).count("send") == 1
    (row,) = failed(world)
    assert (row.attempts, row.mended_at) == (1, None)


def test_what_may_be_repaired_does_not_stop_the_mailbox(tmp_path: Path) -> None:
    world = begin(tmp_path, *BAD, policy=replace(REPAIR, failures=1))
    world.sync()
    assert_repaired(world, 4)
    other = begin(tmp_path / "other", *BAD, policy=Policy(Scope(), failures=1))
    assert other.step().verdict is Verdict.ATTENTION
    hopeless = Powers(refuse=lambda _data: "refused")
    last = begin(tmp_path / "last", *BAD, policy=replace(REPAIR, failures=1), target=hopeless)
    assert last.step().verdict is Verdict.ATTENTION


def test_an_accepted_refusal_is_left_alone(tmp_path: Path) -> None:
    world = begin(tmp_path, NUL, policy=Policy(Scope()))
    world.sync()
    (row,) = failed(world)
    world.db.write(lambda c: failures.accept(c, [(row.folder_id, row.source_id)], "known", world.clock.now()))
    world.policy = REPAIR
    assert world.writes(world.sync) == []


def test_equal_bad_items_stay_as_many(tmp_path: Path) -> None:
    world = begin(tmp_path, *[NUL] * 25)
    world.sync()
    assert_repaired(world, 25)


# --- crashes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.BEFORE, Mode.AFTER, Mode.HALF, Mode.LATE])
@pytest.mark.parametrize("ids_returned", [True, False])
def test_killed_between_refusal_and_repair(tmp_path: Path, mode: Mode, *, ids_returned: bool) -> None:
    """Every write of the pass in turn; each time the next process explains what is there, and nothing comes twice."""
    for nth in range(1, 5 if FULL else 4):
        world = begin(tmp_path / str(nth), GOOD, *BAD, target=replace(STRICT, ids_returned=ids_returned, batch=2))
        world.target_faults = Faults(
            lambda operation, nth=nth: (  # type: ignore[misc]
                Fault(mode, error=Killed) if operation.name == "send" and operation.nth == nth else None
            )
        )
        with suppress(Killed):
            world.step()
        if mode is not Mode.LATE:
            world.calm()
        for _ in range(3):
            world.sync()
        world.calm()
        world.sync()
        assert_repaired(world, 4, also=1)
        world.db.close()


def test_killed_after_the_repaired_write_it_is_found_by_its_repaired_bytes(tmp_path: Path) -> None:
    world = begin(tmp_path, NUL)
    world.target_faults = Faults(
        lambda operation: Fault(Mode.AFTER, error=Killed) if (operation.name, operation.nth) == ("send", 2) else None
    )
    with pytest.raises(Killed):
        world.step()
    assert len(world.new.contents(INBOX)) == 1
    assert altered(world) == [], "under way, and known by its intent alone"
    world.calm()
    assert "send" not in world.writes(world.sync)
    assert_repaired(world, 1)


def test_a_late_twin_of_a_repaired_copy_is_removed(tmp_path: Path) -> None:
    world = begin(tmp_path, NUL)
    world.target_faults = Faults(
        lambda operation: (
            Fault(Mode.LATE, error=Killed, later=40) if (operation.name, operation.nth) == ("send", 2) else None
        )
    )
    with pytest.raises(Killed):
        world.step()
    late = world.target_faults
    world.target_faults = Faults(lambda _operation: None)
    world.sync()
    late.commit_late()
    assert len(world.new.contents(INBOX)) == 2
    world.sync()
    assert_repaired(world, 1)


def test_the_item_can_vanish_while_its_repair_is_unexplained(tmp_path: Path) -> None:
    world = begin(tmp_path, NUL)
    world.target_faults = Faults(
        lambda operation: Fault(Mode.BEFORE, error=Killed) if (operation.name, operation.nth) == ("send", 2) else None
    )
    with pytest.raises(Killed):
        world.step()
    world.calm()
    (ref,) = world.old.box(INBOX).items
    world.old.delete(INBOX, ref)
    world.old.deliver(INBOX, GOOD)
    world.sync()
    assert (failed(world), altered(world)) == ([], [])
    assert world.new.contents(INBOX) == [GOOD]


# --- later ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["old", "new"])
def test_renumbering_sends_no_repaired_copy_again(tmp_path: Path, side: str) -> None:
    world = begin(tmp_path, GOOD, *BAD)
    world.sync()
    getattr(world, side).change_validity(INBOX)
    world.sync()
    assert_repaired(world, 4, also=1)


def test_a_rebuilt_state_adopts_the_repaired_copies(tmp_path: Path) -> None:
    world = begin(tmp_path, GOOD, *BAD, NUL)
    world.sync()
    world.db.close()
    again = World(tmp_path / "again", target=STRICT, policy=REPAIR, database=Database.open(tmp_path / "new.sqlite"))
    again.old_server, again.new_server, again.old, again.new = world.old_server, world.new_server, world.old, world.new
    again.sync()
    assert_repaired(again, 5, also=1)


def test_mirror_removes_a_repaired_copy_that_nobody_touched(tmp_path: Path) -> None:
    world = begin(tmp_path, GOOD, NUL, policy=replace(REPAIR, mirror=True))
    world.sync()
    ref = next(ref for ref, kept in world.old.box(INBOX).items.items() if kept.data == NUL)
    world.old.delete(INBOX, ref)
    world.sync()
    assert world.new.contents(INBOX) == [GOOD]


def test_a_repaired_copy_that_is_not_what_was_recorded_is_no_exception(tmp_path: Path) -> None:
    world = begin(tmp_path, NUL)
    world.sync()
    (kept,) = world.new.box(INBOX).items.values()
    kept.data = kept.data.replace(b"body", b"BODY").replace(b"nul", b"NUL")
    verdict = world.verify()
    assert verdict.verdict is Judged.FAIL
    assert counts(verdict).changed == 1


def test_a_target_that_also_alters_the_repaired_copy_is_told(tmp_path: Path) -> None:
    world = begin(tmp_path, NUL, target=replace(STRICT, rewrite=lambda data: b"X-Seen: 1\r\n" + data))
    world.sync()
    (row,) = altered(world)
    assert (row.reason, row.accepted_at) == ("repaired", None)
    assert world.verify().verdict is Judged.FAIL
    accept_altered(world)
    assert world.verify().verdict is Judged.EXCEPTIONS


# --- altered by the target --------------------------------------------------------------------------------------

MARKING = Powers(rewrite=lambda data: b"X-Mark: 1\r\n" + data if b"mark" in data else data)
MARKED = b"Subject: mark\r\n\r\nbody\r\n"


def test_an_altered_copy_is_noticed_at_once_and_can_be_accepted(tmp_path: Path) -> None:
    world = begin(tmp_path, GOOD, MARKED, target=MARKING, policy=Policy(Scope()))
    world.sync()
    (row,) = altered(world)
    size = len(MARKED)
    assert (row.reason, row.detail) == ("altered", f"{size} bytes sent, {size + 11} kept")
    verdict = world.verify(full=False)
    assert verdict.verdict is Judged.FAIL
    assert f"{size + 11} kept" in verdict.details[0].text
    accept_altered(world)
    for full in (False, True):
        verdict = world.verify(full=full)
        assert verdict.verdict is Judged.EXCEPTIONS
        assert (counts(verdict).changed, counts(verdict).verified) == (1, 1)
    assert world.writes(world.sync) == []


def test_verify_says_what_differs(tmp_path: Path) -> None:
    """Another tool's copy with a header of its own, under our link."""
    world = begin(tmp_path, GOOD, MARKED, policy=Policy(Scope()), target=Powers())
    world.sync()
    (_, kept) = world.new.box(INBOX).items.values()
    kept.data = b"X-TUID: abc\r\n" + kept.data
    (detail,) = world.verify().details
    assert detail.text.endswith("same content, other bytes: header X-Tuid added")


def test_a_retry_does_not_send_an_altered_copy_again(tmp_path: Path) -> None:
    world = begin(tmp_path, MARKED, target=MARKING, policy=Policy(Scope()))
    world.sync()
    world.retry_quarantine()
    assert world.writes(world.sync) == []
    assert len(world.new.contents(INBOX)) == 1


def test_equal_sizes_are_found_out_by_verify(tmp_path: Path) -> None:
    """As Dovecot does it with NUL."""
    swap = Powers(rewrite=lambda data: data.replace(b"\0", b"\x80"))
    world = begin(tmp_path, GOOD, NUL, target=swap, policy=Policy(Scope()))
    world.sync()
    assert altered(world) == []
    assert world.verify(full=True).verdict is Judged.FAIL
    (row,) = altered(world)
    assert row.detail.endswith("not the same ones; the content differs")
    accept_altered(world)
    for full in (False, True):
        assert world.verify(full=full).verdict is Judged.EXCEPTIONS
    (_, kept) = world.new.box(INBOX).items.values()
    kept.data = kept.data.replace(b"body", b"BODY").replace(b"nul", b"NUL")
    assert world.verify(full=True).verdict is Judged.FAIL, "what was accepted is that copy, not any"


@pytest.mark.parametrize("mark", [MARKED, NUL])
def test_killed_after_an_altered_write_it_is_known_by_its_place(tmp_path: Path, mark: bytes) -> None:
    """The bytes on the target are nobody's: same size (NUL) or same meaning (a header added) say whose copy it is."""
    alter = Powers(rewrite=lambda data: MARKING.rewrite(data).replace(b"\0", b"\x80"))
    others = [b"Subject: %d\r\n\r\nx\r\n" % number for number in range(6)]
    world = begin(tmp_path, *others[:3], mark, *others[3:], target=alter, policy=Policy(Scope()))
    world.target_faults = Faults(
        lambda operation: Fault(Mode.AFTER, error=Killed) if operation.name == "send" else None, batch=7
    )
    with pytest.raises(Killed):
        world.step()
    world.calm()
    assert "send" not in world.writes(world.sync)
    assert len(world.new.contents(INBOX)) == 7
    assert [row.reason for row in altered(world)] == ["altered"]
    accept_altered(world)
    assert world.verify().verdict is Judged.EXCEPTIONS


def test_a_stranger_in_the_place_of_a_lost_item_is_not_taken_for_it(tmp_path: Path) -> None:
    world = begin(tmp_path, *(b"Subject: %d\r\n\r\nx\r\n" % number for number in range(3)), policy=Policy(Scope()))
    world.new_server.powers = Powers(batch=3)
    world.target_faults = Faults(
        lambda operation: Fault(Mode.AFTER, error=Killed) if operation.name == "send" else None
    )
    with pytest.raises(Killed):
        world.step()
    world.calm()
    box = world.new.box(INBOX)
    box.items[sorted(box.items)[1]].data = b"Subject: somebody else's\r\n\r\nother\r\n"
    world.sync()
    assert altered(world) == []
    assert sorted(world.new.contents(INBOX)).count(b"Subject: 1\r\n\r\nx\r\n") == 1
    assert len(world.new.contents(INBOX)) == 4


@pytest.mark.parametrize("mirror", [False, True])
def test_a_renumbered_target_keeps_its_altered_copies(tmp_path: Path, *, mirror: bool) -> None:
    world = begin(tmp_path, GOOD, MARKED, target=MARKING, policy=Policy(Scope(), mirror=mirror))
    world.sync()
    accept_altered(world)
    world.new.change_validity(INBOX)
    world.sync()
    assert len(world.new.contents(INBOX)) == 2
    assert world.verify().verdict is Judged.EXCEPTIONS


def test_many_altered_copies_are_recorded_without_reading_them_all(tmp_path: Path) -> None:
    world = begin(
        tmp_path,
        *(b"Subject: mark %d\r\n\r\nx\r\n" % number for number in range(120)),
        target=replace(MARKING, rewrites="a header is added"),
        policy=Policy(Scope()),
    )
    world.sync()
    found = altered(world)
    assert len(found) == 120
    assert all(row.detail.endswith("a header is added") for row in found)
    accept_altered(world)
    assert world.verify().verdict is Judged.EXCEPTIONS


# --- whatever comes ---------------------------------------------------------------------------------------------

bodies = st.sampled_from([GOOD, *BAD]) | st.integers(0, 99).map(lambda n: b"Subject: %d\r\n\r\n" % n + b"\0" * (n % 2))


@settings(max_examples=200 if FULL else 8)
@given(
    first=st.lists(bodies, max_size=8),
    then=st.lists(bodies, max_size=4),
    hits=st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from([Mode.BEFORE, Mode.AFTER, Mode.HALF, Mode.LATE])), max_size=3
    ),
    ids_returned=st.booleans(),
)
def test_repairs_end_exactly_once_under_faults(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[bytes],
    then: list[bytes],
    hits: list[tuple[int, Mode]],
    *,
    ids_returned: bool,
) -> None:
    target = replace(STRICT, ids_returned=ids_returned, batch=2)
    world = begin(tmp_path_factory.mktemp("repair"), *first, target=target)
    script = dict(hits)
    world.target_faults = Faults(
        lambda operation: (
            Fault(script[operation.nth], error=Killed) if operation.name == "send" and operation.nth in script else None
        )
    )
    for data in [None, *then]:
        if data is not None:
            world.old.deliver(INBOX, data, ["\\Seen"])
        try:
            world.step()
        except Killed:
            continue
    world.calm()
    for _ in range(3):
        world.sync()
    bad = sum(bool(strict(data)) for data in [*first, *then])
    assert_repaired(world, bad, also=len(first) + len(then) - bad)
    world.db.close()
