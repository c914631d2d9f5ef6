"""Outlook's .msg among other messages: rebuilt in a process of its own, contained when it is hostile."""

from __future__ import annotations

import email
import email.policy
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest

from tests.connectors.files.making import endpoint, login
from tests.connectors.files.test_mbox import source, target
from tests.data import corpus
from xdmigrate.errors import ItemRefused
from xdmigrate.model import FlagChange, Kind
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance.kit import bodies, refs
from xdmigrate_files import connector, msg
from xdmigrate_files.msg_reader import answer

pytestmark = pytest.mark.skipif(find_spec("olefile") is None, reason="olefile is not installed")

HONEST = b"Subject: honest\r\n\r\nx\r\n"


def parsed(raw: bytes) -> email.message.EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


def test_every_file_of_the_corpus(caplog: pytest.LogCaptureFixture) -> None:
    session = source(corpus.require() / "msg")
    *objects, folder = sorted(session.folders(), key=lambda each: each.kind is Kind.MAIL)
    assert [(each.path, each.kind, each.count) for each in objects] == [
        (("Calendar",), Kind.CALENDAR, 1),
        (("Contacts",), Kind.CONTACTS, 1),
        (("Tasks",), Kind.TASKS, 1),
    ]
    heads = {head.ref: head for head in session.heads(folder)}
    raw = bodies(session, folder)
    assert folder.count == len(heads) == len(raw) == 35
    for ref, data in raw.items():
        assert heads[ref].size == len(data)
        message = parsed(data)
        assert not message.defects
        assert message["Subject"]
        assert b"\n" not in data.replace(b"\r\n", b"")
    subjects = {str(parsed(data)["Subject"]) for data in raw.values()}
    assert "Subject автоматически Subject" in subjects
    assert any(each.startswith("Автоматический ответ подсистемы") for each in subjects)
    assert bodies(source(corpus.require() / "msg"), folder) == raw
    auditor = connector.auditor(endpoint(corpus.require() / "msg"), login())
    assert {one.ref: one.size for one in auditor.inspect(folder, list(raw))} == {
        ref: len(each) for ref, each in raw.items()
    }
    session.close()
    assert [record.getMessage() for record in caplog.records] == [
        "1 notes, journal entries and distribution lists of Outlook's were left out below the path"
    ]


def test_appointments_contacts_and_tasks_of_the_corpus() -> None:
    session = source(corpus.require() / "msg")
    objects = [each for each in session.folders() if each.kind is not Kind.MAIL]
    found: dict[Kind, dict[bytes, bytes]] = {each.kind: bodies(session, each) for each in objects}
    (event,), (card,), (task,) = (found[kind].values() for kind in (Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS))
    for line in (b"SUMMARY:Quick brown fox", b"DTSTART:20170228T183000Z", b"DTEND:20170228T190000Z",
                 b"LOCATION:under lazy dog", b"DESCRIPTION:This is a meeting to discuss jumping"):  # fmt: skip
        assert line + b"\r\n" in event
    for line in (b"FN:Dr Quick Brown Fox Jr", b"N:Fox;Quick;Brown;Dr;Jr", b"EMAIL;TYPE=INTERNET:quickbrown@gmail.com",
                 b"TEL;TYPE=CELL:(456) 789-0123", b"ORG:Fence Co"):  # fmt: skip
        assert line + b"\r\n" in card
    for line in (b"SUMMARY:Must jump over the lazy dog", b"DTSTART;VALUE=DATE:20170219", b"DUE;VALUE=DATE:20170310"):
        assert line + b"\r\n" in task
    for folder in objects:
        auditor = connector.auditor(endpoint(corpus.require() / "msg"), login())
        assert {one.ref: one.size for one in auditor.inspect(folder, list(found[folder.kind]))} == {
            ref: len(each) for ref, each in found[folder.kind].items()
        }


def test_an_object_that_becomes_nothing_is_one_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, json\nfor line in sys.stdin.buffer:\n"
        "    data = sys.stdin.buffer.read(int(line))\n"
        "    told = {'kind': 'calendar', 'refused': 'bad-series', 'why': 'because'}\n"
        "    if data == b'fine': told = {'kind': 'calendar', 'size': 5}\n"
        "    print(json.dumps(told) + chr(10) + ('hello' if data == b'fine' else ''), end='', flush=True)\n"
    )
    (tmp_path / "reader.py").write_text(code)
    monkeypatch.setattr(msg, "READER", (sys.executable, str(tmp_path / "reader.py")))
    (tmp_path / "a.msg").write_bytes(b"bad")
    (tmp_path / "b.msg").write_bytes(b"fine")
    session = source(tmp_path)
    (folder,) = session.folders()
    assert (folder.path, folder.kind, folder.count) == (("Calendar",), Kind.CALENDAR, 2)
    read, refused = [], []
    for item in session.read(folder, refs(session, folder)):
        try:
            read.append(whole(item))
        except ItemRefused as error:
            refused.append((error.reason, error.message))
    assert (read, refused) == ([b"hello"], [("bad-series", "because")])


