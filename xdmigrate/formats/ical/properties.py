"""One property as it is meant: the same values for every way in which servers write it.

What a property says is a set of (name, value) pairs, so that repeated and merged lists are equal. Names that no
standard knows say nothing here, for every program may drop them (RFC 5545 section 3.8.8), but for the ones that carry
what people see: the HTML body and the fourfold busy status.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import unquote_to_bytes

from xdmigrate.formats.ical.addresses import PEOPLE, address
from xdmigrate.formats.ical.lines import Line, listed, text_of, unescaped
from xdmigrate.formats.ical.rules import RULES, is_over, rule
from xdmigrate.formats.ical.times import Moment, listed_moment, period, read, spanned, told
from xdmigrate.formats.ical.zones import Zones

Said = Iterator[tuple[str, str]]

HTML, BUSY = "X-ALT-DESC", "X-MICROSOFT-CDO-BUSYSTATUS"

_STANDARD = """
ACKNOWLEDGED ACTION ATTACH ATTENDEE BUSYTYPE CALENDAR-ADDRESS CATEGORIES CLASS COLOR COMMENT COMPLETED CONCEPT
CONFERENCE CONTACT DESCRIPTION DTEND DTSTART DUE DURATION EXDATE EXRULE FREEBUSY GEO IMAGE LINK LOCATION LOCATION-TYPE
NAME ORGANIZER PARTICIPANT-TYPE PERCENT-COMPLETE PRIORITY PROXIMITY RDATE RECURRENCE-ID REFID RELATED-TO REPEAT
REQUEST-STATUS RESOURCES RESOURCE-TYPE RRULE STATUS STRUCTURED-DATA STYLED-DESCRIPTION SUMMARY TRANSP TRIGGER UID URL
"""
NAMES = frozenset({*_STANDARD.split(), HTML, BUSY})
"""The properties that count: of RFC 5545, 7953, 7986, 9073, 9074, 9253, and the EXRULE of RFC 2445.

Not the ones that every system writes anew: PRODID, VERSION, METHOD, SEQUENCE, DTSTAMP, CREATED, LAST-MODIFIED.
"""

PARTS = frozenset({"VALARM", "AVAILABLE", "PARTICIPANT", "VLOCATION", "VRESOURCE"})
"""Components inside of an object's own (RFC 5545, 7953, 9073)."""

DEFAULTS = frozenset(
    {
        ("TRANSP", "OPAQUE"),
        ("CLASS", "PUBLIC"),
        ("STATUS", "CONFIRMED"),
        ("PRIORITY", "0"),
        ("PERCENT-COMPLETE", "0"),
        ("REPEAT", "0"),
    }
)
_NEEDED = PEOPLE | {
    "",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RECURRENCE-ID",
    "RRULE",
    "EXRULE",
    "TRIGGER",
    "COMPLETED",
}
_LISTS = frozenset({"EXDATE", "RDATE", "FREEBUSY"})
_CODES = frozenset({"TRANSP", "CLASS", "STATUS", "ACTION", "PRIORITY", "PERCENT-COMPLETE", BUSY})
_DATA = re.compile(r"data:[^,]*?(;base64)?,(.*)", re.IGNORECASE | re.DOTALL)


def silent(line: Line) -> bool:
    """Whether the line has no value, and needs none to mean something. Servers drop such lines or refuse the object."""
    blank = not line.value.strip(" ;" if line.name == "GEO" else None)
    return blank and line.name not in _NEEDED and not line.parameter("ALTREP")


def said(line: Line, zones: Zones, start: Moment | None, usual: timedelta | None = None) -> Said:
    """What this line says; nothing for what is ignored.

    `start` and `usual` length are those of the component to which it belongs.
    """
    name = line.name
    if not name:
        yield "?", line.text
    elif silent(line) or name not in NAMES:
        return
    elif name in RULES:
        yield from () if is_over(line.value, start) else [(name, rule(line.value, start))]
    elif name in _LISTS:
        yield from ((name, each) for each in _moments(line, zones, start, usual if name == "RDATE" else None))
    elif name in _READERS:
        yield from _READERS[name](line, zones)
    else:
        yield from _text(line)


