"""Calendars and address books from one real server to another, with the program as a technician uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

import pytest

from tests.conftest import FULL, Pair
from tests.live.dav import radicale, xandikos
from tests.live.dav.radicale import Radicale
from tests.live.dav.xandikos import Xandikos
from tests.live.project import Project, Values, closed, endpoint, secret_file, within
from tests.live.reader import Draft, load

pytestmark = pytest.mark.live

EVENTS, CARDS = (200, 100) if FULL else (30, 10)
KILLS = 50
BODIES = 12
"""A delta of ten changes may read so many items, and no more."""


HOMES = {
    "ics": ("calendars/calendar", "text/calendar; charset=utf-8"),
    "vcf": ("contacts/addressbook", "text/vcard; charset=utf-8"),
}


def event(number: int, title: str = "Meeting") -> bytes:
    lines = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT"
        f"\nUID:event-{number}@x.test\nDTSTAMP:20240101T000000Z"
        f"\nDTSTART:202401{number % 28 + 1:02}T090000Z\nDTEND:202401{number % 28 + 1:02}T100000Z"
        f"\nSUMMARY:{title} {number}\nRRULE:FREQ=WEEKLY;COUNT=5\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return lines.replace("\n", "\r\n").encode()


def card(number: int, name: str = "Person") -> bytes:
    lines = (
        f"BEGIN:VCARD\nVERSION:3.0\nUID:card-{number}\nFN:{name} {number}\nN:{name};{number};;;"
        f"\nEMAIL;TYPE=WORK:p{number}@old.example\nEND:VCARD\n"
    )
    return lines.replace("\n", "\r\n").encode()


def uids(items: list[bytes]) -> list[str]:
    return sorted(found[1].decode() for item in items if (found := re.search(rb"^UID:(\S+)", item, re.MULTILINE)))


class Source(Xandikos):
    """Its one account, with a calendar and an address book."""

    def put(self, name: str, body: bytes) -> None:
        """Keep an item, as another program of the account's user does."""
        self._ask("PUT", name, body)

    def delete(self, name: str) -> None:
        self._ask("DELETE", name)

    def _ask(self, method: str, name: str, body: bytes | None = None) -> None:
        home, kind = HOMES[name.rpartition(".")[2]]
        headers = {"Content-Type": kind} if body else {}
        request = Request(f"{self.url}{self.user}/{home}/{name}", body, headers, method=method)
        with urlopen(request, timeout=20) as answer:
            assert answer.status in {200, 201, 204}


class Target(Radicale):
    """Tells what was written, and how often."""

    def __init__(self) -> None:
        super().__init__("info")

    def writes(self) -> int:
        """How often an item was put until now."""
        return self.log.read_text("utf-8", "replace").count(" PUT request for ")

    def items(self, ending: str) -> list[bytes]:
        """Every item with this ending: ics or vcf."""
        return [path.read_bytes() for path in sorted(self.store.glob(f"*/*/*.{ending}"))]


@pytest.fixture
def old() -> Iterator[Source]:
    if absent := xandikos.missing() or radicale.missing():
        pytest.skip(absent)
    with Source() as server:
        for number in range(EVENTS):
            server.put(f"e{number}.ics", event(number))
        for number in range(CARDS):
            server.put(f"c{number}.vcf", card(number))
        yield server


@pytest.fixture
def new(old: Source) -> Iterator[Target]:
    with Target() as server:
        server.add(old.user)
        yield server


def job(folder: Path, old: Source, new: Target) -> Project:
    auth = {"user": old.user, "password": f"file:{secret_file(folder, new.password)}"}
    source, target = ({"connector": "dav", "url": server.url, "auth": auth} for server in (old, new))
    return Project(folder, source, target, [old.user])


def synced(project: Project) -> Values:
    """Bring everything up to date; what the run tells."""
    answer = project.run("sync")
    assert (answer.exit, answer.facts["errors"]) == (0, []), answer.err
    assert all(closed(counts) for counts in answer.facts["totals"].values())
    return answer.facts


def verified(project: Project) -> None:
    answer = project.run("verify", "--full")
    assert (answer.exit, answer.facts["verdict"]) == (0, "pass"), answer.out


