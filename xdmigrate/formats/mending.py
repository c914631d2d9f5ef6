"""Repairs a message that a strict server refused: the least change that makes it fit for every server.

NUL goes out of headers and boundaries; bare CR and LF become CRLF; lines over 998 octets (RFC 5322 section 2.1.1) are
wrapped: a header is folded or encoded, a part is encoded anew as quoted-printable (text) or base64 (the rest), so that
its payload stays the same to the octet, NUL included; 8-bit headers are encoded (RFC 2047, RFC 2231). Parts without a
fault stay as they are, to the octet. Inside multipart/signed nothing is touched: a repair would break the signature
(RFC 1847 section 2.1), so a message with a fault there cannot be repaired.

Streams from one file to another; memory is bounded by one header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from xdmigrate.formats.fields import LINE_OCTETS, Fault, mend_field
from xdmigrate.formats.mime import HEADER_OCTETS, IDENTITIES, PIECE, Part, field_name, parts
from xdmigrate.formats.transfer import decoded, encoded, octets, with_line_ends

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_CODED = frozenset({"base64", "quoted-printable"})


class Unmendable(Exception):
    """The message cannot be repaired; its words say why."""


def mend(file: BinaryIO, out: BinaryIO) -> set[Fault]:
    """Write the repaired message and tell what was altered; nothing altered: the copy is equal.

    Raises Unmendable; what is in `out` is then of no use.
    """
    found: set[Fault] = set()
    at = 0
    for part in parts(file):
        if part.cut:
            raise Unmendable(f"a header is longer than {HEADER_OCTETS // 1024} kB")
        out.writelines(_filler(file, at, part.start, found))
        out.writelines(_part(file, part, found))
        at = part.end
    file.seek(0, 2)
    out.writelines(_filler(file, at, file.tell(), found))
    return found


def _part(file: BinaryIO, part: Part, found: set[Fault]) -> Iterator[bytes]:
    """Header and body of one part."""
    inside = _faults(file, part) if part.leaf else set()
    if part.signed:
        yield from _untouched(file, part, inside)
        return
    encoding = _wanted_encoding(part, inside)
    yield from _header(part, encoding, found, touched=bool(inside))
    if not inside:
        yield from octets(file, part.body, part.end)
        return
    found.add(Fault.ENCODED if encoding else Fault.LINE_ENDS)
    yield from _body(file, part, encoding)


def _untouched(file: BinaryIO, part: Part, inside: set[Fault]) -> Iterator[bytes]:
    if inside or any(mend_field(field)[1] for field in part.fields):
        raise Unmendable("a repair would break a signature in it")
    yield from octets(file, part.start, part.end)


def _header(part: Part, encoding: str, found: set[Fault], *, touched: bool) -> Iterator[bytes]:
    """The fields, with the transfer encoding that the body now has. A body that is touched gets its empty line."""
    for field in part.fields:
        mended, faults = mend_field(field)
        if encoding and field_name(field) == b"content-transfer-encoding":
            continue
        found |= faults
        yield mended
    if touched and part.fields and not part.fields[-1].endswith(b"\n"):
        yield b"\r\n"
    if encoding:
        yield b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n"
    if part.separator == b"\n":
        found.add(Fault.LINE_ENDS)
    yield b"\r\n" if part.separator or touched else b""


def _wanted_encoding(part: Part, inside: set[Fault]) -> str:
    """The transfer encoding that carries the body without its faults; empty: it keeps the one it has."""
    if not inside:
        return ""
    harmless = inside == {Fault.LINE_ENDS} and (part.text or part.encoding == "base64")
    if harmless:
        return ""
    if part.encoding not in _CODED | IDENTITIES or part.type.startswith("multipart/"):
        raise Unmendable("a part in it cannot be encoded anew")
    if part.encoding in _CODED:
        return part.encoding
    return "quoted-printable" if part.text else "base64"


def _body(file: BinaryIO, part: Part, encoding: str) -> Iterator[bytes]:
    raw: Iterable[bytes] = octets(file, part.body, part.end)
    if part.text or part.encoding == "base64":
        raw = with_line_ends(raw, b"\r\n")
    yield from encoded(decoded(raw, part.encoding), encoding) if encoding else raw
    if encoding == "base64" and part.end > part.body and file.seek(0, 2) == part.end:
        yield b"\r\n"


def _filler(file: BinaryIO, start: int, end: int, found: set[Fault]) -> Iterator[bytes]:
    """Preambles, boundaries and epilogues: nobody reads them, so long lines are simply cut."""
    at, column = start, 0
    while at < end:
        file.seek(at)
        line = file.readline(min(PIECE, end - at))
        at += len(line)
        mended, faults = _mend_line(line)
        found |= faults
        yield from _pieces(mended, column, found)
        column = 0 if mended.endswith(b"\n") else (column + len(mended)) % LINE_OCTETS


def _mend_line(line: bytes) -> tuple[bytes, set[Fault]]:
    faults = {Fault.NUL} if b"\0" in line else set()
    line = line.replace(b"\0", b"")
    if _BARE.search(line):
        return _BARE.sub(b"\r\n", line), faults | {Fault.LINE_ENDS}
    return line, faults


def _pieces(line: bytes, column: int, found: set[Fault]) -> Iterator[bytes]:
    """The line, cut where it would grow beyond the limit; `column` octets of it stand there already."""
    for each in re.findall(rb"[^\n]*\n|[^\n]+", line):
        bare = each.removesuffix(b"\n").removesuffix(b"\r")
        cuts = list(range(LINE_OCTETS - column, len(bare), LINE_OCTETS))
        found |= {Fault.LONG} if cuts else set()
        yield from (each[start:end] + b"\r\n" for start, end in zip([0, *cuts], cuts, strict=False))
        yield each[cuts[-1] if cuts else 0 :]
        column = 0


def _faults(file: BinaryIO, part: Part) -> set[Fault]:
    """What a strict server refuses in this body."""
    found: set[Fault] = set()
    column, before = 0, b""
    for chunk in octets(file, part.body, part.end):
        data = before + chunk
        before = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(before)]
        if b"\0" in data:
            found.add(Fault.NUL)
        if _bare_in(data):
            found.add(Fault.LINE_ENDS)
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        if column + len(lines[0]) > LINE_OCTETS or max(map(len, lines)) > LINE_OCTETS:
            found.add(Fault.LONG)
        column = len(lines[-1]) + (column if len(lines) == 1 else 0)
    if before:
        found.add(Fault.LINE_ENDS)
    return found


def _bare_in(data: bytes) -> bool:
    return data.count(b"\r\n") != data.count(b"\n") or data.count(b"\r\n") != data.count(b"\r")
