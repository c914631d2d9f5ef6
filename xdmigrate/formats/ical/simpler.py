"""The same said more simply, for servers that refused an object.

Measured: Radicale refuses a rule that ends before its series starts. Such a rule adds nothing to the start, which
always counts (RFC 5545 section 3.8.5.3), so it is left out there.
"""

from __future__ import annotations

from xdmigrate.formats.ical.components import Component, calendars, objects, parsed
from xdmigrate.formats.ical.lines import Line
from xdmigrate.formats.ical.rules import RULES, is_over
from xdmigrate.formats.ical.times import Moment, moment
from xdmigrate.formats.ical.zones import Zones


def simplified(data: bytes) -> bytes:
    """The object in its simpler form, its digest the same; the same octets if there is none. Raises Unreadable."""
    root = parsed(data)
    known = ((calendar, Zones(calendar)) for calendar in calendars(root))
    found = [_simplify(each, zones) for calendar, zones in known for each in objects(calendar)]
    return b"".join(root.raw()) if any(found) else data


def _simplify(component: Component, zones: Zones) -> bool:
    start = component.first("DTSTART")
    begun = moment(start, zones) if start is not None else None
    kept = [each for each in component.entries if not (isinstance(each, Line) and _adds_nothing(each, begun))]
    changed = len(kept) < len(component.entries)
    component.entries[:] = kept
    return changed


def _adds_nothing(line: Line, begun: Moment | None) -> bool:
    return line.name in RULES and is_over(line.value, begun)
