"""A card in a form that strict servers take and keep whole."""

from __future__ import annotations

from collections import Counter

from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.formats.vcard.cards import MAX_OCTETS, Card, read
from xdmigrate.formats.vcard.fields import fields, unnamed
from xdmigrate.formats.vcard.lines import Line
from xdmigrate.formats.vcard.naming import bare_uid, made_uid
from xdmigrate.formats.vcard.spelling import framed, laid_out, spelled, with_one_name
from xdmigrate.formats.vcard.text import decoded, escaped, unescaped

ONCE = ("ANNIVERSARY", "BDAY", "GENDER", "KIND", "N", "PRODID", "REV", "UID")
"""What a contact has one of at most."""

NAMES = ("UID", "FN")
"""What a server demands of every card."""


def storable(data: bytes, seed: bytes) -> bytes:
    """The same contact as a vCard 3.0 or 4.0 that no server refuses or cuts. Idempotent.

    Version 4 stays 4; 2.1, none and all others become 3.0. Only faulty lines change: bare types and charsets of 2.1,
    quoted-printable, names and parameters that nobody can parse, bare commas, broken base64, line ends.
    What it adds where it is missing: a UID (a UUIDv5 of the seed, which is the contact's id at the source), an FN,
    and in 3.0 an empty N. None counts as a difference: `digest(storable(x, seed)) == digest(x)`; `additions` tells
    which of UID and FN it would add.
    Raises Unreadable, and Unstorable "empty-card" and "too-big".
    """
    card = read(data)
    said = fields(card)
    if not {field.name for field in said} - {"UID"}:
        raise Unstorable("empty-card", "the contact has no name, address, number or any other property")
    version = "4.0" if card.version.startswith("4") else "3.0"
    kept = [line for line in card.lines if line.key not in NAMES or _filled(line, card)]
    lines = [*_added(card, version, seed), *spelled(kept, card.charset, version)]
    whole = framed(with_one_name(lines, version), version)
    if len(whole) > MAX_OCTETS:
        raise Unstorable("too-big", f"the contact comes to more than {MAX_OCTETS // 10**6} MB")
    return whole


def additions(data: bytes) -> tuple[str, ...]:
    """Which of UID and FN the card lacks, so that `storable` adds them. Raises Unreadable."""
    return _lacking(read(data))


def _lacking(card: Card) -> tuple[str, ...]:
    there = {line.key for line in card.lines if _filled(line, card)}
    return tuple(name for name in NAMES if name not in there)


def _added(card: Card, version: str, seed: bytes) -> list[Line]:
    lacking = _lacking(card)
    if not lacking:
        return []
    uid = ("urn:uuid:" if version == "4.0" else "") + made_uid(seed)
    name = unnamed(field for field in fields(card) if field.name != "FN")
    values = {"UID": uid, "FN": escaped(name)}
    return [laid_out(Line(each, values[each].encode())) for each in lacking]


def _filled(line: Line, card: Card) -> bool:
    """An empty UID or FN is none: it makes way for ours."""
    return line.key in NAMES and bool(bare_uid(unescaped(decoded(line, card.charset))))


def faults(data: bytes) -> tuple[str, ...]:
    """Why a server may refuse the card: what stands there more often than RFC 6350 section 6 allows. Never raises."""
    try:
        counted = Counter(line.key for line in read(data).lines)
    except Unreadable as error:
        return (str(error),)
    return tuple(f"{name} stands there {counted[name]} times" for name in ONCE if counted[name] > 1)
