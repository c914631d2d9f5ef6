"""Outlook's PST: what is made of it, and that what crashes its reader is one item."""

from __future__ import annotations

import email
import email.policy
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from select import select
from types import SimpleNamespace
from typing import Any

import pytest

from tests.connectors.files.making import endpoint, login
from tests.connectors.files.test_mbox import LINE, source
from tests.data import corpus
from xdmigrate.errors import ItemRefused
from xdmigrate.model import Kind, Role
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance.kit import bodies, refs
from xdmigrate_files import connector, contained, pst
from xdmigrate_files.rebuilding import Enclosed, Parts, rebuilt

needs_library = pytest.mark.skipif(find_spec("pypff") is None, reason="libpff-python is not installed")


def file_of(name: str) -> Path:
    return corpus.require() / "pst" / name


@needs_library
def test_messages_are_rebuilt_the_same_each_time() -> None:
    path = file_of("tika-testPST_variousBodyTypes.pst")
    found = []
    for _ in range(2):
        session = source(path)
        folders = {folder.path: folder for folder in session.folders()}
        assert {path: folder.count for path, folder in folders.items() if folder.count} == {("Inbox", "tmp"): 4}
        found.append({path: bodies(session, folder) for path, folder in folders.items() if folder.selectable})
    assert found[0] == found[1]
    messages = [raw for each in found[0].values() for raw in each.values()]
    assert len(messages) == 4
    for raw in messages:
        assert b"\n" not in raw.replace(b"\r\n", b"")
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert not parsed.defects
        assert parsed["Subject"]
        assert parsed["Date"]
        assert parsed.get_body() is not None


@needs_library
def test_what_the_transport_said_is_kept() -> None:
    session = source(file_of("tika-testPST.pst"))
    (folder,) = [each for each in session.folders() if each.count]
    raw = list(bodies(session, folder).values())
    assert len(raw) == 7
    parsed = [email.message_from_bytes(each, policy=email.policy.default) for each in raw]
    assert sum(bool(each["Received"] and each["Message-ID"]) for each in parsed) == 6
    assert {head.date is not None for head in session.heads(folder)} == {True}
    auditor = connector.auditor(endpoint(file_of("tika-testPST.pst")), login())
    assert {one.ref: one.size for one in auditor.inspect(folder, refs(session, folder))} == {
        head.ref: head.size for head in session.heads(folder)
    }


@needs_library
def test_check_says_that_messages_are_rebuilt() -> None:
    told = connector.check(endpoint(file_of("tika-testPST.pst")), login(), writable=False)
    assert "7 messages are rebuilt from the parts that Outlook keeps" in {finding.text for finding in told}


