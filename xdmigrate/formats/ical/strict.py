"""What a strict server stores (RFC 5545, RFC 4791 section 4.1): the least change that makes an object fit, or a reason.

METHOD goes; VERSION, PRODID, UID, DTSTAMP and the end of a timed event are supplied; lines are made UTF-8 with CRLF,
without control characters; every TZID gets a definition. What the object means stays: its digest is the same.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.corrections import corrected, onset
from xdmigrate.formats.ical.lengths import plain
from xdmigrate.formats.ical.lines import Line, folded, line_end, made
from xdmigrate.formats.ical.meaning import MADE, Facts, component_facts, hashed
from xdmigrate.formats.ical.properties import silent
from xdmigrate.formats.ical.times import read
from xdmigrate.formats.ical.zones import Zones
from xdmigrate.formats.refusal import Unstorable

PRODUCT = "-//xdmigrate//xdmigrate//EN"
"""PRODID of objects that came without one."""

SPACE = uuid.UUID("5e0f2b0c-7a4e-5d0b-9a51-8f3f6d1c2b47")
"""The namespace of the UIDs that are made up."""

_STORED = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
_OF_1_0 = frozenset({"AALARM", "DALARM", "MALARM", "PALARM", "RNUM"})
_HEAD = frozenset({"VERSION", "PRODID", "METHOD", ""})
_UNZONED = frozenset({"TZID", "COMMENT", ""})
_CLEAN = re.compile(rb"[^\x00-\x20\x7f][^\x00-\x08\x0a-\x1f\x7f]*\r\n(?:[ \t][^\x00-\x08\x0a-\x1f\x7f]*\r\n)*")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STAMPS = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED"})
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_TIME = re.compile(r"\d{8}T\d{6}Z?")
_NEVER = "19700101T000000Z"

OPAQUE = frozenset({"bad-value", "unknown-timezone"})
"""Refusals of single values: some stores keep the rest of such an object, and the value as it stands."""

Correct = Callable[[Line], Line]


def storable(data: bytes, seed: bytes = b"") -> bytes:
    """The object as a strict server stores it; of one that is fit already, the same octets.

    An object without a UID gets one made of `seed`, or of what it says. Raises Unreadable, and Unstorable for what no
    change could make fit; with the object as it is where nothing is wrong but values.
    """
    try:
        return _fit(data, seed)
    except Unstorable as error:
        if error.reason not in OPAQUE or not _is_plain_text(data):
            raise
        raise Unstorable(error.reason, str(error), _identified(data, seed)) from error


def _is_plain_text(data: bytes) -> bool:
    """Whether these octets are UTF-8 without a mark and control characters: what may be sent as it is."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(data) is None and data[:1] == b"B"


def _identified(data: bytes, seed: bytes) -> bytes:
    """The object with a UID: the same octets, or a line more."""
    root = parsed(data)
    (calendar,) = (each for each in calendars(root) if any(objects(each)))
    first, *_ = found = list(objects(calendar))
    if first.value("UID"):
        return data
    text = f"UID:{_made(found, Zones(calendar), seed)}"
    first.entries.insert(0, made(text, folded(text, line_end(data))))
    return b"".join(root.raw())


def _fit(data: bytes, seed: bytes) -> bytes:
    calendar = _only([each for each in calendars(parsed(data)) if any(objects(each))])
    found = list(objects(calendar))
    _check(calendar, found)
    zones, missing = Zones(calendar), set[str]()
    found = _once(found, zones)
    uid = found[0].value("UID") or _made(found, zones, seed)

    def correct(line: Line) -> Line:
        return corrected(line, zones, missing.add)

    body = [piece for each in found for piece in _component(plain(each, zones), correct, uid)]
    return b"".join([*_head(calendar), *_definitions(zones, missing), *body, b"END:VCALENDAR\r\n"])


def _only(found: list[Component]) -> Component:
    if not found:
        raise Unstorable("no-component", "there is no event, task or journal entry in it")
    if len(found) > 1:
        raise Unstorable("several-objects", "there are several calendars in it")
    return found[0]


def _check(calendar: Component, found: list[Component]) -> None:
    """Refuse what cannot be one object of a calendar."""
    names = {each.name for each in found}
    if not names & _STORED:
        raise Unstorable("no-component", "there is no event, task or journal entry in it")
    if len(names) > 1:
        raise Unstorable("several-objects", "there are different kinds of components in it")
    uids = [each.value("UID") for each in found]
    if len(set(uids)) > 1 or ("" in uids and len(uids) > 1):
        raise Unstorable("several-objects", "there are several objects in it")
    lines = [line for each in found for part in each.walk() for line in part.lines()]
    if not all(line.name for line in lines):
        raise Unstorable("bad-line", "it has a line that is not iCalendar and would be lost")
    if calendar.value("VERSION") == "1.0" and any(map(_only_in_1_0, lines)):
        raise Unstorable("vcalendar-1", "it has rules or alarms of vCalendar 1.0; export it as iCalendar 2.0")


