"""How pending rows are cut into ranges."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.engine.copying import FEWEST_ITEMS, RANGE_ITEMS, RANGE_OCTETS, Cut
from xdmigrate.model import Outcome
from xdmigrate_state.rows import ItemRow

sizes = st.lists(st.sampled_from([1, 5_000, 3_000_000, RANGE_OCTETS + 1]), max_size=60)


def rows(octets: list[int]) -> list[ItemRow]:
    return [
        ItemRow(1, 1, n.to_bytes(4), Outcome.PENDING, False, size, None, None, None, frozenset(), b"", "")
        for n, size in enumerate(octets)
    ]


@given(sizes, st.integers(1, 4))
def test_nothing_is_left_out_and_no_range_is_too_large(octets: list[int], lanes: int) -> None:
    wanted = rows(octets)
    ranges = list(Cut(len(wanted), lanes).ranges(wanted))
    assert [row for part in ranges for row in part] == wanted
    for part in ranges:
        assert part
        assert len(part) == 1 or sum(row.size for row in part) <= RANGE_OCTETS // lanes


def test_one_lane_takes_full_ranges() -> None:
    wanted = rows([1] * 2_500)
    assert [len(part) for part in Cut(2_500).ranges(wanted)] == [RANGE_ITEMS, RANGE_ITEMS, 500]


def test_several_lanes_share_the_end_in_small_ranges() -> None:
    wanted = rows([1] * 20_000)
    lengths = [len(part) for part in Cut(20_000, lanes=4).ranges(wanted)]
    assert lengths[0] == RANGE_ITEMS
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-5:-1] == [FEWEST_ITEMS] * 4
