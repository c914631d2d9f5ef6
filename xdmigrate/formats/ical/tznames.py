"""Which IANA time zone a TZID means by its name alone: IANA, Windows, Notes, display names, paths, offsets.

A name is believed only if everything in it agrees; what is not known has no zone, and is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

_LONGEST = 200
_PREFIX = re.compile(r"\s*\((?:GMT|UTC)?\s*([+-]?)\s*(\d{1,2})?(?:[:.]?(\d{2}))?\)\s*", re.IGNORECASE)
_OFFSET = re.compile(r"\(?(?:GMT|UTC|Z)?\s*([+-])\s*(\d{1,2})(?:[:.]?(\d{2}))?\)?", re.IGNORECASE)
_REGION = re.compile(r"\s*\([^)]*\)")


@lru_cache(maxsize=1024)
def named(tzid: str) -> str:
    """The IANA name of the zone that this TZID names for sure, or ""."""
    tzid = tzid.strip().strip('"')
    return (_exact(tzid) or _path(tzid)) if len(tzid) <= _LONGEST else ""


@lru_cache(maxsize=1024)
def described(tzid: str) -> str:
    """The IANA name of the zone that this TZID describes, or "". A definition that comes with it knows better."""
    tzid = tzid.strip().strip('"')
    return (_offset(tzid) or _displayed(tzid)) if len(tzid) <= _LONGEST else ""


@cache
def _iana() -> dict[str, str]:
    return {name.lower(): name for name in sorted(available_timezones()) if not name.startswith(("posix/", "right/"))}


@cache
def _windows() -> dict[str, str]:
    """The names of Windows, as Unicode's CLDR maps them for the world (territory 001)."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return {name.lower(): zone for name, zone in WINDOWS_TO_OLSON.items()}


_NOTES = {"western/central europe": "Europe/Berlin", "western/central europe standard time": "Europe/Berlin"}
"""HCL Notes joins two names of Windows, whose zones keep one time."""


def _exact(tzid: str) -> str:
    name = tzid.lower()
    return _iana().get(name) or _windows().get(name) or _NOTES.get(name, "")


def _path(tzid: str) -> str:
    """`/mozilla.org/20070129_1/America/New_York`, `/Europe/Stockholm`, `tzone://Microsoft/Utc`."""
    parts = tzid.split("/")
    for at in range(max(1, len(parts) - 3), len(parts)):
        name = _iana().get("/".join(parts[at:]).lower(), "")
        if name:
            return name
    return ""


def _offset(tzid: str) -> str:
    """A name that is nothing but an offset from UTC in whole hours; `Etc/GMT` counts westwards."""
    match = _OFFSET.fullmatch(tzid)
    if match is None or int(match[3] or 0):
        return ""
    hours = int(match[2])
    sign = "-" if match[1] == "+" else "+"
    return _iana().get(f"etc/gmt{sign}{hours}", "") if hours else "Etc/UTC"


def _displayed(tzid: str) -> str:
    """`(UTC+07:00) Bangkok, Hanoi, Jakarta`: every place that is known must keep the same time, and the offset told."""
    prefix = _PREFIX.match(tzid)
    zones = list(dict.fromkeys(_places(tzid[prefix.end() :] if prefix else tzid)))
    if not zones or len({_habits(zone) for zone in zones}) > 1:
        return ""
    if prefix and prefix[2] and _told(prefix) != _standard(zones[0]):
        return ""
    return zones[0]


def _places(names: str) -> Iterator[str]:
    for place in _REGION.sub("", names).split(","):
        word = place.strip().lower()
        zone = _windows().get(word.removesuffix(" time") + " standard time") or _cities().get(word.replace(" ", "_"))
        if zone:
            yield zone


@cache
def _cities() -> dict[str, str]:
    """Cities that give their names to zones."""
    return {
        name.rpartition("/")[2]: zone for name, zone in _iana().items() if "/" in name and not name.startswith("etc/")
    }


@cache
def _habits(zone: str) -> tuple[timedelta | None, ...]:
    """The offsets of the months of recent years."""
    clock = ZoneInfo(zone)
    return tuple(
        datetime(year, month, 1, tzinfo=UTC).astimezone(clock).utcoffset()
        for year in range(2018, 2022)
        for month in range(1, 13)
    )


def _standard(zone: str) -> timedelta:
    clock: tzinfo = ZoneInfo(zone)
    return min(datetime(2020, month, 1, tzinfo=clock).utcoffset() or timedelta() for month in (1, 7))


def _told(prefix: re.Match[str]) -> timedelta:
    offset = timedelta(hours=int(prefix[2]), minutes=int(prefix[3] or 0))
    return -offset if prefix[1] == "-" else offset
