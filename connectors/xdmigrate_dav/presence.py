"""What a target collection holds already, by UID: some servers overwrite, or keep a second copy, without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xdmigrate.errors import AccessDenied, FolderUnusable, ProtocolError
from xdmigrate.model import Folder, Kind
from xdmigrate_dav import documents, listing, names
from xdmigrate_dav.catalogue import Collection
from xdmigrate_dav.preparing import is_own_name
from xdmigrate_dav.reading import Reader
from xdmigrate_dav.wire import Client

LONGEST = 16 << 20
"""Bytes of an answer that should hold nothing but UIDs; servers that send everything are asked piece by piece."""

_UID = re.compile(rb"^UID(?:;[^:\r\n]*)?:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE | re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")


class Presence:
    """The ids in one collection, and the UIDs of what does not bear a name of ours; asked for when first needed."""

    def __init__(self, client: Client, folder: Folder, collection: Collection) -> None:
        self._client = client
        self._folder = folder
        self._collection = collection
        self._refs: set[bytes] | None = None
        self._foreign: dict[str, bytes] = {}

    def of(self, uid: str, own: bytes) -> bytes | None:
        """The id under which an item with this UID is there; None when it is not."""
        if self._refs is None:
            found = listing.read(self._client, self._folder.native, f"list {self._folder.kind.value}")
            self._refs = set(found.heads)
            self._foreign = self._uids([ref for ref in found.heads if not is_own_name(ref)])
        return own if own in self._refs else self._foreign.get(uid)

    def add(self, ref: bytes) -> None:
        """It has been written."""
        if self._refs is not None:
            self._refs.add(ref)

    def _uids(self, refs: Sequence[bytes]) -> dict[str, bytes]:
        if not refs:
            return {}
        wanted = set(refs)
        try:
            found = {ref: data for ref, data in self._told() if ref in wanted}
        except (ProtocolError, AccessDenied, FolderUnusable):
            found = {}
        left = [ref for ref in refs if ref not in found]
        reader = Reader(self._client, self._folder, self._collection.versions)
        by_uid = {each: ref for ref, data in found.items() for each in uids_in(data)}
        for read in reader.read(left):
            by_uid |= dict.fromkeys(uids_in(read.data), read.ref)
        return by_uid

    def _told(self) -> Iterable[tuple[bytes, bytes]]:
        contacts = self._folder.kind is Kind.CONTACTS
        body = documents.uids_of_contacts() if contacts else documents.uids_of_calendar(("VEVENT", "VTODO", "VJOURNAL"))
        name, path = names.CONTACT_DATA if contacts else names.CALENDAR_DATA, self._folder.native
        answers, _ = self._client.multistatus("look for UIDs", "REPORT", path, body, depth="1", longest=LONGEST)
        for ref, answer in listing.members(self._client, answers, path):
            element = answer.found.get(name)
            if element is not None and element.text and uids_in(element.text.encode()):
                yield ref, b"\n".join(b"UID:" + each.encode() for each in uids_in(element.text.encode()))


def uids_in(data: bytes) -> set[str]:
    """Every UID in an item, unfolded and unescaped as far as UIDs need it."""
    found = (_FOLD.sub(b"", each).strip() for each in _UID.findall(data))
    return {_plain(each.decode("utf-8", "replace")) for each in found if each}


def _plain(uid: str) -> str:
    return re.sub(r"\\(.)", r"\1", uid.removeprefix("urn:uuid:"))
