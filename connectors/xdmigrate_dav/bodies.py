"""Items in memory on their way: they are small, and every target has to look into them whole."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, Never

from xdmigrate.errors import ItemRefused
from xdmigrate.model import Item

LARGEST_ITEM = 32 << 20
"""Bytes of one item; more is refused, because it has to be held whole to be understood."""


class Octets:
    """A `Body` over bytes."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def chunks(self) -> Iterator[memoryview]:
        yield memoryview(self._data)

    def spool(self) -> BinaryIO:
        return BytesIO(self._data)


class Unreadable:
    """The body of an item that the server does not give: it says so when it is asked for."""

    __slots__ = ("_error",)

    def __init__(self, error: ItemRefused) -> None:
        self._error = error

    @property
    def size(self) -> int:
        return 0

    def chunks(self) -> Iterator[memoryview]:
        return self._refuse()

    def spool(self) -> BinaryIO:
        self._refuse()

    def _refuse(self) -> Never:
        raise self._error


def whole(item: Item) -> bytes | None:
    """The body in one piece; None when it is too large to be held."""
    if item.body.size > LARGEST_ITEM:
        return None
    return b"".join(bytes(chunk) for chunk in item.body.chunks())
