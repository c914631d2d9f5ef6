"""Copies with other bytes: what is known of them, and what becomes of that."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.state.sample import NOW, Pair, copied, fill, new_folder, uid
from xdmigrate.model import Outcome
from xdmigrate_state import alterations, failures, ledger, mailboxes
from xdmigrate_state.database import Database
from xdmigrate_state.rows import AlterationRow, Altered, AlteredCounts, Settled

PRINT, OTHER = b"p" * 16, b"o" * 16
FIRST = Altered(uid(1), alterations.ALTERED, "5 bytes sent, 6 kept", 6)


def listed(database: Database, pair: Pair) -> list[AlterationRow]:
    return database.read(lambda c: alterations.of_plan(c, pair.plan.id))


def record(database: Database, pair: Pair, *rows: Altered) -> None:
    database.write(lambda c: alterations.record(c, pair.folder.id, rows, NOW))


def accept(database: Database, pair: Pair) -> int:
    return database.write(lambda c: alterations.accept(c, [(pair.folder.id, uid(1))], "seen\n", NOW + 1))


def two_copied(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 3))
    database.write(lambda c: ledger.settle(c, pair.folder, [copied(pair, 1, 1), copied(pair, 2, 2)], NOW))


def test_what_was_accepted_stays_accepted_as_long_as_it_is_the_same_copy(database: Database, pair: Pair) -> None:
    two_copied(database, pair)
    record(database, pair, FIRST)
    assert accept(database, pair) == 1
    record(database, pair, replace(FIRST, detail="another text", fingerprint=PRINT))
    (row,) = listed(database, pair)
    assert (row.detail, row.accepted_why, row.size) == (FIRST.detail, "seen", 1001)
    for again in (replace(FIRST, fingerprint=OTHER), replace(FIRST, size=7)):
        record(database, pair, again)
        assert listed(database, pair)[0].accepted_at is None
        accept(database, pair)


def test_a_repair_under_way_is_known_by_its_intent_alone(database: Database, pair: Pair) -> None:
    two_copied(database, pair)
    begun = Altered(uid(3), alterations.REPAIRING, "long lines wrapped", 9, PRINT)
    record(database, pair, FIRST, begun)
    assert [row.source_id for row in listed(database, pair)] == [uid(1)]
    folder_id = pair.folder.id
    assert database.read(lambda c: alterations.under_way(c, folder_id, [uid(1), uid(3)])) == {uid(3): begun}
    assert set(database.read(lambda c: alterations.of_folder(c, folder_id))) == {uid(1)}
    counted = database.read(lambda c: alterations.counts(c, pair.plan.id))
    assert counted == {pair.mailbox.id: AlteredCounts(1, 0)}
    record(database, pair, replace(begun, reason=alterations.REPAIRED, accepted_why="the plan"))
    counted = database.read(lambda c: alterations.counts(c, pair.plan.id))
    assert counted == {pair.mailbox.id: AlteredCounts(2, 1)}


def test_it_follows_its_item_and_ends_with_its_copy(database: Database, pair: Pair) -> None:
    two_copied(database, pair)
    record(database, pair, FIRST, replace(FIRST, source_id=uid(2)))
    fresh = database.write(lambda c: new_folder(c, pair.mailbox, "INBOX", validity=8))
    database.write(lambda c: ledger.transfer(c, pair.folder, fresh, [(uid(1), uid(11))]))
    assert [(row.folder_id, row.source_id) for row in listed(database, pair)] == [
        (pair.folder.id, uid(2)),
        (fresh.id, uid(11)),
    ]
    database.write(lambda c: ledger.reopen(c, pair.folder, [uid(2)]))
    assert [row.source_id for row in listed(database, pair)] == [uid(11)]
    database.write(lambda c: mailboxes.reset(c, pair.mailbox.id))
    assert listed(database, pair) == []


def test_a_repaired_attempt_is_offered_once(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 4))
    reasons = ("refused", "too-big", "refused", "bad-line")
    failed = [Settled(uid(n), Outcome.FAILED, reason=reason, detail="no") for n, reason in enumerate(reasons, 1)]
    database.write(lambda c: ledger.settle(c, pair.folder, failed, NOW))
    folder_id, mailbox_id = pair.folder.id, pair.mailbox.id
    assert database.read(lambda c: failures.repairable(c, folder_id)) == [uid(1), uid(3), uid(4)]
    assert database.read(lambda c: failures.count_open(c, mailbox_id)) == 4
    assert database.read(lambda c: failures.count_open(c, mailbox_id, repair=True)) == 1
    database.write(lambda c: failures.mended(c, folder_id, {uid(1): "it is signed", uid(3): ""}, NOW))
    database.write(lambda c: failures.accept(c, [(folder_id, uid(4))], "spam", NOW))
    assert database.read(lambda c: failures.repairable(c, folder_id)) == []
    rows = {row.source_id: row for row in database.read(lambda c: failures.of_plan(c, pair.plan.id))}
    assert (rows[uid(1)].detail, rows[uid(3)].detail) == ("not repaired, it is signed: no", "no")
    assert rows[uid(1)].mended_at == NOW
    assert database.read(lambda c: failures.count_open(c, mailbox_id, repair=True)) == 3
