"""The time zones of Outlook's appointments: how clocks change there, and the VTIMEZONE that says so. Pure.

A zone is told whole, as rules (MS-OXOCAL 2.2.1.39 and 2.2.1.41), mostly with the name that Windows has for it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256

from xdmigrate_files import contentlines

FIRST_YEAR = 1970
"""The year in which the definitions begin that are written."""

DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")

_STRUCT = "<iiiH8HH8H"
_RULE = "<BBHHH14xiii8H8H"
_RULE_OCTETS = 66
_EFFECTIVE = 2  # TZRULE_FLAG_EFFECTIVE_TZREG
_MOST_MINUTES = 24 * 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+()/_'&-]{0,80}")
_NO_NAMES = ("customized", "tzone:")


@dataclass(frozen=True, slots=True)
class Change:
    """When clocks change each year: the n-th such weekday (5: the last) of a month, at a local time."""

    month: int
    week: int
    weekday: int  # 0: Sunday
    hour: int
    minute: int

    def on(self, year: int) -> datetime:
        """The moment in this year, by the clock before it."""
        first = date(year, self.month, 1)
        start = first + timedelta(days=(self.weekday - first.isoweekday()) % 7)
        days = [start + timedelta(weeks=week) for week in range(5)]
        inside = [each for each in days if each.month == self.month]
        found = inside[min(self.week, len(inside)) - 1]
        return datetime(found.year, found.month, found.day, self.hour, self.minute)

    @property
    def rule(self) -> str:
        """As RRULE."""
        number = -1 if self.week == 5 else self.week
        return f"FREQ=YEARLY;BYMONTH={self.month};BYDAY={number}{DAYS[self.weekday]}"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: minutes that are added to its time to get UTC, and when they change."""

    name: str
    bias: int
    standard_bias: int = 0
    daylight_bias: int = 0
    standard: Change | None = None
    daylight: Change | None = None

    @property
    def tzid(self) -> str:
        """The name by which Windows knows it, else one made of its rules."""
        if _NAME.fullmatch(self.name) and not self.name.lower().startswith(_NO_NAMES):
            return self.name
        rules = repr((self.bias, self.standard_bias, self.daylight_bias, self.standard, self.daylight))
        return f"Outlook {sha256(rules.encode()).hexdigest()[:12]}"

    def utc(self, local: datetime) -> datetime:
        """The instant of a local time, without zone. Of a repeated hour the first."""
        return local + timedelta(minutes=self._winter if self._is_standard(local) else self._summer)

    def local(self, utc: datetime) -> datetime:
        """The local time of an instant; both without zone."""
        for minutes in (self._summer, self._winter):
            found = utc - timedelta(minutes=minutes)
            if self.utc(found) == utc:
                return found
        return utc - timedelta(minutes=self._winter)

    def definition(self) -> bytes:
        """The VTIMEZONE (RFC 5545 section 3.6.5)."""
        winter, summer = _offset(self._winter), _offset(self._summer)
        parts = [b"BEGIN:VTIMEZONE\r\n", contentlines.line("TZID", contentlines.text(self.tzid))]
        if self.standard is None or self.daylight is None:
            parts.append(_part("STANDARD", winter, winter, None))
        else:
            parts.append(_part("STANDARD", summer, winter, self.standard))
            parts.append(_part("DAYLIGHT", winter, summer, self.daylight))
        return b"".join([*parts, b"END:VTIMEZONE\r\n"])

    @property
    def _winter(self) -> int:
        return self.bias + (self.standard_bias if self.standard and self.daylight else 0)

    @property
    def _summer(self) -> int:
        return self.bias + (self.daylight_bias if self.standard and self.daylight else 0)

    def _is_standard(self, local: datetime) -> bool:
        if self.standard is None or self.daylight is None:
            return True
        begins, ends = self.daylight.on(local.year), self.standard.on(local.year)
        if begins < ends:
            return not begins <= local < ends
        return ends <= local < begins


def of_struct(raw: bytes, name: str = "") -> Zone | None:
    """PidLidTimeZoneStruct; None when it is none."""
    try:
        found = struct.unpack_from(_STRUCT, raw)
    except struct.error:
        return None
    return _zone(name, found[:3], found[4:12], found[13:21])


def of_definition(raw: bytes) -> Zone | None:
    """PidLidAppointmentTimeZoneDefinitionRecur and its like: the rule that was in force, else the last."""
    try:
        header, flags, letters = struct.unpack_from("<HHH", raw, 2)
        name = raw[8 : 8 + 2 * letters].decode("utf-16-le", "replace") if flags & 2 else ""
        (count,) = struct.unpack_from("<H", raw, header + 2)
        start = header + 4
        rules = [struct.unpack_from(_RULE, raw, start + _RULE_OCTETS * number) for number in range(min(count, 1000))]
    except struct.error:
        return None
    if not rules:
        return None
    found = next((each for each in rules if each[3] & _EFFECTIVE), rules[-1])
    return _zone(name, found[5:8], found[8:16], found[16:24])


def _zone(name: str, biases: tuple[int, ...], standard: tuple[int, ...], daylight: tuple[int, ...]) -> Zone | None:
    bias, at_standard, at_daylight = biases
    if any(abs(each) >= _MOST_MINUTES for each in (bias, bias + at_standard, bias + at_daylight)):
        return None
    if not standard[1] or not daylight[1]:
        return Zone(name, bias)
    try:
        return Zone(name, bias, at_standard, at_daylight, _change(standard), _change(daylight))
    except ValueError:
        return None


def _change(told: tuple[int, ...]) -> Change:
    """A SYSTEMTIME without year: month, weekday, which of them in the month, hour, minute. Raises ValueError."""
    year, month, weekday, week, hour, minute = told[:6]
    if year or not (1 <= month <= 12 and weekday <= 6 and 1 <= week <= 5 and hour <= 23 and minute <= 59):
        raise ValueError("no yearly change")
    return Change(month, week, weekday, hour, minute)


def _part(name: str, before: str, after: str, change: Change | None) -> bytes:
    begins = change.on(FIRST_YEAR) if change else datetime(FIRST_YEAR, 1, 1)
    lines = [
        contentlines.line("DTSTART", contentlines.moment(begins)),
        contentlines.line("RRULE", change.rule if change else ""),
        contentlines.line("TZOFFSETFROM", before),
        contentlines.line("TZOFFSETTO", after),
    ]
    return b"BEGIN:%s\r\n%s" % (name.encode(), b"".join(lines)) + b"END:%s\r\n" % name.encode()


def _offset(minutes: int) -> str:
    """What local time is ahead of UTC."""
    ahead = -minutes
    return f"{'-' if ahead < 0 else '+'}{abs(ahead) // 60:02d}{abs(ahead) % 60:02d}"
