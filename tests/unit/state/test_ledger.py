"""What the ledger refuses, and what it gives in which order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tests.unit.state.sample import NOW, Pair, copied, counts, fill, new_folder, uid
from xdmigrate.model import Outcome
from xdmigrate_state import alterations, doubts, failures, folders, ledger
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Altered, FolderIds, NewItem, Settled


@pytest.mark.parametrize("outcome", [Outcome.COPIED, Outcome.PRESENT])
@pytest.mark.parametrize(("place", "target"), [(None, uid(1)), (1, None), (None, None)])
def test_no_outcome_without_proof(
    database: Database, pair: Pair, outcome: Outcome, place: int | None, target: bytes | None
) -> None:
    database.write(lambda c: fill(c, pair, 1))
    row = Settled(uid(1), outcome, place_id=place, target_id=target)
    with pytest.raises(ValueError, match="without proof"):
        database.write(lambda c: ledger.settle(c, pair.folder, [row], NOW))
    assert counts(database, pair.folder).pending == 1


def test_an_unknown_item_cannot_be_settled(database: Database, pair: Pair) -> None:
    with pytest.raises(ValueError, match="not in the ledger"):
        database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 1)], NOW))


def test_a_target_item_is_claimed_once(database: Database, pair: Pair) -> None:
    """Across folders, too: two source folders may go into one place."""
    other = database.write(lambda c: new_folder(c, pair.mailbox, "Sent"))
    database.write(lambda c: fill(c, pair, 2))
    database.write(lambda c: ledger.add(c, other, [NewItem(uid(1), 1)]))
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 5)], NOW))
    for folder, number in ((pair.folder, 2), (other, 1)):
        row = copied(pair, number, 5)
        with pytest.raises(IntegrityError):
            database.write(partial(ledger.settle, folder=folder, rows=[row], now=NOW))
    assert counts(database, pair.folder).copied == 1
    assert counts(database, other).pending == 1


def test_the_unit_of_a_listing_is_whole_or_not_at_all(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 3))
    with pytest.raises(IntegrityError):
        database.write(lambda c: fill(c, pair, 5, first=3))
    assert counts(database, pair.folder).seen == 3


def test_new_items_are_pending_or_filtered(database: Database, pair: Pair) -> None:
    with pytest.raises(ValueError, match="cannot be copied"):
        database.write(lambda c: ledger.add(c, pair.folder, [NewItem(uid(1), 1, Outcome.COPIED)]))


@pytest.mark.parametrize(("newest", "expected"), [(True, [9, 8, 6]), (False, [2, 3, 4])])
def test_pending_comes_in_order_and_between_bounds(
    database: Database, pair: Pair, newest: bool, expected: list[int]
) -> None:
    database.write(lambda c: fill(c, pair, 10))
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 7, 1)], NOW))
    rows = database.read(lambda c: ledger.pending(c, pair.folder, newest=newest, limit=3, before=uid(10), after=uid(1)))
    assert [row.source_id for row in rows] == [uid(number) for number in expected]


def test_pending_sizes_counts_equal_ones(database: Database, pair: Pair) -> None:
    sizes = [5, 5, 7, 5, 9]
    new = [NewItem(uid(number), size) for number, size in enumerate(sizes, 1)]
    database.write(lambda c: ledger.add(c, pair.folder, new))
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 5, 1)], NOW))
    assert database.read(lambda c: ledger.pending_sizes(c, pair.folder)) == {5: 3, 7: 1}


def test_scanning_in_pieces_gives_every_row_once(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 23))
    found = [b""]
    while rows := database.read(partial(ledger.scan, folder=pair.folder, after=found[-1], limit=5)):
        found += [row.source_id for row in rows]
    assert found[1:] == [uid(number) for number in range(1, 24)]


def test_many_refs_are_looked_up_in_pieces(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 2500))
    found = database.read(lambda c: ledger.by_refs(c, pair.folder, (uid(n) for n in range(2000, 4000))))
    assert sorted(found) == [uid(number) for number in range(2000, 2501)]


def test_targets_come_ascending_from_all_folders(database: Database, pair: Pair) -> None:
    other = database.write(lambda c: new_folder(c, pair.mailbox, "Sent"))
    database.write(lambda c: fill(c, pair, 2))
    database.write(lambda c: ledger.add(c, other, [NewItem(uid(1), 1)]))
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 30), copied(pair, 2, 10)], NOW))
    database.write(lambda c: ledger.settle(c, other, [copied(pair, 1, 20)], NOW))
    account, place = pair.mailbox.account_id, pair.place.id
    rows = database.read(lambda c: ledger.by_targets(c, account, place, after=uid(10), limit=9))
    assert [(row.folder_id, row.target_id) for row in rows] == [(other.id, uid(20)), (pair.folder.id, uid(30))]
    assert database.read(lambda c: ledger.claims(c, account, place, uid(20))) == [uid(20), uid(30)]
    assert database.read(lambda c: ledger.claims(c, account, place + 1)) == []


def test_ids_alone_name_a_folder(database: Database, pair: Pair) -> None:
    ids = FolderIds(pair.folder.id, pair.mailbox.account_id)
    database.write(lambda c: ledger.add(c, ids, [NewItem(b"\x00" * 300, 1, version=b"etag")]))
    (row,) = database.read(lambda c: ledger.scan(c, ids))
    assert (row.source_id, row.base_version) == (b"\x00" * 300, b"etag")


def test_rows_stay_in_their_target_mailbox(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 1))
    stranger = FolderIds(pair.folder.id, pair.mailbox.account_id + 1)
    with pytest.raises(ValueError, match="target mailbox"):
        database.write(lambda c: ledger.transfer(c, pair.folder, stranger, [(uid(1), uid(2))]))


def test_quarantine_and_doubts_follow_a_transfer(database: Database, pair: Pair) -> None:
    successor = database.write(lambda c: new_folder(c, pair.mailbox, "INBOX", validity=8))
    database.write(lambda c: fill(c, pair, 2))
    failed = Settled(uid(1), Outcome.FAILED, reason="too-big", detail="NO [TOOBIG]")
    database.write(lambda c: ledger.settle(c, pair.folder, [failed], NOW))
    database.write(lambda c: doubts.add(c, pair.folder.id, pair.place.id, [uid(2)], uid(1), 3))
    moves = [(uid(1), uid(11)), (uid(2), uid(12))]
    database.write(lambda c: ledger.transfer(c, pair.folder, successor, moves))
    database.write(lambda c: folders.supersede(c, pair.folder.id))
    (failure,) = database.read(lambda c: failures.of_mailbox(c, pair.mailbox.id))
    (doubt,) = database.read(lambda c: doubts.of_mailbox(c, pair.mailbox.id))
    assert (failure.folder_id, failure.source_id, failure.reason) == (successor.id, uid(11), "too-big")
    assert (doubt.folder_id, doubt.source_id) == (successor.id, uid(12))
    assert counts(database, pair.folder).seen == 0
    assert counts(database, successor).seen == 2
    assert [row.id for row in database.read(lambda c: folders.of_mailbox(c, pair.mailbox.id))] == [successor.id]


def test_a_million_keywords_are_not_remembered(database: Database, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may invent a keyword for every message; the rows are right all the same."""
    monkeypatch.setattr("xdmigrate_state.words.REMEMBERED", 10)
    for first in range(1, 60, 20):
        new = [NewItem(uid(n), 1, flags=frozenset({f"$k{n}" * 1000})) for n in range(first, first + 20)]
        database.write(partial(ledger.add, folder=pair.folder, rows=new))
    rows = database.read(lambda c: ledger.scan(c, pair.folder))
    assert [row.base_flags for row in rows] == [frozenset({f"$k{n}" * 1000}) for n in range(1, 61)]


