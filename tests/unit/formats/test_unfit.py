"""What no store that keeps to the standards takes is known before it is sent."""

from __future__ import annotations

import pytest

from xdmigrate.formats.semantics import semantics

EVENT = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART%s:20240101T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\n%sEND:VCARD\r\n"


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("calendar", EVENT % b"", ""),
        ("calendar", EVENT % b";TZID=Nowhere/Middle", "unknown-timezone"),
        ("tasks", b"BEGIN:VCALENDAR\r\n", "unreadable"),
        ("contacts", CARD % b"FN:Ann\r\n", ""),
        ("contacts", CARD % b"", "empty-card"),
        ("mail", b"anything", ""),
    ],
)
def test_a_reason_comes_with_words(kind: str, data: bytes, reason: str) -> None:
    told, words = semantics(kind).unfit(data)
    assert (told, bool(words)) == (reason, bool(reason))
