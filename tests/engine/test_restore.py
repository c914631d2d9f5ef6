"""A state that was brought back from a backup is older than the target: nothing may be sent twice for it."""

from __future__ import annotations

from pathlib import Path

from tests.engine.world import World
from xdmigrate.report.verdicts import Verdict
from xdmigrate_state.copies import restored
from xdmigrate_state.database import Database

INBOX = ("INBOX",)


def test_what_was_copied_after_the_backup_is_found_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in range(4):
        world.old.deliver(INBOX, b"\r\nbefore %d\r\n" % number)
    world.sync()
    world.db.backup(tmp_path / "backup.db")
    for number in range(3):
        world.old.deliver(INBOX, b"\r\nafter %d\r\n" % number)
    world.old.deliver(INBOX, b"\r\nbefore 1\r\n")
    world.sync()
    world.db.close()
    world.db = Database.open(tmp_path / "backup.db", create=False)
    world.db.write(lambda c: restored(c, world.clock.now()))
    world.old.deliver(INBOX, b"\r\nafter the restore\r\n")
    world.sync()
    assert world.bodies(INBOX) == {
        **{b"\r\nbefore %d\r\n" % number: 1 + (number == 1) for number in range(4)},
        **{b"\r\nafter %d\r\n" % number: 1 for number in range(3)},
        b"\r\nafter the restore\r\n": 1,
    }
    assert world.verify().verdict is Verdict.PASS
    world.db.close()
