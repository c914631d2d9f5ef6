"""A source whose bodies are fetched only when somebody really asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from xdmigrate.contract import Source
from xdmigrate.errors import ItemRefused
from xdmigrate.model import Changes, Folder, Head, Item, Kind, Path
from xdmigrate.wrap.forward import ForwardingSource

WINDOW = 50_000
"""Heads remembered at most, about 20 MB."""

READ_AHEAD = 10
"""When heads have to be listed again, this many times as many as asked for are remembered for the next reads."""


class DryRunSource(ForwardingSource):
    """A `Source` that reads without moving bodies: items are made of their heads.

    Heads that were listed lately are remembered, others are listed again. `Body.size` is what the listing told, which
    on stores that rewrite may not be exact. Items of other kinds than mail are small, and what becomes of them depends
    on what they say: they are read.
    """

    def __init__(self, inner: Source) -> None:
        super().__init__(inner)
        self._place: tuple[Path, int, Kind] = ((), 0, Kind.MAIL)
        self._seen: dict[bytes, Head] = {}

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        return self._noted(folder, self.inner.heads(folder, floor))

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        told = self.inner.changes(folder, cursor)
        return replace(told, heads=self._noted(folder, told.heads))

    def _noted(self, folder: Folder, heads: Iterator[Head]) -> Iterator[Head]:
        place = (folder.path, folder.validity, folder.kind)
        for head in heads:
            if place != self._place or len(self._seen) >= WINDOW:
                self._place, self._seen = place, {}
            if head.measured:  # an item is made of nothing less
                self._seen[head.ref] = head
            yield head

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        return self._made(folder, refs) if folder.kind is Kind.MAIL else self.inner.read(folder, refs)

    def _made(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        found = self._remembered(folder, refs)
        missing = {ref for ref in refs if ref not in found}
        if missing:
            found |= self._listed(folder, missing)
        for ref in dict.fromkeys(refs):
            if ref in found:
                yield Item(found[ref], LazyBody(self.inner, folder, found[ref]), folder.kind)

    def _remembered(self, folder: Folder, refs: Sequence[bytes]) -> dict[bytes, Head]:
        if self._place != (folder.path, folder.validity, folder.kind):
            return {}
        return {ref: self._seen[ref] for ref in refs if ref in self._seen}

    def _listed(self, folder: Folder, wanted: set[bytes]) -> dict[bytes, Head]:
        last, ahead = max(wanted), READ_AHEAD * len(wanted)
        found: dict[bytes, Head] = {}
        for head in self.heads(folder, min(wanted)):
            if head.ref in wanted:
                found[head.ref] = head
            elif head.ref > last:
                ahead -= 1
            if ahead <= 0:
                break
        return found


class LazyBody:
    """A `Body` that is read when it is asked for. Raises ItemRefused when the item is gone by then."""

    def __init__(self, source: Source, folder: Folder, head: Head) -> None:
        self._source = source
        self._folder = folder
        self._head = head

    @property
    def size(self) -> int:
        return self._head.size

    def _items(self) -> Iterator[Item]:
        """The item, read to the end of its stream so that the session stays usable."""
        found = False
        for item in self._source.read(self._folder, [self._head.ref]):
            found = True
            yield item
        if not found:
            raise ItemRefused("the item went away while it was looked at", reason="gone")

    def chunks(self) -> Iterator[memoryview]:
        for item in self._items():
            yield from item.body.chunks()

    def spool(self) -> BinaryIO:
        (spooled,) = [item.body.spool() for item in self._items()]
        return spooled