@needs_library
@pytest.mark.parametrize("number", range(6))
def test_a_damaged_file_is_contained_and_the_rest_is_read(tmp_path: Path, rng: Random, number: int) -> None:
    raw = bytearray(file_of("tika-testPST_variousBodyTypes.pst").read_bytes())
    if number == 0:
        raw = raw[: len(raw) // 2]
    elif number == 1:
        raw[:4] = b"!BAD"
    else:
        for _ in range(4 ** (number + 1)):
            raw[rng.randrange(512, len(raw))] = rng.randrange(256)
    (tmp_path / "damaged.pst").write_bytes(raw)
    (tmp_path / "honest.mbox").write_bytes(LINE + b"Subject: honest\n\nx\n")
    session = source(tmp_path)
    folders = [folder for folder in session.folders() if folder.selectable]
    assert ("honest",) in {folder.path for folder in folders}
    for folder in folders:
        for item in session.read(folder, refs(session, folder)):
            try:
                assert len(whole(item)) == item.body.size
            except ItemRefused as refused:
                assert refused.reason == "unreadable"  # noqa: PT017 -- both are right


READER = """
import json, sys
def tell(**told):
    print(json.dumps(told), flush=True)
skipped = set()
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    if word == "skip":
        skipped.add(int(number))
    elif word == "list":
        tell(folder=["Inbox"])
        for number in (1, 2, 3):
            if number in skipped:
                tell(unreadable=number)
                continue
            tell(trying=number)
            if number == 2:
                sys.exit("crash")
            tell(id=number, size=5, seen=True, date=0)
        tell(end=True)
    elif word == "read":
        if number == "3":
            sys.exit("crash")
        tell(size=5)
        print("hello", end="", flush=True)
"""


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A reader that dies as it is told to."""

    def behave(code: str) -> None:
        (tmp_path / "reader.py").write_text(code)
        monkeypatch.setattr(pst, "READER", (sys.executable, str(tmp_path / "reader.py")))
        monkeypatch.setattr(pst, "available", lambda: True)
        (tmp_path / "a.pst").write_bytes(b"!BDN")

    return behave


def test_what_kills_the_reader_is_one_message(tmp_path: Path, crashing: Callable[[str], None]) -> None:
    crashing(READER)
    session = source(tmp_path / "a.pst")
    (folder,) = session.folders()
    assert (folder.path, folder.count) == (("INBOX",), 3)
    read, refused = [], 0
    for item in session.read(folder, refs(session, folder)):
        try:
            read.append(whole(item))
        except ItemRefused:
            refused += 1
    assert (read, refused) == ([b"hello"], 2)


@pytest.mark.parametrize(
    "code", ["", "print('nonsense')", "print('[]')", "print('x' * 5_000_000)", "import sys; sys.exit(1)"]
)
def test_a_reader_that_says_nothing_of_sense_is_told(
    tmp_path: Path, crashing: Callable[[str], None], code: str
) -> None:
    crashing(code)
    (tmp_path / "honest.mbox").write_bytes(LINE + b"Subject: honest\n\nx\n")
    findings = connector.check(endpoint(tmp_path), login(), writable=False)
    assert "1 files of Outlook's (.pst) that crash their reader are left out" in {each.text for each in findings}
    assert [folder.path for folder in source(tmp_path).folders()] == [("honest",)]


def test_without_the_library_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pst, "available", lambda: False)
    (tmp_path / "a.pst").write_bytes(b"!BDN")
    (told,) = [each.text for each in connector.check(endpoint(tmp_path), login(), writable=False) if "pst" in each.text]
    assert told == "1 files of Outlook's (.pst; they need xdmigrate[pst]) are left out"


def test_everything_that_outlook_keeps_is_in_the_message() -> None:
    inner = rebuilt(Parts(2, subject="inner", plain=b"inside"))
    raw = rebuilt(Parts(
        1, headers="Received: a\r\n by b\r\nContent-Type: text/plain\r\nSubject: grün\r\nX-Odd:\r\n",
        sender=("Ann Ü", "ann@example.test"), to="Bob; Eve", plain="plain ü\nline".encode(), html=b"<b>x</b>",
        enclosed=[Enclosed("a.png", b"\x89PNG", "image/png", "cid1"), Enclosed("bad\r\nname\0", b"\0\xff", "no type"),
                  Enclosed("inner", inner, message=True)],
    ))  # fmt: skip
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed["Received"] == "a by b"
    assert parsed["Subject"] == "grün"
    assert parsed["From"] == "Ann Ü <ann@example.test>"
    assert parsed.get_content_type() == "multipart/mixed"
    assert parsed.get_body(("plain",)).get_content().splitlines() == ["plain ü", "line"]  # type: ignore[union-attr]
    assert parsed.get_body(("html",)).get_content() == "<b>x</b>"  # type: ignore[union-attr]
    names = [(each.get_filename(), each.get_payload(decode=True)) for each in parsed.iter_attachments()]
    assert names == [("a.png", b"\x89PNG"), ("bad name", b"\0\xff"), ("inner.eml", inner)]
    assert all(len(line) < 998 for line in raw.split(b"\r\n"))


@pytest.mark.parametrize("text", ["", "\x00", "a\rb\nSubject: two", "x" * 5000, "\udc80", "é" * 3000])
def test_hostile_properties_make_one_header(text: str) -> None:
    raw = rebuilt(Parts(1, headers=f"X-Mad: {text}", subject=text, sender=(text, text), to=text, plain=b"\xff\0"))
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\0" not in head
    assert b"\n" not in head.replace(b"\r\n", b"")
    parsed = email.message_from_bytes(raw)
    assert len(parsed.get_all("Subject") or []) <= 2
    assert parsed.get_content_type() == "text/plain"


HANGS = "(open(sys.argv[0] + '.hangs', 'w').close(), __import__('time').sleep(60))"


def test_a_reader_that_hangs_is_ended(
    tmp_path: Path, crashing: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each such item costs as long as is waited for an answer: of many of them the file is given up."""
    crashing(READER.replace('sys.exit("crash")', HANGS))
    hangs = tmp_path / "reader.py.hangs"

    def waiting(reading: list[Any], writing: list[Any], odd: list[Any], _: float) -> tuple[list[Any], ...]:
        """As if the time were up as soon as the reader is known to hang."""
        while not hangs.exists():
            found = select(reading, writing, odd, 0.05)
            if found[0]:
                return found
        hangs.unlink()
        return [], [], []

    monkeypatch.setattr(contained, "select", SimpleNamespace(select=waiting))
    session = source(tmp_path / "a.pst")
    (folder,) = session.folders()
    assert folder.count == 3
    monkeypatch.setattr(pst, "MOST_HANGS", 0)
    findings = connector.check(endpoint(tmp_path / "a.pst"), login(), writable=False)
    assert "1 files of Outlook's (.pst) that crash their reader are left out" in {each.text for each in findings}


OBJECTS = """
import json, sys
def tell(**told):
    print(json.dumps(told), flush=True)
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    if word == "list":
        tell(folder=["Mail"], holds="IPF.Note", sent=True)
        tell(id=1, size=5, seen=True, date=0)
        tell(id=2, kind="contacts", size=5, digest="a")
        tell(folder=["Kalender"], holds="IPF.Appointment")
        tell(id=3, kind="calendar", size=5, digest="b")
        tell(id=4, kind="calendar", refused="bad-series", why="because")
        tell(other=5)
        tell(folder=["Bin"], holds="", trash=True, deleted=True)
        tell(id=6, kind="calendar", size=5, digest="c")
        tell(end=True)
    elif word == "read":
        tell(size=5)
        print("hello", end="", flush=True)
"""


def test_every_kind_is_a_folder_of_its_own(tmp_path: Path, crashing: Callable[[str], None]) -> None:
    crashing(OBJECTS)
    session = source(tmp_path / "a.pst")
    folders = {(folder.path, folder.kind): folder for folder in session.folders() if folder.selectable}
    assert {key: (folder.count, folder.role) for key, folder in folders.items()} == {
        (("Bin",), Kind.MAIL): (0, Role.TRASH),
        (("Kalender",), Kind.CALENDAR): (2, None),
        (("Mail",), Kind.MAIL): (1, Role.SENT),
        (("Mail (contacts)",), Kind.CONTACTS): (1, None),
    }
    read, refused = [], []
    for item in session.read(calendar := folders[("Kalender",), Kind.CALENDAR], refs(session, calendar)):
        assert item.kind is Kind.CALENDAR
        try:
            read.append(whole(item))
        except ItemRefused as error:
            refused.append((error.reason, error.message))
    assert (read, refused) == ([b"hello"], [("bad-series", "because")])
    versions = {head.version for head in session.heads(calendar)}
    assert len(versions) == 2
    assert b"" not in versions
    auditor = connector.auditor(endpoint(tmp_path / "a.pst"), login())
    mine = folders[("Mail (contacts)",), Kind.CONTACTS]
    assert [one.size for one in auditor.inspect(mine, refs(session, mine))] == [5]
    session.close()
    assert session._layout.tree.left_out() == {
        "appointments, contacts and tasks in the trash of Outlook's": 1,
        "notes, journal entries and distribution lists of Outlook's": 1,
    }
