"""Events, tasks and contacts: they change in place at the source, and their copies follow; nobody's work is lost."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath

import pytest

from tests.engine.world import FOREVER, USER, World
from xdmigrate.contract import CHANGED_THERE
from xdmigrate.engine.advance import Advancer
from xdmigrate.engine.advance import Verdict as Step
from xdmigrate.engine.context import Leg, Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.verification import audit, objects
from xdmigrate.model import Kind, Login, Outcome, Path
from xdmigrate.report import verdicts
from xdmigrate.report.verdicts import ItemState, Verdict
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.testing.memory.target import MemoryTarget
from xdmigrate.testing.objects import made, rewritten, uid
from xdmigrate.wrap.dry_run import DryRunTarget
from xdmigrate.wrap.dry_source import DryRunSource
from xdmigrate_state import failures, folders, ledger, totals
from xdmigrate_state.database import scratch_copy
from xdmigrate_state.rows import ItemRow

TEAM: Path = ("Team",)
DAV = Powers(
    ordered_ids=False,
    dates=False,
    keywords=False,
    subscriptions=False,
    move=False,
    updates=True,
    versions=True,
    exact_sizes=False,
    name=uid,
    rewrite=rewritten,
)
KINDS = [Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS]


def world_of(home: FilePath, kind: Kind = Kind.CALENDAR, *, powers: Powers = DAV, mirror: bool = False) -> World:
    world = World(home, source=powers, target=powers, policy=Policy(Scope(), mirror=mirror))
    world.kinds = frozenset({kind})
    world.old.create_folder(TEAM, kind)
    return world


def rows(world: World) -> dict[bytes, ItemRow]:
    found = world.db.read(lambda c: folders.of_mailbox(c, world.mailbox_id))
    return {row.source_id: row for each in found for row in world.db.read(partial(ledger.scan, folder=each))}


def outcomes(world: World) -> list[Outcome]:
    for kinds in world.db.read(lambda c: totals.mailbox_counts(c, world.plan_id)).values():
        assert all(counts.closed for counts in kinds.values())
    for row in world.db.read(lambda c: folders.of_mailbox(c, world.mailbox_id)):
        assert world.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts
    return [row.outcome for row in rows(world).values()]


def said(world: World, path: Path = TEAM) -> list[bytes]:
    """What is on the target, without what servers alter."""
    return sorted(rewritten(data) for data in world.new.contents(path))


def expected(kind: Kind, *objects: tuple[str, str]) -> list[bytes]:
    return sorted(rewritten(made(kind, *each)) for each in objects)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_at_the_source_replaces_the_copy(tmp_path: FilePath, kind: Kind) -> None:
    world = world_of(tmp_path, kind)
    refs = [world.old.deliver(TEAM, made(kind, str(n), f"text {n}")) for n in range(5)]
    world.sync()
    assert outcomes(world) == [Outcome.COPIED] * 5
    before = {data: ref for ref, data in ((r, k.data) for r, k in world.new.box(TEAM).items.items())}
    world.old.edit(TEAM, refs[1], made(kind, "1", "another"))
    world.sync()
    texts = [("1", "another"), *((str(n), f"text {n}") for n in (0, 2, 3, 4))]
    assert said(world) == expected(kind, *texts)
    assert outcomes(world) == [Outcome.COPIED] * 5
    assert set(world.new.box(TEAM).items) == set(before.values())
    assert world.verify().verdict is Verdict.PASS
    assert world.writes(world.sync) == []


def test_verify_tells_what_was_copied_as_it_is(tmp_path: FilePath) -> None:
    """A zone that nobody knows: equal line by line is all that can be said."""
    world = world_of(tmp_path, powers=replace(DAV, rewrite=bytes))
    world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    start = re.compile(rb"DTSTART[^\r]*")
    opaque = start.sub(b"DTSTART;TZID=Nowhere/Middle:20240101T100000", made(Kind.CALENDAR, "2", "y"))
    ref = world.old.deliver(TEAM, opaque)
    world.sync()
    verdict = world.verify()
    assert verdict.verdict is Verdict.PASS
    assert [(each.state, each.ref, each.text) for each in verdict.details] == [
        (ItemState.VERIFIED, ref.hex(), "it holds what cannot be interpreted, and is the same line by line")
    ]


def test_only_what_changed_is_read(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(50)]
    world.sync()
    for ref in refs[:3]:
        world.old.edit(TEAM, ref, made(Kind.CALENDAR, uid(world.old.box(TEAM).items[ref].data).decode(), "y"))
    world.source_faults, world.target_faults = Faults(lambda _operation: None), Faults(lambda _operation: None)
    world.sync()
    assert sum(op.items for op, _ in world.source_faults.log if op.name == "read") == 3
    assert sum(op.items for op, _ in world.target_faults.log if op.name == "read") == 0


def test_a_delta_reads_what_came_and_what_changed_once(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(40)]
    world.sync()
    for ref in refs[:3]:
        world.old.delete(TEAM, ref)
    for n in range(3, 7):
        world.old.edit(TEAM, refs[n], made(Kind.CALENDAR, str(n), "y"))
    for n in range(40, 43):
        world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x"))
    world.source_faults, world.target_faults = Faults(lambda _operation: None), Faults(lambda _operation: None)
    world.sync()
    for faults, items in ((world.source_faults, 7), (world.target_faults, 0)):
        assert sum(op.items for op, _ in faults.log if op.name == "read") == items
    assert world.verify().verdict is Verdict.PASS


def test_a_change_on_both_sides_is_nobodys_loss(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    [copy] = world.new.box(TEAM).items
    world.new.edit(TEAM, copy, made(Kind.CALENDAR, "1", "theirs"))
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "ours"))
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("1", "theirs"))
    assert outcomes(world) == [Outcome.FAILED]
    [failure] = world.db.read(lambda c: failures.of_plan(c, world.plan_id))
    assert failure.reason == CHANGED_THERE
    assert rows(world)[ref].target_id == copy
    verdict = world.verify()
    assert verdict.verdict is Verdict.FAIL
    assert [each.state for each in verdict.details] == [ItemState.FAILED]
    world.sync()
    assert outcomes(world) == [Outcome.FAILED]
    world.retry_quarantine()
    world.sync()
    assert [each.reason for each in world.db.read(lambda c: failures.of_plan(c, world.plan_id))] == [CHANGED_THERE]
    assert rows(world)[ref].target_id == copy
    world.new.delete(TEAM, copy)
    world.retry_quarantine()
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("1", "ours"))
    assert world.verify().verdict is Verdict.PASS


def test_the_same_change_on_both_sides_is_none(tmp_path: FilePath) -> None:
    world = world_of(tmp_path, mirror=True)
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    [copy] = world.new.box(TEAM).items
    world.new.edit(TEAM, copy, rewritten(made(Kind.CALENDAR, "1", "both")))
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "both"))
    world.sync()
    assert outcomes(world) == [Outcome.PRESENT]
    world.old.delete(TEAM, ref)
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("1", "both"))


def test_a_version_that_means_nothing_is_no_change(tmp_path: FilePath) -> None:
    """Servers give new versions to what they restored; what the copy says is what counts."""
    world = world_of(tmp_path)
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    [(copy, kept)] = world.new.box(TEAM).items.items()
    world.new.edit(TEAM, copy, kept.data)
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "y"))
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("1", "y"))
    assert outcomes(world) == [Outcome.COPIED]


def test_new_bytes_that_say_the_same_are_not_written(tmp_path: FilePath) -> None:
    world = world_of(tmp_path, mirror=True)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(3)]
    world.sync()
    for n, ref in enumerate(refs):
        world.old.edit(TEAM, ref, rewritten(made(Kind.CALENDAR, str(n), "x")))
    assert "put" not in world.writes(world.sync)
    assert outcomes(world) == [Outcome.COPIED] * 3
    world.source_faults = Faults(lambda _operation: None)
    world.sync()
    assert "read" not in [operation.name for operation, _ in world.source_faults.log]
    world.old.delete(TEAM, refs[0])
    world.sync()
    assert len(said(world)) == 2


def test_what_vanishes_before_its_update_stays_copied(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "y"))
    world.target_faults = Faults.scripted({("send", 1): Fault(Mode.BEFORE)})
    world.step()
    assert outcomes(world) == [Outcome.PENDING]
    world.old.delete(TEAM, ref)
    world.calm()
    world.sync()
    assert outcomes(world) == [Outcome.COPIED]
    assert rows(world)[ref].gone
    assert said(world) == expected(Kind.CALENDAR, ("1", "x"))
    assert not world.verify().kinds[Kind.CALENDAR].missing


@pytest.mark.parametrize(("mode", "later"), [*((mode, 0) for mode in Mode), (Mode.LATE, 6)])
def test_an_answer_that_is_lost(tmp_path: FilePath, mode: Mode, later: int) -> None:
    world = world_of(tmp_path)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(4)]
    world.sync()
    for n, ref in enumerate(refs):
        world.old.edit(TEAM, ref, made(Kind.CALENDAR, str(n), "y"))
    world.old.deliver(TEAM, made(Kind.CALENDAR, "new", "z"))
    killed = partial(Fault, mode, Killed, later) if mode is not Mode.LYING else partial(Fault, mode)
    world.target_faults = Faults.scripted({("send", 1): killed()})
    with suppress(Killed):
        world.step()
    world.old.edit(TEAM, refs[0], made(Kind.CALENDAR, "0", "later still"))
    for _ in range(3):
        world.sync()
    world.calm()
    world.sync()
    texts = [("0", "later still"), *((str(n), "y") for n in (1, 2, 3)), ("new", "z")]
    assert said(world) == expected(Kind.CALENDAR, *texts)
    assert set(outcomes(world)) <= {Outcome.COPIED, Outcome.PRESENT}
    assert world.writes(world.sync) == []


def test_what_is_there_is_adopted_by_what_it_says(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    world.new.create_folder(TEAM, Kind.CALENDAR)
    for n in range(4):
        world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), f"text {n}"))
        world.new.deliver(TEAM, rewritten(made(Kind.CALENDAR, str(n), f"text {n}")) if n else b"not a calendar")
    world.sync()
    assert sorted(outcomes(world)) == [Outcome.COPIED, *[Outcome.PRESENT] * 3]
    assert len(world.new.contents(TEAM)) == 5
    assert world.verify().verdict is Verdict.PASS
    changed = next(ref for ref, row in rows(world).items() if row.outcome is Outcome.PRESENT)
    name = uid(world.old.box(TEAM).items[changed].data).decode()
    world.old.edit(TEAM, changed, made(Kind.CALENDAR, name, "followed"))
    world.sync()
    assert rewritten(made(Kind.CALENDAR, name, "followed")) in said(world)
    assert rows(world)[changed].outcome is Outcome.PRESENT


def test_another_item_of_that_uid_is_quarantined(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    world.new.create_folder(TEAM, Kind.CALENDAR)
    world.new.deliver(TEAM, made(Kind.CALENDAR, "1", "the user's own"))
    world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "ours"))
    world.old.deliver(TEAM, made(Kind.CALENDAR, "2", "ours"))
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("1", "the user's own"), ("2", "ours"))
    assert [each.reason for each in world.db.read(lambda c: failures.of_plan(c, world.plan_id))] == ["uid-taken"]


def test_mirror_mode_removes_only_the_version_that_we_wrote(tmp_path: FilePath) -> None:
    world = world_of(tmp_path, mirror=True)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(3)]
    world.sync()
    copies = {uid(kept.data): ref for ref, kept in world.new.box(TEAM).items.items()}
    world.new.edit(TEAM, copies[b"1"], made(Kind.CALENDAR, "1", "theirs"))
    for ref in refs[:2]:
        world.old.delete(TEAM, ref)
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("1", "theirs"), ("2", "x"))


def test_written_anew_under_another_id(tmp_path: FilePath) -> None:
    """Clients write an event under another name and delete the old one; the copy stays."""
    world = world_of(tmp_path)
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    world.old.delete(TEAM, ref)
    world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    assert world.writes(world.sync) == []
    assert outcomes(world) == [Outcome.COPIED]
    assert world.verify().verdict is Verdict.PASS


def test_written_anew_with_other_content(tmp_path: FilePath) -> None:
    """The target has the UID already: the copy of what vanished is replaced, if nobody has touched it."""
    world = world_of(tmp_path)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(3)]
    world.sync()
    copies = {uid(kept.data): ref for ref, kept in world.new.box(TEAM).items.items()}
    world.new.edit(TEAM, copies[b"1"], made(Kind.CALENDAR, "1", "theirs"))
    for n in range(2):
        world.old.delete(TEAM, refs[n])
        world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "y"))
    world.sync()
    assert said(world) == expected(Kind.CALENDAR, ("0", "y"), ("1", "theirs"), ("2", "x"))
    assert sorted(outcomes(world)) == [*[Outcome.COPIED] * 3, Outcome.FAILED]
    assert world.writes(world.sync) == []


@pytest.mark.parametrize("lies", [1, 2, 3])
def test_written_anew_on_a_target_that_lies(tmp_path: FilePath, lies: int) -> None:
    """What says yes and keeps nothing is told apart from what refuses; the copy stays the item's own through it all."""
    world = world_of(tmp_path, powers=replace(DAV, ids_returned=False))
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    [copy] = world.new.box(TEAM).items
    world.old.delete(TEAM, ref)
    world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "y"))
    said_yes = [("send", nth) for nth in (1, 3, 4)]  # the second is refused: the UID is taken
    world.target_faults = Faults.scripted({each: Fault(Mode.LYING) for each in said_yes[:lies]})
    world.sync()
    assert outcomes(world) == [Outcome.COPIED if lies == 1 else Outcome.FAILED]
    if lies > 1:
        assert [each.reason for each in world.db.read(lambda c: failures.of_plan(c, world.plan_id))] == ["not-kept"]
        assert said(world) == expected(Kind.CALENDAR, ("1", "x"))
        world.retry_quarantine()
        world.sync()
    world.calm()
    world.sync()
    assert outcomes(world) == [Outcome.COPIED]
    assert said(world) == expected(Kind.CALENDAR, ("1", "y"))
    assert list(world.new.box(TEAM).items) == [copy]
    assert world.verify().verdict is Verdict.PASS


