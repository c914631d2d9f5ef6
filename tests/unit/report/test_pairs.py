"""Both sides of a mailbox judged together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.contract import Finding
from xdmigrate.report.facts import CheckFacts, MailboxCheck, SideCheck
from xdmigrate.report.pairs import NAMED, together
from xdmigrate.report.text import check_table, step_lines, way_lines

GB = 10**9

WAY = (("old", "new"),)


def capabilities(*names: str, **instead: str) -> list[Finding]:
    offered = Finding("capabilities", ok=True, text="offers", names=names)
    return [offered, *(Finding("fallback", True, f"without {name}: {text}") for name, text in instead.items())]


def amount(topic: str, octets: int) -> Finding:
    return Finding(topic, ok=True, text="", amount=octets)


def test_one_line_tells_what_a_pair_uses_and_what_it_does_instead() -> None:
    source = capabilities("LIST-STATUS", CONDSTORE="every pass lists every folder")
    [found] = together(source, capabilities("MULTIAPPEND", "UIDPLUS"))
    assert found.text == (
        "reads by LIST-STATUS; writes by MULTIAPPEND, UIDPLUS; source without CONDSTORE: every pass lists every folder"
    )
    assert together([], []) == []


@pytest.mark.parametrize(
    ("room", "quota", "ok", "words"),
    [
        (5 * GB, 10 * GB, True, "2.0 GB, 5.0 GB free"),
        (1 * GB, 10 * GB, True, "but only 1.0 GB free"),
        (1 * GB, 1 * GB, False, "do not fit: the target holds 1.0 GB at most"),
        (None, None, True, "2.0 GB"),
    ],
)
def test_whether_it_fits(room: int | None, quota: int | None, ok: bool, words: str) -> None:
    target = [amount(topic, value) for topic, value in (("room", room), ("quota", quota)) if value is not None]
    [found] = together([amount("size", 2 * GB)], target)
    assert found.ok is ok
    assert words in found.text
    assert bool(found.remedy) is (not ok or "only" in words)


@given(st.sets(st.text(max_size=5)), st.sets(st.text(max_size=5)), st.booleans())
def test_keywords_that_are_lost(used: set[str], kept: set[str], any_: bool) -> None:
    source = [Finding("keywords", ok=True, text="", names=tuple(used - {"*"}))]
    target = [Finding("keywords", ok=True, text="", names=("*",) if any_ else tuple(kept - {"*"}))]
    lost = sorted((used - kept - {"*"}) if not any_ else set())
    found = together(source, target)
    assert [each.names for each in found] == ([tuple(lost)] if lost else [])
    assert all(each.ok and each.remedy for each in found)
    if len(lost) > NAMED:
        assert f"and {len(lost) - NAMED} more" in found[0].text


def cells(facts: CheckFacts) -> list[tuple[str, ...]]:
    columns = [list(column.cells) for column in check_table(facts).columns]
    return [tuple(str(value) for value in row) for row in zip(*columns, strict=True)]


def test_what_is_there_stands_beside_ready_and_the_step_below() -> None:
    there = Finding("collections", ok=True, text="calendars: 2")
    step = Finding("invitations", ok=True, text="attendees go into the description", remedy="switch it off")
    sides = [SideCheck("source", "old", [there]), SideCheck("target", "new", [there, step])]
    facts = CheckFacts("job", [MailboxCheck(name, name, sides, WAY) for name in ("ann", "bob")])
    assert cells(facts) == [("ann", "ready, calendars: 2", ""), ("bob", "ready, calendars: 2", "")]
    assert [line.plain for line in step_lines(facts)] == ["new: attendees go into the description; switch it off"]
    facts.mailboxes.append(MailboxCheck("eve", "eve", sides[:1], WAY))
    assert step_lines(facts)[0].plain.startswith("new (2 of 3 mailboxes): ")


def test_a_ready_mailbox_takes_one_line_and_each_trouble_one_more() -> None:
    good = SideCheck("source", "old", [*capabilities("QRESYNC"), amount("size", GB)])
    target = SideCheck("target", "new", [*capabilities("UIDPLUS"), amount("room", 3 * GB)])
    denied = SideCheck("source", "old", [Finding("rights", False, "no right", "grant it")])
    facts = CheckFacts(
        "job",
        [
            MailboxCheck("ann@old", "ann@new", [good, target], WAY),
            MailboxCheck("bob@new", "bob@new", [denied, target], WAY),
            MailboxCheck("eve@old", "eve@new", [good, SideCheck("target", "new", tried=False)], WAY),
        ],
    )
    assert cells(facts) == [
        ("ann@old → ann@new", "ready, 1.0 GB, 3.0 GB free", ""),
        ("bob@new", "source old: no right", "grant it"),
        ("eve@old → eve@new", "target new: not tried, this endpoint was given up", ""),
    ]
    assert [box.ok for box in facts.mailboxes] == [True, False, False]
    assert [str(line) for line in way_lines(facts)] == [
        "old → new (1 of 2 mailboxes): reads by QRESYNC; writes by UIDPLUS",
        "old → new (1 of 2 mailboxes): writes by UIDPLUS",
    ]
    assert [str(line) for line in way_lines(CheckFacts("job", facts.mailboxes[:1] * 3))] == [
        "old → new: reads by QRESYNC; writes by UIDPLUS"
    ]
