"""A small state to begin from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from sqlalchemy import Connection

from xdmigrate.model import Outcome
from xdmigrate_state import folders, ledger, mailboxes, places, plans
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Counts, FolderRow, MailboxRow, MailboxSpec, NewItem, PlaceRow, PlanRow, Settled

NOW = 1_800_000_000.0
SYSTEM = "imap://imap.new.example:993"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Pair:
    plan: PlanRow
    mailbox: MailboxRow
    folder: FolderRow
    place: PlaceRow


def uid(number: int) -> bytes:
    """An IMAP id, as the connector spells it."""
    return number.to_bytes(4, "big")


def new_pair(db: Database, local: str, *, plan: str = "") -> Pair:
    """A new plan (or one that is named), a mailbox, a folder and its place."""
    return db.write(lambda c: make_pair(c, local, plan or f"plan{next(_numbers)}"))


def make_pair(c: Connection, local: str, plan: str) -> Pair:
    row = plans.save(c, plan, f"/nowhere/{plan}.yaml", "00", {}, NOW)
    listed = MailboxSpec(f"{local}@old.example", f"{local}@new.example", system=SYSTEM)
    (mailbox,) = mailboxes.upsert(c, row.id, [listed])
    folder = new_folder(c, mailbox, "INBOX")
    place = places.add(c, mailbox.account_id, "mail", ("INBOX",), b"", 9, uid(1), [], created=False)
    folders.set_target(c, folder.id, ("INBOX",), place.id)
    return Pair(row, mailbox, folders.get(c, folder.id), place)


def new_folder(c: Connection, mailbox: MailboxRow, name: str, validity: int = 7) -> FolderRow:
    return folders.add(c, mailbox.id, mailbox.account_id, "mail", (name,), "", b"", validity, uid(1))


def fill(c: Connection, pair: Pair, count: int, *, first: int = 1) -> None:
    """Pending items with ids from `first` on, of 1,000 bytes and more."""
    ledger.add(c, pair.folder, [NewItem(uid(n), 1000 + n) for n in range(first, first + count)])


def copied(pair: Pair, number: int, target: int) -> Settled:
    return Settled(uid(number), Outcome.COPIED, place_id=pair.place.id, target_id=uid(target))


def counts(db: Database, folder: FolderRow) -> Counts:
    """The kept counters, proved against a scan."""
    kept = db.read(lambda c: folders.get(c, folder.id).counts)
    assert kept == db.read(lambda c: ledger.recount(c, folder.id))
    assert kept.closed
    return kept