@pytest.mark.parametrize("again", [False, True])
def test_a_refused_update_without_a_copy_is_retried_as_new(tmp_path: FilePath, again: bool) -> None:
    """A person removed the copy by hand, because the server takes no change of it."""
    world = world_of(tmp_path, powers=replace(DAV, ids_returned=False))
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    [copy] = world.new.box(TEAM).items
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "y"))
    world.target_faults = Faults.scripted({("send", nth): Fault(Mode.LYING) for nth in (1, 2)})
    world.sync()
    assert outcomes(world) == [Outcome.FAILED]
    world.new.delete(TEAM, copy)
    world.retry_quarantine()
    if again:
        world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "z"))
    world.sync()
    assert outcomes(world) == [Outcome.COPIED]
    assert said(world) == expected(Kind.CALENDAR, ("1", "z" if again else "y"))
    assert world.verify().verdict is Verdict.PASS
    [copy] = world.new.box(TEAM).items
    world.new.delete(TEAM, copy)
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "w"))
    world.sync()
    assert outcomes(world) == [Outcome.FAILED], "asked for once: what is removed later stays so"


def test_a_refused_update_is_retried_as_one(tmp_path: FilePath) -> None:
    """Its copy is there still: offered as new, it would meet its own UID."""
    world = world_of(tmp_path, powers=replace(DAV, ids_returned=False))
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(2)]
    world.sync()
    for n, ref in enumerate(refs):
        world.old.edit(TEAM, ref, made(Kind.CALENDAR, str(n), "y"))
    world.target_faults = Faults.scripted({("send", nth): Fault(Mode.LYING) for nth in (1, 2)})
    world.sync()
    assert sorted(outcomes(world)) == [Outcome.COPIED, Outcome.FAILED]
    world.retry_quarantine()
    world.sync()
    assert outcomes(world) == [Outcome.COPIED] * 2
    assert said(world) == expected(Kind.CALENDAR, ("0", "y"), ("1", "y"))


