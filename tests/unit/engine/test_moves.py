"""Pure decisions about moves: who follows whom, and what proves that it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.moves import Arrival, Copy, Move, by_origin, candidates, flag_changes, pair_moves, prove_moves
from xdmigrate.engine.proof import Sent
from xdmigrate.model import FlagChange, Head, Outcome
from xdmigrate_state.rows import ItemRow

PRINTS = [Print(1, b"a"), Print(1, b"b"), Print(2, b"a")]
prints = st.sampled_from(PRINTS)
SEEN = frozenset({"\\Seen"})


def uid(number: int) -> bytes:
    return number.to_bytes(4)


def former(number: int, content: Print, folder: int = 1, place: int | None = 1) -> ItemRow:
    """A copied row; its copy has the same number on the target."""
    return ItemRow(
        account_id=1,
        folder_id=folder,
        source_id=uid(number),
        outcome=Outcome.COPIED,
        gone=True,
        size=content.size,
        fingerprint=content.fingerprint,
        place_id=place,
        target_id=uid(number),
        base_flags=SEEN,
        base_version=b"",
        note="",
    )


def arrived(contents: Sequence[Print]) -> list[Arrival]:
    return [Arrival(Sent(uid(100 + at), content, SEEN), None) for at, content in enumerate(contents)]


def copies(rows: Iterable[ItemRow]) -> list[Copy]:
    return [Copy(row, None) for row in rows]


def the_moves(contents: Sequence[Print]) -> list[Move]:
    return pair_moves(arrived(contents), copies(former(at, content) for at, content in enumerate(contents, start=1)))


@given(st.lists(prints, max_size=12), st.lists(prints, max_size=12))
def test_pairs_are_one_to_one_and_of_equal_content(came: list[Print], left: list[Print]) -> None:
    moves = pair_moves(arrived(came), copies(former(at, content) for at, content in enumerate(left, start=1)))
    assert len({move.old for move in moves}) == len({move.arrived.source_id for move in moves}) == len(moves)
    assert all(Print(move.former.size, move.former.fingerprint or b"") == move.arrived.content for move in moves)
    assert Counter(move.arrived.content for move in moves) == Counter(came) & Counter(left)


@given(st.lists(st.tuples(prints, st.integers(1, 2), st.integers(1, 2)), max_size=12), st.integers(1, 4))
def test_a_command_takes_from_one_folder_in_the_order_of_ids(left: list[tuple[Print, int, int]], at_most: int) -> None:
    rows = [former(at, content, folder, place) for at, (content, folder, place) in enumerate(left, start=1)]
    moves = pair_moves(arrived([content for content, _folder, _place in left]), copies(rows))
    ranges = by_origin(moves, at_most)
    assert sorted(move.old for some in ranges for move in some) == sorted(move.old for move in moves)
    for some in ranges:
        assert 0 < len(some) <= at_most
        assert len({(move.former.folder_id, move.former.place_id) for move in some}) == 1
        assert [move.old for move in some] == sorted(move.old for move in some)


def test_an_equal_item_of_another_date_is_another_item() -> None:
    row, sent = former(1, PRINTS[0]), Sent(uid(100), PRINTS[0], SEEN)
    noon = datetime(2024, 5, 6, 12, tzinfo=UTC)
    same = noon.astimezone(timezone(timedelta(hours=2)))
    assert pair_moves([Arrival(sent, noon)], [Copy(row, noon + timedelta(seconds=1))]) == []
    assert pair_moves([Arrival(sent, noon)], [Copy(row, same)]) == [Move(row, sent)]


def test_what_may_go() -> None:
    unknown = ItemRow(1, 1, uid(9), Outcome.COPIED, True, 1, None, 1, uid(9), SEEN, b"", "")
    rows = [
        former(1, PRINTS[0]),
        former(2, PRINTS[0], place=2),  # is in the destination already
        former(3, PRINTS[0], place=None),
        former(4, PRINTS[0], folder=7),  # in doubt
        unknown,
    ]
    assert candidates(rows, 2, {(7, uid(4)), (1, uid(5))}) == [rows[1], rows[0]]


@given(st.data(), st.lists(prints, min_size=1, max_size=8))
def test_only_what_is_listed_with_equal_content_is_proved(data: st.DataObject, contents: list[Print]) -> None:
    """Told ids may be missing, lie, or name one item twice; the listing may hold what others put there."""
    moves = the_moves(contents)
    there = dict(enumerate(data.draw(st.lists(prints, max_size=10)), start=200))
    listed = {uid(number): Head(uid(number), content.size) for number, content in there.items()}
    held = {uid(number): content for number, content in there.items()}
    honest = {
        move.old: ref
        for move in moves
        for ref in sorted(listed)
        if held[ref] == move.arrived.content and data.draw(st.booleans())
    }
    lies = {move.old: uid(data.draw(st.integers(300, 303))) for move in moves if data.draw(st.booleans())}

    def read(refs: Sequence[bytes]) -> Iterator[tuple[bytes, Print]]:
        return ((ref, held[ref]) for ref in refs)

    proof = prove_moves(moves, honest | lies, listed, read)
    assert sorted([*proof.stored, *proof.unkept]) == list(range(len(moves)))
    assert len(set(proof.stored.values())) == len(proof.stored)
    assert all(held[ref] == moves[ticket].arrived.content for ticket, ref in proof.stored.items())
    assert Counter(moves[ticket].arrived.content for ticket in proof.stored) == Counter(contents) & Counter(
        held.values()
    )


@given(st.permutations(range(4)))
def test_the_order_in_which_items_arrive_proves_nothing(order: list[int]) -> None:
    contents = [Print(1, bytes([number])) for number in range(4)]
    held = {uid(200 + at): contents[number] for at, number in enumerate(order)}
    listed = {ref: Head(ref, 1) for ref in held}
    proof = prove_moves(the_moves(contents), {}, listed, lambda refs: [(ref, held[ref]) for ref in refs])
    assert {ticket: held[ref] for ticket, ref in proof.stored.items()} == dict(enumerate(contents))


def test_a_told_id_of_another_size_is_no_proof() -> None:
    moves = the_moves([Print(1, b"a")])
    listed = {uid(200): Head(uid(200), 2), uid(201): Head(uid(201), 1)}
    proof = prove_moves(moves, {uid(1): uid(200)}, listed, lambda refs: [(ref, Print(1, b"a")) for ref in refs])
    assert proof.stored == {0: uid(201)}


def test_nothing_is_read_when_all_is_told() -> None:
    moves = the_moves([Print(1, b"a")])

    def read(_refs: Sequence[bytes]) -> list[tuple[bytes, Print]]:
        raise AssertionError("bodies were read")

    assert prove_moves(moves, {uid(1): uid(200)}, {uid(200): Head(uid(200), 1)}, read).stored == {0: uid(200)}


def test_only_what_changed_at_the_source_is_sent() -> None:
    changed, same = uid(1), uid(2)
    told = [(changed, SEEN, frozenset({"\\Flagged"})), (same, SEEN, SEEN)]
    assert flag_changes(told) == [FlagChange(changed, frozenset({"\\Flagged"}), SEEN)]
