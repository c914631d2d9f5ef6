"""Matching is one to one, complete, and never pairs unlike things."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from unittest.mock import patch

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.match import Look, by_size, fill_gaps, gap_pairs, pair_alike, pair_by_order, pair_equals

SPRING, AUTUMN = datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 10, 1, tzinfo=UTC)

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


looks = st.builds(
    Look, st.frozensets(st.sampled_from(["\\Seen", "\\Draft", "Work"])), st.sampled_from([None, SPRING, AUTUMN])
)
looking = st.lists(st.tuples(st.integers(0, 2), looks), max_size=12).map(
    lambda items: {b"%d" % n: each for n, each in enumerate(items)}
)


@given(looking, looking)
def test_equal_items_are_paired_by_what_they_look_like(
    wanted: dict[bytes, tuple[int, Look]], found: dict[bytes, tuple[int, Look]]
) -> None:
    left, right = ([(ref, content) for ref, (content, _look) in side.items()] for side in (wanted, found))
    mine, theirs = ({ref: look for ref, (_content, look) in side.items()} for side in (wanted, found))
    pairs = pair_alike(left, right, mine, theirs)
    plain = pair_equals(left, right)
    assert Counter(wanted[source][0] for source, _ in pairs) == Counter(wanted[source][0] for source, _ in plain)
    assert all(wanted[source][0] == found[target][0] for source, target in pairs)
    assert len({source for source, _ in pairs}) == len({target for _, target in pairs}) == len(pairs)
    same = Counter(wanted.values()) & Counter(found.values())
    assert sum(wanted[source] == found[target] for source, target in pairs) == same.total()


def test_flags_tell_equal_items_apart_before_their_dates_do() -> None:
    read, unread = Look(frozenset({"\\Seen"}), SPRING), Look(frozenset(), SPRING)
    shown = {b"1": unread._replace(date=AUTUMN), b"2": read}
    assert pair_alike([(b"a", 7), (b"b", 7)], [(b"1", 7), (b"2", 7)], {b"a": read, b"b": unread}, shown) == [
        (b"a", b"2"),
        (b"b", b"1"),
    ]


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


@given(st.lists(st.integers(0, 9), max_size=60), st.lists(st.integers(0, 9), max_size=60), st.integers(1, 20))
def test_steps_hold_whole_sizes_of_both_sides(wanted: list[int], found: list[int], at_once: int) -> None:
    with patch("xdmigrate.engine.match.AT_ONCE", at_once):
        steps = list(by_size([Print(size, b"w") for size in wanted], [Print(size, b"f") for size in found]))
    both = set(wanted) & set(found)
    assert Counter(each.size for mine, _ in steps for each in mine) == Counter(n for n in wanted if n in both)
    assert Counter(each.size for _, theirs in steps for each in theirs) == Counter(n for n in found if n in both)
    sizes = [{each.size for each in mine} for mine, _ in steps]
    assert all({each.size for each in theirs} == some for some, (_, theirs) in zip(sizes, steps, strict=True))
    assert sum(map(len, sizes)) == len(both)
    assert all(len(mine) + len(theirs) >= at_once for mine, theirs in steps[:-1])


def ref(number: int) -> bytes:
    return number.to_bytes(4, "big")


@given(st.sets(st.integers(0, 9)), st.integers(1, 5))
def test_what_stands_between_its_neighbours_is_a_candidate(altered: set[int], first: int) -> None:
    """Ten items got ten ids in a row; some copies are not known by their content."""
    sent = [b"%d" % number for number in range(10)]
    given_ids = {each: ref(first + place) for place, each in enumerate(sent)}
    paired = {each: to for place, (each, to) in enumerate(given_ids.items()) if place not in altered}
    free = [given_ids[sent[place]] for place in altered]
    inner = {sent[place] for place in altered if any(p < place for p in range(10) if p not in altered)}
    inner &= {sent[place] for place in altered if any(p > place for p in range(10) if p not in altered)}
    assert dict(gap_pairs(sent, paired, free)) == {each: given_ids[each] for each in inner}


def test_a_stranger_or_an_absent_id_in_the_gap_makes_no_candidates() -> None:
    sent = [b"a", b"b", b"c"]
    assert gap_pairs(sent, {b"a": ref(1), b"c": ref(3)}, [ref(2)]) == [(b"b", ref(2))]
    assert gap_pairs(sent, {b"a": ref(1), b"c": ref(4)}, [ref(2), ref(3)]) == []
    assert gap_pairs(sent, {b"a": ref(1), b"c": ref(4)}, [ref(2)]) == []
    assert gap_pairs(sent, {b"a": b"long-id-1", b"c": b"long-id-3"}, [b"long-id-2"]) == []