def _once(found: list[Component], zones: Zones) -> list[Component]:
    """Without components that say again what another one says: files that were joined together have them."""
    if len({each.value("RECURRENCE-ID") for each in found}) == len(found):
        return found
    first: dict[Facts, Component] = {}
    for each in found:
        first.setdefault(component_facts(each, zones), each)
    return list(first.values())


def _only_in_1_0(line: Line) -> bool:
    return line.name in _OF_1_0 or (line.name in ("RRULE", "EXRULE") and "FREQ=" not in line.value.upper())


def _made(found: list[Component], zones: Zones, seed: bytes) -> str:
    """A UID that is the same each time."""
    base = seed or hashed([component_facts(each, zones) for each in found])
    return f"{uuid.uuid5(SPACE, base.hex())}{MADE}"


def _head(calendar: Component) -> Iterator[bytes]:
    yield folded("BEGIN:VCALENDAR")
    yield folded("VERSION:2.0")
    product = calendar.first("PRODID")
    yield _clean(product) if product and product.value.strip() else folded(f"PRODID:{PRODUCT}")
    yield from (_clean(line) for line in calendar.lines() if line.name not in _HEAD and not silent(line))


def _clean(line: Line) -> bytes:
    """The line as it came in, if it is written well, else written anew."""
    if not _CLEAN.fullmatch(line.raw):
        return folded(line.text)
    try:
        for piece in line.raw.split(b"\r\n"):
            piece.decode()
    except UnicodeDecodeError:
        return folded(line.text)
    return line.raw


def _component(component: Component, correct: Correct, uid: str) -> Iterator[bytes]:
    ended = component.first("DTEND") is not None
    yield folded(f"BEGIN:{component.name}")
    yield from (folded(text) for text in _supplied(component, correct, uid))
    texts: set[str] = set()
    for each in component.entries:
        if isinstance(each, Component):
            yield from _whole(each, correct)
        elif not (_idle(each) or each.text in texts or (ended and each.name == "DURATION")):
            texts.add(each.text)
            yield _clean(correct(each))
    yield folded(f"END:{component.name}")


def _idle(line: Line) -> bool:
    """Whether nothing is lost with this line: it says nothing, or it is a stamp that cannot be read."""
    return silent(line) or (line.name in _STAMPS and not _TIME.fullmatch(line.value.strip()))


def _whole(component: Component, correct: Correct) -> Iterator[bytes]:
    """A component to which nothing is added."""
    yield folded(f"BEGIN:{component.name}")
    for each in component.entries:
        if isinstance(each, Component):
            yield from _whole(each, correct)
        elif not silent(each):
            yield _clean(correct(each))
    yield folded(f"END:{component.name}")


def _supplied(component: Component, correct: Correct, uid: str) -> Iterator[str]:
    """The lines that are missing."""
    if not component.value("UID"):
        yield f"UID:{uid}"
    if not any(line.name == "DTSTAMP" and not _idle(line) for line in component.lines()):
        yield f"DTSTAMP:{_stamp(component)}"
    start = component.first("DTSTART")
    told = any(component.first(name) for name in ("DTEND", "DURATION"))
    if component.name == "VEVENT" and start is not None and not told and isinstance(read(start.value), datetime):
        yield "DTEND" + correct(start).text[len("DTSTART") :]


def _stamp(component: Component) -> str:
    """When it was last touched, as far as it tells."""
    stamps = (component.value(name) for name in ("LAST-MODIFIED", "CREATED"))
    return next((stamp for stamp in stamps if _STAMP.fullmatch(stamp)), _NEVER)


def _definitions(zones: Zones, missing: set[str]) -> Iterator[bytes]:
    """The definitions that can be used, and the ones that were missing."""
    usable = [tzid for tzid in zones.definitions if tzid and zones.defined(tzid) is not None]
    for tzid in usable:
        yield from _definition(zones.definitions[tzid])
    for name in sorted(missing - set(usable)):
        yield _supplied_definition(name)


def _definition(definition: Component) -> Iterator[bytes]:
    """A definition with its one TZID and without COMMENT, which RFC 5545 section 3.6.5 does not know there."""
    tzid = definition.first("TZID")
    kept = [
        each for each in definition.entries if isinstance(each, Component) or each is tzid or each.name not in _UNZONED
    ]
    yield from _whole(replace(definition, entries=kept), onset)


@lru_cache(maxsize=512)
def _supplied_definition(name: str) -> bytes:
    """The definition of an IANA zone."""
    from icalendar import Timezone

    (definition,) = parsed(bytes(Timezone.from_tzid(name).to_ical())).components()
    return b"".join(_definition(definition))
