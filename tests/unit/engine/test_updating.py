"""Which items changed, and what became of the copies that they were to replace. Pure decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xdmigrate.contract import CHANGED_THERE, Accepted, Receipt, Refused, Stored
from xdmigrate.engine.fingerprints import ENTRY, Print, of_entry
from xdmigrate.engine.match import by_content
from xdmigrate.engine.ours import as_written
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.survey import judge
from xdmigrate.engine.updating import Outdated, judge_updates
from xdmigrate.model import UNTOLD, Folder, Head, Kind, Outcome
from xdmigrate_state.rows import ItemRow, Renewal

TEAM = Folder(("Team",), Kind.CALENDAR)
SCOPE = Scope()
ROW = ItemRow(1, 1, b"a", Outcome.COPIED, False, 10, b"f" * 16, 1, b"t", frozenset(), b"v1", "", b"t1")
NOW = Head(b"a", 20, version=b"v2")
CONTENT = Print(0, b"n" * 16)


@pytest.mark.parametrize("outcome", [Outcome.COPIED, Outcome.PRESENT, Outcome.FAILED, Outcome.PENDING])
def test_another_version_is_a_change(outcome: Outcome) -> None:
    row = replace(ROW, outcome=outcome)
    assert judge([(NOW, row)], SCOPE, TEAM, updates=True).renewed == [Renewal(b"a", 20, b"v2")]
    same = judge([(replace(NOW, version=b"v1"), row)], SCOPE, TEAM, updates=True)
    assert same.renewed == []


@pytest.mark.parametrize(("head", "row"), [(b"", b"v1"), (b"v2", b""), (b"", b"")])
def test_a_version_that_is_not_told_proves_nothing(head: bytes, row: bytes) -> None:
    seen = replace(NOW, version=head), replace(ROW, base_version=row)
    assert judge([seen], SCOPE, TEAM, updates=True).renewed == []


def test_a_target_that_replaces_nothing_keeps_what_it_has() -> None:
    assert judge([(NOW, ROW)], SCOPE, TEAM).renewed == []
    waiting = replace(ROW, outcome=Outcome.PENDING, place_id=None, target_id=None)
    assert judge([(NOW, waiting)], SCOPE, TEAM).renewed == [Renewal(b"a", 20, b"v2")]


def test_a_copy_follows_whatever_the_scope_says_by_now() -> None:
    narrow = Scope(exclude=("Team",))
    assert judge([(NOW, ROW)], narrow, TEAM, updates=True).renewed
    waiting = replace(ROW, outcome=Outcome.PENDING, target_id=None)
    found = judge([(NOW, waiting)], narrow, TEAM, updates=True)
    assert (found.renewed, found.refiltered) == ([], [b"a"])
    update = replace(ROW, outcome=Outcome.PENDING, base_version=b"v2")
    assert judge([(NOW, update)], narrow, TEAM, updates=True).refiltered == []


def test_a_filtered_item_is_judged_again_when_it_changed() -> None:
    row = replace(ROW, outcome=Outcome.FILTERED, target_id=None, note=SCOPE.mark)
    assert judge([(NOW, row)], SCOPE, TEAM, updates=True).renewed == [Renewal(b"a", 20, b"v2")]
    narrow = Scope(exclude=("Team",))
    assert judge([(NOW, row)], narrow, TEAM, updates=True).refiltered == [b"a"]
    assert judge([(NOW, replace(row, note=narrow.mark))], narrow, TEAM, updates=True).refiltered == []


def test_a_change_without_a_size_asks_for_everything() -> None:
    assert judge([(replace(NOW, size=UNTOLD), ROW)], SCOPE, TEAM, updates=True).unmeasured


def outdated() -> Outdated:
    return Outdated({b"a": ROW}, over={b"a": Head(b"t", 0, version=b"t1")})


def touched(copy: Print | None) -> Outdated:
    return Outdated({b"a": ROW}, touched={b"a": copy})


SENT = {3: Sent(b"a", CONTENT, frozenset())}
NEW = Head(b"t", 0, version=b"t2")


@pytest.mark.parametrize("answer", [Stored(3, b"t"), Stored(3, b"t", b"t2"), Accepted(3)])
def test_a_new_version_proves_the_replacement(answer: Receipt) -> None:
    renewed, unsure = judge_updates(outdated(), SENT, {3: answer}, {3: NEW})
    assert (renewed.stored, unsure) == ({3: NEW}, [])


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (Stored(3, b"t"), replace(NEW, version=b"t1")),
        (Stored(3, b"t", b"t9"), NEW),
        (Stored(3, b"t"), replace(NEW, version=b"")),
        (Refused(3, CHANGED_THERE), NEW),
    ],
    ids=["old version", "another one than told", "no versions", "refused"],
)
def test_the_copy_is_read_where_versions_prove_nothing(answer: Receipt, there: Head) -> None:
    renewed, unsure = judge_updates(outdated(), SENT, {3: answer}, {3: there})
    assert unsure == [3]
    assert (renewed.stored, renewed.refused, renewed.unkept) == ({}, {}, [])


def test_what_is_not_there_was_not_kept() -> None:
    assert judge_updates(outdated(), SENT, {3: Stored(3, b"t")}, {3: None})[0].unkept == [3]
    refusal = Refused(3, "too-big")
    assert judge_updates(outdated(), SENT, {3: refusal}, {3: NEW})[0].refused == {3: refusal}


def test_a_copy_of_somebodys_own_is_left_alone() -> None:
    changed = judge_updates(touched(Print(0, b"x" * 16)), SENT, {}, {})[0].refused[3]
    removed = judge_updates(touched(None), SENT, {}, {})[0].refused[3]
    assert changed.reason == removed.reason == CHANGED_THERE
    assert ("changed" in changed.detail, "removed" in removed.detail) == (True, True)
    agreed = judge_updates(touched(CONTENT), SENT, {}, {})[0]
    assert (agreed.agreed, agreed.stored[3].ref) == ({3}, b"t")


def test_only_the_version_that_we_wrote_is_ours_to_remove() -> None:
    there = {b"t": Head(b"t", 0, version=b"t1")}
    assert as_written([ROW], there) == [b"t"]
    assert as_written([replace(ROW, target_version=b"t0")], there) == []
    assert as_written([replace(ROW, target_version=b"")], {b"t": Head(b"t", 0)}) == []


def test_entries_of_one_content_come_together() -> None:
    prints = [Print(n % 3, b"%d" % (n % 3) * 16) for n in range(9)]
    mine = [each.entry(b"m%d" % at) for at, each in enumerate(prints)]
    theirs = [each.entry(b"their-%d" % at) for at, each in enumerate(prints[:2] * 2)]
    [(left, right)] = by_content(mine, theirs, ENTRY)
    assert {ref for ref, _ in map(of_entry, left)} == {b"m%d" % at for at in range(9) if at % 3 != 2}
    assert {ref for ref, _ in map(of_entry, right)} == {b"their-%d" % at for at in range(4)}
    assert all(of_entry(entry)[1] in prints for entry in left + right)
    assert list(by_content(mine, [], ENTRY)) == []
