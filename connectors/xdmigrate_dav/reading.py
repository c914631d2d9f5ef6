"""Reading items whole: several in one request where the server can, one by one where it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from xdmigrate.errors import AccessDenied, ConnectionLost, FolderUnusable, ItemRefused, ProtocolError
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard import outline
from xdmigrate.model import Folder, Kind
from xdmigrate_dav import documents, hrefs, listing, names, vlists
from xdmigrate_dav.bodies import LARGEST_ITEM
from xdmigrate_dav.documents import Element
from xdmigrate_dav.names import cal, card
from xdmigrate_dav.peer import GatewayFailed
from xdmigrate_dav.session import shown
from xdmigrate_dav.wire import Client, Reply, TooLong

TOGETHER = 50
"""Items asked for by one request."""

BATCH = 4 << 20
"""Bytes of the answer to one request for several items; a longer one is asked for in halves."""

ATTEMPTS = 2
"""Times that an item is asked for of a server that fails over it; each asks once more where the connection ends."""

_TYPES = {Kind.CALENDAR: "text/calendar", Kind.TASKS: "text/calendar", Kind.CONTACTS: "text/vcard"}


@dataclass(frozen=True, slots=True)
class Read:
    """One item whole, or why the server does not give it."""

    ref: bytes
    version: bytes = b""
    data: bytes = field(default=b"", repr=False)
    refused: ItemRefused | None = None


class Reader:
    """Reads the items of one folder; `versions`: of the vCards that its collection tells to give."""

    def __init__(self, client: Client, folder: Folder, versions: frozenset[str] = frozenset()) -> None:
        self._client = client
        self._folder = folder
        self._inside = folder.native
        self._newest = "4.0" if "4.0" in versions else ""  # Cyrus gives 3.0 else, without the photos

    def read(self, refs: Sequence[bytes]) -> Iterator[Read]:
        """These items; those that are gone are left out."""
        return map(self._as_card, self._read(refs))

    def one(self, ref: bytes) -> Read | None:
        """One item by GET; None when it is gone."""
        found = self._get(ref)
        return None if found is None else self._as_card(found)

    def _as_card(self, read: Read) -> Read:
        """SOGo keeps lists of contacts in a form of its own."""
        if not vlists.is_list(read.data):
            return read
        try:
            found = {each.ref: _uid(each.data) for each in self._read(vlists.cards(read.data))}
            return replace(read, data=vlists.as_group(read.data, found))
        except Unreadable as error:
            return Read(read.ref, refused=self.refusal("unreadable", f"is not understood: {error}"))

    def _read(self, refs: Sequence[bytes]) -> Iterator[Read]:
        for start in range(0, len(refs), TOGETHER):
            yield from self._batch(refs[start : start + TOGETHER])

    def _batch(self, refs: Sequence[bytes]) -> Iterator[Read]:
        """What an answer leaves out is asked for by itself: servers leave out what they cannot parse."""
        if len(refs) == 1:
            found = {}
        else:
            try:
                found = self._multiget(refs)
            except TooLong:
                middle = len(refs) // 2
                yield from self._batch(refs[:middle])
                yield from self._batch(refs[middle:])
                return
        for ref in refs:
            read = found.pop(ref, None) or self._get(ref)
            if read is not None and not _is_gone(read):
                yield read

    def _multiget(self, refs: Sequence[bytes]) -> dict[bytes, Read]:
        doing, report, data = self._doing, *self._report()
        body = documents.multiget(report, data, [hrefs.path_to(ref, self._inside) for ref in refs])
        wanted, found = set(refs), dict[bytes, Read]()
        try:
            answers, _ = self._client.multistatus(doing, "REPORT", self._inside, body, longest=BATCH)
            for ref, answer in listing.members(self._client, answers, self._inside):
                element = answer.found.get(data.tag)
                if ref not in wanted:
                    continue
                if answer.status in (404, 410):
                    found[ref] = Read(ref, refused=_GONE)
                elif element is not None and element.text:
                    found[ref] = Read(ref, listing.version_of(answer), _lines(element.text))
        except TooLong:
            raise
        except (ProtocolError, FolderUnusable, AccessDenied, ConnectionLost, GatewayFailed):
            return found  # cannot be read together: one of them may be the reason
        return found

    def _report(self) -> tuple[str, Element]:
        if self._folder.kind is Kind.CONTACTS:
            told = {"content-type": "text/vcard", "version": self._newest} if self._newest else None
            return card("addressbook-multiget"), documents.element(names.CONTACT_DATA, attributes=told)
        return cal("calendar-multiget"), documents.element(names.CALENDAR_DATA)

    def _get(self, ref: bytes) -> Read | None:
        """Not packed: some proxies give what they pack another ETag than the server does."""
        asked = {"accept": self._accepted, "accept-encoding": "identity"}
        try:
            reply = self._patiently(hrefs.path_to(ref, self._inside), asked)
        except TooLong:
            return Read(ref, refused=self.refusal("too-big", f"is larger than {LARGEST_ITEM} bytes"))
        if reply is None:
            return Read(ref, refused=self.refusal("unreadable", "is not given: the server fails over it"))
        if reply.status in (404, 410):
            return None
        if reply.is_success:
            return Read(ref, reply.headers.get("etag", "").encode("latin-1", "replace"), reply.body)
        error = self._client.refusal(self._doing, reply)
        if reply.status in (401, 429, 503, 504):
            raise error
        return Read(ref, refused=self.refusal("unreadable", f"is not given: the server answers {reply.status}"))

    def _patiently(self, path: str, asked: dict[str, str]) -> Reply | None:
        """The answer; None where the server fails over this item each time, and answers otherwise.

        Such an item must not keep all others waiting. Raises ConnectionLost or Throttled when nothing is answered.
        """
        for _ in range(ATTEMPTS):
            with suppress(ConnectionLost):
                reply = self._client.request("GET", path, headers=asked, longest=LARGEST_ITEM)
                if reply.status != 502:
                    return reply
            self._client.answers(self._doing, self._inside, documents.propfind((names.TYPE,)))
        return None

    @property
    def _doing(self) -> str:
        return f"read {shown(self._folder)}"

    @property
    def _accepted(self) -> str:
        kind = _TYPES[self._folder.kind]
        return f"{kind}; version={self._newest}" if self._newest and kind == "text/vcard" else f"{kind}, */*;q=0.1"

    def refusal(self, reason: str, what: str) -> ItemRefused:
        """The error for an item that cannot be had; `what`: said of it."""
        peer = self._client.peer
        return ItemRefused(
            peer.clean(f"{peer.host}: an item of {shown(self._folder)} {what}"),
            reason=reason,
            endpoint=peer.endpoint,
            mailbox=peer.mailbox,
        )


def _uid(data: bytes) -> str:
    """Of a card; empty for what is none."""
    try:
        return outline(data).uid
    except Unreadable:
        return ""


def _lines(text: str) -> bytes:
    """As it was before XML made one character of every line end (XML 1.0 section 2.11)."""
    return (text if "\r" in text else text.replace("\n", "\r\n")).encode()


_GONE = ItemRefused("gone", reason="gone")


def _is_gone(read: Read) -> bool:
    return read.refused is _GONE
