"""One line as the standards want it, meaning what it meant: what strict servers refuse, cut or drop as it came in.

Measured: libraries behind servers cut a text at a bare comma, refuse times under VALUE=DATE and dates without it,
drop a rule with blanks in it, move a COMPLETED that is not in UTC, and refuse a zone that is defined with periods.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from xdmigrate.formats.ical.addresses import PEOPLE
from xdmigrate.formats.ical.lines import Line, encoded, escaped, made, text_of
from xdmigrate.formats.ical.rules import rule
from xdmigrate.formats.ical.times import FLOATING, moment, read, spelled
from xdmigrate.formats.ical.zones import Zones
from xdmigrate.formats.refusal import Unstorable

_MOMENTS = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE"})
_TIMES = _MOMENTS | {"COMPLETED", "DURATION", "TRIGGER"}
_TEXTS = ("SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT")
_RULES = ("RRULE", "EXRULE")
_STAMPS = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED"})
_PARAMETER = r';\s*(?:%s)\s*=((?:"[^"]*"|[^";])*+)'
_TZID = re.compile(_PARAMETER % "TZID", re.IGNORECASE)
_VALUE = re.compile(_PARAMETER % "VALUE", re.IGNORECASE)
_FLOATING = re.compile(_PARAMETER % FLOATING, re.IGNORECASE)
_CODING = re.compile(rf"{_PARAMETER % 'ENCODING|CHARSET'}|;\s*QUOTED-PRINTABLE(?=;|\Z)", re.IGNORECASE)
_ANY = re.compile(r';(?:"[^"]*"|[^";])*+')
_ESCAPED = re.compile(r'(;\s*[A-Za-z0-9-]+\s*=)((?:\\[^;,"]|[^";,\\])*+\\[;,](?:\\[^"]|[^";,\\])*+)(?=[;,]|\Z)')
_NAMED = re.compile(r'(;\s*CN\s*=)([^";\\]*+\\[^";]*+)(?=;|\Z)', re.IGNORECASE)
_BACKSLASH, _PLAIN = re.compile(r"\\([^n])"), r"\1"
_BARE = re.compile(r"(\\.)|([,;])", re.DOTALL)
_BLANK = re.compile(r"\s+")
_DATE = re.compile(r"\d{8}")
_QUOTED = re.compile(r'".*"', re.DOTALL)
_JOINED = re.compile(r"\s*[\d.]+\\;")

_VALUES: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(_RULES, lambda value: _BLANK.sub("", value).replace("\\", "").strip(";")),
    **dict.fromkeys(("DURATION", "TRIGGER", "UID"), str.strip),
    "GEO": lambda value: value.replace("\\", "").strip(),
}
"""How values are written."""


def corrected(line: Line, zones: Zones, supply: Callable[[str], None]) -> Line:
    """The line as it is stored. `supply` is told the IANA zones whose definition is missing.

    Raises Unstorable for a time zone that nobody knows, and for times and rules that cannot be read.
    """
    if encoded(line) and (line.name in _TEXTS or line.name.startswith("X-")):
        return made(f"{_CODING.sub('', line.text[: line.colon])}:{escaped(text_of(line))}")
    line = _parameterised(_spelled(_readable(line)))
    if line.name == "COMPLETED":
        return _in_utc(line, zones)
    if line.name in _MOMENTS | _STAMPS:
        return _zoned(_typed(line), zones, supply)
    if line.name == "TRIGGER" and isinstance(read(line.value), datetime) and not line.parameter("VALUE"):
        return _headed(line, f"{line.text[: line.colon]};VALUE=DATE-TIME")  # section 3.8.6.3
    if line.name in _LINES:
        return _LINES[line.name](line)
    return _with(line, _VALUES[line.name](line.value)) if line.name in _VALUES else line


def _readable(line: Line) -> Line:
    """Measured: servers refuse a time that cannot be read, or leave it out, or make another one of it."""
    if line.name in _RULES:
        known = not rule(line.value, None).startswith("?")
    else:
        known = line.name not in _TIMES or all(map(_time, line.value.split(",")))
    if not known:
        raise Unstorable("bad-value", f"its {line.name} cannot be read, and would be lost")
    return line


def _spelled(line: Line) -> Line:
    if line.name not in _TIMES:
        return line
    values = ("/".join(map(spelled, each.split("/"))) for each in line.value.split(","))
    return _with(line, ",".join(values)) if any(map(_is_misspelled, re.split("[,/]", line.value))) else line


def _is_misspelled(value: str) -> bool:
    return spelled(value) != value.strip()


def _time(value: str) -> bool:
    """A moment, a duration, or a period: that has times, no dates (section 3.3.9)."""
    parts = [read(each) for each in value.split("/")]
    return None not in parts and (len(parts) == 1 or all(not _is_date(each) for each in parts))


def _is_date(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _parameterised(line: Line) -> Line:
    """Parameter values with Apple's backslashes are quoted; what is no parameter says nothing (section 3.2)."""
    head = line.text[: line.colon]
    if ";" not in head:
        return line
    if line.name.startswith("X-"):
        head = _ESCAPED.sub(lambda match: f'{match[1]}"{_BACKSLASH.sub(_PLAIN, match[2])}"', head)
    elif line.name in PEOPLE:
        head = _NAMED.sub(r'\1"\2"', head)
    return _headed(line, _ANY.sub(lambda match: match[0] if "=" in match[0] else "", head))


