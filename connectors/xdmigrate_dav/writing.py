"""Writing items: each under a name of our own, only where nothing is or where it is still what we know."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Receipt, Refused, Stored
from xdmigrate.errors import ConnectionLost, FolderUnusable
from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.model import Folder, Head, Item
from xdmigrate_dav import documents, hrefs, invitations, listing
from xdmigrate_dav.bodies import LARGEST_ITEM, whole
from xdmigrate_dav.catalogue import Collection
from xdmigrate_dav.hrefs import ForeignHost
from xdmigrate_dav.preparing import Prepared, Rules, faults, is_same, prepared, reshaped
from xdmigrate_dav.presence import Presence
from xdmigrate_dav.reading import Reader
from xdmigrate_dav.session import shown
from xdmigrate_dav.wire import Client, Reply

REFUSED = "refused"
UID_CONFLICTS = frozenset(("no-uid-conflict", "unique-scheduling-object-resource"))
"""The UID is in this collection, or in another of the account (RFC 4791 section 5.3.2.1, RFC 6638 section 3.2.4.1)."""
INVALID = frozenset(("valid-calendar-data", "valid-calendar-object-resource"))
"""What a server does not take as it is (RFC 4791 section 5.3.2.1)."""
WOULD_NOTIFY = "would-notify"
TOO_BIG = frozenset(("max-resource-size", "max-image-size"))
ALTERED = b"altered"
"""Told instead of the version where we wrote something else than we were given: no listing shows it."""
LOST = Reply(0, {})
"""Stands for the answer where the server ended the connection over an item each time, and answers otherwise."""
ATTEMPTS = 3
"""Times that an item is sent to such a server."""
_ITEM = frozenset((0, 400, 403, 404, 405, 406, 409, 412, 413, 414, 415, 416, 422, 423, 424, 451, 500, 501, 502))
"""Answers that may be about the item; all others are about the server or the account."""


class DavWriter:
    """A `Writer` that sends each item when it is put."""

    def __init__(self, client: Client, folder: Folder, collection: Collection, rules: Rules) -> None:
        self._client = client
        self._folder = folder
        self._collection = collection
        self._rules = rules
        self._presence = Presence(client, folder, collection)
        self._written: set[bytes] = set()
        self._receipts: list[Receipt] = []

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        try:
            ready = self._prepared(item)
        except Unreadable as error:
            self._receipts.append(Refused(ticket, "unreadable", str(error)))
        except Unstorable as error:
            self._receipts.append(Refused(ticket, error.reason, str(error)))
        else:
            self._receipts.append(self._create(ticket, ready) if over is None else self._replace(ticket, ready, over))

    def poll(self) -> list[Receipt]:
        told, self._receipts = self._receipts, []
        return told

    def flush(self) -> list[Receipt]:
        return self.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Everything was sent when it was put."""

    def _prepared(self, item: Item) -> Prepared:
        data, longest = whole(item), min(self._collection.limit or LARGEST_ITEM, LARGEST_ITEM)
        if data is None:
            raise Unstorable("too-big", f"{item.body.size} bytes; at most {LARGEST_ITEM} are sent")
        ready = prepared(data, self._seed(item), self._rules, datetime.now(UTC))
        if len(ready.data) > longest:
            raise Unstorable("too-big", f"{len(ready.data)} bytes; the server takes {longest}")
        return ready

    def _seed(self, item: Item) -> bytes:
        return b"\0".join((*(level.encode() for level in self._folder.path), item.head.ref))

    # --- new items ----------------------------------------------------------------------------------------------

    def _create(self, ticket: int, ready: Prepared) -> Receipt:
        there = self._presence.of(ready.uid, ready.ref)
        if there is not None:
            return self._present(ticket, ready, there)
        reply = self._send(ready, ready.ref, {"if-none-match": "*"})
        if reply is None or reply.is_success:
            kept = self._keeps(ready)
            return self._stored(ticket, ready.ref, _version(ready, reply)) if kept else _doubted(ticket, ready)
        if reply.status in (403, 409, 412):  # every server has its own way to say that the UID is there
            there = self._named(reply) or (ready.ref if self._read(ready.ref) is not None else None)
            if there is not None:
                return self._present(ticket, ready, there)
        return self._refused(ticket, ready, reply)

    def _keeps(self, ready: Prepared) -> bool:
        """Whether the server keeps what it took; what it made something else of is taken out again."""
        if ready.doubt is None:
            return True
        found = self._read(ready.ref)
        if found is not None and is_same(ready.data, found, self._folder.kind):
            return True
        path = hrefs.path_to(ready.ref, self._folder.native)
        self._client.delete(f"remove an item of {shown(self._folder)}", path)
        return False

    def _present(self, ticket: int, ready: Prepared, there: bytes) -> Receipt:
        """An item with this UID is there: the same one, or another that is not ours to overwrite."""
        found = self._read(there) if there not in self._written else None
        if found is not None and is_same(ready.data, found, self._folder.kind):
            return self._stored(ticket, there)
        return Refused(ticket, UID_TAKEN, f"{shown(self._folder)} holds an item of the same UID that is not the same")

    def _named(self, reply: Reply) -> bytes | None:
        """The item that a failed `no-uid-conflict` names (RFC 4791 section 5.3.2.1), if it is in this collection."""
        for href in documents.condition_of(reply.body)[1]:
            try:
                path = hrefs.path_of(href, self._client.url(self._folder.native))
            except ForeignHost:
                continue
            if path is not None and (ref := hrefs.ref_of(path, self._folder.native)):
                return ref
        return None

    # --- changed items ------------------------------------------------------------------------------------------

    def _replace(self, ticket: int, ready: Prepared, over: Head) -> Receipt:
        """Only a strong ETag can be made a condition (RFC 9110 section 13.1.1); else it is looked at just before.

        SOGo keeps to the condition where something is, and makes anew what is gone.
        """
        strong = listing.is_strong(over.version)
        if (not strong or self._collection.is_sogo) and self._version(over.ref) != over.version:
            return self._changed(ticket)
        if ready.doubt is not None:  # what the server made of it could not be undone
            return Refused(ticket, ready.doubt.reason, f"{ready.doubt}; what the target holds of it was left alone")
        if self._rules.step.strips and self._names_people(over.ref):
            return Refused(ticket, WOULD_NOTIFY, "the server would tell the people in the copy that they are taken out")
        condition = {"if-match": over.version.decode("latin-1")} if strong else {}
        reply = self._send(ready, over.ref, condition)
        if reply is None or reply.is_success:
            return self._stored(ticket, over.ref, _version(ready, reply))
        if reply.status in (404, 410, 412):
            return self._changed(ticket)
        return self._refused(ticket, ready, reply)

    def _names_people(self, ref: bytes) -> bool:
        """What we wrote names none; what was there before us may."""
        found = self._read(ref)
        return found is not None and invitations.would_cancel(found, self._rules.step, datetime.now(UTC))

    def _changed(self, ticket: int) -> Refused:
        return Refused(ticket, CHANGED_THERE, "the copy was changed or removed on the target")

    def _version(self, ref: bytes) -> bytes | None:
        path = hrefs.path_to(ref, self._folder.native)
        try:
            answers = self._client.answers("look at an item", path, documents.propfind(listing.ASKED))
        except FolderUnusable:  # gone
            return None
        return next((listing.version_of(answer) for answer in answers if answer.found), None)

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self, ready: Prepared, ref: bytes, condition: dict[str, str]) -> Reply | None:
        """The answer to a PUT; None when there was none, but the item is there.

        One item over which a server fails must not keep all others waiting: it is sent again, as long as the server
        answers otherwise. Raises ConnectionLost when it does not.
        """
        for _ in range(ATTEMPTS):
            reply = self._put(ready, ref, condition)
            if reply.status not in (LOST.status, 502):
                break
            found = self._read(ref)
            if found is not None and is_same(ready.data, found, self._folder.kind):
                return None
        invalid = reply.status == 400 or (not reply.is_success and reply.condition in INVALID)
        other = reshaped(ready, self._folder.kind) if invalid else None
        return reply if other is None else self._send(other, ref, condition)

    def _put(self, ready: Prepared, ref: bytes, condition: dict[str, str]) -> Reply:
        path = hrefs.path_to(ref, self._folder.native)
        try:
            return self._client.request(
                "PUT", path, body=ready.data, headers={"content-type": ready.media, **condition}
            )
        except ConnectionLost:
            return LOST

    def _read(self, ref: bytes) -> bytes | None:
        found = Reader(self._client, self._folder, self._collection.versions).one(ref)
        return None if found is None or found.refused is not None else found.data

    def _stored(self, ticket: int, ref: bytes, version: bytes = b"") -> Stored:
        self._written.add(ref)
        self._presence.add(ref)
        return Stored(ticket, ref, version)

    def _refused(self, ticket: int, ready: Prepared, reply: Reply) -> Refused:
        """This item's refusal; raises what stops the mailbox instead."""
        condition = reply.condition
        error = self._client.refusal(f"write to {shown(self._folder)}", reply)
        if reply.status not in _ITEM or condition in ("need-privileges", "quota-not-exceeded"):
            raise error
        if reply.status == 403 and not self._collection.writable:
            raise error
        if reply.status == 404 or reply.status >= 500:  # is it the item, or all that is there? Then this raises, too
            path = self._folder.native
            self._client.answers(f"look at {shown(self._folder)}", path, documents.propfind(listing.ASKED))
        status = str(reply.status) if reply.status else "the server ends the connection"
        told = " ".join(filter(None, (status, condition, documents.words_of(reply.body))))
        reason = _reason(reply.status, condition)
        doubt = (str(ready.doubt),) if ready.doubt else ()
        return Refused(ticket, reason, "; ".join((told, *doubt, *self._why(ready, reason))))

    def _why(self, ready: Prepared, reason: str) -> tuple[str, ...]:
        """What the refusal means, in words."""
        if reason == UID_TAKEN:  # here it is not: `_create` has looked
            return ("the account holds an item of the same UID elsewhere",)
        return faults(ready, self._folder.kind, self._collection.components) if reason == REFUSED else ()


def _doubted(ticket: int, ready: Prepared) -> Refused:
    """It was offered as it is."""
    reason = ready.doubt.reason if ready.doubt else REFUSED
    return Refused(ticket, reason, f"{ready.doubt}; the server made something else of it, which was taken out again")


def _version(ready: Prepared, reply: Reply | None) -> bytes:
    """The copy's version; empty where it is not told."""
    if ready.is_altered:
        return ALTERED
    return b"" if reply is None else reply.headers.get("etag", "").encode("latin-1", "replace")


def _reason(status: int, condition: str) -> str:
    """The quarantine code."""
    if status == 413 or condition in TOO_BIG:
        return "too-big"
    return UID_TAKEN if condition in UID_CONFLICTS else REFUSED
