"""A file as single cards, and a card as lines. Nothing is lost on the way; hostile input is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard.lines import Line, logical_lines, parsed
from xdmigrate.formats.vcard.text import charsets, data_uri, decoded, encoding, unescaped

MAX_OCTETS = 16_000_000
"""Of one card. Photos of this size are refused by every server."""

MAX_LINES = 50_000
"""Content lines of one card."""

MAX_DEPTH = 8
"""Cards in cards (AGENT, RFC 2426 section 3.5.4)."""

MAX_PARAMETERS = 20_000
"""Of all properties of one card."""

MAX_LIST = 1_000_000
"""Octets of a property that holds a list or a structure."""

MAX_TEXT = 4_000_000
"""Octets of a property that holds neither a picture nor anything else in base64."""

REMEMBERED_OCTETS = 100_000
"""The last few cards that are no larger are not taken apart again."""

LISTS = frozenset({"N", "ADR", "ORG", "NICKNAME", "CATEGORIES"})

_UTF_8_MARK = b"\xef\xbb\xbf"
_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*BEGIN[ \t]*:[ \t]*VCARD[ \t\r\n]*", re.IGNORECASE)
_END = re.compile(rb"[ \t]*END[ \t]*:[ \t]*VCARD[ \t\r\n]*", re.IGNORECASE)
_MARK = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(?:BEGIN|END|(?:[A-Z0-9-]*\.)?AGENT)", re.IGNORECASE)
_AGENT = re.compile(rb"[ \t]*(?:[A-Z0-9-]*\.)?AGENT(?:;[^:\r\n]*)?:[ \t]*BEGIN:VCARD[ \t\r\n]*", re.IGNORECASE)
_APART = re.compile(rb"^(AGENT(?:;[^:\r\n]*)?:)[ \t]*[\r\n]+(?=BEGIN:VCARD)", re.IGNORECASE | re.MULTILINE)
_FOLDED_AGENT = re.compile(rb"[^:\r\n]*:[ \t]*(BEGIN:VCARD[ \t]*[\r\n]+[ \t](?!\\).*)", re.IGNORECASE | re.DOTALL)
_FOLD = re.compile(rb"[\r\n]+[ \t]")
_GLUED = re.compile(rb"^([ \t]*END:VCARD)(?=BEGIN:VCARD)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Card:
    """The lines of one card, from BEGIN to END."""

    lines: tuple[Line, ...]
    charset: str  # of 8-bit text where a line does not say: what other lines of the card say (Outlook's 2.1)

    @property
    def version(self) -> str:
        """As the card says it; empty where it does not."""
        return next((line.value.strip().decode("latin-1") for line in self.lines if line.key == "VERSION"), "")


def cards(data: bytes) -> list[bytes]:
    """Every card of a file by itself, with the cards in it; UTF-16 becomes UTF-8, all else stays to the octet.

    A card without its END goes up to the next one's BEGIN. What stands outside all cards and is not blank is a piece
    of its own, so that it is not lost unseen: reading it raises Unreadable.
    """
    whole = _prepared(data)
    edges = sorted({0, *_edges(whole)})
    pieces = [whole[start:stop] for start, stop in zip(edges, [*edges[1:], len(whole)], strict=True)]
    return [piece for piece in pieces if piece.removeprefix(_UTF_8_MARK).strip()]


def read(data: bytes) -> Card:
    """One card. Raises Unreadable where there is none or more than one, or where a bound is exceeded."""
    return _read_before(data) if len(data) <= REMEMBERED_OCTETS else _read(data)


@lru_cache(maxsize=8)
def _read_before(data: bytes) -> Card:
    """A card is read, renamed in, digested and sent by one piece of code after the other."""
    return _read(data)


def _read(data: bytes) -> Card:
    if len(data) > MAX_OCTETS:
        raise Unreadable(f"the card has more than {MAX_OCTETS // 10**6} MB")
    lines: list[Line] = []
    params = 0
    for line in _with_rests(_lines(_prepared(data))):
        lines.append(line)
        params += len(line.params)
        if len(lines) > MAX_LINES or params > MAX_PARAMETERS:
            raise Unreadable(f"the card has more than {MAX_LINES} lines or {MAX_PARAMETERS} parameters")
        _bound(line)
    named = {charset.lower() for line in lines for charset in charsets(line)} - {"utf-8", "utf8"}
    return Card(tuple(lines), min(named, default=""))


def _bound(line: Line) -> None:
    if line.key in LISTS and len(line.value) > MAX_LIST:
        raise Unreadable(f"a list in the card has more than {MAX_LIST // 10**6} MB")
    if len(line.value) > MAX_TEXT and encoding(line) != "base64" and not data_uri(line):
        raise Unreadable(f"a text in the card has more than {MAX_TEXT // 10**6} MB")


def agent(line: Line) -> bytes | None:
    """The card that an AGENT holds, whichever way it is written; None where it holds something else."""
    value = line.value.strip()
    if value[:11].upper() != b"BEGIN:VCARD":
        return None
    if b"\n" in value or b"\r" in value:
        return value
    return unescaped(decoded(line, "")).encode()


def _prepared(data: bytes) -> bytes:
    """In UTF-8 (RFC 6350 section 3.1); files of Windows programs are UTF-16 by a mark, or by NUL in every pair."""
    charset = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"B\0": "utf-16-le", b"\0B": "utf-16-be"}.get(data[:2])
    whole = data.decode(charset, "replace").encode() if charset else data
    return _APART.sub(rb"\1", _GLUED.sub(rb"\1\r\n", whole))


def _steps(data: bytes) -> Iterator[tuple[int, int, int, bool]]:
    """Each content line: where it begins and ends, how many cards are open after it, whether it begins a new one."""
    depth = 0
    for start, stop in logical_lines(data):
        raw = data[start:stop] if _MARK.match(data, start, stop) else b""
        begins = bool(raw) and _BEGIN.fullmatch(raw) is not None
        if begins:
            depth = 1
        elif raw and depth and _END.fullmatch(raw):
            depth -= 1
        elif raw and depth and _AGENT.fullmatch(raw):
            depth += 1
        yield start, stop, depth, begins


def _edges(data: bytes) -> Iterator[int]:
    """Where a new piece begins: each card, and what stands between two cards."""
    before = 0
    for start, stop, depth, begins in _steps(data):
        if begins and start:
            yield start
        elif before == 1 and not depth:
            yield stop
        before = depth


def _lines(data: bytes) -> Iterator[Line]:
    """The lines of a card; a card that stands in it line by line is the value of its AGENT."""
    seen, held = False, -1  # held: where an AGENT with its card began
    for start, stop, depth, begins in _steps(data):
        raw = data[start:stop]
        if depth > MAX_DEPTH:
            raise Unreadable(f"more than {MAX_DEPTH} cards stand in one another")
        if (begins and seen) or (not begins and not depth and raw.strip() and not _END.fullmatch(raw)):
            raise Unreadable("it holds more than one card" if begins else "text stands outside BEGIN and END:VCARD")
        seen = seen or begins
        if held < 0 and depth > 1:
            held = start
        if held < 0:
            yield _with_folded_agent(parsed(raw))
        elif depth <= 1:
            yield _with_agent(data[held:stop])
            held = -1
    if not seen:
        raise Unreadable("it does not begin with BEGIN:VCARD")
    if held >= 0:
        yield _with_agent(data[held:])


def _is_rest(line: Line, before: Line) -> bool:
    """Whether some program forgot to fold or escape a line of a note: it has no colon, so it is nothing else."""
    return not line.name and bool(line.raw.strip()) and before.key in ("NOTE", "LABEL") and not encoding(before)


def _with_rests(found: Iterator[Line]) -> Iterator[Line]:
    """Each line with the rests that follow it."""
    held: list[Line] = []
    for line in found:
        if held and not _is_rest(line, held[0]):
            yield _joined(held)
            held = []
        held.append(line)
    if held:
        yield _joined(held)


def _joined(held: list[Line]) -> Line:
    if len(held) == 1:
        return held[0]
    value, raw = b"\\n".join(each.value for each in held), b"".join(each.raw for each in held)
    return replace(held[0], value=value, raw=raw)


def _with_agent(raw: bytes) -> Line:
    line = parsed(raw)
    return replace(line, value=raw[raw.index(b":") + 1 :])


def _with_folded_agent(line: Line) -> Line:
    """Some programs write the inner card as folds, one for each of its lines."""
    found = _FOLDED_AGENT.match(line.raw) if line.key == "AGENT" else None
    return replace(line, value=_FOLD.sub(b"\n", found[1].rstrip())) if found else line
