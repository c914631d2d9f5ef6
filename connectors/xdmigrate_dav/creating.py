"""Making a calendar, a task list or an address book, and proving that it is what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from unicodedata import category

from xdmigrate.errors import AccessDenied, FolderUnusable
from xdmigrate.model import Kind, Path
from xdmigrate_dav import catalogue, documents, names, notes
from xdmigrate_dav.catalogue import Listed, same_name
from xdmigrate_dav.documents import Element, element
from xdmigrate_dav.names import cal, card, dav
from xdmigrate_dav.session import Session
from xdmigrate_dav.wire import XML, Reply

LONGEST_NAME = 255
"""Characters of a display name."""

BEYOND = "\uffff"
"""The last character of 16 bits; emoji are beyond."""
UNFIT = frozenset(("Cc", "Cn", "Cs", "Zl", "Zp"))
"""Kinds of characters that no display name holds; what joins emoji or is no plain space is none of them."""

COMPONENTS = {Kind.CALENDAR: ("VEVENT", "VJOURNAL"), Kind.TASKS: ("VTODO",)}
NAMES_TRIED = 3


def is_possible(path: Path, *, sogo: bool = False) -> bool:
    """Whether a collection can have this name: they have one level, and XML has to hold it.

    `sogo`: what it would write into its lists is no XML; most clients could not read the account any more.
    """
    name = path[0] if len(path) == 1 else ""
    return (
        0 < len(name) <= LONGEST_NAME
        and name == name.strip()
        and not UNFIT & set(map(category, name))
        and not (sogo and max(name) > BEYOND)
    )


def create(session: Session, path: Path, kind: Kind) -> Listed:
    """The folder, made if it is not there. Raises FolderUnusable, AccessDenied or QuotaExceeded."""
    if kind is Kind.MAIL or not is_possible(path, sogo=session.is_sogo):
        cause = f"a {kind.value} folder cannot be called '{'/'.join(path)}'"
        raise session.client.peer.error(FolderUnusable, cause, "rename it in `scope.folders`")
    found = same_name(session.listed(kind=kind), kind, path[0])
    if found is None or found.is_beside:
        made = _make(session, path[0], kind)
        found = _proved(session, made, path[0], kind)
    if not found.collection.writable:
        raise session.client.peer.error(AccessDenied, f"{kind.value} '{path[0]}' is read-only for this account")
    return found


def rename(session: Session, path: str, kind: Kind, name: str) -> Listed:
    """Give a collection another display name, and prove it."""
    notes.put(session, path, names.DISPLAY_NAME, name)
    return _proved(session, path, name, kind)


def segment(name: str, kind: Kind) -> str:
    """How the last segment of the path begins of what we make under a name."""
    own = sha256(f"{kind.value} {name}".encode()).hexdigest()[:32]
    return own + catalogue.FOR_TASKS if kind is Kind.TASKS else own


def _make(session: Session, name: str, kind: Kind) -> str:
    """The path of a new collection. Its name is made of ours, so that a second attempt finds the first one's."""
    homes = session.account.homes_of(kind)
    if not homes:
        raise session.client.peer.error(AccessDenied, f"this account has no place for {kind.value}")
    own = segment(name, kind)
    reply = None
    for number in range(NAMES_TRIED):
        path = f"{homes[0]}{own}{f'-{number}' if number else ''}/"
        reply = _asked(session, path, name, kind)
        if reply.is_success:
            return path
        if not _is_taken(reply):
            break
    raise _refusal(session, name, kind, reply)


def _is_taken(reply: Reply) -> bool:
    """Whether there is something already (RFC 4791 section 5.3.1.1, RFC 4918 section 9.3.1)."""
    return reply.status == 405 or reply.condition == "resource-must-be-null"


def _refusal(session: Session, name: str, kind: Kind, reply: Reply | None) -> Exception:
    doing = f"create {kind.value} '{name}'"
    if reply is None or _is_taken(reply) or reply.status in (400, 409, 412, 415, 500, 501):
        told = "the name is taken" if reply is None else f"the server answers {reply.status}"
        return session.client.peer.error(FolderUnusable, f"cannot {doing}: {told}")
    return session.client.refusal(doing, reply)


def _asked(session: Session, path: str, name: str, kind: Kind) -> Reply:
    """The last answer; servers differ in which of the ways they know."""
    reply = Reply(501, {})
    for method, body in _ways(name, kind):
        reply = session.client.request(method, path, body=body, headers=XML)
        if reply.is_success or _is_taken(reply) or reply.status not in (400, 403, 409, 415, 422, 500, 501):
            return reply
    return reply


def _ways(name: str, kind: Kind) -> Iterator[tuple[str, bytes]]:
    """MKCALENDAR (RFC 4791 section 5.3.1), extended MKCOL (RFC 5689); with and without the component set."""
    label = element(names.DISPLAY_NAME, text=name)
    if kind is Kind.CONTACTS:
        yield "MKCOL", _wish(dav("mkcol"), _type(card("addressbook")), label)
        return
    for wanted in dict.fromkeys((COMPONENTS[kind], COMPONENTS[kind][:1])):  # many have no place for journals
        taken = element(names.COMPONENTS, *(element(cal("comp"), attributes={"name": each}) for each in wanted))
        yield "MKCALENDAR", _wish(cal("mkcalendar"), element(names.DISPLAY_NAME, text=name), taken)
    yield "MKCALENDAR", _wish(cal("mkcalendar"), label)
    label = element(names.DISPLAY_NAME, text=name)
    yield "MKCOL", _wish(dav("mkcol"), _type(cal("calendar")), label)


def _type(name: str) -> Element:
    return element(names.TYPE, element(dav("collection")), element(name))


def _wish(root: str, *properties: Element) -> bytes:
    return documents.sent(element(root, element(dav("set"), element(dav("prop"), *properties))))


def _proved(session: Session, path: str, name: str, kind: Kind) -> Listed:
    """As the server lists it: some make a collection and leave its name or its kind as they like."""
    for attempt in range(2):
        there = session.listed(kind=kind)
        found = next((each for each in there if each.collection.path == path and each.kind is kind), None)
        if found is not None and found.name == name:
            return found
        if found is None or attempt or not notes.put(session, path, names.DISPLAY_NAME, name):
            break
    cause = f"made {kind.value} '{name}', but the server does not list it so"
    raise session.client.peer.error(FolderUnusable, cause, "make it by hand under this name, then run again")
