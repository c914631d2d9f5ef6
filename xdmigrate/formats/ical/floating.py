"""Times without a zone (RFC 5545 section 3.3.5, form 1) for servers that know none: they mean the reader's clock.

Measured: SOGo 5.8 gives them the zone of its account, and keeps parameters that it does not know. A mark keeps what
they were: the digest and `strict.storable` know it, so that the next system gets them without a zone again.
"""

from __future__ import annotations

import re

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import Line, made
from xdmigrate.formats.ical.times import FLOATING

_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE"})
_LOCAL = re.compile(r"\d{8}T\d{6}(?!Z)", re.IGNORECASE)


def marked(data: bytes) -> bytes:
    """The object with a mark at every time without a zone; the same octets if it has none. Raises Unreadable."""
    root = parsed(data)
    found = [_mark(each) for calendar in calendars(root) for each in objects(calendar)]
    return b"".join(root.raw()) if any(found) else data


def _mark(component: Component) -> bool:
    entries = [each if isinstance(each, Component) else _marked(each) for each in component.entries]
    changed = entries != component.entries
    component.entries[:] = entries
    return changed


def _marked(line: Line) -> Line:
    if line.name not in _TIMES or line.parameter("TZID") or not _LOCAL.match(line.value.strip()):
        return line
    if line.parameter(FLOATING):
        return line
    return made(f"{line.text[: line.colon]};{FLOATING}=1{line.text[line.colon :]}")
