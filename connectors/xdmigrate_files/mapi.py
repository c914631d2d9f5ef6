"""MAPI properties as Outlook's files hold them: by number, or by the name that a property set gives them. Pure.

Values come from a stranger's file: what has another type than it should counts as not there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

Key = int | tuple[str, int | str]
"""A property's number, or its set and its number or name there (MS-OXPROPS)."""

APPOINTMENT = "00062002-0000-0000-c000-000000000046"
TASK = "00062003-0000-0000-c000-000000000046"
ADDRESS = "00062004-0000-0000-c000-000000000046"
COMMON = "00062008-0000-0000-c000-000000000046"
MEETING = "6ed8da90-450b-101b-98da-00aa003f1305"
STRINGS = "00020329-0000-0000-c000-000000000046"
_KNOWN_SETS = {1: "00020328-0000-0000-c000-000000000046", 2: STRINGS}

SUBJECT, CLASS, IMPORTANCE, SENSITIVITY = 0x0037, 0x001A, 0x0017, 0x0036
BODY, HTML, SEARCH_KEY, CHANGED, CREATED = 0x1000, 0x1013, 0x300B, 0x3008, 0x3007
DISPLAY_NAME, ADDRESS_TYPE, EMAIL, SMTP = 0x3001, 0x3002, 0x3003, 0x39FE
CATEGORIES = (STRINGS, "Keywords")
REMINDER_SET, REMINDER_DELTA, REMINDER_TIME = (COMMON, 0x8503), (COMMON, 0x8501), (COMMON, 0x8502)

INTEGER, DOUBLE, BOOLEAN, LONG, ANSI, UNICODE, TIME, BINARY = 0x03, 0x05, 0x0B, 0x14, 0x1E, 0x1F, 0x40, 0x102
STRINGS_UNICODE = 0x101F
_FIXED = {INTEGER: "<i", DOUBLE: "<d", BOOLEAN: "<?", LONG: "<q"}
_MOST_VALUES = 1000

_NEVER = datetime(4500, 1, 1, tzinfo=UTC)  # Outlook's "no date" is in the year 4501
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_FIRST_NAMED = 0x8000


class Properties:
    """The properties of one object."""

    def __init__(self, found: Mapping[Key, object]) -> None:
        self._found = found

    def text(self, key: Key) -> str:
        """A string without NULs; empty when it is not there."""
        found = self._found.get(key)
        return found.replace("\0", "").strip() if isinstance(found, str) else ""

    def texts(self, key: Key) -> list[str]:
        """Several strings."""
        found = self._found.get(key)
        values = found if isinstance(found, list) else [found]
        return [text for each in values if isinstance(each, str) and (text := each.replace("\0", "").strip())]

    def body(self, key: Key) -> bytes | None:
        """A text as it stands, in UTF-8, or bytes; None when it is not there."""
        found = self._found.get(key)
        if isinstance(found, str):
            return found.rstrip("\0").encode("utf-8", "replace")
        return found if isinstance(found, bytes) else None

    def octets(self, key: Key) -> bytes:
        """Bytes; none when they are not there."""
        found = self._found.get(key)
        return found if isinstance(found, bytes) else b""

    def number(self, key: Key, default: int = 0) -> int:
        """A number."""
        found = self._found.get(key)
        return found if isinstance(found, int) else default

    def real(self, key: Key) -> float | None:
        """A number with a fraction."""
        found = self._found.get(key)
        return float(found) if isinstance(found, (int, float)) else None

    def truth(self, key: Key) -> bool:
        """Whether it is there and true."""
        return bool(self.number(key))

    def moment(self, key: Key) -> datetime | None:
        """An instant in whole seconds; None where there is none."""
        found = self._found.get(key)
        if not isinstance(found, datetime) or found >= _NEVER:
            return None
        return found.replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment."""

    name: str
    data: bytes
    type: str = ""
    photo: bool = False  # the picture of a contact


@dataclass(frozen=True, slots=True)
class Found:
    """What Outlook keeps of an appointment, a contact or a task."""

    properties: Properties
    plain: str = ""
    html: bytes = b""
    rtf: bytes = b""
    people: tuple[Properties, ...] = ()
    attached: tuple[Attached, ...] = ()
    exceptions: tuple[Found, ...] = ()  # of a series: what is told of single dates
    seed: bytes = field(default=b"")  # names it in its file, where nothing else does


def instant(filetime: int) -> datetime | None:
    """A moment from 100-nanosecond intervals since 1601 (MS-DTYP 2.3.3); None for what no date can name."""
    try:
        return _EPOCH + timedelta(microseconds=filetime // 10)
    except OverflowError:
        return None


def names(sets: bytes, entries: bytes, strings: bytes) -> dict[int, Key]:
    """Which names the numbers from 0x8000 on have (MS-PST 2.4.7.1, MS-OXMSG 2.2.3.1.2: the layout is the same)."""
    found: dict[int, Key] = {}
    for number, kind, index in struct.iter_unpack("<IHH", entries[: len(entries) // 8 * 8]):
        which = _set(sets, kind >> 1)
        name: int | str = _string(strings, number) if kind & 1 else number
        found[_FIRST_NAMED + index] = which, name
    return found


def value(kind: int, raw: bytes) -> object:
    """What the bytes of a property say by its type (MS-OXCDATA 2.11.1); None for a type that is not read here."""
    try:
        if kind in _FIXED:
            return struct.unpack_from(_FIXED[kind], raw)[0]
        if kind == TIME:
            return instant(struct.unpack_from("<Q", raw)[0])
    except struct.error:
        return None
    if kind == UNICODE:
        return raw.decode("utf-16-le", "replace")
    return raw if kind == BINARY else None


def several(raw: bytes) -> list[str]:
    """The strings of a multiple value in a PST: how many, where each begins, and they themselves (MS-PST 2.3.3.4.2)."""
    try:
        (count,) = struct.unpack_from("<I", raw)
        starts = struct.unpack_from(f"<{min(count, _MOST_VALUES)}I", raw, 4)
    except struct.error:
        return []
    ends = (*starts[1:], len(raw))
    return [raw[start:end].decode("utf-16-le", "replace") for start, end in zip(starts, ends, strict=True)]


def _set(sets: bytes, index: int) -> str:
    if index in _KNOWN_SETS:
        return _KNOWN_SETS[index]
    raw = sets[16 * (index - 3) : 16 * (index - 2)] if index > 2 else b""
    return str(UUID(bytes_le=raw)) if len(raw) == 16 else ""


def _string(strings: bytes, start: int) -> str:
    try:
        (length,) = struct.unpack_from("<I", strings, start)
    except struct.error:
        return ""
    return strings[start + 4 : start + 4 + min(length, 1000)].decode("utf-16-le", "replace")
