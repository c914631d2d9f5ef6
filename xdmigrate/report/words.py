"""Figures, times and foreign texts as people read them."""

from __future__ import annotations

import re
import shlex
import unicodedata
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
NEVER = "–"
_COMMAND = re.compile(r"(\bxdmigrate (?:--json )?[a-z]+ )PLAN\b")


def printable(text: str) -> str:
    """The text without anything that moves a terminal's cursor or turns its writing round.

    Addresses, folder names and servers' words come from outside; control characters become "?".
    """
    return "".join("?" if _moves(char) else char for char in text)


def _moves(char: str) -> bool:
    return char in _DIRECTIONS or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}


def for_plan(text: str, plan: str) -> str:
    """The text with the plan's name in the commands that it tells: ready to be copied. Without one it stays."""
    return _COMMAND.sub(lambda found: found[1] + shlex.quote(plan), text) if plan else text


def counted(count: int, thing: str) -> str:
    """So many things: "1 item", "2,000 items", "1 mailbox", "2 mailboxes"."""
    ending = "" if count == 1 else "es" if thing.endswith("x") else "s"
    return f"{count:,} {thing}{ending}"


def counted_are(count: int, thing: str) -> str:
    """The same before what is said of them: "1 item is", "2 items are"."""
    return f"{counted(count, thing)} {'is' if count == 1 else 'are'}"


def octets(count: float) -> str:
    """Bytes in decimal units: 1 MB is 10^6."""
    value = float(count)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 99.5 else f"{value:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Two units at most, e.g. "2 h 05 min"; a dash when unknown."""
    if seconds is None:
        return NEVER
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours:02} h"
    if whole >= 3600:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"


def zone(name: str) -> tzinfo:
    """The customer's timezone; UTC when its name is unknown here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local(seconds: float | None, zone: tzinfo) -> str:
    """Date and time in that zone; a dash for never."""
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M") if seconds else NEVER


def clock(seconds: float | None, zone: tzinfo) -> str:
    """The same with the zone's name."""
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M %Z") if seconds else NEVER