def _text(line: Line) -> Said:
    """A text, and what is linked with it (ALTREP: Thunderbird's HTML body)."""
    value = text_of(line).strip()
    if line.name in _CODES:
        value = value.upper()
    if value and (line.name, value) not in DEFAULTS:
        yield line.name, value
    linked = line.parameter("ALTREP")
    if linked:
        yield f"{line.name};ALTREP", linked


def _list(line: Line, zones: Zones) -> Said:  # noqa: ARG001
    yield from ((line.name, value.strip()) for value in listed(line.value) if value.strip())


def _moment(line: Line, zones: Zones) -> Said:
    yield line.name, told(line, zones)


def _moments(line: Line, zones: Zones, start: Moment | None, usual: timedelta | None) -> Iterator[str]:
    for value in filter(None, line.value.split(",")):
        begun, slash, _ = value.partition("/")
        if slash and (usual is None or spanned(line, zones, value) != usual):
            yield period(line, zones, value)
        else:
            yield listed_moment(line, zones, begun, start)


def _trigger(line: Line, zones: Zones) -> Said:
    """A moment, or how long after the start or what else it says."""
    found = read(line.value)
    if not isinstance(found, timedelta):
        yield from _moment(line, zones)
        return
    related = line.parameter("RELATED").upper()
    yield line.name, f"{found} {related}" if related not in ("", "START") else str(found)


def _person(line: Line, zones: Zones) -> Said:  # noqa: ARG001
    """Who, and whether they come; names and how they were asked differ from server to server."""
    state = line.parameter("PARTSTAT").upper() if line.name == "ATTENDEE" else ""
    who = address(line.value)
    if who:
        yield line.name, who if state in ("", "NEEDS-ACTION") else f"{who} {state}"


def _attachment(line: Line, zones: Zones) -> Said:  # noqa: ARG001
    """The digest of the octets if they are here, else the address."""
    inline = line.parameter("ENCODING").upper() == "BASE64" or line.parameter("VALUE").upper() == "BINARY"
    match = None if inline else _DATA.match(line.value)
    if match and not match[1]:
        octets: bytes | None = unquote_to_bytes(match[2])
    else:
        octets = _base64(match[2] if match else line.value) if inline or match else None
    yield line.name, hashlib.sha256(octets).hexdigest() if octets is not None else line.value.strip()


def _base64(value: str) -> bytes | None:
    try:
        return base64.b64decode(re.sub(r"\s+", "", value))
    except (binascii.Error, ValueError):
        return None


def _relation(line: Line, zones: Zones) -> Said:  # noqa: ARG001
    kind = line.parameter("RELTYPE").upper() or "PARENT"
    yield line.name, f"{kind} {unescaped(line.value).strip()}"


def _status(line: Line, zones: Zones) -> Said:  # noqa: ARG001
    """What became of a request: its code; servers have words of their own for it."""
    yield line.name, unescaped(line.value).partition(";")[0].strip()


def _position(line: Line, zones: Zones) -> Said:  # noqa: ARG001
    """Servers write more or fewer decimals; six are 11 cm."""
    value = line.value.replace("\\", "").strip()
    try:
        yield line.name, ";".join(f"{float(each):.6f}" for each in value.split(";"))
    except ValueError:
        yield line.name, value


_READERS: dict[str, Callable[[Line, Zones], Said]] = {
    **dict.fromkeys(("CATEGORIES", "RESOURCES"), _list),
    **dict.fromkeys(("DTSTART", "DTEND", "DUE", "COMPLETED", "RECURRENCE-ID", "ACKNOWLEDGED"), _moment),
    **dict.fromkeys(("ORGANIZER", "ATTENDEE", "CALENDAR-ADDRESS"), _person),
    **dict.fromkeys(("ATTACH", "IMAGE"), _attachment),
    **dict.fromkeys(("DURATION", "TRIGGER"), _trigger),
    "RELATED-TO": _relation,
    "GEO": _position,
    "REQUEST-STATUS": _status,
}
