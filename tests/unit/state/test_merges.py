"""What stands for merged items: references follow their target item, and go with what they are about."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tests.unit.state.sample import NOW, Pair, copied, counts, fill, new_folder, uid
from xdmigrate.model import Outcome
from xdmigrate_state import identities, ledger, mailboxes, merges, places
from xdmigrate_state.database import Database
from xdmigrate_state.rows import FolderRow, MailboxSpec, NewItem, Settled, Standing


@pytest.fixture
def other(database: Database, pair: Pair) -> FolderRow:
    """Another mailbox's folder that goes to the same place, with items 1 to 3 merged into the copies 101 to 103."""

    def make(c: Connection) -> FolderRow:
        row = pair.mailbox
        known = MailboxSpec(row.source, row.target, system=row.system)
        bob = MailboxSpec("bob@old.example", row.target, system=row.system, merge="dedupe")
        _ann, second = mailboxes.upsert(c, pair.plan.id, [known, bob])
        assert (second.merge, second.account_id) == ("dedupe", row.account_id)
        folder = new_folder(c, second, "INBOX")
        fill(c, pair, 5)
        ledger.settle(c, pair.folder, [copied(pair, number, 100 + number) for number in range(1, 6)], NOW)
        ledger.add(c, folder, [NewItem(uid(number), 1000 + number) for number in range(1, 4)])
        merge(c, pair, folder, {1: 101, 2: 102, 3: 103})
        return folder

    return database.write(make)


def merge(c: Connection, pair: Pair, folder: FolderRow, wanted: dict[int, int]) -> None:
    ledger.settle(c, folder, [Settled(uid(number), Outcome.MERGED) for number in wanted], NOW)
    merges.add(c, folder, {uid(number): Standing(pair.place.id, uid(target)) for number, target in wanted.items()})


def standings(database: Database, folder: FolderRow) -> dict[int, tuple[int, int]]:
    found = database.read(lambda c: merges.of_folder(c, folder))
    return {int.from_bytes(ref): (one.place_id, int.from_bytes(one.target_id)) for ref, one in found.items()}


def test_one_target_item_stands_for_one_item_of_a_folder(database: Database, pair: Pair, other: FolderRow) -> None:
    assert counts(database, other).merged == 3
    database.write(lambda c: ledger.add(c, other, [NewItem(uid(9), 1)]))
    with pytest.raises(IntegrityError):
        database.write(lambda c: merge(c, pair, other, {9: 101}))
    assert standings(database, other).keys() == {1, 2, 3}


def test_references_follow_new_ids_even_when_these_are_exchanged(
    database: Database, pair: Pair, other: FolderRow
) -> None:
    here = pair.place.id
    database.write(lambda c: ledger.relink(c, pair.folder, [(uid(1), here, uid(102)), (uid(2), here, uid(101))]))
    assert standings(database, other) == {1: (here, 102), 2: (here, 101), 3: (here, 103)}


def test_what_relied_on_a_lost_copy_is_pending_again(database: Database, pair: Pair, other: FolderRow) -> None:
    database.write(lambda c: ledger.reopen(c, pair.folder, [uid(1), uid(4)]))
    kept = counts(database, other)
    assert (kept.pending, kept.merged) == (1, 2)
    assert standings(database, other).keys() == {2, 3}


def test_references_go_with_their_items(database: Database, pair: Pair, other: FolderRow) -> None:
    database.write(lambda c: ledger.gone(c, other, [uid(1)]))
    assert standings(database, other).keys() == {2, 3}
    refs = [uid(101), uid(102), uid(104)]
    assert database.read(lambda c: merges.relied_on(c, pair.place.id, refs)) == {uid(102)}
    database.write(lambda c: ledger.back(c, other, [uid(1)]))
    kept = counts(database, other)
    assert (kept.pending, kept.merged, kept.gone) == (1, 2, 0)
    database.write(lambda c: ledger.retire(c, other))
    assert standings(database, other) == {}
    assert counts(database, other).gone == 2


def test_the_candidates_are_what_others_have_and_nobody_here_relies_on(
    database: Database, pair: Pair, other: FolderRow
) -> None:
    def candidates(mailbox_id: int) -> list[bytes]:
        sizes = {1000 + number for number in range(1, 6)} - {1004}
        account, here = pair.mailbox.account_id, pair.place.id
        return [
            one.target_id for one in database.read(lambda c: merges.candidates(c, account, here, mailbox_id, sizes))
        ]

    assert candidates(other.mailbox_id) == [uid(105)]
    assert candidates(pair.mailbox.id) == []
    shared = database.read(lambda c: merges.shared(c, pair.place.id, pair.mailbox.id))
    assert shared == {uid(101), uid(102), uid(103)}
    assert database.read(lambda c: merges.shared(c, pair.place.id, other.mailbox_id)) == frozenset()
    database.write(lambda c: ledger.gone(c, pair.folder, [uid(1)]))
    asked = [Standing(pair.place.id, uid(number)) for number in (101, 102, 199)]
    owners = database.read(lambda c: merges.owners(c, pair.mailbox.account_id, asked))
    assert {one.target_id: tuple(owner) for one, owner in owners.items()} == {
        uid(101): (pair.mailbox.id, True),
        uid(102): (pair.mailbox.id, False),
    }


def test_resetting_a_mailbox_forgets_its_references_only(database: Database, pair: Pair, other: FolderRow) -> None:
    database.write(lambda c: mailboxes.reset(c, pair.mailbox.id))
    assert standings(database, other).keys() == {1, 2, 3}
    assert database.read(lambda c: places.get(c, pair.place.id)) == pair.place
    database.write(lambda c: mailboxes.reset(c, other.mailbox_id))
    assert standings(database, other) == {}


def test_objects_are_found_by_what_the_source_calls_them(database: Database, pair: Pair) -> None:
    def make(c: Connection) -> tuple[FolderRow, FolderRow]:
        label, everything = (new_folder(c, pair.mailbox, name) for name in ("Label", "All"))
        for row in (pair.folder, label, everything):
            items = [NewItem(uid(number), 5, identity=b"object %d" % number) for number in range(1, 5)]
            ledger.add(c, row, items)
            identities.remember(c, row, pair.mailbox.id, items)
        return label, everything

    label, everything = database.write(make)
    refs = [uid(number) for number in range(1, 5)]

    def copies() -> dict[bytes, Standing]:
        return database.read(lambda c: identities.copies(c, pair.mailbox.id, everything, refs, [pair.folder, label]))

    assert copies() == {}
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 101), copied(pair, 2, 102)], NOW))
    assert copies() == {uid(number): Standing(pair.place.id, uid(100 + number)) for number in (1, 2)}
    database.write(lambda c: merge(c, pair, label, {1: 101}))
    database.write(lambda c: ledger.gone(c, pair.folder, [uid(1), uid(2)]))
    assert copies() == {uid(1): Standing(pair.place.id, uid(101))}  # by the item that relies on it
    database.write(lambda c: ledger.withdraw(c, everything, [uid(1)]))
    assert copies() == {}