def test_verify_tells_what_differs_without_content(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "secret"))
    world.sync()
    [copy] = world.new.box(TEAM).items
    world.new.edit(TEAM, copy, made(Kind.CALENDAR, "1", "also secret"))
    verdict = world.verify(full=False)
    [detail] = verdict.details
    assert detail.state is ItemState.CHANGED
    assert "SUMMARY" in detail.text
    assert "secret" not in detail.text


def test_verify_explains_every_item_and_once_more_what_is_known(tmp_path: FilePath) -> None:
    world, count = world_of(tmp_path), 60
    for number in range(count):
        world.old.deliver(TEAM, made(Kind.CALENDAR, str(number), f"x{number}"))
    world.sync()
    for number, copy in enumerate(list(world.new.box(TEAM).items)):
        world.new.edit(TEAM, copy, made(Kind.CALENDAR, str(number), f"y{number}"))
    for reading in ("found", "known"):
        told = [detail.text for detail in world.verify(full=False).details]
        assert len(told) == count, reading
        assert all("SUMMARY" in text and objects.UNTOLD not in text for text in told), told


def test_what_is_beyond_the_bound_is_counted_and_explained_when_there_is_room(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(tmp_path)
    world.new_server.powers = replace(DAV, rewrite=lossy)
    for number in range(5):
        world.old.deliver(TEAM, made(Kind.CALENDAR, str(number), "x"))
    world.sync()
    for module in (audit, verdicts):
        monkeypatch.setattr(module, "KEPT_DETAILS", 2)
    short = world.verify(full=False)
    assert (len(short.details), short.left_out) == (2, {ItemState.CHANGED: 3})
    assert all("SUMMARY" in each.text for each in short.details)
    monkeypatch.undo()
    assert all("SUMMARY" in each.text for each in world.verify(full=False).details)


def test_verify_counts_an_update_that_is_due(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "y"))
    world.target_faults = Faults.scripted({("send", 1): Fault(Mode.BEFORE)})
    world.step()
    verdict = world.verify()
    assert verdict.verdict is Verdict.FAIL
    [detail] = verdict.details
    assert "run sync" in detail.text


