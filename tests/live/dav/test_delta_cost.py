"""A second run writes nothing, and a few changes among thousands of events cost a few bodies: counted on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import FULL
from tests.connectors.dav.scripted import event
from tests.live.dav.counting import Counting
from tests.live.dav.radicale import Radicale
from tests.live.project import Project, closed, secret_file

pytestmark = pytest.mark.live

CALENDARS = 20 if FULL else 3
EVENTS = 250 if FULL else 60
"""In each calendar: Radicale looks at all of one's events before it takes another."""

CHANGED, NEW, REMOVED = 4, 3, 3
MOST_BODIES = 12


@pytest.fixture
def counted(radicale_server: Radicale) -> Iterator[tuple[Counting, Counting]]:
    """The server twice, as a source and as a target."""
    with Counting(radicale_server.port) as old, Counting(radicale_server.port) as new:
        yield old, new


def test_a_delta_costs_what_changed(
    tmp_path: Path, radicale_server: Radicale, counted: tuple[Counting, Counting], new_user: Callable[[], str]
) -> None:
    source, target = new_user(), new_user()
    homes = [radicale_server.store / user for user in (source, target)]
    for user in (source, target):
        radicale_server.add(user)
    for number in range(CALENDARS):
        fill(homes[0] / f"calendar{number}", number)
    old, new = counted
    users = [{"source": source, "target": target}]
    project = Project(tmp_path, described(tmp_path, old), described(tmp_path, new), users)
    total = CALENDARS * EVENTS
    assert told(project)["copied"] == total == old.bodies == new.requests["PUT"]

    forget(old, new)
    assert told(project)["copied"] == total
    assert (old.bodies, new.bodies, new.writes) == (0, 0, 0)

    change(homes[0])
    forget(old, new)
    facts = told(project)
    assert (facts["copied"], facts["gone"]) == (total + NEW, REMOVED)
    assert CHANGED + NEW <= old.bodies <= MOST_BODIES
    assert (new.requests["PUT"], new.writes) == (CHANGED + NEW, CHANGED + NEW)
    assert new.bodies <= MOST_BODIES
    there = [each.read_bytes() for each in homes[1].glob("*/*.ics")]
    assert len(there) == total + NEW
    assert sum(b"SUMMARY:Moved" in each for each in there) == CHANGED


def described(folder: Path, server: Counting) -> dict[str, object]:
    auth = {"user": "{address}", "password": f"file:{secret_file(folder, Radicale.password)}"}
    return {"connector": "dav", "url": server.url, "auth": auth}


def told(project: Project) -> dict[str, int]:
    answer = project.run("sync")
    assert answer.exit == 0, answer.err
    counts: dict[str, int] = answer.facts["mailboxes"][0]["kinds"]["calendar"]
    assert closed(counts)
    return counts


def forget(*servers: Counting) -> None:
    for server in servers:
        server.forget()


def fill(folder: Path, calendar: int) -> None:
    """As files in the server's storage, which is quicker than asking it to take them."""
    folder.mkdir(parents=True)
    (folder / ".Radicale.props").write_text(json.dumps({"tag": "VCALENDAR", "D:displayname": folder.name}))
    for number in range(EVENTS):
        (folder / f"{number}.ics").write_bytes(event(f"{calendar}-{number}", f"Number {number}"))


def change(home: Path) -> None:
    """By its user, on all calendars."""
    folders = sorted(home.glob("calendar*"))
    for number in range(CHANGED):
        item = folders[number % CALENDARS] / f"{number}.ics"
        item.write_bytes(item.read_bytes().replace(b"SUMMARY:Number", b"SUMMARY:Moved"))
    for number in range(NEW):
        (folders[number % CALENDARS] / f"new{number}.ics").write_bytes(event(f"new-{number}"))
    for number in range(REMOVED):
        (folders[number % CALENDARS] / f"{EVENTS // 2 + number}.ics").unlink()