def _text(line: Line) -> Line:
    """Commas are escaped; a text that is but a link to another (ALTREP) gets an empty line, or servers drop it.

    SOGo takes the quotes away that stand around a whole text, but for a blank at the end.
    """
    if not line.value.strip():
        return _with(line, "\\n")
    value = _BARE.sub(_escape, line.value)
    return _with(line, value + " " if _QUOTED.fullmatch(value) else value)


def _escape(match: re.Match[str]) -> str:
    """A backslash before what needs none (section 3.3.11) says nothing, but the library behind Xandikos keeps it."""
    pair, bare = match.groups()
    return f"\\{bare}" if bare else pair if pair[1] in "\\;,nN" else pair[1]


def _status(line: Line) -> Line:
    """Its parts stand apart (section 3.8.8.3), also where they were taken for one text."""
    return _with(line, line.value.replace("\\;", ";")) if _JOINED.match(line.value) else line


def _relation(line: Line) -> Line:
    """A UID needs no VALUE (RFC 9253 section 9.1), and servers that do not know it refuse it."""
    head = line.text[: line.colon]
    return _headed(line, _VALUE.sub("", head)) if line.parameter("VALUE").upper() == "UID" else line


def onset(line: Line) -> Line:
    """A line of a time zone's definition: onsets are local times, and nothing else (RFC 5545 section 3.6.5)."""
    if line.name not in ("DTSTART", "RDATE"):
        return line
    values = (value.partition("/")[0].strip() for value in line.value.split(","))
    return _with(_headed(line, line.name), ",".join(value if "T" in value else f"{value}T000000" for value in values))


def _with(line: Line, value: str) -> Line:
    return line if value == line.value else made(line.text[: line.colon + 1] + value)


def _headed(line: Line, head: str) -> Line:
    return line if head == line.text[: line.colon] else made(head + line.text[line.colon :])


def _in_utc(line: Line, zones: Zones) -> Line:
    """RFC 5545 section 3.8.2.1."""
    found = moment(line, zones)
    if not _TZID.search(line.text[: line.colon]) or found is None or not str(found).endswith("Z"):
        return line
    return made(f"{line.name}:{re.sub('[-:]', '', str(found))}")


def _values(line: Line) -> list[str]:
    return [value.strip() for value in line.value.split(",") if value.strip()]


def _typed(line: Line) -> Line:
    """VALUE as the values are: dates need it, times must not be called dates."""
    head = line.text[: line.colon]
    dates = [bool(_DATE.fullmatch(value)) for value in _values(line)]
    stated = line.parameter("VALUE").upper()
    if dates and all(dates) and stated != "DATE":
        head = f"{_VALUE.sub('', head)};VALUE=DATE"
    elif (stated == "DATE" and not any(dates)) or (stated == "PERIOD" and "/" not in line.value):
        head = _VALUE.sub("", head)
    return _headed(_with(line, line.value.strip()), head)


def _zoned(line: Line, zones: Zones, supply: Callable[[str], None]) -> Line:
    """The line with a TZID that is defined, if it needs one."""
    head = line.text[: line.colon]
    if _FLOATING.search(head):
        return _headed(line, _TZID.sub("", _FLOATING.sub("", head)))
    if not _TZID.search(head):
        return line
    tzid = line.parameter("TZID")
    if not _local(line) or not tzid.strip():
        return _headed(line, _TZID.sub("", head))
    if zones.defined(tzid) is not None:
        return line
    name = zones.name(tzid)
    if not name:
        raise Unstorable("unknown-timezone", "it uses a time zone that it does not define and that nobody knows")
    supply(name)
    return _headed(line, _TZID.sub(f";TZID={name}", head)) if name != tzid else line


def _local(line: Line) -> bool:
    """Whether a zone says anything here: dates and UTC have none (RFC 5545 section 3.2.19)."""
    return any("T" in value.upper() and not value.upper().endswith("Z") for value in _values(line))


_LINES: dict[str, Callable[[Line], Line]] = {
    **dict.fromkeys(_TEXTS, _text),
    "RELATED-TO": _relation,
    "REQUEST-STATUS": _status,
}
"""How lines are written that are no moments."""