def test_without_updates_changes_are_not_followed(tmp_path: FilePath) -> None:
    world = world_of(tmp_path, powers=replace(DAV, updates=False))
    ref = world.old.deliver(TEAM, made(Kind.CALENDAR, "1", "x"))
    world.sync()
    world.old.edit(TEAM, ref, made(Kind.CALENDAR, "1", "y"))
    assert world.writes(world.sync) == []
    assert world.verify().kinds[Kind.CALENDAR].changed == 1


def lossy(data: bytes) -> bytes:
    return rewritten(data).replace(b"SUMMARY:", b"SUMMARY:Re ")


@pytest.mark.parametrize("lose", [False, True])
def test_a_store_that_alters_what_items_say(tmp_path: FilePath, lose: bool) -> None:
    world = world_of(tmp_path)
    world.new_server.powers = replace(DAV, rewrite=lossy)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(3)]
    if lose:
        world.target_faults = Faults.scripted({("send", 1): Fault(Mode.AFTER)})
    world.sync()
    assert outcomes(world) == [Outcome.COPIED] * 3
    assert len(world.new.contents(TEAM)) == 3
    assert world.verify().kinds[Kind.CALENDAR].changed == 3
    world.old.edit(TEAM, refs[0], made(Kind.CALENDAR, "0", "y"))
    world.sync()
    assert said(world)[0].count(b"Re y") == 1
    assert outcomes(world) == [Outcome.COPIED] * 3


