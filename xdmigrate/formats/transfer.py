"""Transfer encodings (RFC 2045 section 6) over streams: any length, bounded memory, nothing raises over bad input."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

CHUNK = 64 * 1024
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=]+")
_ENDS = re.compile(rb"\r\n?|\n")
_LINE = 57  # octets that make a line of 76 characters in base64


def octets(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """What lies between two offsets. The file may be moved about meanwhile."""
    while start < end:
        file.seek(start)
        chunk = file.read(min(CHUNK, end - start))
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def with_line_ends(chunks: Iterable[bytes], line_end: bytes) -> Iterator[bytes]:
    """CR, LF and CRLF, each as this line end."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        held = b"\r" if data.endswith(b"\r") else b""
        yield _ENDS.sub(line_end, data[: len(data) - len(held)])
    if held:
        yield line_end


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The payload behind a transfer encoding; one that is unknown is taken for none."""
    if encoding == "base64":
        return _from_base64(chunks)
    return _from_quoted_printable(chunks) if encoding == "quoted-printable" else iter(chunks)


def encoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The payload in base64 or quoted-printable; CRLF is the only line end that stays one in the latter."""
    return _to_base64(chunks) if encoding == "base64" else _to_quoted_printable(chunks)


def _from_base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What is no letter of the alphabet is passed over, padding ends a group of four."""
    held = b""
    for chunk in chunks:
        first, *others = _FOREIGN.sub(b"", chunk).split(b"=")
        held += first
        for other in others:
            yield _groups(held, rest=True)
            held = other
        whole = len(held) // 4 * 4
        yield _groups(held[:whole], rest=False)
        held = held[whole:]
    yield _groups(held, rest=True)


def _groups(letters: bytes, *, rest: bool) -> bytes:
    over = len(letters) % 4
    if rest and over:
        letters = letters[:-1] if over == 1 else letters + b"=" * (4 - over)
    return binascii.a2b_base64(letters)


def _to_base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held, ending = b"", b""
    for chunk in chunks:
        held += chunk
        whole = len(held) // _LINE * _LINE
        for start in range(0, whole, _LINE):
            yield ending + binascii.b2a_base64(held[start : start + _LINE], newline=False)
            ending = b"\r\n"
        held = held[whole:]
    if held:
        yield ending + binascii.b2a_base64(held, newline=False)


def _from_quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        data = held + chunk
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) >= CHUNK:  # a line without end: cut where no "=XX" is
            cut = len(data) - 3 if b"=" in data[-3:] else len(data)
        yield binascii.a2b_qp(data[:cut])
        held = data[cut:]
    yield binascii.a2b_qp(held)


def _to_quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held, within = b"", False  # within: an encoded line goes on
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\r\n")
        for line in lines:
            yield _soft(within) + _quoted(line) + b"\r\n"
            within = False
        if len(held) >= CHUNK:
            kept = 1 if held.endswith(b"\r") else 0
            yield _soft(within) + _quoted(held[: len(held) - kept])
            held, within = held[len(held) - kept :], True
    if held:
        yield _soft(within) + _quoted(held)


def _soft(within: bool) -> bytes:  # noqa: FBT001 -- reads as what it says
    return b"=\r\n" if within else b""


def _quoted(line: bytes) -> bytes:
    """One line or a piece of one; every octet that is no printable ASCII is encoded, bare CR and LF too."""
    return binascii.b2a_qp(line, istext=False).replace(b"\n", b"\r\n")
