"""Walks the parts of a message in a seekable file (RFC 5322, RFC 2045 to 2047), in order and in bounded memory.

Hostile messages are normal: nothing here raises over what it finds, nesting is walked with a stack of bounded depth,
lines are read in pieces, and a header beyond `HEADER_OCTETS` is said to be cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

HEADER_OCTETS = 256 * 1024
"""The most of one header that is taken for header."""

PIECE = 64 * 1024
"""The most of one line that is read at once."""

DEPTH = 50
"""Multiparts inside each other; deeper ones are walked as leaves."""

BOUNDARY_OCTETS = 200
"""RFC 2046 section 5.1.1 allows 70; a longer one than this is no boundary."""

IDENTITIES = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that leave the octets as they are (RFC 2045 section 6.2)."""

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_TYPE = re.compile(rb"\s*([\w!#$&^.+-]{1,100})/([\w!#$&^.+-]{1,100})")
_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"]*)"|([^;\s"]+))', re.IGNORECASE)
_TEXT, _MESSAGE = "text/plain", "message/rfc822"


@dataclass(frozen=True, slots=True)
class Part:
    """One header and the body behind it, by offsets in the file."""

    start: int  # of the header
    body: int
    end: int  # of the body; equal to `body` for a part that holds other parts
    fields: tuple[bytes, ...]  # with their line ends, folded as they stand
    separator: bytes  # the empty line behind the header; empty where there is none
    message: bool  # the header of a message, not of a body part
    leaf: bool
    signed: bool  # inside multipart/signed (RFC 1847): every octet counts
    cut: bool  # the header goes on beyond HEADER_OCTETS
    type: str
    encoding: str

    @property
    def text(self) -> bool:
        """Whether lines of it are lines, and not octets that look like such."""
        return self.type.startswith(("text/", "message/", "multipart/"))


class _Frame(NamedTuple):
    """A multipart that is open."""

    delimiter: bytes
    signed: bool
    inner: str  # what a part without Content-Type is


class _Header(NamedTuple):
    body: int
    fields: tuple[bytes, ...]
    separator: bytes
    cut: bool


class _Delimiter(NamedTuple):
    """A boundary line, or (depth -1) the end of the file."""

    start: int  # with the line end before it, which belongs to it (RFC 2046 section 5.1.1)
    end: int
    depth: int
    closing: bool


def parts(file: BinaryIO) -> Iterator[Part]:
    """Every part in the order of its header. What lies between two of them is preamble, boundary or epilogue.

    The file may be moved about between two parts.
    """
    stack: list[_Frame] = []
    start, message, inner = 0, True, _TEXT
    while True:
        header = _header(file, start, stack)
        kind, encoding = _kind(header.fields, inner)
        frame = _frame(header.fields, kind, stack)
        nested = kind == _MESSAGE and encoding in IDENTITIES
        inside = [*stack, frame] if frame is not None else stack
        found = None if nested else _delimiter(file, header.body, inside)
        leaf = found is not None and frame is None
        end = max(header.body, found.start) if found is not None and leaf else header.body
        signed = bool(stack and stack[-1].signed)
        yield Part(
            start=start,
            body=header.body,
            end=end,
            fields=header.fields,
            separator=header.separator,
            message=message,
            leaf=leaf,
            signed=signed,
            cut=header.cut,
            type=kind,
            encoding=encoding,
        )
        if found is None:
            start, message, inner = header.body, True, _TEXT
            continue
        if frame is not None:
            stack.append(frame)
        following = _next(file, found, stack)
        if following is None:
            return
        start, message, inner = following, False, stack[-1].inner


def field_name(field: bytes) -> bytes:
    """The name of a field in lower case; empty for a line that has none (an mbox separator)."""
    found = _FIELD.match(field.replace(b"\0", b""))
    return found[1].lower() if found else b""


def field_value(field: bytes) -> bytes:
    """What stands behind the colon, line ends included."""
    return field.partition(b":")[2]


def _next(file: BinaryIO, found: _Delimiter, stack: list[_Frame]) -> int | None:
    """Where the next part begins behind a boundary line; None at the end."""
    while found.depth >= 0:
        del stack[found.depth + 1 :]
        if not found.closing:
            return found.end
        del stack[found.depth :]
        found = _delimiter(file, found.end, stack)
    return None


def _header(file: BinaryIO, start: int, stack: Sequence[_Frame]) -> _Header:
    """The header that begins here: as far as lines look like one."""
    file.seek(start)
    fields: list[list[bytes]] = []
    begun, octets = True, 0  # at the beginning of a line
    while octets < HEADER_OCTETS:
        line = file.readline(PIECE)
        if begun and line in {b"\r\n", b"\n"}:
            return _Header(file.tell(), _joined(fields), line, cut=False)
        if not line or (begun and not _belongs(line, fields, stack, first=not octets)):
            return _Header(file.tell() - len(line), _joined(fields), b"", cut=False)
        if begun and (line[:1] not in b" \t" or not fields):
            fields.append([line])
        else:
            fields[-1].append(line)
        begun, octets = line.endswith(b"\n"), octets + len(line)
    return _Header(file.tell(), _joined(fields), b"", cut=True)


def _belongs(line: bytes, fields: Sequence[list[bytes]], stack: Sequence[_Frame], *, first: bool) -> bool:
    if _match(line, stack) is not None:
        return False
    if line[:1] in b" \t":
        return bool(fields)
    return bool(field_name(line)) or (first and not stack and line.startswith(b"From "))


def _joined(fields: Sequence[list[bytes]]) -> tuple[bytes, ...]:
    return tuple(b"".join(lines) for lines in fields)


def _kind(fields: Sequence[bytes], inner: str) -> tuple[str, str]:
    """Content type and transfer encoding in lower case, with the defaults of RFC 2045 section 5.2."""
    kind, encoding = inner, ""
    for field in reversed(fields):  # the first of its name counts
        name = field_name(field)
        if name == b"content-type":
            found = _TYPE.match(field_value(field).replace(b"\0", b""))
            kind = (found[1] + b"/" + found[2]).decode("latin-1").lower() if found else _TEXT
        elif name == b"content-transfer-encoding":
            words = field_value(field).replace(b"\0", b"").split(None, 1)
            encoding = words[0].decode("latin-1").lower()[:100] if words else ""
    return kind, encoding


def _frame(fields: Sequence[bytes], kind: str, stack: Sequence[_Frame]) -> _Frame | None:
    if not kind.startswith("multipart/") or len(stack) >= DEPTH:
        return None
    value = next(field_value(field) for field in fields if field_name(field) == b"content-type")
    found = _BOUNDARY.search(value.replace(b"\0", b""))
    boundary = (found[1] or found[2] or b"") if found else b""
    if not 0 < len(boundary) <= BOUNDARY_OCTETS or b"\n" in boundary:
        return None
    signed = kind == "multipart/signed" or bool(stack and stack[-1].signed)
    return _Frame(b"--" + boundary, signed, _MESSAGE if kind == "multipart/digest" else _TEXT)


def _delimiter(file: BinaryIO, start: int, stack: Sequence[_Frame]) -> _Delimiter:
    """The next boundary line of any open multipart."""
    file.seek(start)
    at, begun, ending = start, True, 0  # octets of the line end before
    while line := file.readline(PIECE):
        if begun and line.startswith(b"--") and (found := _match(line, stack)) is not None:
            return _Delimiter(max(start, at - ending), at + len(line), *found)
        begun = line.endswith(b"\n")
        ending = 2 if line.endswith(b"\r\n") else int(begun)
        at += len(line)
    return _Delimiter(at, at, -1, closing=True)


def _match(line: bytes, stack: Sequence[_Frame]) -> tuple[int, bool] | None:
    """Which open multipart the line is a boundary of, the innermost first, and whether it closes it."""
    if not line.startswith(b"--") or len(line) > BOUNDARY_OCTETS + 100:
        return None
    bare = line.rstrip()
    for depth in range(len(stack) - 1, -1, -1):
        if bare == stack[depth].delimiter:
            return depth, False
        if bare == stack[depth].delimiter + b"--":
            return depth, True
    return None
