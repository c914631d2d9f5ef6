"""The small decisions: scope, flags, guards, verification."""

from __future__ import annotations

from datetime import UTC, date, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from xdmigrate.contract import Features
from xdmigrate.engine.flags import difference
from xdmigrate.engine.guards import FEW, believe_count, believe_gone
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.verification.decide import Links, leftover_state, metadata_faults
from xdmigrate.errors import GuardRefused
from xdmigrate.model import Folder, Head, Role
from xdmigrate.report.verdicts import ItemState

flags = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "\\Answered", "$Forwarded", "x"]))
JUNK = Folder(("Spam",), role=Role.JUNK)
BOTH = Features(keywords=True, dates=True)


@given(flags, flags, flags)
def test_a_difference_carries_the_sources_change_and_nothing_else(
    base: frozenset[str], source: frozenset[str], target: frozenset[str]
) -> None:
    change = difference(b"1", base, source)
    after = (target | change.add) - change.remove if change else target
    for flag in base | source | target:
        changed = (flag in source) != (flag in base)
        assert (flag in after) == (flag in source if changed else flag in target)


@given(flags, flags)
def test_adopted_items_only_gain(base: frozenset[str], source: frozenset[str]) -> None:
    change = difference(b"1", base, source, only_gain=True)
    assert change is None or not change.remove


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        (Scope(), True),
        (Scope(exclude=("\\Junk",)), False),
        (Scope(exclude=("\\junk",)), False),
        (Scope(exclude=("spam",)), False),
        (Scope(include=("INBOX",)), False),
        (Scope(include=("S*",)), True),
    ],
)
def test_folders_match_by_pattern_or_special_use(scope: Scope, *, wanted: bool) -> None:
    assert scope.wants_folder(JUNK) is wanted


def test_dates_and_sizes_filter_items() -> None:
    scope = Scope(mail_since=date(2020, 1, 1), max_size=100)
    inbox = Folder(("INBOX",))
    assert scope.wants(inbox, Head(b"1", 100, date=datetime(2020, 1, 1, tzinfo=UTC)))
    assert not scope.wants(inbox, Head(b"1", 101, date=datetime(2020, 1, 1, tzinfo=UTC)))
    assert not scope.wants(inbox, Head(b"1", 1, date=datetime(2019, 12, 31, 23, 59, tzinfo=UTC)))
    assert scope.wants(inbox, Head(b"1", 1))


def test_order_and_renames_are_no_other_scope() -> None:
    assert Scope(rename={"a": "b"}, newest_first=False).mark == Scope().mark
    assert Scope(max_size=1).mark != Scope().mark


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_shrunken_side_is_refused_until_exactly_that_is_accepted(known: int, shown: int) -> None:
    try:
        believe_count("ann", "source", known=known, shown=shown, accepted=frozenset())
    except GuardRefused as refused:
        assert known >= 20
        assert shown < known / 2
        accepted = frozenset({refused.checksum})
        believe_count("ann", "source", known=known, shown=shown, accepted=accepted)
        with pytest.raises(GuardRefused):
            believe_count("ann", "source", known=known + 2, shown=shown, accepted=accepted)
    else:
        assert known < 20 or shown * 2 >= known


def test_flags_and_dates_that_differ_are_named() -> None:
    day = datetime(2024, 1, 2, tzinfo=UTC)
    head = Head(b"1", 1, frozenset({"\\Seen", "$X"}), day)
    assert metadata_faults(head, head, BOTH, adopted=False) == ""
    assert "without $X" in metadata_faults(head, Head(b"2", 1, frozenset({"\\Seen"}), day), BOTH, adopted=False)
    assert metadata_faults(head, Head(b"2", 1, frozenset({"\\Seen"}), day), Features(), adopted=False) == ""
    more = Head(b"2", 1, frozenset({"\\Seen", "$X", "\\Flagged"}), None)
    assert "with \\Flagged" in metadata_faults(head, more, BOTH, adopted=False)
    assert metadata_faults(head, more, BOTH, adopted=True) == ""


def test_leftovers_are_own_kept_or_suspect() -> None:
    links = Links(gone={b"g"}, baseline=frozenset({b"b"}), claimed=frozenset({b"c"}))
    assert leftover_state(b"b", links) is ItemState.OWN
    assert leftover_state(b"g", links) is ItemState.KEPT
    assert leftover_state(b"c", links) is ItemState.KEPT
    assert leftover_state(b"?", links) is None


@given(known=st.integers(0, 10_000))
def test_a_folder_that_is_gone_is_believed_only_when_it_held_few(known: int) -> None:
    if known < FEW:
        believe_gone("ann", "Sub", known=known, accepted=frozenset())
        return
    with pytest.raises(GuardRefused) as refused:
        believe_gone("ann", "Sub", known=known, accepted=frozenset())
    believe_gone("ann", "Sub", known=known, accepted=frozenset({refused.value.checksum}))
    with pytest.raises(GuardRefused):
        believe_gone("ann", "Sub", known=known + 1, accepted=frozenset({refused.value.checksum}))
