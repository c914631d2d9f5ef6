"""What a card says, whatever its version and however it is written: a set of fields, comparable by value.

Left out: VERSION, PRODID, REV and PROFILE; empty properties; KIND:individual, the default; a UID that was made here.
A card without FN has the one that `naming` makes. Names are upper-case, types are those of home, work, cell and fax,
the label is that of the group's X-ABLABEL. Other parameters do not count. Of values:
- text: decoded, unescaped, trimmed; list separators and escaped commas are the same in N, ADR and ORG
- N has 5 parts, ADR 7, ORG up to the last that is filled; NICKNAME and CATEGORIES are one field for each value
- TEL: digits and letters, without `tel:`; EMAIL: lower-case; UID, MEMBER and RELATED without `urn:uuid:`
- dates and offsets without their separators; Apple's year for "no year" is none; GEO as two numbers
- base64, and `data:` URIs of pictures, sounds and keys: SHA-256 of the octets; a card in an AGENT: its own digest
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

from xdmigrate.formats.fields import guessed
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard.cards import MAX_DEPTH, Card, agent, read
from xdmigrate.formats.vcard.lines import Line
from xdmigrate.formats.vcard.media import BINARY
from xdmigrate.formats.vcard.naming import bare_uid, is_made, made_name
from xdmigrate.formats.vcard.text import clean, decoded, encoding, octets, split, unescaped

SECOND_NAME = "X-N"
"""Ours for what vCard 3 has no place for: names in other scripts (ALTID of vCard 4). A text that holds an N."""

ALIASES = {"X-ADDRESSBOOKSERVER-KIND": "KIND", "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER", SECOND_NAME: "N"}
"""What properties of vCard 4 are called in vCard 3; groups by Apple's names."""

TYPES = frozenset({"home", "work", "cell", "fax"})

IGNORED = frozenset({"", "BEGIN", "END", "VERSION", "PRODID", "REV", "PROFILE"})

PARTS = {"N": 5, "ADR": 7}
"""How many components a structured value has."""

_DATE = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)(?:[T ]([\d:.,]+)([-+Z].*)?)?", re.IGNORECASE)
_OFFSET = re.compile(r"[-+]\d\d:?\d\d")
_NOT_DIALLED = re.compile(r"[^\w*#]|_")
_PLACE_CHARS = 100
_MOVED = ("UID", "MEMBER", "RELATED")
_LABEL = "X-ABLABEL"


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """One thing that a card says."""

    name: str
    value: tuple[str, ...]
    types: tuple[str, ...] = ()
    label: str = ""


def fields(card: Card, depth: int = 0) -> frozenset[Field]:
    """All that the card says. Raises Unreadable where cards stand in one another too deeply."""
    labels = _labels(card)
    found = {field for line in card.lines for field in _fields(line, card.charset, labels, depth)}
    if {field.name for field in found} - {"UID"} and all(field.name != "FN" for field in found):
        found.add(Field("FN", (unnamed(found),)))
    return frozenset(field for field in found if field.name != "UID" or not is_made(field.value[0]))


def digest_of(told: Iterable[Field]) -> bytes:
    """SHA-256 over the fields, in an order of their own."""
    whole = sha256()
    for field in sorted(told):
        for part in (field.name, *field.value, *field.types, field.label):
            octets = part.encode("utf-8", "surrogatepass")
            whole.update(b"%d:" % len(octets) + octets)
        whole.update(b";%d,%d;" % (len(field.value), len(field.types)))
    return whole.digest()


def unnamed(found: Iterable[Field]) -> str:
    """The formatted name of a card that has none."""
    parts: dict[str, list[tuple[str, ...]]] = {}
    for field in found:
        parts.setdefault(field.name, []).append(field.value)
    return made_name(parts)


def name_of(line: Line) -> str:
    """The property's name in vCard 4, in upper case."""
    return ALIASES.get(line.key, line.key)


def components(text: str, count: int) -> list[str]:
    """The parts of a structured value; what is too many belongs to the last one."""
    parts = [unescaped(part).strip() for part in split(text, ";")]
    last = "; ".join(part for part in parts[count - 1 :] if part)
    return [*parts[: count - 1], *[""] * (count - 1 - len(parts)), last]


