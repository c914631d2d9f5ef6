"""Renames the addresses of the people in events, tasks and contacts while they are read from the source.

Whoever compares a copy with its source sees both under the target's addresses. Mail passes as it is: its addresses are
history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import BinaryIO

from xdmigrate.contract import Auditor, Source
from xdmigrate.formats.semantics import Rename, semantics
from xdmigrate.model import Body, Folder, HeldBody, Item, Kind
from xdmigrate.wrap.forward import ForwardingAuditor, ForwardingSource

LARGEST = 32_000_000
"""Bytes of an item that is read whole; a larger one passes as it is, for whoever refuses it."""


class ReaddressedBody:
    """The bytes with addresses renamed. Nothing is read before they are asked for."""

    def __init__(self, inner: Body, kind: Kind, rename: Rename) -> None:
        self._inner, self._kind, self._rename = inner, kind, rename

    @cached_property
    def _held(self) -> HeldBody:
        data = b"".join(bytes(chunk) for chunk in self._inner.chunks())
        return HeldBody(semantics(self._kind).readdressed(data, self._rename))

    @property
    def size(self) -> int:
        return self._held.size

    def chunks(self) -> Iterator[memoryview]:
        return self._held.chunks()

    def spool(self) -> BinaryIO:
        return self._held.spool()


class ReaddressedSource(ForwardingSource):
    """A source as the target's people know each other."""

    def __init__(self, inner: Source, rename: Rename) -> None:
        super().__init__(inner)
        self._rename = rename

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        found = self.inner.read(folder, refs)
        return found if folder.kind is Kind.MAIL else (self._readdressed(item, folder.kind) for item in found)

    def _readdressed(self, item: Item, kind: Kind) -> Item:
        if item.body.size > LARGEST:
            return item
        return replace(item, body=ReaddressedBody(item.body, kind, self._rename))


class ReaddressedAuditor(ForwardingAuditor):
    """The source's auditor, in the same way."""

    def __init__(self, inner: Auditor, rename: Rename) -> None:
        super().__init__(inner)
        self._rename = rename

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        found = self.inner.whole(folder, refs)
        if folder.kind is Kind.MAIL:
            return found
        said = semantics(folder.kind)
        return ((ref, said.readdressed(data, self._rename)) for ref, data in found)
