"""Exact forms of lists of ids, paths and flag sets in a column. Pure functions; each pair undoes the other."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice, pairwise
from typing import TypeVar

from xdmigrate.model import Path

T = TypeVar("T")

_RISING = b"\x01"  # strictly ascending ids of four bytes: the first one and the differences
_GENERAL = b"\x02"  # any ids: length, then bytes
_WORD = 4


def pack(refs: Sequence[bytes]) -> bytes:
    """Ids in the given order. A million consecutive UIDs take about four kilobytes."""
    body = _rising(refs)
    return _GENERAL + zlib.compress(_general(refs), 1) if body is None else _RISING + zlib.compress(body, 1)


def unpack(packed: bytes) -> list[bytes]:
    """The ids that were packed. Raises ValueError on anything that `pack` did not make."""
    try:
        form, body = packed[:1], zlib.decompress(packed[1:])
    except zlib.error as error:
        raise ValueError("a packed list of ids is damaged") from error
    if form == _RISING:
        return [number.to_bytes(_WORD, "big") for number in accumulate(_words(body))]
    if form == _GENERAL:
        return _split(body)
    raise ValueError("a packed list of ids is damaged")


def _rising(refs: Sequence[bytes]) -> bytes | None:
    if not refs or any(len(ref) != _WORD for ref in refs):
        return None
    numbers = [int.from_bytes(ref, "big") for ref in refs]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        return None
    gaps = [numbers[0], *(later - earlier for earlier, later in pairwise(numbers))]
    return b"".join(gap.to_bytes(_WORD, "big") for gap in gaps)


def _words(body: bytes) -> Iterable[int]:
    if len(body) % _WORD:
        raise ValueError("a packed list of ids is damaged")
    return (int.from_bytes(body[at : at + _WORD], "big") for at in range(0, len(body), _WORD))


def _general(refs: Sequence[bytes]) -> bytes:
    return b"".join(part for ref in refs for part in (len(ref).to_bytes(_WORD, "big"), ref))


def _split(body: bytes) -> list[bytes]:
    refs, at = [], 0
    while at < len(body):
        start = at + _WORD
        at = start + int.from_bytes(body[at:start], "big")
        if at > len(body):
            raise ValueError("a packed list of ids is damaged")
        refs.append(body[start:at])
    return refs


def path_text(path: Path) -> str:
    """A path as the JSON array that the tables hold; ASCII, so that any name a server sends can be stored."""
    return json.dumps(list(path), separators=(",", ":"))


def path_levels(text: str) -> Path:
    """The path of a `path_text`."""
    return tuple(json.loads(text))


def flags_text(flags: frozenset[str]) -> str:
    """A flag set as one text, equal for equal sets."""
    return json.dumps(sorted(flags), separators=(",", ":"))


def flags_set(text: str) -> frozenset[str]:
    """The set of a `flags_text`."""
    return frozenset(json.loads(text))


def one_line(text: str, length: int) -> str:
    """An outside system's words, shortened to one line that any database and terminal can hold."""
    printable = "".join(char if char.isprintable() else " " for char in text[: length * 4])
    return " ".join(printable.split())[:length]


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` values, for statements whose number of parameters is limited."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
