"""Line ends and "From " lines, a block at a time: what a mailbox on the disk says, and the exact way back. Pure.

Mail on a Unix disk ends its lines with LF and is read as what RFC 5322 means by that, CRLF. Which of both a message
has is told by its first line end. A message is stored with LF only when reading gives back the very same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

BLOCK = 256 * 1024

SIGN = b"From "
"""Where it is not in a block, nothing in it is quoted: most blocks pass untouched."""

LONGEST_RUN = 64 * 1024
"""Signs ">" held back at the end of a block at most; the rest of a longer run goes out before."""

Bytes = bytes | memoryview

_QUOTABLE = re.compile(rb"^(>*From )", re.MULTILINE)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTED_ONCE = re.compile(rb"^>(From )", re.MULTILINE)
_MAYBE = re.compile(rb">*(?:F(?:r(?:o(?:m)?)?)?)?\Z")
_MAYBE_ONCE = re.compile(rb">?(?:F(?:r(?:o(?:m)?)?)?)?\Z")


def quoted(blocks: Iterable[Bytes]) -> Iterator[bytes]:
    """mboxrd: one ">" more before every line of ">" and "From "."""
    return _by_lines(blocks, lambda block: _QUOTABLE.sub(rb">\1", block), _MAYBE)


def unquoted(blocks: Iterable[Bytes]) -> Iterator[bytes]:
    """The inverse of `quoted`."""
    return _by_lines(blocks, lambda block: _QUOTED.sub(rb"\1", block), _MAYBE)


def unquoted_once(blocks: Iterable[Bytes]) -> Iterator[bytes]:
    """mboxo: ">From " was "From "; longer runs are as they were."""
    return _by_lines(blocks, lambda block: _QUOTED_ONCE.sub(rb"\1", block), _MAYBE_ONCE)


def _by_lines(blocks: Iterable[Bytes], change: Callable[[bytes], bytes], maybe: re.Pattern[bytes]) -> Iterator[bytes]:
    """Apply `change`, which looks at beginnings of lines alone, wherever the blocks are cut.

    What may yet become such a beginning (`maybe`) is held back; of a run that never seems to end, the last part.
    """
    held, at_start = b"", True
    for block in blocks:
        data = held + bytes(block)
        if not at_start:
            end = data.find(b"\n") + 1 or len(data)
            yield data[:end]
            data, at_start = data[end:], data.endswith(b"\n", 0, end)
        edge = len(data)
        if at_start:
            line = data.rfind(b"\n") + 1
            at_start = maybe.match(data, line) is not None
            edge = max(line, len(data) - LONGEST_RUN) if at_start else len(data)
            yield change(data[:edge]) if SIGN in data else data[:edge]
        held = data[edge:]
    if held:
        yield change(held)


def as_crlf(blocks: Iterable[Bytes]) -> Iterator[bytes]:
    """LF alone becomes CRLF."""
    last = b""
    for block in blocks:
        data = last + bytes(block)
        yield data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")[len(last) :]
        last = b"\r" if data.endswith(b"\r") else b""


def as_lf(blocks: Iterable[Bytes]) -> Iterator[bytes]:
    """CRLF becomes LF; for messages of which `Measure.plain` is true."""
    held = b""
    for block in blocks:
        data = held + bytes(block)
        held = b"\r" if data.endswith(b"\r") else b""
        yield data[: len(data) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held


@dataclass(slots=True)
class Measure:
    """Counts what passes: length, line ends, and whether the message comes back the same from LF alone."""

    size: int = 0
    feeds: int = 0  # LF, with or without CR before it
    pairs: int = 0  # CR LF
    doubled: bool = False  # CR CR LF
    unix: bool = False  # the first line end is LF alone
    _last: bytes = b""

    def add(self, data: bytes) -> None:
        """Count one block."""
        joined = self._last + data
        if not self.feeds and b"\n" in data:
            at = joined.index(b"\n")
            self.unix = at == 0 or joined[at - 1 : at] != b"\r"
        self.size += len(data)
        self.feeds += data.count(b"\n")
        self.pairs += joined.count(b"\r\n")
        self.doubled = self.doubled or b"\r\r\n" in joined
        self._last = b"" if joined.endswith(b"\n") else joined[-2:]

    @property
    def plain(self) -> bool:
        """Whether every line ends with CRLF, so that LF can stand for it."""
        return self.feeds == self.pairs and not self.doubled

    @property
    def as_read(self) -> int:
        """The length once LF alone has become CRLF, if that is how it is read."""
        return self.size + (self.feeds - self.pairs if self.unix else 0)