def test_a_dry_run_predicts_updates(tmp_path: FilePath) -> None:
    world = world_of(tmp_path)
    refs = [world.old.deliver(TEAM, made(Kind.CALENDAR, str(n), "x")) for n in range(5)]
    world.sync()
    before = world.new.contents(TEAM)
    for n in range(3):
        world.old.edit(TEAM, refs[n], made(Kind.CALENDAR, str(n), "y"))
    world.old.deliver(TEAM, made(Kind.CALENDAR, "new", "z"))
    old, new = Login(USER, USER, "secret-old"), Login(USER, USER, "secret-new")
    target = DryRunTarget(MemoryTarget(world.new_server.log_in(new)))
    with scratch_copy(world.db, "contoso") as scratch:
        source = partial(MemorySource, world.old_server.log_in(old))
        leg = Leg(world.kinds, lambda _mailbox: DryRunSource(source()), lambda _mailbox: target)
        context = replace(world.context(), db=scratch, legs=(leg,))
        assert Advancer(context).advance(world.mailbox_id, FOREVER).verdict is Step.DONE
    told = target.prediction.folders[TEAM]
    assert (told.updated, told.items, told.octets > 0) == (3, 1, True)
    assert world.new.contents(TEAM) == before
    world.sync()
    assert outcomes(world) == [Outcome.COPIED] * 6


