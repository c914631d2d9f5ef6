"""Plans, mailboxes, folders, places, intents, doubts, quarantine, requests, totals: what each remembers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import NoResultFound

from tests.unit.state.sample import NOW, SYSTEM, Pair, copied, counts, fill, make_pair, new_folder, new_pair, uid
from xdmigrate.errors import GuardRefused
from xdmigrate.model import Outcome
from xdmigrate_state import doubts, failures, folders, intents, ledger, mailboxes, places, plans, requests, totals
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Counts, MailboxRow, MailboxSpec, NewItem, Settled

# --- plans --------------------------------------------------------------------------------------------------------


def test_a_plan_is_saved_and_saved_again(database: Database) -> None:
    assert database.read(lambda c: plans.find(c, "contoso")) is None
    first = database.write(lambda c: plans.save(c, "contoso", "/a.yaml", "1", {"scope": {"x": 1}}, NOW))
    assert (first.stage, first.paused, first.created_at, first.snapshot) == ("draft", False, NOW, {"scope": {"x": 1}})
    database.write(lambda c: plans.set_stage(c, first.id, "seeding"))
    database.write(lambda c: plans.set_paused(c, first.id, True))
    second = database.write(lambda c: plans.save(c, "contoso", "/a.yaml", "2", {}, NOW + 1))
    assert (second.id, second.checksum, second.stage, second.paused) == (first.id, "2", "seeding", True)
    assert second.created_at == NOW
    assert database.read(plans.every) == [second]


def test_two_files_with_one_name_are_refused(database: Database, tmp_path: Path) -> None:
    """A plan file that was moved is the same plan; a second one is not."""
    old, new = tmp_path / "a.yaml", tmp_path / "b.yaml"
    old.touch()
    database.write(lambda c: plans.save(c, "contoso", old, "1", {}, NOW))
    with pytest.raises(GuardRefused) as caught:
        database.write(lambda c: plans.save(c, "contoso", new, "1", {}, NOW))
    assert str(old) in caught.value.message
    assert str(new) in caught.value.message
    old.rename(new)
    assert database.write(lambda c: plans.save(c, "contoso", new, "1", {}, NOW)).path == str(new)


# --- mailboxes ----------------------------------------------------------------------------------------------------


def spec(source: str, target: str = "", **more: object) -> MailboxSpec:
    return MailboxSpec(f"{source}@old", f"{target or source}@new", system=SYSTEM, **more)  # type: ignore[arg-type]


def upsert(db: Database, pair: Pair, *listed: MailboxSpec) -> list[MailboxRow]:
    return db.write(lambda c: mailboxes.upsert(c, pair.plan.id, listed))


def test_mailboxes_keep_their_ids(database: Database, pair: Pair) -> None:
    ann, bob = upsert(database, pair, spec("ann", wave="pilot"), spec("bob", "ann", into=("Bob (left)", "2025/26")))
    assert (ann.stage, ann.wave, ann.system, bob.into_path) == ("planned", "pilot", SYSTEM, ("Bob (left)", "2025/26"))
    assert ann.account_id == bob.account_id, "one target mailbox, one lock"
    again = upsert(database, pair, spec("carl"), spec("ann", wave="main", name="Ann"))
    assert [row.source for row in again] == ["carl@old", "ann@old"], "in the order of the plan"
    assert (again[1].id, again[1].wave, again[1].name) == (ann.id, "main", "Ann")
    listed = {row.id: row.listed for row in database.read(lambda c: mailboxes.all(c, pair.plan.id))}
    assert listed == {pair.mailbox.id: False, ann.id: True, bob.id: False, again[0].id: True}
    assert [row.listed for row in upsert(database, pair, spec("bob", "ann", into=("Bob (left)", "2025/26")))] == [True]


def test_a_moved_endpoint_keeps_the_account(database: Database, pair: Pair) -> None:
    """The guard has asked before; the mailbox, its epoch and its ledger stay."""
    (ann,) = upsert(database, pair, spec("ann"))
    new = MailboxSpec("bob@old", "ann@new", into=("Bob",), system="imap://moved:993")
    bob, moved = upsert(database, pair, new, MailboxSpec("ann@old", "ann@new", system="imap://moved:993"))
    assert (moved.id, moved.account_id, moved.system) == (ann.id, ann.account_id, "imap://moved:993")
    assert bob.account_id == ann.account_id


def test_a_mailbox_is_updated_column_by_column(database: Database, pair: Pair) -> None:
    update = {
        "stage": "synced",
        "paused": True,
        "skipped": "left",
        "retry_at": NOW,
        "rejected_mark": b"m",
    }
    database.write(lambda c: mailboxes.update(c, pair.mailbox.id, **update))  # type: ignore[arg-type]
    row = database.read(lambda c: mailboxes.get(c, pair.mailbox.id))
    assert {name: getattr(row, name) for name in update} == update
    database.write(lambda c: mailboxes.completed_pass(c, row.id, NOW + 5))
    done = database.read(lambda c: mailboxes.get(c, row.id))
    assert (done.passes, done.last_pass_at, done.retry_at, done.retries) == (1, NOW + 5, 0, 0)
    assert (done.stage, done.skipped) == ("synced", "left")


def test_failed_attempts_are_counted_in_a_row(database: Database, pair: Pair) -> None:
    mailbox = pair.mailbox.id
    assert [database.write(lambda c: mailboxes.failed_attempt(c, mailbox)) for _ in range(3)] == [1, 2, 3]
    database.write(lambda c: mailboxes.progressed(c, mailbox))
    assert database.write(lambda c: mailboxes.failed_attempt(c, mailbox)) == 1
    database.write(lambda c: mailboxes.attention(c, mailbox, "throttled", "slow down", "wait", NOW))
    database.write(lambda c: mailboxes.completed_pass(c, mailbox, NOW))
    row = database.read(lambda c: mailboxes.get(c, mailbox))
    assert (row.retries, row.attention_code) == (0, ""), "a whole pass needs nobody"


def test_attention_keeps_the_time_of_its_first_report(database: Database, pair: Pair) -> None:
    def report(code: str, now: float) -> tuple[str, str, float | None]:
        text = f"NO \0 said\r\n{'x' * 1000} \udcff"
        database.write(lambda c: mailboxes.attention(c, pair.mailbox.id, code, text, "ask", now))
        row = database.read(lambda c: mailboxes.get(c, pair.mailbox.id))
        assert row.attention_text.isprintable()
        assert len(row.attention_text) <= 500
        return row.attention_code, row.attention_remedy, row.attention_at

    assert report("quota-exceeded", NOW) == ("quota-exceeded", "ask", NOW)
    assert report("quota-exceeded", NOW + 9) == ("quota-exceeded", "ask", NOW)
    assert report("login-rejected", NOW + 9) == ("login-rejected", "ask", NOW + 9)
    database.write(lambda c: mailboxes.clear_attention(c, pair.mailbox.id))
    row = database.read(lambda c: mailboxes.get(c, pair.mailbox.id))
    assert (row.attention_code, row.attention_text, row.attention_remedy, row.attention_at) == ("", "", "", None)


def test_a_rename_keeps_the_mailbox_and_renames_its_account(database: Database, pair: Pair) -> None:
    ann, bob = upsert(database, pair, spec("ann"), spec("bob", "ann", into=("Bob",)))
    database.write(lambda c: mailboxes.rename(c, ann.id, "ann.lee@old", "ann.lee@new"))
    rows = {row.id: row for row in database.read(lambda c: mailboxes.all(c, pair.plan.id))}
    assert (rows[ann.id].source, rows[ann.id].target) == ("ann.lee@old", "ann.lee@new")
    assert (rows[bob.id].source, rows[bob.id].target) == ("bob@old", "ann.lee@new")
    again = upsert(database, pair, MailboxSpec("ann.lee@old", "ann.lee@new", system=SYSTEM))
    assert [(row.id, row.account_id) for row in again] == [(ann.id, ann.account_id)]


def test_a_rename_takes_the_place_of_what_the_edited_plan_made(database: Database, pair: Pair) -> None:
    """The technician edits the file, runs sync, is refused, and only then says that it is a rename."""
    upsert(database, pair, MailboxSpec("ann@old.example", "lee@new.example", system=SYSTEM))
    database.write(lambda c: mailboxes.rename(c, pair.mailbox.id, "ann@old.example", "lee@new.example"))
    (row,) = database.read(lambda c: mailboxes.all(c, pair.plan.id))
    assert (row.id, row.target, row.account_id) == (pair.mailbox.id, "lee@new.example", pair.mailbox.account_id)


def test_a_rename_onto_another_mailbox_is_refused(database: Database, pair: Pair) -> None:
    other = new_pair(database, "bob", plan=pair.plan.name)
    for source, target in (("bob@old.example", "bob@new.example"), ("ann@old.example", "bob@new.example")):
        with pytest.raises(GuardRefused):
            database.write(lambda c, to=(source, target): mailboxes.rename(c, pair.mailbox.id, *to))  # type: ignore[misc]
    rows = database.read(lambda c: [row.target for row in mailboxes.all(c, pair.plan.id)])
    assert rows == ["ann@new.example", other.mailbox.target]


def test_a_reset_forgets_one_mailbox_and_nothing_else(database: Database, pair: Pair) -> None:
    def use(c: object) -> tuple[MailboxRow, int]:
        (leaver,) = mailboxes.upsert(c, pair.plan.id, [spec_into])  # type: ignore[arg-type]
        folder = new_folder(c, leaver, "INBOX")  # type: ignore[arg-type]
        ledger.add(c, folder, [NewItem(uid(1), 5)])  # type: ignore[arg-type]
        ledger.settle(c, folder, [copied(pair, 1, 50)], NOW)  # type: ignore[arg-type]
        return leaver, folder.id

    spec_into = MailboxSpec("bob@old", pair.mailbox.target, into=("Bob",), system=SYSTEM)
    leaver, kept = database.write(use)
    database.write(lambda c: fill(c, pair, 3))
    failed = Settled(uid(1), Outcome.FAILED, reason="too-big")
    database.write(lambda c: ledger.settle(c, pair.folder, [failed, copied(pair, 2, 2)], NOW))
    database.write(lambda c: doubts.add(c, pair.folder.id, pair.place.id, [uid(3)], uid(1), 3))
    database.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 1, uid(1), [uid(3)], 1, NOW))
    own = database.write(lambda c: places.add(c, pair.mailbox.account_id, "mail", ("X",), b"", 1, b"", [], False))

    database.write(lambda c: mailboxes.reset(c, pair.mailbox.id))

    assert leaver.account_id == pair.mailbox.account_id
    assert database.read(lambda c: folders.of_mailbox(c, pair.mailbox.id, live=False)) == []
    assert database.read(lambda c: failures.of_plan(c, pair.plan.id)) == []
    assert database.read(lambda c: doubts.of_mailbox(c, pair.mailbox.id)) == []
    assert database.read(lambda c: intents.of_place(c, pair.place.id)) == []
    left = [place.id for place in database.read(lambda c: places.of_account(c, pair.mailbox.account_id))]
    assert left == [pair.place.id], "the leaver's items are in it; the other place is nobody's"
    assert own.id not in left
    assert counts(database, database.read(lambda c: folders.get(c, kept))).copied == 1
    fresh = database.write(lambda c: new_folder(c, pair.mailbox, "INBOX"))
    assert fresh.id > kept, "ids are never used twice"


def test_what_does_not_exist_is_not_found(database: Database, pair: Pair) -> None:
    for read in (mailboxes.get, folders.get, places.get):
        with pytest.raises(NoResultFound):
            database.read(lambda c, read=read: read(c, 10**6))  # type: ignore[misc]


# --- folders and places -------------------------------------------------------------------------------------------


def test_a_folder_remembers_both_sides(database: Database, pair: Pair) -> None:
    path = ("Kunden", "2024/25", "Zoë\0 \udcff")
    account = pair.mailbox.account_id
    new = database.write(
        lambda c: folders.add(c, pair.mailbox.id, account, "mail", path, "\\Sent", b"ref", 2**32 - 1, uid(5))
    )
    assert (new.path, new.role, new.ref, new.validity, new.next_id) == (path, "\\Sent", b"ref", 2**32 - 1, uid(5))
    assert (new.target_path, new.place_id, new.adopted, new.vanished, new.counts) == (
        None,
        None,
        False,
        False,
        Counts(),
    )
    database.write(lambda c: folders.set_source(c, new.id, path=("Kunden",), vanished=True))
    database.write(lambda c: folders.set_source(c, new.id))
    database.write(lambda c: folders.set_target(c, new.id, ("Clients",), pair.place.id))
    database.write(lambda c: folders.set_adopted(c, new.id))
    database.write(lambda c: folders.set_cursor(c, new.id, b"cursor", b"state", uid(9)))
    row = database.read(lambda c: folders.get(c, new.id))
    assert (row.path, row.vanished, row.role, row.ref) == (("Kunden",), True, "\\Sent", b"ref")
    assert (row.target_path, row.place_id, row.adopted) == (("Clients",), pair.place.id, True)
    assert (row.cursor, row.state, row.next_id) == (b"cursor", b"state", uid(9))
    database.write(lambda c: folders.supersede(c, new.id))
    into = database.read(lambda c: folders.of_place(c, pair.place.id))
    assert [folder.id for folder in into] == [pair.folder.id, new.id]
    live = database.read(lambda c: folders.of_mailbox(c, pair.mailbox.id))
    assert [folder.id for folder in live] == [pair.folder.id]
    assert len(database.read(lambda c: folders.of_mailbox(c, pair.mailbox.id, live=False))) == 2


def test_a_place_remembers_its_baseline(database: Database, pair: Pair) -> None:
    ids = [uid(number) for number in range(1, 5000, 3)]
    account = pair.mailbox.account_id
    new = database.write(lambda c: places.add(c, account, "mail", ("A", "B"), b"r", 4, uid(5000), ids, True))
    assert (new.baseline_count, new.baseline_next, new.next_id, new.created) == (len(ids), uid(5000), uid(5000), True)
    assert database.read(lambda c: places.baseline(c, new.id)) == frozenset(ids)
    assert database.read(lambda c: places.find(c, account, ("A", "B"), 4, kind="mail")) == new
    assert database.read(lambda c: places.find(c, account, ("A", "B"), 5, kind="mail")) is None
    database.write(lambda c: places.rename(c, new.id, ("C",)))
    assert database.read(lambda c: places.find(c, account, ("A", "B"), 4, kind="mail")) is None
    database.write(lambda c: places.supersede(c, new.id))
    assert database.read(lambda c: places.find(c, account, ("C",), 4, kind="mail")) is None
    assert [place.id for place in database.read(lambda c: places.of_account(c, account))] == [pair.place.id]


def test_a_lower_bound_only_rises_and_an_unproved_floor_only_falls(database: Database, pair: Pair) -> None:
    place = pair.place.id

    def now() -> tuple[bytes, bytes | None]:
        row = database.read(lambda c: places.get(c, place))
        return row.next_id, row.unproved_from

    for number in (7, 5, 0x80, 9):  # unsigned: 0x80 is above 9
        database.write(lambda c, n=number: places.advance(c, place, uid(n)))  # type: ignore[misc]
    assert now() == (uid(0x80), None)
    for number in (7, 0x80, 5):
        database.write(lambda c, n=number: places.unproved(c, place, uid(n)))  # type: ignore[misc]
    assert now() == (uid(0x80), uid(5))
    database.write(lambda c: places.proved(c, place))
    assert now() == (uid(0x80), None)


# --- intents, doubts, quarantine, requests ------------------------------------------------------------------------


def test_intents_keep_the_order_of_sending_and_never_an_id(database: Database, pair: Pair) -> None:
    refs = [uid(9), uid(2), uid(5)]
    first = database.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 3, uid(4), refs, 2**40, NOW))
    (row,) = database.read(lambda c: intents.of_mailbox(c, pair.mailbox.id))
    assert (row.id, row.epoch, row.floor, row.refs, row.octets, row.opened_at) == (first, 3, uid(4), refs, 2**40, NOW)
    assert database.read(lambda c: intents.of_place(c, pair.place.id)) == [row]
    database.write(lambda c: intents.close(c, first))
    assert database.read(lambda c: intents.of_mailbox(c, pair.mailbox.id)) == []
    second = database.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 3, b"", [], 0, NOW))
    assert second > first


def test_the_intent_of_a_move_names_the_rows_that_had_the_copies(database: Database, pair: Pair) -> None:
    refs, former = [uid(9), uid(2)], (pair.folder.id + 7, [uid(80), uid(10)])
    database.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 3, b"", refs, 0, NOW, former))
    database.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 3, b"", refs, 0, NOW))
    told = database.read(lambda c: intents.of_mailbox(c, pair.mailbox.id))
    assert [(row.former_folder_id, row.former_refs) for row in told] == [former, (None, [])]


def test_doubts_last_until_their_pass(database: Database, pair: Pair) -> None:
    folder, place, mailbox = pair.folder.id, pair.place.id, pair.mailbox.id
    database.write(lambda c: doubts.add(c, folder, place, [uid(1), uid(2)], uid(50), 3))
    database.write(lambda c: doubts.add(c, folder, place, [uid(2), uid(3)], uid(60), 4))
    database.write(lambda c: doubts.add(c, folder, place, [uid(3)], uid(40), 2))
    database.write(lambda c: doubts.add(c, folder, place, [], uid(40), 2))

    def left() -> list[tuple[bytes, bytes, int]]:
        rows = database.read(lambda c: doubts.of_mailbox(c, mailbox))
        return [(row.source_id, row.floor, row.until_pass) for row in rows]

    assert left() == [(uid(1), uid(50), 3), (uid(2), uid(50), 4), (uid(3), uid(40), 4)]
    assert database.write(lambda c: doubts.drop_expired(c, mailbox, 2)) == 0
    assert database.write(lambda c: doubts.drop_expired(c, mailbox, 3)) == 1
    database.write(lambda c: doubts.drop(c, folder, [uid(2)]))
    assert left() == [(uid(3), uid(40), 4)]


def test_the_quarantine_names_and_accepts(database: Database, pair: Pair) -> None:
    database.write(lambda c: fill(c, pair, 3))
    words = "NO [TOOBIG]\r\n\0 message\tof \udcff " + "x" * 5000
    rows = [Settled(uid(n), Outcome.FAILED, reason="too-big", detail=words) for n in (1, 2)]
    database.write(lambda c: ledger.settle(c, pair.folder, rows, NOW))
    database.write(lambda c: ledger.settle(c, pair.folder, rows[:1], NOW + 1))
    first, second = database.read(lambda c: failures.of_mailbox(c, pair.mailbox.id))
    assert (first.id, first.source, first.target) == (f"{pair.folder.id}.1", pair.mailbox.source, pair.mailbox.target)
    assert (first.path, first.size, first.attempts, first.at) == (("INBOX",), 1001, 2, NOW + 1)
    assert first.detail.startswith("NO [TOOBIG] message of x")
    assert first.detail.isprintable()
    assert len(first.detail) == failures.DETAIL_LENGTH
    named = [failures.parse(second.id), (pair.folder.id, uid(3))]
    assert database.write(lambda c: failures.accept(c, named, "customer agreed", NOW + 2)) == 1
    assert database.read(lambda c: failures.count_open(c, pair.mailbox.id)) == 1
    _, accepted = database.read(lambda c: failures.of_plan(c, pair.plan.id))
    assert (accepted.accepted_at, accepted.accepted_why) == (NOW + 2, "customer agreed")
    (item,) = database.read(lambda c: ledger.by_refs(c, pair.folder, [uid(1)])).values()
    assert (item.outcome, item.note) == (Outcome.FAILED, "too-big")


def test_a_request_is_taken_once(database: Database, pair: Pair) -> None:
    plan = pair.plan.id
    assert not database.read(lambda c: requests.waiting(c, plan))
    first = database.write(lambda c: requests.post(c, plan, "pause", {"mailbox": 7}, NOW))
    second = database.write(lambda c: requests.post(c, plan, "resume", {}, NOW + 1))
    assert database.read(lambda c: requests.waiting(c, plan))
    taken = database.write(lambda c: requests.take(c, plan, NOW + 2))
    assert [(row.id, row.verb, row.facts, row.posted_at) for row in taken] == [
        (first, "pause", {"mailbox": 7}, NOW),
        (second, "resume", {}, NOW + 1),
    ]
    assert database.write(lambda c: requests.take(c, plan, NOW + 3)) == []
    third = database.write(lambda c: requests.post(c, plan, "pause", {}, NOW + 4))
    assert [database.read(lambda c, n=n: requests.is_taken(c, n)) for n in (first, second, third, 99)] == [  # type: ignore[misc]
        True,
        True,
        False,
        False,
    ]


# --- totals -------------------------------------------------------------------------------------------------------


def test_totals_add_up_by_mailbox_and_kind(database: Database, pair: Pair) -> None:
    other = database.write(lambda c: make_pair(c, "bob", pair.plan.name))
    stranger = new_pair(database, "carl")
    for each in (pair, other, stranger):
        database.write(lambda c, each=each: fill(c, each, 3))  # type: ignore[misc]
    calendar = database.write(
        lambda c: folders.add(c, pair.mailbox.id, pair.mailbox.account_id, "calendar", ("Cal",), "", b"", 0, b"")
    )
    database.write(lambda c: ledger.add(c, calendar, [NewItem(b"event", 2**40)]))
    database.write(lambda c: folders.supersede(c, pair.folder.id))
    found = database.read(lambda c: totals.mailbox_counts(c, pair.plan.id))
    mail = Counts(seen=3, pending=3, octets=3006, octets_pending=3006)
    event = Counts(seen=1, pending=1, octets=2**40, octets_pending=2**40)
    assert found == {pair.mailbox.id: {"mail": mail, "calendar": event}, other.mailbox.id: {"mail": mail}}
    assert type(found[pair.mailbox.id]["mail"].octets) is int, "not a Decimal"
