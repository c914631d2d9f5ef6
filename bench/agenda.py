"""What is moved beside mail: calendars and address books made from a seed, the same on every machine. Pure."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

BEGIN = datetime(2019, 1, 7, 8)
WORDS = ("Budget", "review", "with", "customers", "Fahrplan", "Überblick", "lunch", "planning", "hand-over", "quarter")
ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZNAME:CEST
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZNAME:CET
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


@dataclass(frozen=True, slots=True)
class Collection:
    """A calendar or an address book with its items, each an object of its own."""

    name: str
    contacts: bool
    count: int

    def items(self) -> Iterator[bytes]:
        """One after the other."""
        chance = random.Random(self.name)
        make: Callable[[str, random.Random], str] = card if self.contacts else event
        for number in range(self.count):
            yield folded(make(f"{self.name.lower()}-{number}@bench.example", chance))


def account(collections: int, items: int) -> list[Collection]:
    """As many calendars as address books, of so many items each."""
    numbers = range(1, collections + 1)
    return [Collection(f"{kind}{n}", kind == "Book", items) for kind in ("Calendar", "Book") for n in numbers]


def event(uid: str, chance: random.Random) -> str:
    """A meeting: most are single, a fifth recurs, a third has people in it."""
    start = BEGIN + timedelta(hours=chance.randrange(24 * 365 * 4))
    lines = [
        f"UID:{uid}",
        f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}",
        f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}",
        f"DTEND;TZID=Europe/Berlin:{start + timedelta(hours=1):%Y%m%dT%H%M%S}",
        f"SUMMARY:{words(chance, 4)}",
        f"LOCATION:Room {chance.randrange(200)}",
        f"DESCRIPTION:{words(chance, chance.randrange(5, 80))}",
    ]
    if chance.random() < 0.2:
        lines.append(f"RRULE:FREQ=WEEKLY;COUNT={chance.randrange(2, 30)}")
    if chance.random() < 0.33:
        lines.append("ORGANIZER;CN=Ann Example:mailto:ann@example.test")
        lines += [f"ATTENDEE;CN=Guest {n}:mailto:guest{n}@example.net" for n in range(chance.randrange(1, 6))]
    if chance.random() < 0.4:
        lines += ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Soon", "TRIGGER:-PT15M", "END:VALARM"]
    inner = "\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"])
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//bench//bench//EN\n{ZONE}{inner}\nEND:VCALENDAR\n"


def card(uid: str, chance: random.Random) -> str:
    """A person; one of twenty has a photo."""
    first, last = words(chance, 1), f"{words(chance, 1)}-{chance.randrange(10_000)}"
    lines = [
        f"UID:{uid}",
        f"FN:{first} {last}",
        f"N:{last};{first};;;",
        f"EMAIL;TYPE=WORK:{uid}",
        f"TEL;TYPE=CELL:+49 30 {chance.randrange(10**8):08}",
        f"ADR;TYPE=HOME:;;{words(chance, 2)} {chance.randrange(99)};Berlin;;10115;Germany",
        f"NOTE:{words(chance, chance.randrange(3, 30))}",
    ]
    if chance.random() < 0.05:
        photo = base64.b64encode(chance.randbytes(chance.randrange(3_000, 15_000))).decode()
        lines.append(f"PHOTO;ENCODING=B;TYPE=JPEG:{photo}")
    return "\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""])


def words(chance: random.Random, count: int) -> str:
    """So many of them."""
    return " ".join(chance.choices(WORDS, k=count))


def folded(text: str) -> bytes:
    """On the wire: CRLF, and long lines cut as RFC 5545 section 3.1 and RFC 6350 section 3.2 want it."""
    return b"".join(piece + b"\r\n" for line in text.splitlines() for piece in _pieces(line.encode()))


def _pieces(line: bytes) -> Iterator[bytes]:
    """At most 75 bytes each, no character cut in two."""
    start, room = 0, 75
    while len(line) - start > room:
        end = start + room
        while line[end] & 0xC0 == 0x80:
            end -= 1
        yield (b" " if start else b"") + line[start:end]
        start, room = end, 74
    yield (b" " if start else b"") + line[start:]
