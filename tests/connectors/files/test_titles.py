"""What files are called: what a person can read, and what every system takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.files.test_mbox import target
from xdmigrate.model import Kind
from xdmigrate.testing.conformance.kit import bodies, mail, write_all
from xdmigrate.testing.conformance.profile import Message
from xdmigrate.testing.objects import made
from xdmigrate_files.titles import LONGEST, LONGEST_OCTETS, in_a_name, title_of


@given(st.text(max_size=300))
def test_a_title_is_a_part_of_a_name_anywhere(text: str) -> None:
    for title in (in_a_name(text), title_of(f"Subject: {text}\r\n\r\n".encode("utf-8", "replace"), Kind.MAIL)):
        assert len(title) <= LONGEST
        assert len(title.encode()) <= LONGEST_OCTETS
        assert not re.search(r'[<>:"/\\|?*%\x00-\x1f]', title)
        assert title == title.strip(" .")


@pytest.mark.parametrize(("data", "kind", "title"), [
    (b"Subject: =?utf-8?q?Gr=C3=BCn=2F1?=\r\n\r\nx", Kind.MAIL, "Grün 1"),
    (b"Subject: a\r\n folded\r\n\r\nx", Kind.MAIL, "a folded"),
    (b"Subject: =?utf-8?b?A?=\r\n\r\nx", Kind.MAIL, ""),
    (b"Subject: ../../etc/passwd\r\n\r\nx", Kind.MAIL, "etc passwd"),
    (b"no header", Kind.MAIL, ""),
    (b"BEGIN:VEVENT\r\nSUMMARY;LANGUAGE=en:Lunch\\, lo\r\n ng\r\n", Kind.CALENDAR, "Lunch, long"),
    (b"BEGIN:VTODO\r\nSUMMARY:Jump\r\n", Kind.TASKS, "Jump"),
    (b"BEGIN:VCARD\r\nFN:Ann\r\n", Kind.CONTACTS, "Ann"),
])  # fmt: skip
def test_titles(data: bytes, kind: Kind, title: str) -> None:
    assert title_of(data, kind) == title


def test_a_long_title_is_cut_between_characters() -> None:
    assert in_a_name("\U00020000" * 91) == "\U00020000" * 30


def test_an_export_can_be_browsed(tmp_path: Path) -> None:
    session = target(tmp_path, format="eml")
    inbox = session.create_folder(("INBOX",))
    write_all(session, inbox, [mail("Offer 12"), mail("Offer 12"), Message(b"\r\n")])
    work = session.create_folder(("Work",), Kind.CALENDAR)
    write_all(session, work, [Message(made(Kind.CALENDAR, "u1", "Lunch"))])
    names = sorted(path.name for path in tmp_path.rglob("*.eml"))
    named = re.compile(r"\d{8}-\d{6} (Offer 12 )?[0-9a-f]{12}(-[0-9a-f]{8})?\.eml")
    assert [name for name in names if not named.fullmatch(name)] == []
    assert sum("Offer 12" in name for name in names) == 2
    (event,) = tmp_path.rglob("*.ics")
    assert re.fullmatch(r"Lunch [0-9a-f]{32}\.ics", event.name)
    assert len(bodies(session, inbox)) == 3
