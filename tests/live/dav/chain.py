"""One job after another, each target the next one's source; and what a plain client can do with what was refused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
import pytest
from lxml import etree

from tests.live.dav import cyrus_dav, radicale, sogo, xandikos
from tests.live.dav.cyrus_dav import CyrusDav
from tests.live.dav.radicale import Radicale
from tests.live.dav.sogo import Sogo
from tests.live.dav.xandikos import Xandikos
from tests.live.postgres import Postgres
from tests.live.project import Project, Values, closed, secret_file
from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Kind

USER = "ann@example.test"
SHARE = 0.02
"""At most so much of what a hop sees may stay in its quarantine."""

OTHERS = frozenset({"no-component", "empty-card", "several-objects", "vcalendar-1"})
"""What is no event, task, journal entry or contact, or several of them. All else no plain client can store, either."""

_BOOK = (
    '<d:mkcol xmlns:d="DAV:" xmlns:a="urn:ietf:params:xml:ns:carddav"><d:set><d:prop><d:resourcetype><d:collection/>'
    "<a:addressbook/></d:resourcetype></d:prop></d:set></d:mkcol>"
)


class Place(ABC):
    """Where a hop begins or ends."""

    name: str

    @abstractmethod
    def endpoint(self, folder: Path) -> Values:
        """As a plan names it."""

    def keeps(self, kind: Kind, data: bytes) -> bool:
        """Whether a plain client can store these bytes there, so that they say afterwards what they said before."""
        return True


@dataclass
class Directory(Place):
    """Plain files."""

    name: str
    path: Path

    def endpoint(self, folder: Path) -> Values:
        return {"connector": "files", "path": str(self.path)}


@dataclass
class Service(Place):
    """An account of a server that sends no invitations."""

    name: str
    server: Radicale | Xandikos | CyrusDav | Sogo
    homes: tuple[str, str]  # of calendars and of address books, below the URL's host
    user: str = USER
    more: Values = field(default_factory=dict)

    def endpoint(self, folder: Path) -> Values:
        auth = {"user": self.user, "password": f"file:{secret_file(folder, self._password)}"}
        return {"connector": "dav", "url": self.server.url, "auth": auth, **self.more}

    def keeps(self, kind: Kind, data: bytes) -> bool:
        contacts = kind is Kind.CONTACTS
        name = f"{self._scratch[contacts]}{sum(data)}.{'vcf' if contacts else 'ics'}"
        answer = self._client.put(
            name, content=data, headers={"content-type": "text/vcard" if contacts else "text/calendar; charset=utf-8"}
        )
        if not answer.is_success:
            return False
        there, say = self._client.get(name).content, semantics(kind).digest
        self._client.delete(name)
        return say(there) == say(data)

    def versions(self) -> dict[str, str]:
        """The ETag of everything by its address, as a plain client lists it."""
        found: dict[str, str] = {}
        for home in self.homes:
            for collection in self._listed(home):
                found |= self._listed(collection)
        return found

    def _listed(self, path: str) -> dict[str, str]:
        ask = '<d:propfind xmlns:d="DAV:"><d:prop><d:getetag/></d:prop></d:propfind>'
        headers = {"depth": "1", "content-type": "application/xml"}
        answer = etree.fromstring(self._client.request("PROPFIND", path, content=ask, headers=headers).content)
        return {
            each.findtext("{DAV:}href", ""): each.findtext(".//{DAV:}getetag", "")
            for each in answer.iterfind("{DAV:}response")
        }

    @property
    def _password(self) -> str:
        return getattr(self.server, "password", self.user)

    @cached_property
    def _client(self) -> httpx.Client:
        host = httpx.URL(self.server.url).copy_with(path="/")
        once = {"connection": "close"}  # SOGo ends connections without a word
        return httpx.Client(base_url=host, auth=(self.user, self._password), headers=once, timeout=60)

    @cached_property
    def _scratch(self) -> tuple[str, str]:
        """A calendar and an address book of the plain client's own."""
        calendar, book = (f"{home}scratch-{number}/" for number, home in enumerate(self.homes))
        self._client.request("MKCALENDAR", calendar)
        self._client.request("MKCOL", book, content=_BOOK, headers={"content-type": "text/xml"})
        return calendar, book


def xandikos_service(running: ExitStack) -> Service:
    """Its one account."""
    server = running.enter_context(Xandikos())
    homes = (f"{server.user}/calendars/", f"{server.user}/contacts/")
    return Service("Xandikos", server, homes, server.user, {"scheduling": "off"})


def radicale_service(running: ExitStack) -> Service:
    """An account of a server that sends nothing."""
    server = running.enter_context(Radicale())
    server.add(USER)
    return Service("Radicale", server, (f"{USER}/", f"{USER}/"))


