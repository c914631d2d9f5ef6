"""How pending rows are cut into ranges."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.engine.copying import FEWEST_ITEMS, RANGE_ITEMS, RANGE_OCTETS, Cut
from xdmigrate.model import Outcome
from xdmigrate_state.rows import ItemRow

sizes = st.lists(st.sampled_from([1, 5_000, 3_000_000, RANGE_OCTETS + 1]), max_size=60)


counts = st.integers(0, 5_000)


def rows(octets: list[int]) -> list[ItemRow]:
    return [
        ItemRow(1, 1, n.to_bytes(4), Outcome.PENDING, False, size, None, None, None, frozenset(), b"", "")
        for n, size in enumerate(octets)
    ]


@given(sizes, st.integers(1, 4), counts)
def test_nothing_is_left_out_and_no_range_is_too_large(octets: list[int], lanes: int, count: int) -> None:
    wanted = rows(octets)
    ranges = list(Cut(count, lanes).ranges(wanted, count))
    assert [row for part in ranges for row in part] == wanted
    for part in ranges:
        assert 0 < len(part) <= RANGE_ITEMS
        assert len(part) == 1 or sum(row.size for row in part) <= RANGE_OCTETS // lanes


def lengths(count: int, lanes: int, *, left: int) -> list[int]:
    return [len(part) for part in Cut(left, lanes).ranges(rows([1] * count), count)]


def test_one_lane_takes_full_ranges() -> None:
    assert lengths(2_600, 1, left=9_000) == [867, 867, 866]
    assert lengths(3_000, 1, left=9_000) == [RANGE_ITEMS] * 3


def test_several_lanes_share_the_end_in_small_ranges() -> None:
    found = lengths(20_000, 4, left=20_000)
    assert found[0] == RANGE_ITEMS
    assert found == sorted(found, reverse=True)
    assert found[-1] >= FEWEST_ITEMS // 2


@given(st.integers(1, 299))
def test_a_small_folder_is_one_range(count: int) -> None:
    """Another one of it would cost another listing of the target's folder."""
    assert lengths(count, 4, left=count) == [count]
