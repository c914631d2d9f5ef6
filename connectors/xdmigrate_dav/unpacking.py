"""The bytes of an answer as they were before they were packed. A small answer may unpack to anything: never at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

ACCEPTED = "gzip"
"""What a server is told that we unpack (RFC 9110 section 12.5.3)."""

PIECE = 65536
"""Bytes that are unpacked at once."""


class BadPacking(ValueError):
    """The answer is packed in a way that nobody asked for, or is damaged; the message says which."""


def unpacked(pieces: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The body in pieces; `coding`: the header `Content-Encoding`. Raises BadPacking.

    Several codings one upon the other are refused: each may multiply what the one before has made.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return iter(pieces)
    if name not in ("gzip", "x-gzip"):
        raise BadPacking(f"the answer is packed as {name[:30]!r}, which was not asked for")
    return _gunzipped(pieces)


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packed = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    begun = False
    try:
        for piece in pieces:
            left = piece
            while left and not packed.eof:
                begun = True
                yield packed.decompress(left, PIECE)
                left = packed.unconsumed_tail
        while begun and not packed.eof and (rest := packed.decompress(b"", PIECE)):
            yield rest
    except zlib.error as error:
        raise BadPacking("the answer is no gzip, although it says so") from error
    if begun and not packed.eof:
        raise BadPacking("the answer breaks off")
