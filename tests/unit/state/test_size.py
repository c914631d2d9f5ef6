"""What a message costs in a SQLite state."""

from __future__ import annotations

from pathlib import Path
from random import Random

from sqlalchemy import Connection

from tests.unit.state.sample import NOW, Pair, make_pair, uid
from xdmigrate.model import Outcome
from xdmigrate_state import intents, journal, ledger
from xdmigrate_state.database import Database
from xdmigrate_state.rows import NewItem, Settled

FLAGS = [frozenset({"\\Seen"}), frozenset[str](), frozenset({"\\Seen", "\\Answered"})]
RANGE = 1000
MAILBOXES = 8


def test_a_message_takes_at_most_80_bytes(tmp_path: Path, rng: Random, full: bool) -> None:
    """Mailboxes are listed and copied side by side, range by range, as a run does it; journal included."""
    each = (100_000 if full else 40_000) // MAILBOXES
    with Database.open(tmp_path / "state.db") as db:
        pairs = [db.write(lambda c, n=n: make_pair(c, f"user{n}", "contoso")) for n in range(MAILBOXES)]  # type: ignore[misc]
        for pair in pairs:
            new = [NewItem(uid(n), rng.randrange(500, 90_000), flags=rng.choice(FLAGS)) for n in range(1, each + 1)]
            db.write(lambda c, pair=pair, new=new: ledger.add(c, pair.folder, new))  # type: ignore[misc]
        for first in range(1, each + 1, RANGE):
            for pair in pairs:
                copy_range(db, pair, rng, range(first, min(first + RANGE, each + 1)))
    assert (tmp_path / "state.db").stat().st_size <= 80 * each * MAILBOXES


def copy_range(db: Database, pair: Pair, rng: Random, numbers: range) -> None:
    refs = [uid(number) for number in numbers]
    opened = db.write(lambda c: intents.open(c, pair.folder.id, pair.place.id, 1, refs[0], refs, 10**6, NOW))
    rows = [
        Settled(
            uid(number),
            Outcome.COPIED,
            fingerprint=rng.randbytes(16),
            place_id=pair.place.id,
            target_id=uid(number + 7),
            flags=rng.choice(FLAGS),
        )
        for number in numbers
    ]

    def checkpoint(c: Connection) -> None:
        ledger.settle(c, pair.folder, rows, NOW)
        facts: dict[str, object] = {
            "copied": len(refs),
            "first": refs[0].hex(),
            "last": refs[-1].hex(),
            "digest": "0" * 64,
        }
        journal.append(c, pair.plan.id, pair.mailbox.id, "range", facts, NOW)
        intents.close(c, opened)

    db.write(checkpoint)
