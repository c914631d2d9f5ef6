"""Matching is one to one, complete, and never pairs unlike things."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.engine.match import fill_gaps, pair_by_order, pair_equals

items = st.lists(st.integers(0, 5)).map(lambda contents: [(b"%d" % n, c) for n, c in enumerate(contents)])


@given(items, items)
def test_pairs_are_one_to_one_and_as_many_as_possible(
    wanted: list[tuple[bytes, int]], found: list[tuple[bytes, int]]
) -> None:
    pairs = pair_equals(wanted, found)
    left, right = dict(wanted), dict(found)
    assert len({source for source, _ in pairs}) == len({target for _, target in pairs}) == len(pairs)
    assert all(left[source] == right[target] for source, target in pairs)
    both = Counter(left.values()) & Counter(right.values())
    assert len(pairs) == both.total()


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_order_proves_only_when_every_size_agrees(sent: list[int], gained: list[int]) -> None:
    left = [(b"s%d" % n, size) for n, size in enumerate(sent)]
    right = [(b"t%d" % n, size) for n, size in enumerate(gained)]
    pairs = pair_by_order(left, right)
    if sent == gained:
        assert pairs == [(a, b) for (a, _), (b, _) in zip(left, right, strict=True)]
    else:
        assert pairs == []


def uid(number: int) -> bytes:
    return number.to_bytes(4)


def test_a_gap_of_exactly_the_missing_items_was_filled_by_them() -> None:
    sent = [uid(n) for n in (1, 2, 3, 4)]
    paired = {uid(1): uid(51), uid(4): uid(54)}
    assert fill_gaps(sent, paired, [uid(51), uid(54)]) == {uid(2): uid(52), uid(3): uid(53)}


def test_a_gap_of_another_width_proves_nothing() -> None:
    sent = [uid(n) for n in (1, 2, 3, 4)]
    assert fill_gaps(sent, {uid(1): uid(51), uid(4): uid(53)}, [uid(51), uid(53)]) == {}
    assert fill_gaps(sent, {uid(1): uid(51), uid(4): uid(60)}, [uid(51), uid(60)]) == {}


def test_somebody_elses_item_in_between_is_no_gap() -> None:
    sent = [uid(1), uid(2), uid(3)]
    assert fill_gaps(sent, {uid(1): uid(51), uid(3): uid(53)}, [uid(51), uid(52), uid(53)]) == {}


def test_nothing_is_told_about_the_end_of_a_range() -> None:
    assert fill_gaps([uid(1), uid(2)], {uid(1): uid(51)}, [uid(51)]) == {}


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 1000))
def test_what_is_filled_is_what_was_really_given(kept: list[bool], start: int) -> None:
    """One writer, ids in order, some items gone again: every id told is the one that the item had."""
    sent = [uid(n) for n in range(len(kept))]
    given_ids = {ref: uid(start + n) for n, ref in enumerate(sent)}
    paired = {ref: given_ids[ref] for ref, here in zip(sent, kept, strict=True) if here}
    filled = fill_gaps(sent, paired, sorted(paired.values()))
    assert all(given_ids[ref] == target for ref, target in filled.items())
    assert not filled.keys() & paired.keys()
