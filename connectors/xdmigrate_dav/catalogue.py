"""Calendars and address books as a server lists them, and the folders that they are to the engine. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xdmigrate.model import Folder, Kind
from xdmigrate_dav import hrefs, names
from xdmigrate_dav.documents import Answer
from xdmigrate_dav.names import SERVER, cal, card, dav

ASKED = (
    names.TYPE,
    names.DISPLAY_NAME,
    names.COMPONENTS,
    names.SYNC_TOKEN,
    names.CTAG,
    names.PRIVILEGES,
    names.OWNER,
    names.COLOUR,
    names.CALENDAR_COMMENT,
    names.CONTACTS_COMMENT,
    names.CALENDAR_LIMIT,
    names.CONTACTS_LIMIT,
    names.CARD_VERSIONS,
)
EVERYTHING = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
"""What a calendar takes that does not say (RFC 4791 section 5.2.3)."""

WRITING = frozenset(map(dav, ("all", "write", "write-content", "bind")))
SUBSCRIBED = f"{{{SERVER}}}subscribed"
SHARED = f"{{{SERVER}}}shared"
BIRTHDAYS = "contact_birthdays"
"""Nextcloud's calendar that it makes of the contacts; nobody can write there."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A calendar or an address book."""

    path: str
    name: str
    contacts: bool  # an address book
    components: frozenset[str] = frozenset()  # of a calendar
    token: str = ""  # equal tokens say that nothing changed
    writable: bool = True
    left_out: str = ""  # why it is no part of the account; empty: it is
    limit: int | None = None  # bytes of an item
    versions: frozenset[str] = field(default=frozenset())  # of vCards that it tells to take and give
    colour: str = ""
    comment: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it may hold. Both kinds of a calendar that takes events and tasks."""
        if self.contacts:
            return (Kind.CONTACTS,)
        tasks = (Kind.TASKS,) if "VTODO" in self.components else ()
        return tasks if self.components == {"VTODO"} else (Kind.CALENDAR, *tasks)


def of(answer: Answer, path: str, principal: str, owner: str) -> Collection | None:
    """The collection that an answer describes; None for everything else. `owner`: the path it tells, or nothing."""
    types = answer.names(names.TYPE)
    contacts = card("addressbook") in types
    if not contacts and cal("calendar") not in types:
        return None
    return Collection(
        path=hrefs.collection(path),
        name=answer.text(names.DISPLAY_NAME) or hrefs.name_of(path),
        contacts=contacts,
        components=frozenset() if contacts else _components(answer),
        token=answer.text(names.SYNC_TOKEN) or answer.text(names.CTAG),
        writable=_is_writable(answer),
        left_out=_left_out(types, path, principal, owner),
        limit=_number(answer.text(names.CONTACTS_LIMIT if contacts else names.CALENDAR_LIMIT)),
        versions=_versions(answer),
        colour=answer.text(names.COLOUR),
        comment=answer.text(names.CONTACTS_COMMENT if contacts else names.CALENDAR_COMMENT),
    )


def _components(answer: Answer) -> frozenset[str]:
    told = answer.found.get(names.COMPONENTS)
    if told is None:
        return EVERYTHING
    listed = frozenset(each.get("name", "").upper() for each in told.iterchildren(cal("comp")))
    return (listed & EVERYTHING) or EVERYTHING


def _is_writable(answer: Answer) -> bool:
    return names.PRIVILEGES not in answer.found or bool(answer.names(names.PRIVILEGES) & WRITING)


def _left_out(types: frozenset[str], path: str, principal: str, owner: str) -> str:
    if SUBSCRIBED in types:
        return "a subscription"
    if hrefs.name_of(path) == BIRTHDAYS:
        return "made of the contacts"
    if any(name.endswith("}deleted-calendar") for name in types):
        return "in the trash"
    if SHARED in types or _is_foreign(owner, principal):
        return "another user's"
    return ""


def _is_foreign(owner: str, principal: str) -> bool:
    """Whether a collection belongs to somebody else. Servers know one principal under several addresses."""
    return bool(owner and principal) and hrefs.name_of(owner).lower() != hrefs.name_of(principal).lower()


def _versions(answer: Answer) -> frozenset[str]:
    told = answer.found.get(names.CARD_VERSIONS)
    if told is None:
        return frozenset()
    return frozenset(each.get("version", "3.0") for each in told.iterchildren(card("address-data-type")))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0 else None


# --- names ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A collection as one kind of folder, under a name that no other folder of that kind has."""

    collection: Collection
    kind: Kind
    name: str

    def folder(self, count: int, state: bytes) -> Folder:
        """As the engine knows it. The address stays when the display name changes."""
        path = self.collection.path
        return Folder((self.name,), self.kind, native=path, ref=path.encode(), count=count, state=state)


def listed(collections: Iterable[Collection]) -> list[Listed]:
    """Every folder of the account, the same for the same collections in any order.

    The first of several with one display name keeps it; the others get their address behind it.
    """
    found: list[Listed] = []
    for collection in sorted(collections, key=lambda each: each.path):
        for kind in collection.kinds:
            taken = {each.name for each in found if each.kind is kind}
            found.append(Listed(collection, kind, _free(collection, taken)))
    return found


def _free(collection: Collection, taken: set[str]) -> str:
    name = collection.name
    for told in (name, f"{name} ({hrefs.name_of(collection.path)})", f"{name} ({collection.path})"):
        if told not in taken:
            return told
    return collection.path


def same_name(found: Sequence[Listed], kind: Kind, name: str) -> Listed | None:
    """The folder of this kind and name."""
    return next((each for each in found if each.kind is kind and each.name == name), None)
