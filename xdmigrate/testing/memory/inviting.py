"""A memory server that schedules (RFC 6638): it mails the people in events. And a connector that keeps it from that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from xdmigrate.contract import Intent, Promise, Receipt, Refused
from xdmigrate.errors import AccessDenied, EndpointError
from xdmigrate.formats import ical
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.model import Endpoint, Folder, Head, HeldBody, Item, Kind, Login, Path
from xdmigrate.testing.memory.plugin import MemoryConnector
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.server import MemoryServer, Session, server
from xdmigrate.testing.memory.target import MemoryTarget

CALENDAR: Path = ("xdmigrate canary",)
NUMBERS = count(1)


def people(data: bytes) -> list[str]:
    """Whom a server would mail about these bytes; nobody when they are no event."""
    try:
        found = ical.outline(data)
    except Unreadable:
        return []
    return [address for address in found.attendees if address != found.organizer]


class SchedulingServer(MemoryServer):
    """Mails everybody in an event that a session writes or removes. One that `obeys` leaves out SCHEDULE-AGENT=CLIENT.

    `sent`: whom it mailed so far. What goes to an account of its own is delivered there.
    """

    def __init__(self, name: str, powers: Powers | None = None, *, sends: bool = True, obeys: bool = True) -> None:
        super().__init__(name, powers)
        self.sends, self.obeys = sends, obeys
        self.sent: list[str] = []

    def schedule(self, data: bytes) -> None:
        """This was written or removed."""
        invited = people(data) if self.sends else []
        if not invited or (self.obeys and ical.unscheduled(data) == data):
            return
        self.sent += invited
        for address in invited:
            if address in self._accounts:
                self._accounts[address].deliver(("INBOX",), data)


class SchedulingTarget(MemoryTarget):
    """Whatever is written is written as it is: what a connector is that thinks of nobody."""

    def __init__(self, session: Session, system: SchedulingServer) -> None:
        super().__init__(session)
        self._system = system

    def store(  # noqa: PLR0917 - as the one that it extends
        self, folder: Folder, ticket: int, key: bytes, head: Head, data: bytes, over: Head | None
    ) -> Receipt:
        receipt = super().store(folder, ticket, key, head, data, over)
        if not isinstance(receipt, Refused):
            self._system.schedule(data)
        return receipt

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        events = list(self.events(folder, refs))
        super().remove(folder, refs)
        for each in events:
            self._system.schedule(each)

    def events(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[bytes]:
        """Those of these items in which people are."""
        with self._account() as account:
            items = self._box(account, folder).items
            kept = [items[ref].data for ref in refs if ref in items]
        yield from (data for data in kept if people(data))


class InvitingTarget(SchedulingTarget):
    """Writes so that nobody is mailed, if what the plan promises is true."""

    def __init__(self, session: Session, system: SchedulingServer, promise: Promise) -> None:
        super().__init__(session, system)
        self._promise = promise

    def store(  # noqa: PLR0917 - as the one that it extends
        self, folder: Folder, ticket: int, key: bytes, head: Head, data: bytes, over: Head | None
    ) -> Receipt:
        return super().store(folder, ticket, key, head, self._silenced(data), over)

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        """Raises AccessDenied for what the server would cancel by mail."""
        loud = [data for data in self.events(folder, refs) if ical.unscheduled(data) != data]
        if loud and self._promise is not Promise.OFF:
            raise AccessDenied("removing the event would make the server send cancellations")
        super().remove(folder, refs)

    def _silenced(self, data: bytes) -> bytes:
        if self._promise is Promise.OFF or not people(data):
            return data
        return ical.without_people(data) if self._promise is Promise.NONE else ical.unscheduled(data)


class MemoryTrial:
    """A `Trial` in one account of a scheduling server."""

    server = "Memory"

    def __init__(self, session: Session, system: SchedulingServer) -> None:
        self._session, self._system = session, system
        self._reader = SchedulingTarget(session, system)

    @property
    def schedules(self) -> bool:
        return self._system.sends

    def invite(self, event: bytes, *, silent: bool) -> None:
        target = InvitingTarget(self._session, self._system, Promise.SILENT if silent else Promise.OFF)
        folder = target.create_folder(CALENDAR, Kind.CALENDAR)
        with target.writer(folder, Intent(next(NUMBERS), 1, len(event))) as writer:
            writer.put(0, Item(Head(b"canary", len(event)), HeldBody(event), Kind.CALENDAR))
            refused = [receipt for receipt in writer.flush() if isinstance(receipt, Refused)]
        if refused:
            raise EndpointError(f"the event of the canary is not taken: {refused[0].reason}")

    def held(self, uids: Sequence[str]) -> dict[str, bytes]:
        return {uid: data for uid, _folder, _ref, data in self._copies(uids)}

    def withdraw(self, uids: Sequence[str]) -> int:
        copies = list(self._copies(uids))
        for _uid, folder, ref, _data in copies:
            self._reader.remove(folder, [ref])
        account = self._session.account
        if any(box.path == CALENDAR and not box.items for box in account.boxes()):
            account.remove_folder(CALENDAR, Kind.CALENDAR)
        return len(copies)

    def close(self) -> None:
        self._reader.close()

    def _copies(self, uids: Sequence[str]) -> Iterator[tuple[str, Folder, bytes, bytes]]:
        for folder in self._reader.folders():
            if folder.kind is Kind.CALENDAR and folder.selectable:
                for item in self._reader.read(folder, [head.ref for head in self._reader.heads(folder)]):
                    data = item.body.spool().read()
                    if (uid := ical.outline(data).uid) in uids:
                        yield uid, folder, item.head.ref, data


class CarelessConnector(MemoryConnector):
    """Writes events to a scheduling server as they are: whoever is in them is mailed."""

    def target(self, endpoint: Endpoint, login: Login) -> MemoryTarget:
        return SchedulingTarget(self._log_in(endpoint, login), _scheduling(endpoint))


class InvitingConnector(MemoryConnector):
    """A `Connector` to scheduling servers, and `Inviting`; `scheduling` of the endpoint is the plan's promise."""

    def target(self, endpoint: Endpoint, login: Login) -> MemoryTarget:
        return InvitingTarget(self._log_in(endpoint, login), _scheduling(endpoint), self.promise(endpoint))

    def promise(self, endpoint: Endpoint) -> Promise:
        return Promise(str(endpoint.settings.get("scheduling", Promise.NONE)))

    def trial(self, endpoint: Endpoint, login: Login) -> MemoryTrial:
        return MemoryTrial(self._log_in(endpoint, login), _scheduling(endpoint))


def _scheduling(endpoint: Endpoint) -> SchedulingServer:
    found = server(str(endpoint.settings.get("server")))
    if not isinstance(found, SchedulingServer):
        raise EndpointError(f"memory server {found.name!r} does not schedule", endpoint=endpoint.name)
    return found
