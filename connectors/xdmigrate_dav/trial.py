"""A canary's place on a server: events of ours, written as all are, in a calendar that is there for nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from xdmigrate.contract import Refused
from xdmigrate.errors import AccessDenied, EndpointError, FolderUnusable
from xdmigrate.model import Folder, Head, HeldBody, Item, Kind, Path
from xdmigrate_dav import creating, documents, hrefs, invitations, listing, names
from xdmigrate_dav.catalogue import Collection
from xdmigrate_dav.hrefs import ForeignHost
from xdmigrate_dav.invitations import Step
from xdmigrate_dav.names import cal
from xdmigrate_dav.preparing import Rules, own_name
from xdmigrate_dav.presence import Presence
from xdmigrate_dav.writing import DavWriter

if TYPE_CHECKING:
    from xdmigrate_dav.session import Session

CALENDAR: Path = ("xdmigrate canary",)
"""The calendar's name; whoever sees it in the minutes of a trial shall know whose it is."""

QUIETLY = {"schedule-reply": "F"}
"""With a removal in an attendee's calendar: the organizer is not told (RFC 6638 section 8.1)."""

ROUNDS = 10
"""Times that are looked for what is left of a UID: an inbox may hold several messages about one."""


class Copy(NamedTuple):
    """An event of the trial where it was found."""

    path: str  # of its collection
    ref: bytes
    version: bytes


class Seen(NamedTuple):
    """What a collection held of the trial when its token was this one."""

    token: str
    uids: frozenset[str]
    copies: dict[str, Copy]


class DavTrial:
    """A `Trial` in one account."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen: dict[str, Seen] = {}

    @cached_property
    def server(self) -> str:
        """The first product in the header `Server` (RFC 9110 section 10.2.4), which is the most significant one."""
        client = self._session.client
        reply = client.request("OPTIONS", self._session.account.homes[0])
        return next(iter(client.peer.clean(reply.headers.get("server", "")).split()), "")

    @property
    def schedules(self) -> bool:
        return invitations.schedules(self._session.powers)

    def invite(self, event: bytes, *, silent: bool) -> None:
        found = creating.create(self._session, CALENDAR, Kind.CALENDAR)
        rules = Rules(Kind.CALENDAR, Step.CLIENT if silent else Step.OFF)
        with DavWriter(self._session.client, found.folder(0, b""), found.collection, rules) as writer:
            writer.put(0, Item(Head(b"canary", len(event)), HeldBody(event), Kind.CALENDAR))
            refused = [receipt for receipt in writer.flush() if isinstance(receipt, Refused)]
        if refused:
            cause = f"the event of the canary is not taken: {refused[0].reason} {refused[0].detail}".rstrip()
            raise self._session.client.peer.error(EndpointError, cause, "look at the server; nothing is proved")

    def held(self, uids: Sequence[str]) -> dict[str, bytes]:
        told: dict[str, list[bytes]] = {}
        for uid, copy in self._copies(uids):
            told.setdefault(uid, []).append(copy.path.encode() + b"\0" + copy.ref + b"\0" + copy.version)
        return {uid: b"\0".join(sorted(found)) for uid, found in told.items()}

    def withdraw(self, uids: Sequence[str]) -> int:
        removed = 0
        for _ in range(ROUNDS):
            copies = [copy for _, copy in self._copies(uids)]
            self._seen.clear()
            if not copies:
                break
            for copy in copies:
                self._session.client.delete(
                    "remove an event of the canary", hrefs.path_to(copy.ref, copy.path), QUIETLY
                )
            removed += len(copies)
        self._remove_calendar()
        return removed

    def close(self) -> None:
        self._session.client.close()

    # --- looking ------------------------------------------------------------------------------------------------

    def _copies(self, uids: Sequence[str]) -> Iterator[tuple[str, Copy]]:
        """Every event of these, wherever it is."""
        own = [each for each in self._session.collections(tokens=True) if not each.contacts and not each.left_out]
        for collection in [*own, *self._inboxes()]:
            try:
                yield from self._in(collection, frozenset(uids)).copies.items()
            except (AccessDenied, FolderUnusable):  # not ours to look into, or gone since it was listed
                self._seen.pop(collection.path, None)

    def _in(self, collection: Collection, uids: frozenset[str]) -> Seen:
        """A token that has not changed in this session tells that nothing has."""
        known = self._seen.get(collection.path)
        if known is None or not known.token or known[:2] != (collection.token, uids):
            known = self._seen[collection.path] = Seen(collection.token, uids, self._look(collection, uids))
        return known

    def _look(self, collection: Collection, uids: frozenset[str]) -> dict[str, Copy]:
        folder = Folder((collection.name,), Kind.CALENDAR, native=collection.path)
        presence = Presence(self._session.client, folder, collection)
        refs = {uid: ref for uid in uids if (ref := presence.of(uid, own_name(uid, b".ics"))) is not None}
        if not refs:
            return {}
        heads = listing.read(self._session.client, collection.path, "look for the canary").heads
        return {uid: Copy(collection.path, ref, heads[ref].version) for uid, ref in refs.items() if ref in heads}

    def _inboxes(self) -> list[Collection]:
        """Where invitations arrive (RFC 6638 section 2.2); among the calendars on every server that was met."""
        found = []
        for home in self._session.account.calendars:
            asked = documents.propfind((names.TYPE,))
            for answer in self._session.client.answers("look for inboxes", home, asked, depth="1"):
                if cal("schedule-inbox") in answer.names(names.TYPE):
                    with suppress(ForeignHost):
                        path = hrefs.path_of(answer.href, self._session.client.url(home))
                        found.append(Collection(hrefs.collection(path or home), "inbox", contacts=False))
        return found

    # --- removing -----------------------------------------------------------------------------------------------

    def _remove_calendar(self) -> None:
        """Only the one that we made, whatever it is called by now, and only when there is nothing in it."""
        made = creating.segment(CALENDAR[0], Kind.CALENDAR)
        paths = [each.path for each in self._session.collections() if not each.contacts]
        for path in (each for each in paths if hrefs.name_of(each).startswith(made)):
            if not listing.read(self._session.client, path, "look into the calendar of the canary").heads:
                self._session.client.delete("remove the calendar of the canary", path)
