"""Bodies of messages on their way: still on the wire, in memory, or on the disk."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from io import BytesIO
from tempfile import SpooledTemporaryFile, TemporaryFile, gettempdir
from typing import BinaryIO, cast

from xdmigrate.contract import BUFFERED_BODY
from xdmigrate.errors import ItemRefused, StateFull
from xdmigrate.model import RefusedBody
from xdmigrate_imap.wire import Literal

CHUNK = 256 * 1024


class Room:
    """Memory for bodies that are on their way to targets, shared evenly by all writers of the process."""

    def __init__(self, octets: int) -> None:
        self._octets = octets
        self._writers = 0
        self._lock = threading.Lock()

    @property
    def share(self) -> int:
        """What each writer may hold, in bytes; bodies up to BUFFERED_BODY may go beyond it."""
        return self._octets // max(1, self._writers)

    def enter(self) -> None:
        """One writer more."""
        with self._lock:
            self._writers += 1

    def leave(self) -> None:
        """One writer less."""
        with self._lock:
            self._writers -= 1


IN_FLIGHT = Room(16 << 20)
"""Of this process."""


class StreamBody:
    """A body that is still on the wire; whoever asks for the next item loses it."""

    __slots__ = ("_literal", "_taken")

    def __init__(self, literal: Literal) -> None:
        self._literal = literal
        self._taken = False

    @property
    def size(self) -> int:
        return self._literal.size

    def chunks(self) -> Iterator[memoryview]:
        self._take()
        return self._literal.chunks()

    def spool(self) -> BinaryIO:
        with _spooling():
            file = SpooledTemporaryFile(max_size=BUFFERED_BODY)  # noqa: SIM115  # the caller's
            for chunk in self.chunks():
                file.write(chunk)
            file.seek(0)
        return cast(BinaryIO, file)

    def _take(self) -> None:
        if self._taken or self._literal.left != self._literal.size:
            raise RuntimeError("a body may be asked for once, and only until the next item is asked for")
        self._taken = True


Octets = bytes | bytearray
"""A body in memory."""


class KeptBody:
    """A body that was read whole, because what belongs to it came behind it."""

    def __init__(self, data: Octets | BinaryIO, size: int | None = None) -> None:
        self._data = data
        self._size = size

    @property
    def size(self) -> int:
        return len(self._data) if isinstance(self._data, (bytes, bytearray)) else self._size or 0

    def chunks(self) -> Iterator[memoryview]:
        yield from pieces(self._data)

    def spool(self) -> BinaryIO:
        if isinstance(self._data, (bytes, bytearray)):
            return BytesIO(self._data)
        self._data.seek(0)
        return self._data


def unreadable(words: str = "") -> RefusedBody:
    """The body of a message that is listed but that the server cannot give."""
    cause = f"the server cannot give the message: {words}" if words else "the server cannot give the message"
    return RefusedBody(ItemRefused(cause, reason="unreadable", remedy="open it in a mail client; it may be damaged"))


def keep(literal: Literal) -> KeptBody:
    """Read a literal whole: into memory when it is small, else onto the disk."""
    return KeptBody(hold(literal.chunks(), literal.size), literal.size)


def hold(chunks: Iterable[memoryview], size: int, most: int = BUFFERED_BODY) -> Octets | BinaryIO:
    """The octets of `chunks` as one object: in memory where `size` is at most `most`, else an unnamed file.

    A body that is longer than it said is read no further: what is returned then is too long, too.
    """
    if size <= most:
        octets = bytearray()
        for chunk in chunks:
            octets += chunk
            if len(octets) > size:
                break
        return octets
    with _spooling():
        file = TemporaryFile()  # noqa: SIM115  # closed with its last reference
        for chunk in chunks:
            file.write(chunk)
            if file.tell() > size:
                break
    return cast(BinaryIO, file)


@contextlib.contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = f"cannot hold a large message in {gettempdir()}: {error.strerror or error}"
        raise StateFull(cause, remedy="make room there, or name another directory in TMPDIR") from error


def pieces(body: Octets | BinaryIO) -> Iterator[memoryview]:
    """The octets from the beginning, CHUNK at a time; those in memory are not copied."""
    if isinstance(body, (bytes, bytearray)):
        whole = memoryview(body)
        for start in range(0, len(whole), CHUNK):
            yield whole[start : start + CHUNK]
        return
    body.seek(0)
    while chunk := body.read(CHUNK):
        yield memoryview(chunk)
