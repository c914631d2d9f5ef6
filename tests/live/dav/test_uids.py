"""A UID that the target's user has in another calendar or address book: nothing lost, overwritten or there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from tests.connectors.dav.scripted import card, event, todo
from tests.live.dav.chain import SERVICES, USER, Service, serving
from tests.live.project import Project, closed
from xdmigrate.contract import UID_TAKEN
from xdmigrate.formats import ical, vcard

pytestmark = [pytest.mark.live, pytest.mark.full]  # several runs of the program for each server

OURS = {
    "same.ics": event("same"),
    "other.ics": event("other"),
    "free.ics": event("free"),
    "chore.ics": todo("chore"),
    "friend.vcf": card("friend"),
    "alone.vcf": card("alone", "Alone"),
}
THEIRS = {
    "same.ics": event("same"),
    "other.ics": event("other", "Theirs"),
    "chore.ics": todo("chore", "Theirs"),
    "friend.vcf": card("friend", "Theirs"),
}
REFUSING = {"Cyrus": {"same.ics", "other.ics", "chore.ics"}}
"""What a server takes once in an account; the others, and address books, keep to one collection."""

BOOK = (
    '<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/>'
    '<addressbook xmlns="urn:ietf:params:xml:ns:carddav"/>'
    "</resourcetype></prop></set></mkcol>"
)


class Beside:
    """An account as its user's own program sees it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._host = httpx.URL(service.server.url).copy_with(path="/")
        self._auth = (service.user, getattr(service.server, "password", service.user))

    def ask(self, method: str, path: str, data: bytes | str = b"", media: str = "") -> bytes:
        """Each time by a connection of its own: idle ones are dropped while the program runs."""
        url, headers = self._host.join(path), {"content-type": media} if media else {}
        answer = httpx.request(method, url, content=data, headers=headers, auth=self._auth, timeout=60)
        return answer.raise_for_status().content

    def fill(self, calendar: str, book: str, items: dict[str, bytes]) -> None:
        for name, data in items.items():
            contact = name.endswith(".vcf")
            media = "text/vcard" if contact else "text/calendar; charset=utf-8"
            self.ask("PUT", f"{book if contact else calendar}{name}", data, media)

    def items(self) -> dict[str, bytes]:
        """Everything in calendars and address books by its path, without the slash at its beginning."""
        deep = max(home.count("/") for home in self.service.homes) + 1
        paths = [path for path in self.service.versions() if path.count("/") > deep and not path.endswith("/")]
        return {unquote(path).removeprefix("/"): self.ask("GET", path) for path in paths}


@pytest.fixture
def source() -> Iterator[Service]:
    with serving("Xandikos") as service:
        Beside(service).fill(f"{service.homes[0]}calendar/", f"{service.homes[1]}addressbook/", OURS)
        yield service


@pytest.fixture(params=list(SERVICES))
def target(request: pytest.FixtureRequest) -> Iterator[Service]:
    with serving(request.param) as service:
        yield service


def said(path: str, data: bytes) -> tuple[str, bytes]:
    """The name under which the tests know an item, and what it says."""
    if path.endswith(".vcf"):
        return f"{vcard.outline(data).uid}.vcf", vcard.digest(data)
    return f"{ical.outline(data).uid}.ics", ical.digest(data)


@dataclass(frozen=True, slots=True)
class Job:
    """Everything of the source into an account where something is already."""

    project: Project
    user: Beside
    theirs: dict[str, bytes]

    def outcome(self) -> set[str]:
        """What is not copied after a run: told as such, never there twice, and the user's own is as it was."""
        answer = self.project.run("sync")
        kept = [each for each in self.project.run("quarantine", "list").facts["items"] if not each["copied"]]
        assert answer.exit == (3 if kept else 0), answer.err
        assert all(closed(counts) for counts in answer.facts["totals"].values())
        assert all(each["code"] == UID_TAKEN and each["detail"] for each in kept)
        there = self.user.items()
        assert {path: there.get(path) for path in self.theirs} == self.theirs
        copies = Counter(said(path, data) for path, data in there.items() if path not in self.theirs)
        left = {said(name, data) for name, data in OURS.items()} - copies.keys()
        assert copies.total() == len(copies) == len(OURS) - len(left)
        assert len(left) == len(kept)
        return {name for name, _ in left}


def test_a_uid_in_another_calendar(tmp_path: Path, source: Service, target: Service) -> None:
    user = Beside(target)
    calendar, book = f"{target.homes[0]}theirs/", f"{target.homes[1]}friends/"
    user.ask("MKCALENDAR", calendar)
    user.ask("MKCOL", book, BOOK, "text/xml")
    user.fill(calendar, book, THEIRS)
    project = Project(tmp_path / "job", source.endpoint(tmp_path), target.endpoint(tmp_path), [USER])
    job, taken = Job(project, user, user.items()), REFUSING.get(target.name, set())
    assert len(job.theirs) == len(THEIRS)

    assert job.outcome() == taken
    versions = target.versions()
    assert job.outcome() == taken, "a second run comes to the same end"
    assert target.versions() == versions, "and writes nothing"
    verified = project.run("verify", "--full").facts["mailboxes"][0]["kinds"].values()
    assert not any(counts["missing"] + counts["unexplained"] + counts["changed"] for counts in verified)
    assert sum(counts["failed"] + counts["moved"] for counts in verified) == len(taken)

    for name in taken:  # the way out that is documented
        user.ask("DELETE", f"{calendar}{name}")
        del job.theirs[f"{calendar}{name}"]
    assert project.run("quarantine", "retry", "--all").exit == 0
    assert job.outcome() == set()