def change(old: Source) -> int:
    """Ten changes at the source; how many of them are to be written."""
    for number in range(4):
        old.put(f"e{number}.ics", event(number, "Moved"))
    for number in range(2):
        old.put(f"n{number}.ics", event(EVENTS + number))
        old.put(f"c{number}.vcf", card(number, "Renamed"))
        old.delete(f"e{10 + number}.ics")
    return 8


def test_a_job_is_killed_goes_on_and_follows_changes(tmp_path: Path, old: Source, new: Target) -> None:
    project = job(tmp_path / "job", old, new)
    checked = project.run("check").facts
    assert checked["mailboxes"][0]["ok"], checked
    with project.running("sync") as running:
        assert within(60, lambda: new.writes() >= EVENTS // 3 or not running.running)
        running.kill()
    assert 0 < new.writes() < EVENTS + CARDS, "it was in the middle of its work"
    totals = synced(project)["totals"]
    assert (totals["calendar"]["copied"], totals["contacts"]["copied"]) == (EVENTS, CARDS)
    assert uids(new.items("ics")) == sorted(f"event-{number}@x.test" for number in range(EVENTS))
    assert uids(new.items("vcf")) == sorted(f"card-{number}" for number in range(CARDS))

    written = new.writes()
    synced(project)
    assert new.writes() == written, "a second run writes nothing"

    expected = change(old)
    read = synced(project)["endpoints"]["old"]["octets"]
    assert new.writes() - written == expected
    assert read <= BODIES * max(len(event(EVENTS)), len(card(CARDS))) * 2
    assert sum(b"SUMMARY:Moved" in item for item in new.items("ics")) == 4
    assert len(new.items("ics")) == EVENTS + 2, "what is deleted at the source stays"
    verified(project)


@pytest.mark.full
def test_many_kills_lose_nothing_and_nothing_is_there_twice(
    tmp_path: Path, old: Source, new: Target, rng: Random, record_property: Callable[[str, object], None]
) -> None:
    """At any moment: while it seeds, while it settles what an earlier kill left open, while it follows changes."""
    project, landed = job(tmp_path / "job", old, new), 0
    for trial in range(KILLS):
        if trial == KILLS // 2:
            change(old)
        wanted = new.writes() + rng.randrange(1, 8)
        with project.running("sync") as running:
            assert within(60, lambda: new.writes() >= wanted or not running.running)  # noqa: B023 - at once
            landed += running.running
            running.kill()
    synced(project)
    assert uids(new.items("ics")) == sorted(f"event-{number}@x.test" for number in range(EVENTS + 2))
    assert uids(new.items("vcf")) == sorted(f"card-{number}" for number in range(CARDS))
    verified(project)
    record_property("told", f"calendars and contacts: {landed} of {KILLS} kills landed while it was at work")
    assert landed > KILLS // 3


@pytest.mark.full
def test_mail_and_groupware_of_one_mailbox_are_one_job(
    tmp_path: Path, dovecot_pair: Pair, new_user: Callable[[], str], old: Source, new: Target
) -> None:
    """Two services on either side: each kind goes its own way, in one pass, one state and one verdict."""
    user = new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": [Draft(b"Subject: %d\r\n\r\nhello\r\n" % n) for n in range(9)]})
    project = job(tmp_path / "job", old, new)
    systems = project.plan["endpoints"]
    systems |= {"old-dav": systems["old"], "new-dav": systems["new"]}
    systems |= {"old": endpoint(dovecot_pair.old, project.folder), "new": endpoint(dovecot_pair.new, project.folder)}
    for side in ("old", "new"):
        ways = {"mail": side, "calendar": f"{side}-dav", "contacts": f"{side}-dav"}
        project.plan["source" if side == "old" else "target"] = ways
    project.plan["mailboxes"] = [{"source": user}]
    project.save()
    totals = synced(project)["totals"]
    found = {kind: counts["copied"] for kind, counts in totals.items()}
    assert found == {"mail": 9, "calendar": EVENTS, "contacts": CARDS}
    verified(project)
    written = new.writes()
    told = synced(project)
    assert new.writes() == written
    assert told["endpoints"]["new"]["commands"] + told["endpoints"]["old"]["commands"] <= 8
