"""The two events of a canary, and how they are recognised wherever they turn up. Pure.

Their UIDs are the same in every run for an organizer, so that a later run finds what an earlier one left behind. The
words in their titles are new in every run, so that what arrives late from an earlier one proves nothing.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Self

AHEAD = timedelta(days=30)
"""So far ahead they are: servers mail about nothing that is over."""

TITLE = "xdmigrate test - please ignore"


@dataclass(frozen=True, slots=True)
class Pair:
    """The canary, which is written silenced, and the control, which is not; each with its UID and its word."""

    canary_uid: str
    control_uid: str
    canary_word: str
    control_word: str

    @classmethod
    def of(cls, organizer: str) -> Self:
        """For a new run."""
        name = sha256(organizer.casefold().encode()).hexdigest()[:16]
        canary, control = (f"xdmigrate-{role}-{name}" for role in ("canary", "control"))
        return cls(canary, control, f"canary{secrets.token_hex(8)}", f"control{secrets.token_hex(8)}")

    @property
    def uids(self) -> tuple[str, str]:
        """Of both events; the canary's first, as it is to be removed first."""
        return self.canary_uid, self.control_uid

    @property
    def canary_marks(self) -> tuple[str, ...]:
        """What betrays the canary, the UID alone included: were it an older one's, the server is not silent either."""
        return self.canary_word, self.canary_uid

    @property
    def control_marks(self) -> tuple[str, ...]:
        """What proves that the control of this run arrived."""
        return (self.control_word,)


def event(uid: str, word: str, organizer: str, attendees: Sequence[str], now: datetime) -> bytes:
    """An event (RFC 5545 section 3.6.1) that every server takes, and about which one that schedules would mail."""
    begin = (now + AHEAD).astimezone(UTC).replace(hour=12, minute=0, second=0)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//xdmigrate//canary//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{_utc(now.astimezone(UTC))}",
        f"DTSTART:{_utc(begin)}",
        f"DTEND:{_utc(begin + timedelta(minutes=15))}",
        "TRANSP:TRANSPARENT",
        f"SUMMARY:{TITLE} {word}",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}",
        *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{each}" for each in attendees),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return "\r\n".join(lines).encode()


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def mentions(message: bytes, mark: str) -> bool:
    """Whether a mail says this word anywhere, plain or encoded, wherever its lines are folded.

    Nothing is parsed: folding (RFC 5545 section 3.1), soft breaks (RFC 2045 section 6.7) and line ends go, and base64
    is recognised whichever of its three positions the word has in it.
    """
    text = message.replace(b"=\r\n", b"").replace(b"=\n", b"")
    for fold in (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t", b"\r", b"\n"):
        text = text.replace(fold, b"")
    return any(form in text for form in _forms(mark.encode()))


def _forms(word: bytes) -> list[bytes]:
    """As it is, and in base64: its ends depend on what stands beside it, so they are cut off."""
    return [word, *(b64encode(b"\0" * shift + word)[4:-4] for shift in range(3))]
