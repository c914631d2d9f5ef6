"""A DAV server in a few lines: items in memory, and a hook by which a test makes it as odd as it likes."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import unquote

import httpx
from lxml import etree

from xdmigrate.model import Folder, Kind, Login, Meter
from xdmigrate_dav.discovery import Account
from xdmigrate_dav.session import Session
from xdmigrate_dav.settings import Scheduling, Settings
from xdmigrate_dav.wire import Client

BASE = "http://127.0.0.1:8008"
HOME = "/dav/ann/"
WORK = HOME + "work/"
CALENDAR = Folder(("Work",), Kind.CALENDAR, native=WORK, ref=WORK.encode())
CONTACTS = Folder(("Work",), Kind.CONTACTS, native=WORK, ref=WORK.encode())
LOGIN = Login("ann@x.example", "ann", "s3cret")

Hook = Callable[[httpx.Request], httpx.Response | None]


def event(uid: str, summary: str = "Lunch", more: str = "") -> bytes:
    """An event that every server takes (SOGo counts seconds up to 2038); `more`: further lines."""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20200101T000000Z\r\nDTSTART:20370102T100000Z\r\nDTEND:20370102T110000Z\r\n"
        f"SUMMARY:{summary}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def todo(uid: str, summary: str = "Buy bread") -> bytes:
    """A task."""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VTODO\r\n"
        f"UID:{uid}\r\nDTSTAMP:20200101T000000Z\r\nSUMMARY:{summary}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    ).encode()


def card(uid: str, name: str = "Ann Example", version: str = "3.0", more: str = "") -> bytes:
    """A contact."""
    return (
        f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\nN:Example;Ann;;;\r\n{more}END:VCARD\r\n"
    ).encode()


def multistatus(*responses: str, token: str = "") -> httpx.Response:
    """207 with these responses."""
    end = f"<d:sync-token>{token}</d:sync-token>" if token else ""
    body = (
        '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
        f' xmlns:a="urn:ietf:params:xml:ns:carddav">{"".join(responses)}{end}</d:multistatus>'
    )
    return httpx.Response(207, content=body.encode())


def response(href: str, prop: str = "", *, status: str = "200 OK") -> str:
    """One resource with these properties."""
    stat = f"<d:propstat><d:prop>{prop}</d:prop><d:status>HTTP/1.1 {status}</d:status></d:propstat>"
    return f"<d:response><d:href>{href}</d:href>{stat}</d:response>"


def denied(status: int, condition: str = "", href: str = "") -> httpx.Response:
    """An error with the name of a precondition."""
    inner = f"<c:{condition}>{f'<d:href>{href}</d:href>' if href else ''}</c:{condition}>" if condition else ""
    body = f'<d:error xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">{inner}</d:error>'
    return httpx.Response(status, content=body.encode())


def client_of(hook: Callable[[httpx.Request], httpx.Response], **settings: object) -> Client:
    """A client whose every request the hook answers."""
    made = Settings("box", url=BASE, meter=Meter(), **settings)  # type: ignore[arg-type]
    return Client(made, LOGIN, BASE, transport=httpx.MockTransport(hook))


class Scripted:
    """One calendar or address book with items; keeps what it was asked."""

    def __init__(self, *, contacts: bool = False, hook: Hook | None = None, powers: str = "1, calendar-access") -> None:
        self.items: dict[str, bytes] = {}
        self.asked: list[httpx.Request] = []
        self.hook: Hook | None = hook
        self.powers = powers
        self.types = "<d:collection/><a:addressbook/>" if contacts else "<d:collection/><c:calendar/>"
        self.more = ""  # further properties of the collection

    def session(self, scheduling: Scheduling = Scheduling.UNKNOWN) -> Session:
        settings = Settings("box", url=BASE, scheduling=scheduling, meter=Meter())
        client = Client(settings, LOGIN, BASE, transport=httpx.MockTransport(self.answer))
        return Session(client, Account("/dav/ann/", (HOME,), (HOME,)), settings)

    def methods(self, *names: str) -> list[str]:
        """What was asked, in order; only these methods."""
        return [f"{each.method} {each.url.path}" for each in self.asked if each.method in names]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        odd = self.hook(request) if self.hook is not None else None
        return odd if odd is not None else self.ordinary(request)

    def ordinary(self, request: httpx.Request) -> httpx.Response:
        """What a server of the book answers."""
        path = request.url.path
        name = path.removeprefix(WORK)
        if request.method == "OPTIONS":
            return httpx.Response(200, headers={"dav": self.powers})
        if request.method == "PROPFIND":
            return self._listed(path)
        if request.method == "REPORT":
            return self._reported(request.content.decode())
        if request.method == "GET":
            found = self.items.get(name)
            if found is None:
                return httpx.Response(404)
            return httpx.Response(200, content=found, headers={"etag": etag(found)})
        if request.method == "DELETE":
            return httpx.Response(204 if self.items.pop(name, None) is not None else 404)
        return self._put(request, name)

    def _put(self, request: httpx.Request, name: str) -> httpx.Response:
        there = self.items.get(name)
        wanted = request.headers.get("if-match")
        if request.headers.get("if-none-match") == "*" and there is not None:
            return httpx.Response(412)
        if wanted is not None and (there is None or etag(there) != wanted):
            return httpx.Response(412)
        self.items[name] = request.content
        return httpx.Response(201 if there is None else 204, headers={"etag": etag(request.content)})

    def _listed(self, path: str) -> httpx.Response:
        itself = f"<d:resourcetype>{self.types}</d:resourcetype><d:displayname>Work</d:displayname>{self.more}"
        if path == HOME:
            return multistatus(
                response(HOME, "<d:resourcetype><d:collection/></d:resourcetype>"), response(WORK, itself)
            )
        if path != WORK:
            found = self.items.get(unquote(path.removeprefix(WORK)))
            return multistatus(response(path, _facts(found))) if found else httpx.Response(404)
        return multistatus(response(WORK, itself), *(response(WORK + n, _facts(d)) for n, d in self.items.items()))

    def _reported(self, body: str) -> httpx.Response:
        if "comp-filter" in body and "VTODO" in body and "calendar-data" not in body:
            found = [response(WORK + name, _facts(data)) for name, data in self.items.items() if b"VTODO" in data]
            return multistatus(*found)
        named = [each.rpartition("/")[2] for each in re.findall(r"<d:href>([^<]*)</d:href>", body)] or list(self.items)
        data = "a:address-data" if "address-data" in body else "c:calendar-data"
        return multistatus(
            *(
                response(WORK + name, f"{_facts(self.items[name])}<{data}>{_escaped(self.items[name])}</{data}>")
                if name in self.items
                else f"<d:response><d:href>{WORK}{name}</d:href><d:status>HTTP/1.1 404 X</d:status></d:response>"
                for name in named
            )
        )


def etag(data: bytes) -> str:
    """A strong one, of the content."""
    return f'"{sha256(data).hexdigest()[:12]}"'


def _facts(data: bytes) -> str:
    return f"<d:getetag>{etag(data)}</d:getetag><d:getcontentlength>{len(data)}</d:getcontentlength><d:resourcetype/>"


def _escaped(data: bytes) -> str:
    made = etree.Element("x")
    made.text = data.decode()
    return etree.tostring(made, encoding="unicode")[3:-4]
