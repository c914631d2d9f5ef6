"""Jobs between real servers: people are renamed, the source is left alone, and every loss is foretold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.connectors.dav.scripted import card, event, todo
from tests.live.dav import xandikos
from tests.live.dav.chain import USER, Service, serving
from tests.live.dav.radicale import Radicale
from tests.live.dav.xandikos import Xandikos
from tests.live.project import Answer, Project
from xdmigrate.formats import ical, vcard

pytestmark = [pytest.mark.live, pytest.mark.full]  # several runs of the program each

OLD = "ann@old.example"
PEOPLE = "ORGANIZER;CN=Ann:mailto:{}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{}\r\n"
EXCEPTION = (
    "RRULE:FREQ=WEEKLY;COUNT=9\r\nEXDATE:20370116T100000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:series\r\n"
    "DTSTAMP:20200101T000000Z\r\nRECURRENCE-ID:20370109T100000Z\r\nDTSTART:20370110T120000Z\r\n"
    "DTEND:20370110T130000Z\r\nSUMMARY:Moved and renamed\r\n"
)
EVENTS = {
    "mine": event("mine", more=PEOPLE.format("Ann@old.example", "Carl@old.example")),
    "theirs": event("theirs", more=PEOPLE.format("bob@elsewhere.example", "ann@OLD.example")),
    "series": event("series", more=EXCEPTION),
    "task": todo("task"),
}
CARDS = {
    "bob": card("bob", "Bob"),
    "group": card("group", "Friends", "4.0", "KIND:group\r\nMEMBER:urn:uuid:bob\r\n"),
    "label": card("label", "Eve", more="item1.URL:https://eve.example\r\nitem1.X-ABLabel:Home page\r\n"),
}
DOUBTFUL = {
    "nowhere": event("nowhere").replace(b"DTSTART:20370102T100000Z", b"DTSTART;TZID=Nowhere/Middle:20370102T100000"),
}
"""What no dry run can promise, and what these servers keep as it is."""

LOST = {
    "busy": event("busy").replace(b"VEVENT", b"VFREEBUSY"),
}
"""What no server is given."""


class Source(Service):
    """A filled account, as any other program sees it."""

    def __init__(self, server: Xandikos) -> None:
        homes = (f"{server.user}/calendars/calendar/", f"{server.user}/contacts/addressbook/")
        super().__init__("Xandikos", server, homes, server.user)
        self.client = httpx.Client(base_url=server.url, timeout=30)
        for home, ending, items in ((homes[0], "ics", EVENTS | DOUBTFUL | LOST), (homes[1], "vcf", CARDS)):
            kind = {"content-type": "text/vcard" if ending == "vcf" else "text/calendar"}
            for name, data in items.items():
                assert self.client.put(f"{home}{name}.{ending}", content=data, headers=kind).is_success

    def everything(self) -> dict[str, tuple[str, bytes]]:
        """ETag and bytes of each item by its address; and of the collections, which nobody made or removed."""
        found = {}
        for home in self.homes:
            listed = self.client.request("PROPFIND", home, headers={"depth": "1"}).text
            for path in re.findall(r"href>([^<]+)<", listed):
                answer = self.client.get(path)
                found[path] = (answer.headers.get("etag", ""), b"" if path.endswith("/") else answer.content)
        return found


@pytest.fixture
def source() -> Iterator[Source]:
    if xandikos.missing():
        pytest.skip(xandikos.missing())
    with Xandikos() as server:
        yield Source(server)


@pytest.fixture(params=["Radicale", "Cyrus", "SOGo"])
def target(request: pytest.FixtureRequest) -> Iterator[Service]:
    """An account of each server, with its sending of invitations switched off."""
    with serving(request.param) as service:
        yield service


def failed(answer: Answer) -> dict[str, int]:
    """Items that are not copied, by kind."""
    return {kind: told["failed"] for kind, told in answer.facts["totals"].items()}


def exported(folder: Path, target: Service) -> dict[str, bytes]:
    """What the target holds, as a job into plain files reads it; by UID, contacts by name."""
    out = folder / "out"
    files = {"connector": "files", "path": str(out)}
    assert Project(folder / "back", target.endpoint(folder), files, [USER]).run("sync").exit == 0
    events = [path.read_bytes() for path in out.rglob("*.ics")]
    cards = [path.read_bytes() for path in out.rglob("*.vcf")]
    return {ical.outline(each).uid: each for each in events} | {
        vcard.outline(each).formatted_name: each for each in cards
    }


def test_people_are_renamed_the_source_stays_and_losses_are_foretold(
    tmp_path: Path, source: Source, target: Service
) -> None:
    before, boxes = source.everything(), [{"source": OLD, "target": USER}]
    renamed = {"old.example": "new.example"}
    project = Project(tmp_path / "job", source.endpoint(tmp_path), target.endpoint(tmp_path), boxes, addresses=renamed)

    foretold = failed(project.run("sync", "--dry-run"))
    assert sum(foretold.values()) == len(LOST | DOUBTFUL)
    done = project.run("sync")
    assert sum(failed(done).values()) == len(LOST)
    items = project.run("quarantine", "list").facts["items"]
    assert {each["code"] for each in items if not each["copied"]} == {"no-component"}

    there = exported(tmp_path, target)
    assert {*EVENTS, "Bob", "Friends", "Eve"} <= there.keys()
    assert not LOST.keys() & there.keys()
    for uid, organizer, attendee in (
        ("mine", USER, "carl@new.example"),
        ("theirs", "bob@elsewhere.example", USER),
    ):
        said = there[uid].decode().replace("\r\n ", "").lower()
        assert organizer in said
        assert attendee in said
        assert "old.example" not in said
    for uid in ("series", "task", *DOUBTFUL):
        assert ical.digest(there[uid]) == ical.digest((EVENTS | DOUBTFUL)[uid])
    for name, uid in (("Bob", "bob"), ("Friends", "group"), ("Eve", "label")):
        assert vcard.digest(there[name]) == vcard.digest(CARDS[uid])

    project.run("verify", "--full")
    again = project.run("sync")
    assert failed(again) == failed(done)
    assert source.everything() == before
    assert isinstance(target.server, Radicale | Xandikos) or not target.server.sink.mails


def test_a_run_with_an_empty_ledger_finds_everything_and_writes_nothing(
    tmp_path: Path, source: Source, target: Service
) -> None:
    first = Project(tmp_path / "first", source.endpoint(tmp_path), target.endpoint(tmp_path), [USER])
    first.run("sync")
    before = target.versions()
    assert len(before) >= len(EVENTS) + len(CARDS)
    second = Project(tmp_path / "second", source.endpoint(tmp_path), target.endpoint(tmp_path), [USER])
    done = second.run("sync")
    invited = 2  # where their people are taken out, a copy without a ledger is somebody else's event of the same UID
    assert len(LOST) <= sum(failed(done).values()) <= len(LOST) + invited
    assert target.versions() == before
    assert sum(told["present"] for told in done.facts["totals"].values()) >= len(CARDS) + 2  # without people