def test_candidates_are_found_by_size(database: Database, pair: Pair) -> None:
    database.write(
        lambda c: ledger.add(c, pair.folder, [NewItem(uid(n), size) for n, size in enumerate([7, 7, 9, 7, 8], 1)])
    )
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 1), copied(pair, 5, 2)], NOW))
    database.write(lambda c: ledger.gone(c, pair.folder, [uid(4), uid(5)]))

    def found(sizes: set[int] | None) -> list[bytes]:
        return [row.source_id for row in database.read(lambda c: ledger.uncopied(c, pair.folder, sizes))]

    assert found({7}) == [uid(2)], "what is gone is no candidate"
    assert found({7, 9}) == [uid(2), uid(3)]
    assert found(set(range(5000))) == found(None) == [uid(2), uid(3)]
    assert found(set()) == []
    gone = database.read(lambda c: ledger.gone_copies(c, pair.folder))
    assert [row.source_id for row in gone] == [uid(5)]
    assert database.read(lambda c: ledger.gone_copies(c, pair.folder, after=uid(5))) == []


def test_a_moved_copy_is_handed_over_with_what_is_known_of_its_bytes(database: Database, pair: Pair) -> None:
    """Only rows that are copied and gone; each target item stays claimed by exactly one row."""
    other = database.write(lambda c: new_folder(c, pair.mailbox, "Done"))
    database.write(lambda c: fill(c, pair, 4))
    database.write(lambda c: ledger.add(c, other, [NewItem(uid(1), 1001)]))
    settled = [replace(copied(pair, number, number), fingerprint=b"x" * 16) for number in (1, 2)]
    database.write(lambda c: ledger.settle(c, pair.folder, [*settled, copied(pair, 3, 3)], NOW))
    database.write(lambda c: ledger.gone(c, pair.folder, [uid(1), uid(3)]))
    altered = Altered(uid(1), "altered", "a NUL", 1000, None)
    database.write(lambda c: alterations.record(c, pair.folder.id, [altered], NOW))
    assert database.read(lambda c: ledger.gone_sizes(c, pair.folder)) == {1001}  # of 3 the content is not known
    (known,) = database.read(lambda c: ledger.gone_by_size(c, pair.folder, {1001, 1002, 1003, 7}))
    assert (known.source_id, known.target_id) == (uid(1), uid(1))

    def move(c: Connection) -> int:
        handed = ledger.hand_over(c, pair.folder, other, [(uid(1), uid(1)), (uid(2), uid(5)), (uid(9), uid(6))])
        ledger.settle(c, other, [copied(pair, 1, 1)], NOW)
        return handed

    assert database.write(move) == 1
    assert (counts(database, pair.folder).seen, counts(database, pair.folder).gone) == (3, 1)
    assert counts(database, other).copied == 1
    assert list(database.read(lambda c: alterations.of_folder(c, other.id))) == [uid(1)]
    assert database.read(lambda c: alterations.of_folder(c, pair.folder.id)) == {}
