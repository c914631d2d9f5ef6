"""Calendars and address books as a server lists them, and the folders that they are to the engine. Pure."""

from __future__ import annotations

import re
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
    names.PRIVILEGES,
    names.OWNER,
    names.COLOUR,
    names.CALENDAR_COMMENT,
    names.CONTACTS_COMMENT,
    names.CALENDAR_LIMIT,
    names.CONTACTS_LIMIT,
    names.CARD_VERSIONS,
)
TOKENS = (names.CTAG, names.SYNC_TOKEN)
"""Asked for beside them only where they are looked at: Radicale reads every item of the account for each of the two.

Either will do. The first one that a server tells is taken: Radicale makes files for each of the second.
"""

EVERYTHING = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
"""What a calendar takes that does not say (RFC 4791 section 5.2.3)."""

FOR_TASKS = "-tasks"
"""How the address ends of what we made for tasks: SOGo makes every calendar for both, and tells no difference."""

_OURS = re.compile(rf".*/[0-9a-f]{{32}}({FOR_TASKS})?(-\d)?/")
_OWNER = re.compile(r" \((?:(?! \().)*<[^<>]*>\)\Z")
READING = frozenset(map(dav, ("all", "read")))
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
    is_sogo: bool = False  # which has ways of its own

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it may hold, first what it is for. Both kinds of a calendar that takes events and tasks."""
        if self.contacts:
            return (Kind.CONTACTS,)
        if self.components == {"VTODO"}:
            return (Kind.TASKS,)
        if "VTODO" not in self.components:
            return (Kind.CALENDAR,)
        ours = _OURS.fullmatch(self.path)
        return (Kind.TASKS, Kind.CALENDAR) if ours and ours[1] else (Kind.CALENDAR, Kind.TASKS)


def of(answer: Answer, path: str, principal: str, owner: str, *, behalf: bool = False) -> Collection | None:
    """The collection that an answer describes; None for everything else.

    `owner`: the path it tells, or nothing; `behalf`: an administrator is told.
    """
    types = answer.names(names.TYPE)
    contacts, is_sogo = card("addressbook") in types, _is_of_sogo(answer)
    if not contacts and cal("calendar") not in types:
        return None
    return Collection(
        path=hrefs.collection(path),
        name=_name(answer, owned=is_sogo and behalf) or hrefs.name_of(path),
        contacts=contacts,
        components=frozenset() if contacts else _components(answer),
        token="" if is_sogo else token_of(answer),
        writable=_is_writable(answer),
        left_out=_left_out(types, path, principal, owner) or _unreadable(answer),
        limit=_number(answer.text(names.CONTACTS_LIMIT if contacts else names.CALENDAR_LIMIT)),
        versions=_versions(answer),
        colour=answer.text(names.COLOUR),
        comment=answer.text(names.CONTACTS_COMMENT if contacts else names.CALENDAR_COMMENT),
        is_sogo=is_sogo,
    )


def token_of(answer: Answer) -> str:
    """What is equal as long as nothing changes in a collection; empty where it was not asked for, or is not told."""
    return next(filter(None, map(answer.text, TOKENS)), "")


def _name(answer: Answer, *, owned: bool) -> str:
    """`owned`: it tells the owner, too, as SOGo does to everybody else."""
    name = answer.text(names.DISPLAY_NAME)
    return _OWNER.sub("", name) if owned else name


def _is_of_sogo(answer: Answer) -> bool:
    """Whether SOGo keeps it: only SOGo has privileges of its maker's, and no proxy takes them away, as it does headers.

    Its tokens are worth nothing: they are the second of the last change, and there may be two changes in a second.
    """
    return any(name.startswith(f"{{{names.INVERSE}}}") for name in answer.names(names.PRIVILEGES))


def _components(answer: Answer) -> frozenset[str]:
    told = answer.found.get(names.COMPONENTS)
    if told is None:
        return EVERYTHING
    listed = frozenset(each.get("name", "").upper() for each in told.iterchildren(cal("comp")))
    return (listed & EVERYTHING) or EVERYTHING


def _unreadable(answer: Answer) -> str:
    """One that may only be asked when somebody is busy (RFC 4791 section 6.1.1) refuses its list."""
    told = answer.names(names.PRIVILEGES)
    return "must not be read" if cal("read-free-busy") in told and not told & READING else ""


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

    @property
    def is_beside(self) -> bool:
        """Whether we made the collection for the other kind: each of two folders can be renamed for itself."""
        return self.kind is not self.collection.kinds[0] and _OURS.fullmatch(self.collection.path) is not None

    def folder(self, count: int, state: bytes) -> Folder:
        """As the engine knows it. The address stays when the display name changes."""
        path = self.collection.path
        return Folder((self.name,), self.kind, native=path, ref=path.encode(), count=count, state=state)


def listed(collections: Iterable[Collection]) -> list[Listed]:
    """Every folder of the account, the same for the same collections in any order.

    The first of several with one display name keeps it, before what is only there beside; the others get their address
    behind it.
    """
    found: list[Listed] = []
    ordered = sorted(collections, key=lambda each: each.path)
    pairs = [(each, each.kinds[0]) for each in ordered] + [(each, kind) for each in ordered for kind in each.kinds[1:]]
    for collection, kind in pairs:
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
