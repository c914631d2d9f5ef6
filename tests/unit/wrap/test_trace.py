"""Every call is told once, with its counts, and nothing that is anybody's business."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.unit.wrap.kit import World
from xdmigrate.contract import Intent
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import FlagChange, Folder
from xdmigrate.testing.conformance import Message
from xdmigrate.testing.conformance.kit import item
from xdmigrate.testing.memory import INBOX, Powers
from xdmigrate.wrap.trace import Trace, TracedTarget

SECRET = b"Subject: TOP-SECRET\r\n\r\nTOP-SECRET"


class Clock:
    """Half a second between any two looks."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def traced(powers: Powers | None = None) -> tuple[World, TracedTarget]:
    world = World(powers)
    return world, TracedTarget(world.target(), Trace(clock=Clock(), endpoint="new", mailbox="ann@example.org"))


def test_every_operation_is_told() -> None:
    with capture_logs() as logs:
        world, target = traced(Powers(refuse=lambda data: "content" if data == b"no" else ""))
        (inbox,) = target.folders()
        folder = target.rename_folder(target.create_folder(("A",)), ("B",))
        target.subscribe(folder)
        with target.writer(folder, Intent(1, 3, 0)) as writer:
            for ticket, data in enumerate((SECRET, b"no", SECRET)):
                writer.put(ticket, item(ticket, Message(data, frozenset({"TOP-SECRET"}))))
            assert len(writer.poll()) == 3
            writer.flush()
        refs = [head.ref for head in target.heads(folder)]
        assert len(list(target.changes(target.status(folder)).heads)) == 2
        assert len(list(target.read(folder, refs))) == 2
        target.change_flags(folder, [FlagChange(refs[0])])
        target.remove(folder, refs)
        target.close()
    assert inbox.path == INBOX
    assert target.features == world.server.powers.features()
    assert [log["operation"] for log in logs] == [
        "folders", "create-folder", "rename-folder", "subscribe", "writer", "flush", "leave", "heads", "status",
        "changes", "changed-heads", "read", "change-flags", "remove", "close",
    ]  # fmt: skip
    told = {log["operation"]: log for log in logs}
    assert told["flush"] == {
        "event": "call", "log_level": "debug", "endpoint": "new", "mailbox": "ann@example.org",
        "operation": "flush", "folder": ["B"], "seconds": 0.5, "items": 3, "octets": 2 * len(SECRET) + 2, "refused": 1,
    }  # fmt: skip
    assert (told["read"]["items"], told["read"]["octets"]) == (2, 2 * len(SECRET))
    assert told["remove"]["items"] == 2
    assert "items" not in told["leave"]
    assert "TOP-SECRET" not in repr(logs)


def test_failures_are_told_by_their_code() -> None:
    with capture_logs() as logs:
        world, target = traced()
        with pytest.raises(FolderUnusable):
            target.status(Folder(("TOP",)))
        world.account.deliver(INBOX, b"x")
        world.account.deliver(INBOX, b"x")
        listing = target.heads(Folder(INBOX))
        next(listing)
        del listing
        with pytest.raises(ZeroDivisionError), target.writer(Folder(INBOX), Intent(1, 0, 0)):
            raise ZeroDivisionError
    told = [(log["operation"], log.get("error"), log.get("items")) for log in logs]
    assert told == [
        ("status", "folder-unusable", None),
        ("heads", None, 1),
        ("writer", None, None),
        ("abandon", None, None),
    ]
