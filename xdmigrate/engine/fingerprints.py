"""Fingerprints taken while bytes pass: nothing is read twice for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from xdmigrate.contract import LARGEST_OBJECT, Source
from xdmigrate.engine.reading import read_each
from xdmigrate.errors import ItemRefused
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import FINGERPRINT_BYTES, Body, Folder, Head, Item, Kind

SPOOL_CHUNK = 1 << 20
READ_AT_ONCE = 500
"""Items asked for in one read when only their fingerprints matter."""


@dataclass(frozen=True, slots=True)
class Print:
    """What equality means: length and fingerprint of a message's raw bytes; of other kinds, what the item says.

    The semantic digest of an item that is no mail stands beside the size 0: stores rewrite its bytes.
    """

    size: int
    fingerprint: bytes

    def entry(self, ref: bytes) -> bytes:
        """The print and an id in one, so that many can be held: the first ENTRY bytes tell the content."""
        return self.fingerprint + self.size.to_bytes(8) + ref


ENTRY = FINGERPRINT_BYTES + 8


def of_entry(entry: bytes) -> tuple[bytes, Print]:
    """The id and the print of an entry."""
    return entry[ENTRY:], Print(int.from_bytes(entry[FINGERPRINT_BYTES:ENTRY]), entry[:FINGERPRINT_BYTES])


def known_print(kind: Kind | str, size: int, fingerprint: bytes) -> Print:
    """The print that the ledger's size and fingerprint of an item of this kind make."""
    return Print(size if kind == Kind.MAIL else 0, fingerprint)


class HashedBody:
    """A body that knows its length and fingerprint once it has passed."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._hash = sha256()
        self._told = False
        self.size = body.size
        self.passed = 0

    def chunks(self) -> Iterator[memoryview]:
        for chunk in self._body.chunks():
            self._hash.update(chunk)
            self.passed += len(chunk)
            yield chunk

    def spool(self) -> BinaryIO:
        """The body as a file, hashed once on the way (a second spool of the same body is not hashed again)."""
        file = self._body.spool()
        if not self._told:
            self._told = True
            while chunk := file.read(SPOOL_CHUNK):
                self._hash.update(chunk)
                self.passed += len(chunk)
            file.seek(0)
        return file

    @property
    def fingerprint(self) -> bytes:
        return self._hash.digest()[:FINGERPRINT_BYTES]


def whole(body: Body) -> bytes:
    """The bytes of an item that is no mail. Raises ItemRefused when it breaks off, or is larger than is held."""
    parts: list[bytes] = []
    held = 0
    for chunk in body.chunks():
        held += len(chunk)
        if held > LARGEST_OBJECT:
            raise ItemRefused(f"the item is larger than {LARGEST_OBJECT:,} bytes", reason="too-big")
        parts.append(bytes(chunk))
    return b"".join(parts)


def prints(store: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, Print]]:
    """Read the items and fingerprint them; those that are gone or unreadable are left out."""
    return ((head.ref, print_) for head, print_ in inspected(store, folder, refs))


def inspected(store: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[Head, Print]]:
    """The same, with what the store tells of each item while it is read."""
    for start in range(0, len(refs), READ_AT_ONCE):
        for item in read_each(store, folder, refs[start : start + READ_AT_ONCE]):
            if isinstance(item, Item):
                with suppress(ItemRefused):
                    yield item.head, print_of(item.body, folder.kind)


def names(store: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
    """The UIDs of the items that have one, by id; those that are gone or unreadable are left out."""
    said = semantics(folder.kind)
    for item in read_each(store, folder, refs):
        if isinstance(item, Item):
            with suppress(ItemRefused):
                if name := said.name(whole(item.body)):
                    yield item.head.ref, name


def print_of(body: Body, kind: Kind = Kind.MAIL) -> Print:
    """Read a body to its end. Raises ItemRefused when it breaks off."""
    if kind is not Kind.MAIL:
        return Print(0, semantics(kind).digest(whole(body)))
    passing = HashedBody(body)
    for _chunk in passing.chunks():
        pass
    return Print(passing.passed, passing.fingerprint)
