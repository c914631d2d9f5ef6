"""Bodies over bytes that are in memory, as strict as the contract allows, so that careless readers are found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import BinaryIO

from xdmigrate.model import Item

CHUNK = 64 * 1024
"""Bytes handed out at a time."""


def _always() -> bool:
    return True


class BytesBody:
    """A `Body` over bytes: may be asked for once, reuses its buffer, and is dead once `alive` says so.

    All chunks are views of one buffer that the next chunk overwrites, and `alive` lets a stream end the body when its
    next item is asked for: a reader that keeps views or bodies too long fails here and not first on a real server.
    """

    def __init__(self, data: bytes, *, alive: Callable[[], bool] = _always) -> None:
        self._data = data
        self._alive = alive
        self._taken = False

    @property
    def size(self) -> int:
        return len(self._data)

    def _take(self) -> None:
        if self._taken or not self._alive():
            raise RuntimeError("a body may be asked for once, and only until the next item is asked for")
        self._taken = True

    def chunks(self) -> Iterator[memoryview]:
        self._take()
        return self._chunks()

    def _chunks(self) -> Iterator[memoryview]:
        buffer = bytearray(min(CHUNK, len(self._data)))
        for start in range(0, len(self._data), CHUNK):
            part = self._data[start : start + CHUNK]
            buffer[: len(part)] = part
            yield memoryview(buffer)[: len(part)].toreadonly()
        buffer[:] = bytes(len(buffer))

    def spool(self) -> BinaryIO:
        self._take()
        return BytesIO(self._data)


def whole(item: Item) -> bytes:
    """The body of an item in one piece; for tests only, which know how big their bodies are."""
    return b"".join(bytes(chunk) for chunk in item.body.chunks())
