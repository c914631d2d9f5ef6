"""Where the messages of an mbox lie, found in one run over the file. Reads, and decides by RFC 4155 and its variants.

A message begins at a line "From ADDRESS DATE": after an empty line any such line counts that ends in a year, elsewhere
only one with a whole date, because a body may quote what looks alike. Where Content-Length leads exactly to the next
such line or to the end of the file (mboxcl, mboxcl2), it is believed instead.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from hashlib import sha256

from xdmigrate_files.bodies import blocks_of
from xdmigrate_files.flags import of_headers
from xdmigrate_files.lines import Measure, unquoted, unquoted_once
from xdmigrate_files.settings import Variant

SEPARATOR = b"From "
OURS = b"From xdmigrate "
"""How the line begins that we write: behind such a message stands exactly one line end that is not its own."""

BEGINNING = 64
"""Bytes in which an mbox begins, be it behind empty lines."""

LONGEST_SEPARATOR = 1_000
MOST_HEADER = 256 * 1024
"""Bytes of a message in which its header lines are looked for."""

VOLATILE = frozenset((
    b"status", b"x-status", b"x-keywords", b"x-uid", b"x-imap", b"x-imapbase", b"content-length", b"lines",
    b"x-mozilla-status", b"x-mozilla-status2", b"x-mozilla-keys",
))  # fmt: skip
"""Header fields that mail programs rewrite in place: no part of what a message is known by."""

_WINDOW = 1 << 20
_BEGINS = re.compile(rb"\nFrom [^\n]{0,%d}(?=\n)" % LONGEST_SEPARATOR)
_DATE = re.compile(
    rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +(\d{1,2}) +"
    rb"(\d{1,2}):(\d{2})(?::(\d{2}))? +(?:([+-]\d{4}) +|[A-Z]{2,5} +(?:[A-Z]{2,5} +)?)?(\d{4})(?: +([+-]\d{4}))?"
)
_YEAR = re.compile(rb" (?:19|20)\d\d(?= |\r?\Z)")
_LINE_ENDS = (b"", b"\n", b"\r\n")
"""What stands between the end that Content-Length tells and the next message."""

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?", re.MULTILINE)


class Quoting(IntEnum):
    """What was done to lines of ">" and "From " in a message."""

    NONE = 0
    ONCE = 1  # mboxo: "From " became ">From "
    EVERY = 2  # mboxrd: every such line has one ">" more


UNQUOTING: dict[Quoting, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    Quoting.NONE: iter,
    Quoting.ONCE: unquoted_once,
    Quoting.EVERY: unquoted,
}


@dataclass(frozen=True, slots=True)
class Span:
    """One message: where it lies, and what it is known by."""

    start: int  # of its "From " line
    body: int  # of its first own byte
    end: int  # behind its last own byte
    digest: bytes
    size: int  # as it is read
    unix: bool  # its lines end with LF alone
    quoting: Quoting
    flags: frozenset[str]
    date: datetime | None
    labels: bytes  # X-Gmail-Labels as it stands there, unfolded


def scan(fd: int, start: int, end: int, variant: Variant | None) -> Iterator[Span]:
    """Every message from `start`, where one begins, to `end`."""
    finder = Finder(fd, end)
    beginning = os.pread(fd, BEGINNING, start)
    start += len(beginning) - len(beginning.lstrip(b"\r\n"))
    if not os.pread(fd, len(SEPARATOR), start).startswith(SEPARATOR):
        start = finder.after(start)
    while start < end:
        line = os.pread(fd, min(LONGEST_SEPARATOR + 8, end - start), start).partition(b"\n")[0]
        body = min(start + len(line) + 1, end)
        header = _header(fd, body, finder.after(body - 1))
        fields = _fields(header)
        how = Variant.MBOXRD if line.startswith(OURS) else variant  # a header of the message itself may lie
        stop = _stated_end(finder, body + len(header), fields, how)
        following = finder.after((body if stop is None else max(stop, body)) - 1)
        quoting = _quoting(fd, body, stop, how)
        if stop is None:
            stop = _own_end(fd, body, following, line)
        yield _span(fd, (start, body, stop), quoting, _date(line), header, fields)
        start = following


def _span(  # noqa: PLR0917 -- what one run over a message has found
    fd: int,
    at: tuple[int, int, int],
    quoting: Quoting,
    date: datetime | None,
    header: bytes,
    fields: dict[bytes, bytes],
) -> Span:
    start, body, stop = at
    header = header[: stop - body]
    measure, digest = Measure(), sha256(_lasting(header))
    for block in UNQUOTING[quoting](blocks_of(fd, body, stop)):
        measure.add(block)
    for block in blocks_of(fd, body + len(header), stop):
        digest.update(block)
    labels = b" ".join(fields.get(b"x-gmail-labels", b"").split())
    known, size = digest.digest()[:16], measure.as_read
    return Span(start, body, stop, known, size, measure.unix, quoting, of_headers(fields), date, labels)


def _quoting(fd: int, body: int, stated: int | None, variant: Variant | None) -> Quoting:
    """Where Content-Length tells the end and nothing is said of the file, one bare "From " line proves mboxcl2."""
    if variant is Variant.MBOXCL2 and stated is not None:
        return Quoting.NONE
    if variant in {Variant.MBOXO, Variant.MBOXCL}:
        return Quoting.ONCE
    if stated is not None and variant is None and _has_bare_line(fd, body, stated):
        return Quoting.NONE
    return Quoting.EVERY


def _has_bare_line(fd: int, start: int, end: int) -> bool:
    last = b"\n"
    for block in blocks_of(fd, start, end):
        if b"\n" + SEPARATOR in last + block:
            return True
        last = block[-len(SEPARATOR) :]
    return False


# --- where messages begin and end -------------------------------------------------------------------------------


class Finder:
    """Where "From " lines begin that begin a message, asked for in ascending order."""

    def __init__(self, fd: int, end: int) -> None:
        self._fd = fd
        self._end = end
        self._next = 0  # where the next window begins
        self._found: deque[int] = deque()

    def after(self, place: int) -> int:
        """The first that is behind `place`, where a line end is; the end of the file when there is none."""
        if self._next < place and not self._found:
            self._next = place
        while True:
            while self._found and self._found[0] <= place:
                self._found.popleft()
            if self._found:
                return self._found[0]
            if self._next >= self._end:
                return self._end
            self._look()

    def ends(self, place: int) -> bool:
        """Whether a message ends here: behind one line end another begins, or the file ends."""
        if place > self._end:
            return False
        behind = os.pread(self._fd, 2, place)
        gaps = (len(each) for each in _LINE_ENDS if behind.startswith(each))
        return any(place + gap == self._end or self._begins(place + gap) for gap in gaps)

    def _begins(self, place: int) -> bool:
        data = os.pread(self._fd, min(LONGEST_SEPARATOR + 16, self._end - place + 1), place - 1)
        found = _BEGINS.match(data if data.endswith(b"\n") else data + b"\n")
        return found is not None and self._separates(place - 1, found[0])

    def _look(self) -> None:
        at = self._next
        data = os.pread(self._fd, min(_WINDOW + LONGEST_SEPARATOR + 16, self._end - at), at)
        if at + len(data) >= self._end and not data.endswith(b"\n"):
            data += b"\n"
        for found in _BEGINS.finditer(data):
            if found.start() >= _WINDOW:
                break
            if self._separates(at + found.start(), found[0]):
                self._found.append(at + found.start() + 1)
        self._next = at + _WINDOW if data else self._end

    def _separates(self, place: int, line: bytes) -> bool:
        if _DATE.search(line):
            return True
        before = os.pread(self._fd, 2, max(place - 2, 0))
        return before.endswith((b"\n", b"\n\r")) and _YEAR.search(line) is not None


def _own_end(fd: int, body: int, following: int, line: bytes) -> int:
    """Without what stands between two messages: one line end in our own files, elsewhere an empty line if there is."""
    tail = os.pread(fd, min(4, following - body), max(following - 4, body)) if following > body else b""
    if line.startswith(OURS):
        return following - tail.endswith(b"\n")
    if tail.endswith(b"\n\r\n") or tail == b"\r\n":
        return following - 2
    return following - (tail.endswith(b"\n\n") or tail == b"\n")


def _stated_end(finder: Finder, text: int, fields: dict[bytes, bytes], variant: Variant | None) -> int | None:
    """Where Content-Length, counted from `text`, says that it ends; None where no message ends there."""
    stated = fields.get(b"content-length", b"").strip()
    if variant in {Variant.MBOXO, Variant.MBOXRD} or not stated.isdigit() or len(stated) > 15:
        return None
    stop = text + int(stated)
    return stop if finder.ends(stop) else None


# --- what a message says of itself ------------------------------------------------------------------------------


def _header(fd: int, body: int, end: int) -> bytes:
    """Everything up to and with the first empty line; of a header without end, its first bytes."""
    data = os.pread(fd, min(8192, end - body), body)
    for size in (64 * 1024, MOST_HEADER):
        found = re.search(rb"\A\r?\n|\n\r?\n", data)
        if found:
            return data[: found.end()]
        if len(data) == end - body:
            break
        data = os.pread(fd, min(size, end - body), body)
    found = re.search(rb"\A\r?\n|\n\r?\n|\nFrom ", data)
    return data[: found.end()] if found else data[: data.rfind(b"\n") + 1]


def _fields(header: bytes) -> dict[bytes, bytes]:
    """The first field of each name, in small letters."""
    found: dict[bytes, bytes] = {}
    for field in _FIELD.finditer(header):
        found.setdefault(field[1].lower(), field[2])
    return found


def _lasting(header: bytes) -> bytes:
    """The header without what mail programs rewrite."""
    return _FIELD.sub(lambda field: b"" if field[1].lower() in VOLATILE else field[0], header)


def _date(line: bytes) -> datetime | None:
    """The date of a "From " line (RFC 4155: in UTC, unless it says otherwise)."""
    found = _DATE.search(line)
    if found is None:
        return None
    month, day, hour, minute, second, before, year, behind = found.groups()
    try:
        zone = _zone(before or behind)
        moment = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), min(int(second or 0), 59))
        return datetime(*moment, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(stated: bytes | None) -> timezone:
    if not stated:
        return UTC
    minutes = int(stated[1:3]) * 60 + int(stated[3:5])
    return timezone(timedelta(minutes=-minutes if stated.startswith(b"-") else minutes))
