"""UIDs and their sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.errors import ItemRefused
from xdmigrate_imap import uids

UIDS = st.integers(1, uids.MAX_UID)


@given(UIDS, UIDS)
def test_refs_sort_as_their_uids(one: int, other: int) -> None:
    assert uids.uid(uids.ref(one)) == one
    assert (uids.ref(one) < uids.ref(other)) == (one < other)


@pytest.mark.parametrize("ref", [b"", b"\0\0\0", b"\0\0\0\0", b"\0\0\0\0\1"])
def test_what_is_no_id_of_ours_is_refused(ref: bytes) -> None:
    with pytest.raises(ItemRefused):
        uids.uid(ref)


@given(st.binary(max_size=6), UIDS)
def test_a_floor_is_the_first_uid_not_below_it(floor: bytes, uid: int) -> None:
    assert (uids.ref(uid) >= floor) == (uid >= uids.floor_uid(floor))


@given(st.sets(UIDS | st.integers(1, 60), max_size=200), st.integers(25, 200))
def test_sets_name_exactly_the_uids_within_the_bound(named: set[int], longest: int) -> None:
    got: list[int] = []
    for text, listed in uids.sets(sorted(named), longest):
        assert len(text) <= longest
        assert uids.expand(text, len(listed)) == listed
        got += listed
    assert got == sorted(named)


def test_neighbours_become_ranges() -> None:
    assert [text for text, _ in uids.sets([1, 2, 3, 5, 7, 8])] == [b"1:3,5,7:8"]
    assert list(uids.sets([])) == []


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (b"304,319:320", 3, [304, 319, 320]),
        (b"9,1:2", 3, [9, 1, 2]),
        (b"3:1", 3, [1, 2, 3]),
        (b"1:4294967295", 3, None),
        (b"1:2", 3, None),
        (b"0", 1, None),
        (b"1:*", 2, None),
        (b"4294967296", 1, None),
        (b"", 1, None),
        (b"1,,2", 2, None),
    ],
)
def test_appenduid_sets(text: bytes, count: int, expected: list[int] | None) -> None:
    assert uids.expand(text, count) == expected
