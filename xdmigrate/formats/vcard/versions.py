"""Between vCard 3.0 and 4.0: what the other version writes otherwise, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from xdmigrate.formats.vcard.cards import read
from xdmigrate.formats.vcard.fields import ALIASES, SECOND_NAME
from xdmigrate.formats.vcard.lines import Line, Parameter, rendered
from xdmigrate.formats.vcard.spelling import framed, spelled, with_one_name
from xdmigrate.formats.vcard.text import unescaped

VERSIONS = ("3.0", "4.0")

_NAMES = {new: old for old, new in ALIASES.items() if new != "N"}
_DATED = frozenset({"BDAY", "ANNIVERSARY", "DEATHDATE"})
_YEARLESS = "1604"  # Apple's year for none: a leap year
_OMITTED = "X-APPLE-OMIT-YEAR"
_EXTENDED = re.compile(rb"\s*(\d{4})-(\d\d)-(\d\d)(?:T([\d:.]+)([-+Z][\d:]*)?)?\s*", re.IGNORECASE)
_BASIC = re.compile(rb"\s*(\d{4}|--)(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z|[-+]\d{4}|[-+]\d\d)?)?\s*", re.IGNORECASE)
_PLACE_3 = re.compile(rb"\s*([-+]?[\d.]+)\s*;\s*([-+]?[\d.]+)\s*")
_PLACE_4 = re.compile(rb"\s*geo:([-+]?[\d.]+)\\?,([-+]?[\d.]+)\s*", re.IGNORECASE)


def converted(data: bytes, version: str) -> bytes:
    """The same contact as vCard 3.0 or 4.0; a card of that version is returned as it is.

    Changed are VERSION, PHOTO, LOGO, SOUND and KEY, the preferred mark, KIND and MEMBER, dates, TEL and GEO, and what
    the version cannot spell (see `storable`); everything else stays, also what the version does not know.
    `digest(converted(x, version)) == digest(x)`. Raises Unreadable; ValueError for another version.
    """
    if version not in VERSIONS:
        raise ValueError(f"vCard {version} is not a version to convert to")
    card = read(data)
    if card.version == version:
        return data
    change = _to_3 if version == "3.0" else _to_4
    moved = [_moved(line, change) for line in spelled(card.lines, card.charset, version)]
    return framed(with_one_name(spelled(moved, "", version), version), version)


def _moved(line: Line, change: Callable[[Line], Line]) -> Line:
    new = change(line)
    return line if new == line else replace(new, raw=rendered(replace(new, raw=b"")))


def _to_3(line: Line) -> Line:
    new = replace(line, name=_NAMES.get(line.key, line.name), params=_marked_3(line))
    if line.key in _DATED:
        return _dated_3(new)
    if line.key == "TEL" and line.value.lstrip()[:4].lower() == b"tel:":
        number = unquote_to_bytes(line.value.lstrip()[4:])
        return replace(new, params=_without(new, "VALUE"), value=number)
    place = _PLACE_4.fullmatch(line.value) if line.key == "GEO" else None
    return replace(new, params=_without(new, "VALUE"), value=b"%s;%s" % place.groups()) if place else new


def _to_4(line: Line) -> Line:
    new = replace(line, name=ALIASES.get(line.key, line.name), params=_marked_4(line))
    if line.key in _DATED:
        return _dated_4(new)
    if line.key == SECOND_NAME:
        return replace(new, value=unescaped(line.value.decode()).encode())
    place = _PLACE_3.fullmatch(line.value) if line.key == "GEO" else None
    return replace(new, value=b"geo:%s,%s" % place.groups()) if place else new


def _marked_3(line: Line) -> tuple[Parameter, ...]:
    """TYPE=pref for PREF=1; lesser preferences stay, as nothing in vCard 3 says them."""
    if line.values("PREF") != ["1"]:
        return line.params
    return (*_without(line, "PREF"), Parameter("TYPE", ("pref",)))


def _marked_4(line: Line) -> tuple[Parameter, ...]:
    if "pref" not in {each.lower() for each in line.values("TYPE")}:
        return line.params
    types = tuple(each for each in line.values("TYPE") if each.lower() != "pref")
    kept = (*_without(line, "TYPE"), *([Parameter("TYPE", types)] if types else []))
    return kept if line.values("PREF") else (*kept, Parameter("PREF", ("1",)))


def _dated_3(line: Line) -> Line:
    """Extended form (RFC 2426 section 3.1.5); a day without a year as Apple writes it."""
    found = _BASIC.fullmatch(line.value)
    if not found:
        return line
    year, month, day, hours, minutes, seconds, zone = (part.decode() if part else "" for part in found.groups())
    params = _without(line, "VALUE", _OMITTED)
    if year == "--":
        params, year = (*params, Parameter(_OMITTED, (_YEARLESS,))), _YEARLESS
    time = f"T{hours}:{minutes}{seconds and ':' + seconds}{_with_colon(zone)}" if hours else ""
    return replace(line, params=params, value=f"{year}-{month}-{day}{time}".encode())


def _dated_4(line: Line) -> Line:
    """Basic form (RFC 6350 section 4.3)."""
    found = _EXTENDED.fullmatch(line.value)
    if not found:
        return line
    year, month, day, time, zone = (part.decode() if part else "" for part in found.groups())
    omitted = year in line.values(_OMITTED)
    shown = f"T{time}{zone}".replace(":", "").upper() if time else ""
    value = ("--" if omitted else year) + month + day + shown
    return replace(line, params=_without(line, "VALUE", _OMITTED), value=value.encode())


def _with_colon(zone: str) -> str:
    return f"{zone[:3]}:{zone[3:]}" if len(zone) == 5 else zone


def _without(line: Line, *names: str) -> tuple[Parameter, ...]:
    return tuple(param for param in line.params if param.name not in names)
