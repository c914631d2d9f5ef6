"""Fingerprints taken while bytes pass: nothing is read twice for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from xdmigrate.contract import Source
from xdmigrate.engine.reading import read_each
from xdmigrate.errors import ItemRefused
from xdmigrate.model import FINGERPRINT_BYTES, Body, Folder, Head, Item

SPOOL_CHUNK = 1 << 20
READ_AT_ONCE = 500
"""Items asked for in one read when only their fingerprints matter."""


class HashedBody:
    """A body that knows its length and fingerprint once it has passed."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._hash = sha256()
        self._told = False
        self.passed = 0

    @property
    def size(self) -> int:
        return self._body.size

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


@dataclass(frozen=True, slots=True)
class Print:
    """Length and fingerprint of one item's raw bytes: what equality means."""

    size: int
    fingerprint: bytes


def prints(store: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, Print]]:
    """Read the items and fingerprint them; those that are gone or unreadable are left out."""
    return ((head.ref, print_) for head, print_ in inspected(store, folder, refs))


def inspected(store: Source, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[Head, Print]]:
    """The same, with what the store tells of each item while it is read."""
    for start in range(0, len(refs), READ_AT_ONCE):
        for item in read_each(store, folder, refs[start : start + READ_AT_ONCE]):
            if isinstance(item, Item):
                with suppress(ItemRefused):
                    yield item.head, print_of(item.body)


def print_of(body: Body) -> Print:
    """Read a body to its end. Raises ItemRefused when it breaks off."""
    passing = HashedBody(body)
    for _chunk in passing.chunks():
        pass
    return Print(passing.passed, passing.fingerprint)