def test_a_calendar_and_an_address_book_of_one_name(tmp_path: FilePath) -> None:
    world = World(tmp_path, source=DAV, target=DAV)
    texts = {kind: made(kind, "1", kind.value) for kind in KINDS}
    for kind, data in texts.items():
        world.old.create_folder(TEAM, kind)
        world.old.deliver(TEAM, data, kind=kind)
    world.sync()
    for kind, data in texts.items():
        assert [rewritten(each) for each in world.new.contents(TEAM, kind)] == [rewritten(data)]
    for kind in KINDS:
        [ref] = world.old.box(TEAM, kind).items
        world.old.edit(TEAM, ref, made(kind, "1", "later"), kind=kind)
    world.sync()
    for kind in KINDS:
        assert [rewritten(each) for each in world.new.contents(TEAM, kind)] == expected(kind, ("1", "later"))
        assert world.verify(kinds=frozenset({kind})).verdict is Verdict.PASS
    assert world.writes(world.sync) == []


def test_estimated_sizes_do_not_hide_what_another_tool_copied(tmp_path: FilePath) -> None:
    """Mail: a store that declares exact sizes and does not have them is found out by a few bodies."""
    bodies = [b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * 40 * n) for n in range(30)]
    for declared in (True, False):
        home = tmp_path / str(declared)
        home.mkdir()
        world = World(home, source=Powers(exact_sizes=False), target=Powers())
        for body in bodies:
            world.old.deliver(("INBOX",), body)
            world.new.deliver(("INBOX",), body)
        if declared:
            world.old_server.powers = replace(Powers(), estimate=100)
        assert "put" not in world.writes(world.sync)
        assert set(outcomes(world)) == {Outcome.PRESENT}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_was_made_anew_takes_over_the_copies(tmp_path: FilePath, kind: Kind) -> None:
    """Everything in it has another id, and what was changed meanwhile is our copy's successor all the same."""
    world = world_of(tmp_path, kind)
    for name in ("1", "2", "3"):
        world.old.deliver(TEAM, made(kind, name, "text"))
    world.sync()
    copies = set(world.new.box(TEAM).items)
    world.old.remove_folder(TEAM)
    world.old.create_folder(TEAM, kind)
    for name in ("3", "1", "2"):
        world.old.deliver(TEAM, made(kind, name, "edited" if name == "2" else "text"))
    world.sync()
    assert outcomes(world) == [Outcome.COPIED] * 3
    assert set(world.new.box(TEAM).items) == copies
    assert said(world) == expected(kind, ("1", "text"), ("2", "edited"), ("3", "text"))
    assert world.verify().verdict is Verdict.PASS
    assert world.writes(world.sync) == []
