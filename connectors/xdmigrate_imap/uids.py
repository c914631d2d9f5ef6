"""UIDs: their opaque form in the contract, and the sets in which commands and responses name them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from struct import Struct

from xdmigrate.errors import ItemRefused

MAX_UID = 2**32 - 1
"""RFC 3501 section 9: nz-number, 32 bits."""

MAX_SET = 7500
"""Octets of a set in one command line; RFC 7162 section 4 and RFC 2683 ask to stay below 8000 for the whole line."""

_REF = Struct(">I")
_RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")


def ref(uid: int) -> bytes:
    """A UID as the contract's opaque id: four big-endian bytes, so that byte order is listing order."""
    return _REF.pack(uid)


def uid(opaque: bytes) -> int:
    """The UID of an id. Raises ItemRefused when it is none of ours."""
    if len(opaque) != 4 or opaque == b"\0\0\0\0":
        raise ItemRefused(f"{opaque.hex()!r} is no IMAP message id", reason="bad-id")
    number: int = _REF.unpack(opaque)[0]
    return number


def floor_uid(opaque: bytes) -> int:
    """The smallest UID whose id is >= `opaque`, which may be any bytes; more than MAX_UID when there is none."""
    number = int.from_bytes(opaque[:4].ljust(4, b"\0"), "big")
    return max(1, number + (1 if len(opaque) > 4 else 0))


def ranges(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending UIDs as runs of neighbours."""
    first = last = 0
    for number in uids:
        if number == last + 1 and first:
            last = number
            continue
        if first:
            yield first, last
        first = last = number
    if first:
        yield first, last


def sets(uids: Iterable[int], longest: int = MAX_SET) -> Iterator[tuple[bytes, list[int]]]:
    """Ascending UIDs as sequence sets that fit into a command line, each with the UIDs it names."""
    parts: list[bytes] = []
    named: list[int] = []
    length = 0
    for first, last in ranges(uids):
        part = b"%d" % first if first == last else b"%d:%d" % (first, last)
        if parts and length + len(part) + 1 > longest:
            yield b",".join(parts), named
            parts, named, length = [], [], 0
        parts.append(part)
        named.extend(range(first, last + 1))
        length += len(part) + 1
    if parts:
        yield b",".join(parts), named


def expand(text: bytes, count: int) -> list[int] | None:
    """The UIDs of an APPENDUID set in order (RFC 4315 section 3); None unless there are exactly `count`."""
    found = members(text, count)
    return found if found is not None and len(found) == count else None


def members(text: bytes, most: int) -> list[int] | None:
    """The UIDs of a set in the order in which it names them; None for more than `most`, or for what is no set."""
    found: list[int] = []
    for part in text.split(b","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first = int(match[1])
        last = int(match[2] or match[1])
        low, high = min(first, last), max(first, last)
        if not 0 < low <= high <= MAX_UID or high - low >= most - len(found):
            return None
        found.extend(range(low, high + 1))
    return found
