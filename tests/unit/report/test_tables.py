"""Tables on terminals of every width, and the short names by which people type items."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from xdmigrate.model import Kind
from xdmigrate.report.facts import KindCounts, MailboxStatus, PlanStatus
from xdmigrate.report.proof import detail_lines, verdict_table
from xdmigrate.report.quarantine import SHORTEST, short_names
from xdmigrate.report.text import empty_lines, reason_lines, status_table
from xdmigrate.report.verdicts import (
    Detail,
    ItemState,
    KindVerdict,
    MailboxVerdict,
    PlanVerdict,
    Verdict,
)

LONG = "annabelle.longname@mail.contoso.example"


def shown(made: object, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(made)
    return console.export_text()


def mailbox(number: int = 1, source: str = LONG, **counts: int) -> MailboxStatus:
    kinds = {Kind.MAIL: KindCounts(source=sum(counts.values()), **counts)} if counts else {}
    return MailboxStatus(number, source, "ann@new.example", "", "needs-attention", last_pass=1.0, kinds=kinds)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 250])
def test_nothing_is_cut_whatever_the_width(width: int) -> None:
    full = mailbox(source="ann", copied=1_234_567, present=22, filtered=333, failed=44, pending=5_555)
    told = shown(status_table(PlanStatus("office", "seeding", [full]), UTC), max(width, 80)).split()
    assert {"1,234,567", "22", "333", "44", "5,555", "1,240,521"} <= set(told)
    verdict = MailboxVerdict(
        1, "ann", "ann", Verdict.FAIL, {Kind.CALENDAR: KindVerdict(source=9, verified=7, failed=2)}
    )
    assert {"9", "7", "2"} <= set(shown(verdict_table(PlanVerdict(Verdict.FAIL, [verdict])), width).split())


def test_on_eighty_columns_addresses_and_verdicts_can_be_read() -> None:
    status = PlanStatus("office", "seeding", [mailbox(copied=7)])
    told = shown(status_table(status, UTC), 80)
    assert "needs-attention" in told
    assert "filtered" not in told
    kinds = {kind: KindVerdict(source=3, verified=3) for kind in Kind}
    verdict = MailboxVerdict(1, LONG, LONG, Verdict.EXCEPTIONS, kinds)
    told = shown(verdict_table(PlanVerdict(Verdict.EXCEPTIONS, [verdict])), 80)
    assert "pass-with-exceptions mail " in told
    assert "unexplained" not in told


def test_what_is_not_copied_is_told_by_its_reasons() -> None:
    details = [Detail(ItemState.FAILED, ("Work",), f"{number:02x}", text="refused") for number in range(30)]
    details += [Detail(ItemState.CHANGED, ("Work",), "ff", text="SUMMARY differs")]
    details += [Detail(ItemState.VERIFIED, ("Work",), "fe")]
    box = MailboxVerdict(1, "ann", "ann", Verdict.FAIL, {}, details, {ItemState.FAILED: 5, ItemState.VERIFIED: 2})
    changed, opaque, failed = (line.plain for line in detail_lines(box, 20))
    assert changed == "ann: changed: Work id ff, 0 bytes SUMMARY differs"
    assert opaque.startswith("ann: 3 verified items hold what cannot be interpreted, and were copied as they are")
    assert failed == "ann: not copied: 30 refused, 5 more: see `xdmigrate quarantine PLAN list`"


def test_a_run_tells_why_and_what_was_empty() -> None:
    reasons = Counter({("refused", "400"): 3, **{("bad-value", f"word {number}"): 1 for number in range(9)}})
    lines = [line.plain for line in reason_lines(reasons, dry_run=True)]
    assert lines[0] == "would not be copied: 3 refused: 400"
    assert lines[-1] == "would not be copied: 2 for other reasons"
    boxes = [mailbox(number, f"box{number}") for number in range(7)]  # without any item
    (line,) = empty_lines(PlanStatus("office", "synced", [mailbox(9, copied=1), *boxes]))
    assert "box0, box1, box2, box3, box4 and 2 more" in line.plain


@given(st.sets(st.text("01abx.", min_size=1, max_size=30)))
def test_short_names_name_one_item_each(ids: set[str]) -> None:
    names = short_names(ids)
    assert set(names) == ids
    for each, name in names.items():
        assert each.startswith(name)
        assert name == each or len(name) >= SHORTEST
        assert name == each or [other for other in ids if other.startswith(name)] == [each]
