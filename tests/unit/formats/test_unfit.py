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
        ("calendar", EVENT.replace(b"EVENT", b"FREEBUSY") % b"", "no-component"),
        ("tasks", b"BEGIN:VCALENDAR\r\n", "unreadable"),
        ("contacts", CARD % b"FN:Ann\r\n", ""),
        ("contacts", CARD % b"", "empty-card"),
        ("mail", b"anything", ""),
    ],
)
def test_a_reason_comes_with_words(kind: str, data: bytes, reason: str) -> None:
    told, words = semantics(kind).unfit(data)
    assert (told, bool(words)) == (reason, bool(reason))


def test_what_is_offered_all_the_same_is_foretold_as_such() -> None:
    event = EVENT % b";TZID=Nowhere/Middle"
    assert "offered as it is" in semantics("calendar").unfit(event)[1]
    assert "offered" not in semantics("calendar").unfit(event.replace(b"UID:1", b"UID:\xff"))[1]
