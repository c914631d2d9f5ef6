"""What Outlook writes, built from the specification for the tests: recurrence blobs, time zones, property sets."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from xdmigrate_files.mapi import APPOINTMENT, MEETING, Found, Key, Properties

NEVER, BY_COUNT, BY_DATE = 0x2023, 0x2022, 0x2021
DAILY, WEEKLY, MONTHLY, YEARLY = 0x200A, 0x200B, 0x200C, 0x200D
BERLIN = (-60, 0, -60, (10, 0, 5, 3), (3, 0, 5, 2))
"""Minutes; then month, weekday, which one and hour of the changes to standard time and from it."""


def minutes(when: date) -> int:
    """Since 1601."""
    moment = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day)
    return int((moment - datetime(1601, 1, 1)).total_seconds()) // 60


@dataclass
class Rule:
    """RecurrencePattern (MS-OXOCAL 2.2.1.44.1)."""

    frequency: int
    pattern: int
    period: int
    start: date
    specific: tuple[int, ...] = ()
    end: int = NEVER
    count: int = 10
    until: date = date(4500, 8, 31)
    deleted: list[date] = field(default_factory=list)
    changed: list[date] = field(default_factory=list)
    calendar: int = 0
    sliding: int = 0

    def octets(self) -> bytes:
        numbers = [
            *self.specific, self.end, self.count, 0,
            len(self.deleted), *map(minutes, self.deleted), len(self.changed), *map(minutes, self.changed),
            minutes(self.start), minutes(self.until),
        ]  # fmt: skip
        head = struct.pack("<5H", 0x3004, 0x3004, self.frequency, self.pattern, self.calendar)
        return head + struct.pack(f"<III{len(numbers)}I", 0, self.period, self.sliding, *numbers)


@dataclass
class Other:
    """One date that is otherwise."""

    original: datetime
    start: datetime
    end: datetime
    subject: str | None = None
    location: str | None = None
    busy: int | None = None

    @property
    def flags(self) -> int:
        told = ((0x1, self.subject), (0x10, self.location), (0x20, self.busy))
        return sum(bit for bit, value in told if value is not None)

    def info(self) -> bytes:
        raw = struct.pack("<IIIH", *map(minutes, (self.start, self.end, self.original)), self.flags)
        for text in (self.subject, self.location):
            if text is not None:
                ansi = text.encode("cp1252", "replace")
                raw += struct.pack("<HH", len(ansi) + 1, len(ansi)) + ansi
        return raw + (b"" if self.busy is None else struct.pack("<I", self.busy))

    def extended(self) -> bytes:
        raw = struct.pack("<III", 4, 0, 0)
        if self.flags & 0x11:
            raw += struct.pack("<III", *map(minutes, (self.start, self.end, self.original)))
            for text in (self.subject, self.location):
                if text is not None:
                    raw += struct.pack("<H", len(text)) + text.encode("utf-16-le")
            raw += struct.pack("<I", 0)
        return raw


def recurrence(rule: Rule, begins: int, ends: int, others: tuple[Other, ...] = ()) -> bytes:
    """AppointmentRecurrencePattern (MS-OXOCAL 2.2.1.44.5); minutes after midnight."""
    raw = rule.octets() + struct.pack("<IIIIH", 0x3006, 0x3009, begins, ends, len(others))
    raw += b"".join(each.info() for each in others) + struct.pack("<I", 0)
    return raw + b"".join(each.extended() for each in others) + struct.pack("<I", 0)


def zone_definition(name: str, told: tuple[int, int, int, tuple[int, ...], tuple[int, ...]] = BERLIN) -> bytes:
    """TZDEFINITION with one rule that is in force (MS-OXOCAL 2.2.1.41)."""
    key = name.encode("utf-16-le")
    head = struct.pack("<HHH", 2, len(name), 0)[:4] + key + struct.pack("<H", 1)
    bias, standard, daylight, winter, summer = told
    rule = struct.pack("<BBHHH14x", 2, 1, 0x3E, 2, 1601) + struct.pack("<iii", bias, standard, daylight)
    rule += _change(winter) + _change(summer)
    return struct.pack("<BBH", 2, 1, len(head)) + head + rule


def zone_struct(told: tuple[int, int, int, tuple[int, ...], tuple[int, ...]] = BERLIN) -> bytes:
    """PidLidTimeZoneStruct (MS-OXOCAL 2.2.1.39)."""
    bias, standard, daylight, winter, summer = told
    return struct.pack("<iiiH", bias, standard, daylight, 0) + _change(winter) + b"\0\0" + _change(summer)


def _change(told: tuple[int, ...]) -> bytes:
    month, weekday, week, hour = told
    return struct.pack("<8H", 0, month, weekday, week, hour, 0, 0, 0)


def found(told: dict[Key, object], **more: object) -> Found:
    """An item with these properties."""
    return Found(Properties(told), **more)  # type: ignore[arg-type]


def series(rule: Rule, begins: int = 600, ends: int = 660, others: tuple[Other, ...] = (), **more: object) -> Found:
    """A series of appointments in Berlin."""
    start = datetime(rule.start.year, rule.start.month, rule.start.day, tzinfo=UTC)
    told: dict[Key, object] = {
        0x0037: "Weekly",
        (APPOINTMENT, 0x8223): True,
        (APPOINTMENT, 0x8216): recurrence(rule, begins, ends, others),
        (APPOINTMENT, 0x8260): zone_definition("W. Europe Standard Time"),
        (APPOINTMENT, 0x820D): start,
        (APPOINTMENT, 0x820E): start,
        (MEETING, 0x0023): b"\x04" * 40 + b"\x10\0\0\0" + b"x" * 16,
    }
    return found(told | more.pop("told", {}), **more)  # type: ignore[operator]
