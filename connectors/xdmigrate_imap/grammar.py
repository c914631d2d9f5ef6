"""What may be sent: strings, flags and dates by the grammar of RFC 3501 section 9. Pure.

This is a safety boundary. A server that answers BAD to a flag or a date in front of a non-synchronising literal does
not consume the literal, and the message runs as commands; so nothing leaves that is not proven well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, lru_cache

SYSTEM_FLAGS = frozenset({"\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"})
"""The flags that every server knows and a client may set; \\Recent is the server's own."""

MAX_KEYWORD = 128
"""Octets of a keyword that we send; servers limit them and clients never make longer ones."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER_OF = {spelt.encode(): number for number, name in enumerate(MONTHS, 1) for spelt in (name, name.lower())}
_SYSTEM = {flag.lower(): flag for flag in SYSTEM_FLAGS}
_ATOM = re.compile(r"""[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+""")
_QUOTABLE = re.compile(rb"[\x20-\x7e]*")
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?")
_DAY = timedelta(days=1)


class Octets(bytes):
    """A command argument that must travel as a literal."""


def astring(value: bytes) -> bytes:
    """A mailbox name, user or password as a quoted string where that can carry it, else as a literal."""
    if len(value) > 1000 or not _QUOTABLE.fullmatch(value):
        return Octets(value)
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def is_keyword(flag: str) -> bool:
    """Whether a keyword is an atom that can be sent."""
    return len(flag) <= MAX_KEYWORD and _ATOM.fullmatch(flag) is not None


def listed_flags(raw: bytes) -> frozenset[str]:
    """The flags of a FETCH response; system flags in their usual spelling, without the server's own Recent."""
    flags = (_SYSTEM.get(flag.lower(), flag) for flag in raw.decode("utf-8", "replace").split())
    return frozenset(flag for flag in flags if flag.lower() != "\\recent")


def sendable(flags: Iterable[str], permitted: frozenset[str] | None) -> frozenset[str]:
    """Those of `flags` that may be set, in the spelling to send.

    `permitted` is the folder's PERMANENTFLAGS, lower-cased; None means that the server did not tell, which RFC 3501
    section 7.1 reads as "all". A keyword that is not listed needs the right to make new ones.
    """
    found = set()
    for flag in flags:
        spelt = _SYSTEM.get(flag.lower(), flag)
        if spelt not in SYSTEM_FLAGS and not is_keyword(spelt):
            continue
        if permitted is None or spelt.lower() in permitted or ("\\*" in permitted and spelt not in SYSTEM_FLAGS):
            found.add(spelt)
    return frozenset(found)


def left_out(flags: Iterable[str], sent: frozenset[str]) -> frozenset[str]:
    """Which of `flags` are not in `sent`; nobody misses Recent, which is the server's."""
    lowered = {flag.lower() for flag in sent} | {"\\recent"}
    return frozenset(flag for flag in flags if flag.lower() not in lowered)


def flag_list(flags: frozenset[str]) -> bytes:
    """Flags that are `sendable`, as a command has them."""
    return b"(" + " ".join(sorted(flags)).encode("ascii") + b")"


def format_date(date: datetime) -> bytes:
    """A date-time (RFC 3501 section 9) in its own zone; a day below 10 has a leading space. Naive dates are UTC."""
    offset = date.utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    day = f"{date.day:2d}-{MONTHS[date.month - 1]}-{date.year:04d}"
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    return f'"{day} {date.hour:02d}:{date.minute:02d}:{date.second:02d} {zone}"'.encode()


def is_ordinary(date: datetime) -> bool:
    """Whether every server takes this date: a 32-bit time and a zone that exists."""
    offset = date.utcoffset() or timedelta(0)
    return 1970 < date.year < 2038 and abs(offset) <= timedelta(hours=14)


@cache
def _offset(sign: bytes | None, hours: bytes | None, minutes: bytes | None) -> timezone | timedelta:
    """A zone, or by how much the clock is ahead of UTC where no zone can be."""
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    signed = -offset if sign == b"-" else offset
    return timezone(signed) if offset < _DAY else signed


@lru_cache(maxsize=4096)  # a message's date is heard up to three times: listed, read, listed on the target
def parse_date(text: bytes) -> datetime | None:
    """An INTERNALDATE with its zone; None when it is no date. A zone that cannot be keeps the moment, in UTC."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = _offset(sign, zone_hours, zone_minutes)
    number = _NUMBER_OF.get(month) or _NUMBER_OF.get(month.lower(), 0)
    clock = int(hour), int(minute), min(int(second), 59)  # a leap second is shown as the one before
    try:
        if isinstance(offset, timezone):
            return datetime(int(year), number, int(day), *clock, tzinfo=offset)
        return datetime(int(year), number, int(day), *clock, tzinfo=UTC) - offset
    except (ValueError, OverflowError):
        return None