def test_check_says_that_messages_are_rebuilt() -> None:
    told = connector.check(endpoint(corpus.require() / "msg"), login(), writable=False)
    assert "35 messages are rebuilt from the parts that Outlook keeps" in {finding.text for finding in told}


def test_a_message_in_a_message_and_its_attachments() -> None:
    session = source(corpus.require() / "msg" / "poi-attachment_msg_pdf.msg")
    (raw,) = bodies(session, session.folders()[0]).values()
    inner, pdf = parsed(raw).iter_attachments()
    assert parsed(inner.get_payload(decode=True))["Subject"]  # type: ignore[arg-type]
    assert pdf.get_filename() == "smbprn.00009008.KdcPjl.pdf"
    assert bytes(pdf.get_payload(decode=True)).startswith(b"%PDF")


def test_hostile_files_are_one_item_each(tmp_path: Path, rng: Random) -> None:
    good = corpus.require() / "msg" / "poi-quick.msg"
    shutil.copyfile(good, tmp_path / "good.msg")
    (tmp_path / "honest.eml").write_bytes(HONEST)
    for number in range(8):
        raw = bytearray(good.read_bytes())
        for _ in range(2**number):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        (tmp_path / f"damaged{number}.msg").write_bytes(raw)
    (tmp_path / "empty.msg").touch()
    (tmp_path / "text.MSG").write_bytes(b"no such file")
    session = source(tmp_path)
    (folder,) = session.folders()
    read, refused = [], 0
    for item in session.read(folder, refs(session, folder)):
        try:
            read.append(whole(item))
        except ItemRefused as error:
            assert error.reason == "unreadable"  # noqa: PT017 -- both are right
            refused += 1
    assert HONEST in read
    assert len(read) >= 2
    assert refused >= 2
    assert len(read) + refused == folder.count


@pytest.mark.parametrize(("at", "what"), [(0x40, "tables"), (None, "stream")])
def test_what_would_be_read_in_circles_is_not_read(at: int | None, what: str) -> None:
    """A size of 4 GB in a file of 40 KB, whose sectors follow each other for ever."""
    raw = bytearray((corpus.require() / "msg" / "poi-quick.msg").read_bytes())
    root = (int.from_bytes(raw[0x30:0x34], "little") + 1) * 512
    where = root + 0x78 if at is None else at  # the size of the root entry's stream (MS-CFB 2.6.1)
    raw[where : where + 4] = b"\xf0\xff\xff\x7f"
    with pytest.raises(ValueError, match=f"{what}.*in circles"):
        answer(bytes(raw))


def test_a_reader_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys\nfor line in sys.stdin.buffer:\n"
        "    data = sys.stdin.buffer.read(int(line))\n"
        "    if data == b'crash': sys.exit(1)\n"
        '    print(\'{"size": 5, "seen": true}\' + chr(10) + "hello", end="", flush=True)\n'
    )
    (tmp_path / "reader.py").write_text(code)
    monkeypatch.setattr(msg, "READER", (sys.executable, str(tmp_path / "reader.py")))
    for name, data in (("a", b"crash"), ("b", b"fine"), ("c", b"crash"), ("d", b"fine")):
        (tmp_path / f"{name}.msg").write_bytes(data)
    session = source(tmp_path)
    (folder,) = session.folders()
    assert [head.size for head in session.heads(folder)].count(5) == 2
    assert folder.count == 4


def test_no_reader_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, sys\nfor line in sys.stdin.buffer:\n    sys.stdin.buffer.read(int(line))\n"
        f"    open({str(tmp_path / 'pids')!r}, 'a').write(str(os.getpid()) + chr(10))\n"
        '    print(\'{"size": 5}\' + chr(10) + "hello", end="", flush=True)\n'
    )
    (tmp_path / "reader.py").write_text(code)
    monkeypatch.setattr(msg, "READER", (sys.executable, str(tmp_path / "reader.py")))
    (tmp_path / "a.msg").write_bytes(b"fine")
    session, auditor = source(tmp_path), connector.auditor(endpoint(tmp_path), login())
    for each in (session, auditor):
        (folder,) = [folder for folder in each.folders() if folder.count]
        assert len(list(each.heads(folder))) == 1
        each.close()
    connector.check(endpoint(tmp_path), login(), writable=False)
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) >= 3
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_flags_of_a_msg_can_be_changed_where_it_lies(tmp_path: Path) -> None:
    shutil.copyfile(corpus.require() / "msg" / "poi-quick.msg", tmp_path / "a.msg")
    session = target(tmp_path, format="eml")
    (folder,) = session.folders()
    (head,) = session.heads(folder)
    session.change_flags(folder, [FlagChange(head.ref, add=frozenset({"\\Flagged"}))])
    (again,) = source(tmp_path).heads(folder)
    assert again.flags == head.flags | {"\\Flagged"}
    assert again.size == head.size


def test_without_the_library_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msg, "available", lambda: False)
    (tmp_path / "a.msg").write_bytes(b"x")
    told = {finding.text for finding in connector.check(endpoint(tmp_path), login(), writable=False)}
    assert "1 files of Outlook's (.msg; they need xdmigrate[pst]) are left out" in told
