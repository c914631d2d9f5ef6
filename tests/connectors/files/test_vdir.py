"""Calendars, task lists and address books on the disk."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import FULL
from tests.connectors.files.test_mbox import source, target
from tests.data import corpus
from xdmigrate.contract import CHANGED_THERE, Intent, Receipt, Refused, Stored
from xdmigrate.errors import ExtraMissing, FolderUnusable
from xdmigrate.model import Folder, Head, Item, Kind
from xdmigrate.testing.bodies import BytesBody, whole
from xdmigrate_files.target import FilesTarget


def event(uid: str, text: str = "x") -> bytes:
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\n"
    body = f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20240101T000000Z\r\nDTSTART:20240101T100000Z\r\nSUMMARY:{text}\r\n"
    return (head + body + "END:VEVENT\r\nEND:VCALENDAR\r\n").encode()


def card(uid: str) -> bytes:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:Ann\r\nN:;Ann;;;\r\nEND:VCARD\r\n".encode()


def put(session: FilesTarget, folder: Folder, data: bytes, over: Head | None = None) -> Receipt:
    item = Item(Head(b"\1", len(data)), BytesBody(data), folder.kind)
    with session.writer(folder, Intent(1, 1, len(data))) as writer:
        writer.put(0, item, over)
        (receipt,) = writer.flush()
    return receipt


def test_what_a_directory_holds_is_told_by_kind(tmp_path: Path) -> None:
    (tmp_path / "Work").mkdir()
    (tmp_path / "Work" / "a.ics").write_bytes(event("a"))
    (tmp_path / "Work" / "b.ics").write_bytes(event("b").replace(b"VEVENT", b"VTODO"))
    (tmp_path / "Work" / "c.vcf").write_bytes(card("c"))
    two = event("d") + event("e")
    (tmp_path / "all.ics").write_bytes(two)
    (tmp_path / "friends.vcf").write_bytes(card("f") + card("g"))
    found = {(folder.path, folder.kind): folder for folder in source(tmp_path).folders() if folder.selectable}
    assert {key: folder.count for key, folder in found.items()} == {
        (("Work",), Kind.CALENDAR): 1,
        (("Work (contacts)",), Kind.CONTACTS): 1,
        (("Work (tasks)",), Kind.TASKS): 1,
        (("all",), Kind.CALENDAR): 2,
        (("friends",), Kind.CONTACTS): 2,
    }
    session = source(tmp_path)
    friends = found[("friends",), Kind.CONTACTS]
    heads = list(session.heads(friends))
    items = {item.head.ref: whole(item) for item in session.read(friends, [head.ref for head in heads])}
    assert sorted(items.values()) == [card("f"), card("g")]
    assert all(head.version and head.size == len(items[head.ref]) for head in heads)


def test_a_changed_item_keeps_its_id_and_gets_another_version(tmp_path: Path) -> None:
    for name, data in (("one.ics", event("a") + event("b")), ("Work/c.ics", event("c"))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    session = source(tmp_path)
    folders = [folder for folder in session.folders() if folder.selectable]
    before = {head.ref: head.version for folder in folders for head in session.heads(folder)}
    (tmp_path / "one.ics").write_bytes(event("a", "other") + event("b"))
    (tmp_path / "Work" / "c.ics").write_bytes(event("c", "other"))
    session = source(tmp_path)
    after = {head.ref: head.version for folder in folders for head in session.heads(folder)}
    assert before.keys() == after.keys()
    assert sum(before[ref] != after[ref] for ref in before) == 2
    assert {folder.state for folder in folders} & {session.status(folder).state for folder in folders} == set()


def test_an_export_is_one_file_for_each_item(tmp_path: Path) -> None:
    session = target(tmp_path)
    folder = session.create_folder(("Work: 2024",), Kind.CALENDAR)
    assert (folder.kind, folder.count) == (Kind.CALENDAR, 0)
    first = put(session, folder, event("a"))
    assert isinstance(first, Stored)
    assert isinstance(put(session, folder, event("a", "other")), Refused)
    (head,) = session.heads(folder)
    changed = put(session, folder, event("a", "changed"), head)
    assert changed == Stored(0, first.ref)
    late = put(session, folder, event("a", "late"), head)
    assert isinstance(late, Refused)
    assert late.reason == CHANGED_THERE
    (file,) = (tmp_path / "Work%3A 2024").glob("*.ics")
    assert file.read_bytes() == event("a", "changed")
    seen = source(tmp_path).folders()
    assert [(each.path, each.kind, each.count) for each in seen] == [(("Work: 2024",), Kind.CALENDAR, 1)]
    session.remove(folder, [first.ref])
    assert not list((tmp_path / "Work%3A 2024").glob("*.ics"))


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (event("a") + event("b"), Kind.CALENDAR, "several-objects"),
        (card("a") + card("b"), Kind.CONTACTS, "several-objects"),
        (event("a"), Kind.TASKS, "no-component"),
    ],
)
def test_what_would_not_be_in_its_folder_is_refused(tmp_path: Path, data: bytes, kind: Kind, reason: str) -> None:
    """A file of several items is a folder of its own, and one of another kind is in another folder."""
    session = target(tmp_path)
    folder = session.create_folder(("Work",), kind)
    receipt = put(session, folder, data)
    assert isinstance(receipt, Refused)
    assert receipt.reason == reason
    assert [each.count for each in source(tmp_path).folders()] == [0]


def test_a_uid_is_there_once_whatever_its_file_is_called(tmp_path: Path) -> None:
    session = target(tmp_path)
    folder = session.create_folder(("Work",), Kind.CONTACTS)
    (tmp_path / "Work" / "theirs.vcf").write_bytes(card("a"))
    refused = put(session, folder, card("a"))
    assert isinstance(refused, Refused)
    assert refused.reason == "uid-taken"
    assert isinstance(put(session, folder, card("b")), Stored)


def test_kinds_do_not_share_a_folder(tmp_path: Path) -> None:
    session = target(tmp_path, format="eml")
    session.create_folder(("Work",))
    with pytest.raises(FolderUnusable, match="of kind mail"):
        session.create_folder(("Work",), Kind.CONTACTS)
    with pytest.raises(FolderUnusable, match="keeps no mail"):
        target(tmp_path, format="vdir").create_folder(("Other",))


def test_one_file_with_all_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "all.ics").write_bytes(event("a") + event("b"))
    session = target(tmp_path)
    (folder,) = session.folders()
    with pytest.raises(FolderUnusable, match="is one file"):
        put(session, folder, event("c"))
    with pytest.raises(FolderUnusable, match="is one file"):
        session.remove(folder, [head.ref for head in session.heads(folder)])


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "all.ics").write_bytes(event("a") + event("b"))
    monkeypatch.setitem(sys.modules, "xdmigrate.formats.ical", None)
    with pytest.raises(ExtraMissing, match=r"install xdmigrate\[dav\]"):
        source(tmp_path).folders()


def test_every_item_of_the_corpus_is_listed_and_read(tmp_path: Path) -> None:
    root = corpus.require()
    for name in ("ics", "vcf") if FULL else ("ics/calcard", "vcf/calcard"):
        session = source(root / name)
        for folder in [each for each in session.folders() if each.selectable]:
            heads = {head.ref: head for head in session.heads(folder)}
            items = {item.head.ref: whole(item) for item in session.read(folder, list(heads))}
            assert len(heads) == folder.count == len(items)
            assert all(len(items[ref]) == head.size for ref, head in heads.items())
            assert replace(session.status(folder), path=folder.path) == folder