def _fields(line: Line, charset: str, labels: dict[str, str], depth: int) -> Iterator[Field]:
    name = name_of(line)
    label = labels.get(line.group.lower(), "") if line.group else ""
    if name in IGNORED or (name == _LABEL and label):
        return
    told = () if name in BINARY else (*line.values("TYPE"), *line.values(""))  # of a picture it is the format
    types = {each.lower() for each in told} & TYPES
    for value in _values(line, name, charset, depth):
        if any(value) and (name, value) != ("KIND", ("individual",)):
            yield Field(name, value, tuple(sorted(types)), label)


def _labels(card: Card) -> dict[str, str]:
    """Group to label, for groups that have something to label."""
    labelled = {line.group.lower() for line in card.lines if line.group and line.key != _LABEL}
    found = {
        line.group.lower(): unescaped(decoded(line, card.charset)).strip()
        for line in card.lines
        if line.key == _LABEL and line.group
    }
    return {group: label for group, label in found.items() if group in labelled}


def _values(line: Line, name: str, charset: str, depth: int) -> list[tuple[str, ...]]:
    inner = agent(line) if name == "AGENT" else None
    if inner is not None:
        return [(_inner(inner, depth + 1),)]
    binary = octets(line) if name in BINARY or encoding(line) == "base64" else None
    if binary is not None:
        return [(sha256(binary).hexdigest(),)] if binary else []
    text = decoded(line, charset)
    if line.key == SECOND_NAME:
        text = unescaped(text)
    if name in PARTS:
        return [tuple(components(text, PARTS[name]))]
    if name in ("NICKNAME", "CATEGORIES"):
        return [(unescaped(each).strip(),) for each in split(text, ",")]
    if name == "ORG":
        return [_without_empty_ends([unescaped(each).strip() for each in split(text, ";")])]
    return [_meant(name, unescaped(text).strip(), line)]


def _without_empty_ends(parts: list[str]) -> tuple[str, ...]:
    """A department stays one where the company before it is not told."""
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _meant(name: str, text: str, line: Line) -> tuple[str, ...]:
    if name in _DATED:
        return (_date(text, line.values("X-APPLE-OMIT-YEAR")),)
    reader = _READERS.get(name)
    return reader(text) if reader else (text,)


def _inner(data: bytes, depth: int) -> str:
    """The digest of a card in a card; its text where it is none."""
    if depth >= MAX_DEPTH:
        raise Unreadable(f"more than {MAX_DEPTH} cards stand in one another")
    try:
        card = read(data)
    except Unreadable:
        return clean(guessed(data)).strip()
    return digest_of(fields(card, depth)).hex()


def _number(text: str) -> tuple[str, ...]:
    bare = unquote(text[4:]) if text[:4].lower() == "tel:" else text
    return (_NOT_DIALLED.sub("", bare).lower() or text,)


def _address(text: str) -> tuple[str, ...]:
    return (text.lower().removeprefix("mailto:").strip(),)


def _member(text: str) -> tuple[str, ...]:
    bare = bare_uid(text)
    return (bare.lower() if bare[:7].lower() == "mailto:" else bare,)


def _place(text: str) -> tuple[str, ...]:
    """Two numbers, however many decimals a server writes."""
    bare = text[4:] if text[:4].lower() == "geo:" else text
    if len(bare) > _PLACE_CHARS:
        return (bare,)
    parts = re.split("[;,]", bare)
    try:
        return tuple(repr(float(part)) for part in parts)
    except ValueError:
        return (bare,)


def _offset(text: str) -> tuple[str, ...]:
    return (text.replace(":", "") if _OFFSET.fullmatch(text) else text,)


def _date(text: str, omitted: list[str]) -> str:
    found = _DATE.fullmatch(text)
    if not found:
        return text
    year, month, day, time, zone = found.groups()
    shown = "--" if year in omitted else year
    return shown + month + day + (f"T{time}{zone or ''}".upper().replace(":", "") if time else "")


_DATED = frozenset({"BDAY", "ANNIVERSARY", "DEATHDATE", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-ABDATE"})
_READERS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "TEL": _number,
    "EMAIL": _address,
    "GEO": _place,
    "TZ": _offset,
    "KIND": lambda text: (text.lower(),),
    **dict.fromkeys(_MOVED, _member),
}