def cyrus_service(running: ExitStack) -> Service:
    """An account of a server whose sending is switched off."""
    server = running.enter_context(CyrusDav(scheduling=False))
    server.welcome(USER)
    homes = (f"dav/calendars/user/{USER}/", f"dav/addressbooks/user/{USER}/")
    return Service("Cyrus", server, homes, more={"scheduling": "off"})


def sogo_service(running: ExitStack) -> Service:
    """An account of a server whose sending is switched off."""
    server = running.enter_context(Sogo(running.enter_context(Postgres()), scheduling=False))
    server.add(USER)
    homes = (f"SOGo/dav/{USER}/Calendar/", f"SOGo/dav/{USER}/Contacts/")
    return Service("SOGo", server, homes, more={"scheduling": "off"})


SERVICES: dict[str, tuple[Callable[[], str], Callable[[ExitStack], Service]]] = {
    "Xandikos": (xandikos.missing, xandikos_service),
    "Radicale": (radicale.missing, radicale_service),
    "Cyrus": (cyrus_dav.missing, cyrus_service),
    "SOGo": (sogo.missing, sogo_service),
}
"""In the order of the chain: what has to be installed, and how one is started."""


@contextmanager
def serving(name: str) -> Iterator[Service]:
    """One of them as long as the block lasts; skips where it is absent."""
    missing, start = SERVICES[name]
    if missing():
        pytest.skip(missing())
    with ExitStack() as running:
        yield start(running)


@dataclass(frozen=True, slots=True)
class Hop:
    """What a job told."""

    name: str
    seen: int
    copied: int
    failed: tuple[Values, ...]  # items in quarantine
    altered: tuple[Values, ...]  # copies that say something else
    storable: tuple[Values, ...]  # those that a plain client stores where the server refused them to us

    @property
    def words(self) -> str:
        reasons = Counter(_words(each) for each in (*self.failed, *self.altered))
        told = "".join(f"\n    {count} {reason}" for reason, count in reasons.most_common())
        share = len(self.failed) / max(1, self.seen)
        return f"{self.name}: {self.seen} seen, {self.copied} copied, {len(self.failed)} refused ({share:.1%}){told}"


def hop(folder: Path, old: Place, new: Place) -> Hop:
    """Copy everything from one place to the other, and verify it; fails where what is told does not add up."""
    many = {"items_per_mailbox": 10_000}
    project = Project(folder, old.endpoint(folder), new.endpoint(folder), [USER], failures=many)
    run = project.run("sync")
    assert run.exit in (0, 3), run.err + run.out
    (box,) = run.facts["mailboxes"]
    assert box["attention"] is None, box
    totals = run.facts["totals"]
    assert all(closed(counts) for counts in totals.values()), totals
    assert not any(counts["pending"] for counts in totals.values()), totals
    verified = project.run("verify", "--full").facts["mailboxes"][0]["kinds"]
    for kind, counts in verified.items():
        assert counts["verified"] + counts["changed"] + counts["failed"] == counts["source"], (kind, counts)
        assert counts["missing"] == counts["unexplained"] == 0, (kind, counts)
    items = project.run("quarantine", "list").facts["items"]
    failed, altered = ([each for each in items if each["copied"] is copied] for copied in (False, True))
    assert len(failed) == sum(counts["failed"] for counts in totals.values())
    assert len(altered) == sum(counts["changed"] for counts in verified.values())
    seen, copied = (sum(counts[name] for counts in totals.values()) for name in ("source", "copied"))
    asked = tuple(_storable(project, new, [each for each in failed if each["code"] not in OTHERS]))
    return Hop(f"{old.name} → {new.name}", seen, copied, tuple(failed), tuple(altered), asked)


def _storable(project: Project, new: Place, failed: Sequence[Values]) -> Iterator[Values]:
    """What a plain client stores there after all, as it came from the source or in the form for strict servers."""
    if not failed:
        return
    exported = project.folder / "refused"
    assert project.run("quarantine", "export", str(exported)).exit in (0, 3)
    for each in failed:
        (file,) = exported.glob(f"{each['id']}.*")
        kind, data = Kind(each["kind"]), file.read_bytes()
        if any(new.keeps(kind, form) for form in {data, _storable_form(kind, data)}):
            yield each


def _storable_form(kind: Kind, data: bytes) -> bytes:
    from xdmigrate.formats import ical, vcard

    storable: Callable[[bytes, bytes], bytes] = vcard.storable if kind is Kind.CONTACTS else ical.storable
    try:
        return storable(data, b"seed")
    except (Unreadable, Unstorable):
        return data


def _words(item: Values) -> str:
    return f"{item['code']}: {item['detail']}"
