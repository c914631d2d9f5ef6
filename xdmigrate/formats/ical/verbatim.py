"""The digest of what cannot be interpreted: an object with a value that nobody can read, or a zone that nobody knows.

Such an object is offered to a store as it is (`Unstorable.as_it_is`), and every line of it counts as it stands: its
name, its parameters and its value. Left out is only what says nothing or what every system writes anew: folding, the
order of lines, components, parameters and parts of a rule, quotes around parameters, a backslash where none is needed,
calendar-wide properties, stamps, defaults and lines without a value. A zone's definition counts, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from xdmigrate.formats.ical.components import Component, calendars, parsed
from xdmigrate.formats.ical.lines import Line
from xdmigrate.formats.ical.meaning import MADE, Facts, facts, hashed
from xdmigrate.formats.ical.properties import DEFAULTS, silent
from xdmigrate.formats.ical.rules import RULES, rule
from xdmigrate.formats.ical.strict import OPAQUE, storable
from xdmigrate.formats.refusal import Unreadable, Unstorable

_ANEW = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE"})
_NEEDLESS = re.compile(r"\\([^\\;,nN])")
_TIMES = frozenset({"DTSTART", "DUE", "END", "DURATION", "RDATE", "EXDATE", "RRULE", "EXRULE", "COMPLETED", "VALARM"})
_DOUBTFUL = re.compile(r'\?| in |"\?')


def digest(data: bytes) -> bytes:
    """16 octets that are equal for objects that mean the same; of what cannot be interpreted, that say the same.

    Raises Unreadable.
    """
    return digested(data)[0]


def digested(data: bytes) -> tuple[bytes, bool]:
    """The digest, and whether the object cannot be interpreted. Raises Unreadable."""
    found = facts(data)
    if not any(map(_is_doubtful, found)) or not is_opaque(data):
        return hashed(found), False
    rows = sorted(row for calendar in calendars(parsed(data)) for each in calendar.components() for row in _rows(each))
    return hashlib.sha256(json.dumps(rows).encode()).digest()[:16], True


def _is_doubtful(found: Facts) -> bool:
    """Whether it may be opaque: cheap, for nearly no object is."""
    if _DOUBTFUL.search(found.occurrence):
        return True
    return any(name in _TIMES and _DOUBTFUL.search(value) for name, value in found.fields)


def is_opaque(data: bytes) -> bool:
    """Whether nobody can tell all that it says, however it is written."""
    try:
        storable(data)
    except Unstorable as error:
        return error.reason in OPAQUE
    except Unreadable:
        return False
    return False


def _rows(component: Component) -> Iterator[str]:
    """Each component in one row, so that what stands in one cannot move to another unnoticed."""
    lines = sorted(_said(line) for line in component.lines() if _counts(line))
    yield json.dumps([component.name, lines, sorted(row for each in component.components() for row in _rows(each))])


def _counts(line: Line) -> bool:
    """Whether it says something that no system adds, and that we did not make up."""
    value = line.value.strip()
    if line.name in _ANEW or silent(line) or (line.name, value.upper()) in DEFAULTS:
        return False
    return not (line.name == "UID" and value.endswith(MADE))


def _said(line: Line) -> str:
    parameters = sorted((name, list(values)) for name, values in line.parameters())
    value = rule(line.value, None) if line.name in RULES else _NEEDLESS.sub(r"\1", line.value.strip())
    return json.dumps([line.name, parameters, value])
