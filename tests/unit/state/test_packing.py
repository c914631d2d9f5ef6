"""Packed columns give back what was put in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_state.failures import parse, short_id
from xdmigrate_state.packing import batched, flags_set, flags_text, pack, path_levels, path_text, unpack

UIDS = st.integers(0, 2**32 - 1).map(lambda number: number.to_bytes(4, "big"))
ESCAPED = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)  # bytes that were no UTF-8
ANY_TEXT = st.text(st.characters(codec="utf-8") | ESCAPED)


@given(st.lists(UIDS) | st.lists(UIDS, unique=True).map(sorted) | st.lists(st.binary(max_size=40)))
def test_ids_round_trip(refs: list[bytes]) -> None:
    assert unpack(pack(refs)) == refs


def test_ascending_uids_are_small() -> None:
    refs = [number.to_bytes(4, "big") for number in range(1, 100_001)]
    assert len(pack(refs)) < 2000
    assert unpack(pack(refs)) == refs


@given(st.binary(max_size=60))
def test_damaged_ids_are_refused_or_read(packed: bytes) -> None:
    try:
        refs = unpack(packed)
    except ValueError:
        return
    assert unpack(pack(refs)) == refs


@pytest.mark.parametrize(
    "packed", [b"", b"\x01", b"\x03x\x9c\x03\x00\x00\x00\x00\x01", b"\x01x\x9cc`\x00\x00\x00\x02\x00\x01"]
)
def test_damage_is_a_value_error(packed: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack(packed)


@given(st.lists(ANY_TEXT, max_size=5).map(tuple))
def test_paths_round_trip(path: tuple[str, ...]) -> None:
    assert path_levels(path_text(path)) == path
    assert path_text(path).isascii()


@given(st.frozensets(ANY_TEXT, max_size=5))
def test_flags_round_trip(flags: frozenset[str]) -> None:
    assert flags_set(flags_text(flags)) == flags
    assert flags_text(flags) == flags_text(frozenset(sorted(flags, reverse=True)))


@given(st.integers(1, 2**31), UIDS | st.binary(max_size=12))
def test_short_ids_name_exactly_one_item(folder_id: int, source_id: bytes) -> None:
    assert parse(short_id(folder_id, source_id)) == (folder_id, source_id)


def test_a_short_id_of_a_uid_is_short() -> None:
    assert short_id(12, bytes([0, 0, 1, 0xF3])) == "12.1f3"


NO_ITEMS = ["", "12", "x.1", "12.", "12.zz", "12.xabc", "-1.5", "12.1ffffffff", "12. 1", "12.-1", "12.1\n", "٣.1"]


@pytest.mark.parametrize("text", NO_ITEMS)
def test_no_item_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no item"):
        parse(text)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_are_everything_in_order(values: list[int], size: int) -> None:
    batches = list(batched(values, size))
    assert [value for batch in batches for value in batch] == values
    assert all(0 < len(batch) <= size for batch in batches)
