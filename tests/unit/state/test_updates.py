"""Rows of items that change: pending again with their copy, failed with it, and never forgotten with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from tests.unit.state.sample import NOW, Pair, copied, counts, uid
from xdmigrate.model import Outcome
from xdmigrate_state import failures, ledger
from xdmigrate_state.database import Database
from xdmigrate_state.rows import ItemRow, NewItem, Renewal, Settled


def versioned(pair: Pair, number: int, target: int, version: bytes) -> Settled:
    return replace(copied(pair, number, target), fingerprint=b"f" * 16, target_version=version, version=b"v1")


def row_of(database: Database, pair: Pair, number: int) -> ItemRow:
    return database.read(lambda c: ledger.by_refs(c, pair.folder, [uid(number)]))[uid(number)]


def test_a_changed_item_is_pending_and_keeps_its_copy(database: Database, pair: Pair) -> None:
    database.write(lambda c: ledger.add(c, pair.folder, [NewItem(uid(n), 10, version=b"v1") for n in (1, 2, 3)]))
    database.write(lambda c: ledger.settle(c, pair.folder, [versioned(pair, 1, 11, b"t1")], NOW))
    failed = Settled(uid(2), Outcome.FAILED, reason="refused", detail="no")
    database.write(lambda c: ledger.settle(c, pair.folder, [failed], NOW))
    renewals = [Renewal(uid(n), 20, b"v2") for n in (1, 2, 3, 9)]
    assert database.write(lambda c: ledger.renew(c, pair.folder, renewals)) == 3
    kept = counts(database, pair.folder)
    assert (kept.pending, kept.octets, kept.octets_pending) == (3, 60, 60)
    assert database.read(lambda c: failures.of_mailbox(c, pair.mailbox.id)) == []
    update = row_of(database, pair, 1)
    assert (update.target_id, update.target_version, update.base_version) == (uid(11), b"t1", b"v2")
    assert update.fingerprint == b"f" * 16
    assert database.read(lambda c: ledger.claims(c, pair.place.account_id, pair.place.id)) == [uid(11)]
    waiting = database.read(lambda c: ledger.uncopied(c, pair.folder))
    assert [row.source_id for row in waiting] == [uid(2), uid(3)], "an update is no candidate"
    assert sum(database.read(lambda c: ledger.pending_sizes(c, pair.folder)).values()) == 2


def test_an_update_that_fails_keeps_its_copy(database: Database, pair: Pair) -> None:
    database.write(lambda c: ledger.add(c, pair.folder, [NewItem(uid(1), 10, version=b"v1")]))
    database.write(lambda c: ledger.settle(c, pair.folder, [versioned(pair, 1, 11, b"t1")], NOW))
    database.write(lambda c: ledger.renew(c, pair.folder, [Renewal(uid(1), 20, b"v2")]))
    failed = Settled(uid(1), Outcome.FAILED, reason="changed-there", detail="")
    database.write(lambda c: ledger.settle(c, pair.folder, [failed], NOW))
    row = row_of(database, pair, 1)
    assert (row.outcome, row.target_id, row.target_version) == (Outcome.FAILED, uid(11), b"t1")
    assert counts(database, pair.folder).failed == 1
    assert database.write(lambda c: ledger.retry(c, pair.folder, [uid(1), uid(2)])) == 1
    row = row_of(database, pair, 1)
    assert (row.outcome, row.target_id, row.target_version) == (Outcome.PENDING, uid(11), b"t1")
    assert row.note == ledger.RETRIED
    assert (counts(database, pair.folder).failed, counts(database, pair.folder).pending) == (0, 1)
    assert not database.read(lambda c: failures.of_mailbox(c, pair.folder.mailbox_id))
    assert database.write(lambda c: ledger.retry(c, pair.folder, [uid(1)])) == 0
    assert database.write(lambda c: ledger.reopen(c, pair.folder, [uid(1)])) == 1
    row = row_of(database, pair, 1)
    assert (row.outcome, row.target_id, row.target_version) == (Outcome.PENDING, None, b"")
    assert counts(database, pair.folder).pending == 1


@pytest.mark.parametrize(("version", "outcome"), [(b"t1", Outcome.COPIED), (b"", Outcome.PRESENT)])
def test_an_update_whose_item_vanishes_is_on_the_target_still(
    database: Database, pair: Pair, version: bytes, outcome: Outcome
) -> None:
    database.write(lambda c: ledger.add(c, pair.folder, [NewItem(uid(n), 10, version=b"v1") for n in (1, 2)]))
    settled = replace(versioned(pair, 1, 11, version), outcome=outcome)
    database.write(lambda c: ledger.settle(c, pair.folder, [settled], NOW))
    database.write(lambda c: ledger.renew(c, pair.folder, [Renewal(uid(1), 20, b"v2")]))
    assert database.write(lambda c: ledger.refilter(c, pair.folder, [uid(1)], "scope")) == 0
    assert database.write(lambda c: ledger.withdraw(c, pair.folder, [uid(1), uid(2)])) == 2
    row = row_of(database, pair, 1)
    assert (row.outcome, row.gone, row.target_id) == (outcome, True, uid(11))
    kept = counts(database, pair.folder)
    assert (kept.seen, kept.gone, kept.pending) == (1, 1, 0)


def test_a_copy_that_is_found_late_makes_an_update(database: Database, pair: Pair) -> None:
    database.write(lambda c: ledger.add(c, pair.folder, [NewItem(uid(n), 10, version=b"v1") for n in (1, 2)]))
    late = Settled(uid(1), Outcome.PENDING, fingerprint=b"o" * 16, place_id=pair.place.id, target_id=uid(11))
    database.write(lambda c: ledger.link(c, pair.folder, [replace(late, target_version=b"t1")]))
    row = row_of(database, pair, 1)
    assert (row.outcome, row.target_id, row.target_version) == (Outcome.PENDING, uid(11), b"t1")
    assert counts(database, pair.folder).pending == 2
    with pytest.raises(IntegrityError):
        database.write(lambda c: ledger.link(c, pair.folder, [replace(late, source_id=uid(2))]))
    database.write(lambda c: ledger.settle(c, pair.folder, [versioned(pair, 1, 11, b"t2")], NOW))
    with pytest.raises(ValueError, match="not waiting"):
        database.write(lambda c: ledger.link(c, pair.folder, [late]))


def test_links_follow_to_new_ids_with_their_versions(database: Database, pair: Pair) -> None:
    database.write(lambda c: ledger.add(c, pair.folder, [NewItem(uid(n), 10, version=b"v1") for n in (1, 2, 3)]))
    settled = [versioned(pair, 1, 11, b"t1"), versioned(pair, 2, 12, b"")]
    database.write(lambda c: ledger.settle(c, pair.folder, settled, NOW))
    database.write(lambda c: ledger.renew(c, pair.folder, [Renewal(uid(1), 20, b"v2")]))
    moved = [(uid(1), pair.place.id, uid(21)), (uid(2), pair.place.id, uid(22))]
    versions = {uid(21): b"n1", uid(22): b"n2"}
    database.write(lambda c: ledger.relink(c, pair.folder, moved, versions))
    assert row_of(database, pair, 1).target_version == b"n1"
    assert row_of(database, pair, 2).target_version == b"", "an adopted copy is not ours because it was found again"
    with pytest.raises(ValueError, match="no link"):
        database.write(lambda c: ledger.relink(c, pair.folder, [(uid(3), pair.place.id, uid(23))]))
