"""From the address in the plan to the account's collections: principal, then home sets (RFC 6764, 5397, 4791, 6352)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from xdmigrate.errors import AccessDenied, EndpointError, ProtocolError
from xdmigrate.model import Kind
from xdmigrate_dav import documents, hrefs, names
from xdmigrate_dav.documents import Answer, BadXml
from xdmigrate_dav.hrefs import ForeignHost
from xdmigrate_dav.names import dav
from xdmigrate_dav.wire import XML, Client, Reply, TooLong

WELL_KNOWN = ("/.well-known/caldav", "/.well-known/carddav")
NO_DAV = "write the path of the DAV service into `url`, for example /SOGo/dav/ or /remote.php/dav/"
ASKED = (names.PRINCIPAL, names.TYPE, names.CALENDAR_HOME, names.CONTACTS_HOME)
LONGEST = 1 << 20
"""Bytes of an answer about one resource."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where an account's collections are; paths as `hrefs` spells them."""

    principal: str
    calendars: tuple[str, ...]
    contacts: tuple[str, ...]

    @property
    def homes(self) -> tuple[str, ...]:
        """Every home once."""
        return tuple(dict.fromkeys(self.calendars + self.contacts))

    def homes_of(self, kind: Kind) -> tuple[str, ...]:
        """Where collections of this kind are."""
        return self.contacts if kind is Kind.CONTACTS else self.calendars


def account(client: Client, start: str, principal: str = "") -> Account:
    """Find the account, from the path `start` or right at its principal.

    Raises LoginRejected, AccessDenied, EndpointError, and whatever a connection does.
    """
    if principal:
        return _of_another(client, _asked(client, hrefs.canonical(principal) or "/", must=True))
    places = [start] if start.strip("/") else [*WELL_KNOWN, "/"]
    found: list[Account] = []
    for place in places:
        if (answer := _asked(client, place, must=place == places[-1] and not found)) is not None:
            found.append(_from(client, answer))
            if found[-1].calendars and found[-1].contacts:
                break
    return _together(client, found)


def _of_another(client: Client, asked: _Asked | None) -> Account:
    """The account of the principal that the plan names. Some servers show the home of whoever logs in all the same."""
    found = _of_principal(client, asked)
    own = _paths(client, asked, names.PRINCIPAL) if asked is not None else []
    if own and own[0] != found.principal:
        mine = _of_principal(client, _asked(client, own[0], must=False))
        if set(mine.homes) & set(found.homes):
            cause = f"{found.principal} shows the collections of the login itself"
            raise client.peer.error(
                AccessDenied, cause, "the server cannot act for others so: use each account's login"
            )
    return _together(client, [found])


def _together(client: Client, found: list[Account]) -> Account:
    """What several places tell: calendars and contacts may be served apart."""
    calendars = next((each.calendars for each in found if each.calendars), ())
    contacts = next((each.contacts for each in found if each.contacts), ())
    if not calendars and not contacts:
        cause = "tells neither calendars nor address books of this account"
        raise client.peer.error(EndpointError, cause, "write the path of the account's DAV home into `url`")
    return Account(next((each.principal for each in found if each.principal), ""), calendars, contacts)


@dataclass(frozen=True, slots=True)
class _Asked:
    url: str  # where the answer came from
    answer: Answer


def _asked(client: Client, path: str, *, must: bool) -> _Asked | None:
    """What one resource says about itself; None for what is not WebDAV, unless it must be.

    Many servers answer a well-known address with a web page and 200.
    """
    reply = _propfind(client, path)
    if not client.credentials.begun and _is_nobody(reply):
        client.credentials.insist()
        reply = _propfind(client, path)
    if reply.status == 401:
        raise client.refusal("log in", reply)
    if reply.status in (429, 502, 503, 504):
        raise client.refusal(f"look at {path}", reply)
    answer = _first(reply)
    if answer is None and must:
        if reply.status in (403, 404):
            raise client.peer.error(AccessDenied, f"{path} answers {reply.status}", "look at `url` and `principal`")
        raise client.peer.error(ProtocolError, f"{path} is no WebDAV (status {reply.status})", NO_DAV)
    return None if answer is None else _Asked(reply.url, answer)


def _propfind(client: Client, path: str) -> Reply:
    try:
        return client.request(
            "PROPFIND", path, body=documents.propfind(ASKED), headers={**XML, "depth": "0"}, longest=LONGEST
        )
    except TooLong as error:
        raise client.too_long(f"look at {path}") from error


def _first(reply: Reply) -> Answer | None:
    if reply.status != 207:
        return None
    try:
        return next(documents.Multistatus().read(reply.body), None)
    except BadXml:
        return None


def _is_nobody(reply: Reply) -> bool:
    """Whether the server takes us for somebody who has not logged in (RFC 5397)."""
    answer = _first(reply)
    return answer is not None and dav("unauthenticated") in answer.names(names.PRINCIPAL)


def _from(client: Client, asked: _Asked) -> Account:
    """Through the principal, where one is told; else what was asked is the principal, a home, or a collection."""
    told = _paths(client, asked, names.PRINCIPAL)
    if not told:
        return _of_principal(client, asked)
    answer = _asked(client, told[0], must=True)
    return _of_principal(client, answer)


def _of_principal(client: Client, asked: _Asked | None) -> Account:
    if asked is None:
        return Account("", (), ())
    calendars = tuple(_paths(client, asked, names.CALENDAR_HOME))
    contacts = tuple(_paths(client, asked, names.CONTACTS_HOME))
    here = hrefs.collection(hrefs.canonical(urlsplit(asked.url).path) or "/")
    return Account(here, calendars, contacts)


def _paths(client: Client, asked: _Asked, name: str) -> list[str]:
    found = []
    for href in asked.answer.hrefs(name):
        try:
            path = hrefs.path_of(href, asked.url)
        except ForeignHost as error:
            cause = f"this account is on {error.host}, which never gets the credentials for this one"
            remedy = f"if that is right, write its address as `url`, for example https://{error.host}/"
            raise client.peer.error(EndpointError, cause, remedy) from error
        if path is not None:
            found.append(hrefs.collection(path))
    return found
