"""The time zones of one calendar object: what its TZIDs mean, and how zones are compared.

Two zones are the same for a series if clocks there agree through the years that follow its start: `W. Europe Standard
Time`, `Europe/Berlin`, `Europe/Paris` and a definition of one's own are then one zone. A known name counts more than
the definition that comes with it: servers replace definitions by their own. So fingerprints are those of the time zone
database at hand, and change where a new edition of it changes clocks in those years.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from xdmigrate.formats.ical.components import Component
from xdmigrate.formats.ical.observances import LAST, Custom, custom
from xdmigrate.formats.ical.tznames import described, named
from xdmigrate.formats.refusal import Unreadable

_UTC = frozenset({"UTC", "UCT", "Zulu", "Universal", "Etc/UTC", "Etc/UCT", "Etc/Zulu", "Etc/Universal"})

MOST = 1000
"""The most definitions of one calendar; the time zone database has some 450 zones."""

YEARS = 5
"""How long clocks are compared."""


class Zones:
    """The zones of one calendar, by TZID. Raises Unreadable if it defines more than `MOST`."""

    def __init__(self, calendar: Component) -> None:
        self.definitions = {
            definition.value("TZID"): definition
            for definition in calendar.components()
            if definition.name == "VTIMEZONE"
        }
        if len(self.definitions) > MOST:
            raise Unreadable(f"more than {MOST} time zones")
        self._found: dict[str, tzinfo | None] = {}

    def get(self, tzid: str) -> tzinfo | None:
        """The zone that this TZID means here, or None if nothing tells."""
        if tzid not in self._found:
            self._found[tzid] = self._zone(tzid)
        return self._found[tzid]

    def _zone(self, tzid: str) -> tzinfo | None:
        name = self.name(tzid)
        if name in _UTC:
            return UTC
        return ZoneInfo(name) if name else self.defined(tzid)

    def name(self, tzid: str) -> str:
        """The IANA name of the zone that this TZID means here, or "" if only its definition tells, or nothing."""
        definition = self.definitions.get(tzid)
        sure = named(tzid) or (named(definition.value("X-LIC-LOCATION")) if definition else "")
        return sure or ("" if self.defined(tzid) else described(tzid))

    def defined(self, tzid: str) -> Custom | None:
        """The zone that its own definition describes, or None if there is none that can be used."""
        definition = self.definitions.get(tzid)
        return custom(definition) if definition else None


@lru_cache(maxsize=4096)
def behaviour(zone: tzinfo, year: int) -> str:
    """A fingerprint of the clock of this zone from the beginning of the year, for `YEARS`."""
    noon = datetime(min(max(year, 1900), LAST - YEARS), 1, 1, 12, tzinfo=UTC)
    days = (noon + timedelta(days=day) for day in range(YEARS * 365))
    offsets = ",".join(str(int((day.astimezone(zone).utcoffset() or timedelta()).total_seconds())) for day in days)
    return hashlib.sha256(offsets.encode()).hexdigest()[:16]
