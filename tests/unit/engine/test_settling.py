"""After a crash: which folders have come to rest, and how long that is waited for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from xdmigrate.engine.settling import LONGEST_SETTLE, settle
from xdmigrate.errors import SettleTimeout
from xdmigrate.model import Folder, Kind


class Watched:
    """As much of a pass as looks at a target; each folder changes at so many looks after the first."""

    def __init__(self, changes: dict[str, int]) -> None:
        self.folders = [Folder((name,), count=1, next_id=b"\2") for name in changes]
        self.changes = changes
        self.looks = dict.fromkeys(changes, 0)
        self.slept: list[float] = []
        self.context = SimpleNamespace(settle_seconds=2.0, clock=SimpleNamespace(sleep=self.slept.append))
        self.target = SimpleNamespace(status=self.status)
        self.mailbox = SimpleNamespace(target="ann@new.example")

    def status(self, folder: Folder) -> Folder:
        (name,) = folder.path
        seen, self.looks[name] = self.looks[name], self.looks[name] + 1
        return self.changed(folder, min(seen, self.changes[name]))

    def changed(self, folder: Folder, times: int) -> Folder:
        return replace(folder, count=1 + times)


def settled(watched: Any) -> None:
    settle(watched, watched.folders)


def test_quiet_folders_are_waited_for_together() -> None:
    watched = Watched({"INBOX": 0, "Sent": 0, "Archive": 0})
    settled(watched)
    assert watched.slept == [2.0]
    assert watched.looks == {"INBOX": 2, "Sent": 2, "Archive": 2}


def test_only_what_still_moves_is_waited_for_and_longer_each_time() -> None:
    watched = Watched({"INBOX": 2, "Sent": 0, "Archive": 1})
    settled(watched)
    assert watched.slept == [2.0, 4.0, 8.0]
    assert watched.looks == {"INBOX": 4, "Sent": 2, "Archive": 3}


def test_nothing_to_wait_for() -> None:
    watched = Watched({})
    settled(watched)
    assert watched.slept == []


def test_a_folder_that_never_stands_still_is_named() -> None:
    watched = Watched({"Sent": 0, "INBOX": 1000})
    with pytest.raises(SettleTimeout, match=r"ann@new\.example: the target folder 'INBOX' keeps changing"):
        settled(watched)
    assert sum(watched.slept) >= LONGEST_SETTLE


@pytest.mark.parametrize(("kind", "looks"), [(Kind.MAIL, 2), (Kind.CALENDAR, 3), (Kind.CONTACTS, 3)])
def test_flags_may_change_and_events_may_not(kind: Kind, looks: int) -> None:
    class Tokens(Watched):
        def changed(self, folder: Folder, times: int) -> Folder:
            return replace(folder, kind=kind, state=b"%d" % times)

    watched = Tokens({"Work": 1})
    settled(watched)
    assert watched.looks == {"Work": looks}
