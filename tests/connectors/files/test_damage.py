"""What is damaged, closed, in the way, or changed while we look: one item or one file, told, and never torn."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.files.making import endpoint, login, maildir
from tests.connectors.files.test_mbox import LINE, box, contents, folder_of, source, target
from xdmigrate.errors import FolderUnusable, ItemRefused, XdmigrateError
from xdmigrate.model import FlagChange, Item, Kind
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance.kit import mail, refs, write_all
from xdmigrate.testing.objects import made
from xdmigrate_files import connector
from xdmigrate_files.source import FilesSource

HONEST = b"Subject: honest\n\nto be copied\n"
READ = HONEST.replace(b"\n", b"\r\n")

Failing = Callable[[bytes, int], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Names with this word in them cannot be opened, for this reason; the superuser may open everything."""

    def fails(word: bytes, reason: int) -> None:
        opened = os.open

        def guarded(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if word in os.fsencode(path):
                raise OSError(reason, os.strerror(reason))
            return opened(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", guarded)

    return fails


def outcome(session: FilesSource) -> tuple[int, int]:
    """How many items of all folders could be read, and how many were refused."""
    read = refused = 0
    for folder in session.folders():
        for item in session.read(folder, refs(session, folder)) if folder.selectable else ():
            try:
                whole(item)
                read += 1
            except ItemRefused as error:
                refused += error.reason == "unreadable"
    return read, refused


def told(path: Path) -> set[str]:
    return {finding.text for finding in connector.check(endpoint(path), login(), writable=False) if finding.remedy}


@pytest.mark.parametrize("reason", [errno.EACCES, errno.EIO])
def test_an_item_that_cannot_be_opened_is_one_item(tmp_path: Path, failing: Failing, reason: int) -> None:
    """Events, messages with and without their size in the name, .eml and Outlook's: the others are read."""
    root = maildir(tmp_path)
    for name in ("1.a:2,", "2.closed:2,", "3.closed,W=9:2,"):
        (root / "cur" / name).write_bytes(HONEST)
    (root / "eml").mkdir()
    for name in ("a.eml", "closed.eml", "closed.msg"):
        (root / "eml" / name).write_bytes(HONEST)
    (root / "Work").mkdir()
    for name in ("a", "closed"):
        (root / "Work" / f"{name}.ics").write_bytes(made(Kind.CALENDAR, name, name))
        (root / "Work" / f"{name}.vcf").write_bytes(made(Kind.CONTACTS, name, name))
    failing(b"closed", reason)
    assert outcome(source(root)) == (4, 6)


@pytest.mark.parametrize("reason", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("closed", "1 unreadable directories are left out"),
        (".closed", "1 hidden directories are left out"),
        ("closed.pst", "1 unreadable files are left out"),
        ("closed.mbox", "1 unreadable files are left out"),
        ("manifest.jsonl", "1 unreadable files are left out"),
        ("dovecot-keywords", "1 unreadable files are left out"),
    ],
)
def test_a_part_that_cannot_be_opened_is_told(
    tmp_path: Path, failing: Failing, reason: int, name: str, what: str
) -> None:
    (maildir(tmp_path) / "cur" / "1.a:2,").write_bytes(HONEST)
    if "." in name[1:] or "-" in name:
        (tmp_path / name).write_bytes(LINE)
    else:
        maildir(tmp_path / name)
    failing(name.encode(), reason)
    assert outcome(source(tmp_path)) == (1, 0)
    assert told(tmp_path) == {what}


def test_a_maildir_that_cannot_be_read_is_not_empty(tmp_path: Path, failing: Failing) -> None:
    """In mirror mode an empty folder would be one whose copies may go."""
    (maildir(tmp_path) / "cur" / "1.a:2,").write_bytes(HONEST)
    session = source(tmp_path)
    (folder,) = session.folders()
    failing(b"cur", errno.EIO)
    with pytest.raises(FolderUnusable):
        session.status(folder)
    assert "1 unreadable folders are left out" in told(tmp_path)


def test_an_empty_calendar_file_is_one_item(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_bytes(b"")
    assert outcome(source(tmp_path)) == (0, 1)


# --- what is changed while we read --------------------------------------------------------------------------------


def of_one(session: FilesSource) -> Item:
    (folder,) = session.folders()
    (item,) = session.read(folder, refs(session, folder))
    return item


def test_a_message_that_gets_a_flag_while_it_is_read_is_read(tmp_path: Path) -> None:
    before = maildir(tmp_path) / "cur" / "1.a:2,"
    before.write_bytes(HONEST)
    item = of_one(source(tmp_path))
    before.rename(tmp_path / "cur" / "1.a:2,S")
    assert whole(item) == READ


@pytest.mark.parametrize("name", ["cur/1.a:2,", "a.eml", "a.mbox"])
@pytest.mark.parametrize("left", [b"", b"Subject: honest\n\nto be co", HONEST + b"and more\n", None])
def test_a_message_that_is_not_what_it_was_is_refused_and_not_torn(
    tmp_path: Path, name: str, left: bytes | None
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    line = LINE if name.endswith("mbox") else b""
    path.write_bytes(line + HONEST)
    item = of_one(source(tmp_path))
    if left is None:
        path.unlink()
    else:
        path.write_bytes(line + left)
    with pytest.raises(XdmigrateError, match=r"changed|cannot be read|is gone"):
        whole(item)
    with pytest.raises(XdmigrateError, match=r"changed|cannot be read|is gone"):
        item.body.spool()


# --- mbox -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (5, b"text\nFrom here on nothing separates\nthe rest\n"),
        (4, b"text\nFrom here on nothing separates\nthe rest\n"),
        (6, b"text xFrom the middle of a line\nthe rest\n"),
        (10_000, b"text\n"),
    ],
)
def test_a_content_length_that_lies_loses_no_byte(tmp_path: Path, length: int, text: bytes) -> None:
    liar = b"Content-Length: %d\n\n" % length + text
    session = source(box(tmp_path / "a.mbox", liar, HONEST))
    assert contents(session, folder_of(session, "a")) == sorted(each.replace(b"\n", b"\r\n") for each in (liar, HONEST))


def test_an_empty_line_before_the_first_message_loses_none(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(b"\r\n\nFrom nobody\n" + HONEST + b"\n" + LINE + HONEST)
    session = source(tmp_path)
    assert contents(session, folder_of(session, "a")) == [READ, READ]


def test_a_header_without_end_takes_nothing_of_the_next(tmp_path: Path) -> None:
    """Neither its flags, nor its Content-Length, which would make one message of both."""
    seen = b"Status: RO\nContent-Length: 13\n" + HONEST
    (tmp_path / "a.mbox").write_bytes(LINE + b"Subject: no end\n" + LINE + seen)
    session = source(tmp_path)
    (folder,) = session.folders()
    flags = {head.size: head.flags for head in session.heads(folder)}
    assert flags == {len(b"Subject: no end\r\n"): frozenset(), len(seen) + 5: {"\\Seen"}}


@pytest.mark.parametrize("date", [b"Mon Jan  1 00:00:00 0001 +1400", b"Fri Dec 31 23:59:59 9999 -1400"])
def test_a_date_that_is_none_in_utc_is_no_date(tmp_path: Path, date: bytes) -> None:
    box(tmp_path / "a.mbox", HONEST, line=b"From ann@example.test " + date + b"\n")
    os.utime(tmp_path / "a.mbox", (86400, 86400))
    session = source(tmp_path)
    (folder,) = session.folders()
    (head,) = session.heads(folder)
    assert head.date is not None
    assert head.date.timestamp() == 86400


@pytest.mark.parametrize("tail", [b"\r\n", b""])
def test_a_message_with_crlf_keeps_its_id_when_we_append(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "INBOX.mbox").write_bytes((LINE + HONEST).replace(b"\n", b"\r\n") + tail)
    session = target(tmp_path, format="mbox")
    folder = folder_of(session, "INBOX")
    known = refs(session, folder)
    write_all(session, folder, [mail("new")])
    fresh = source(tmp_path)
    assert set(known) < set(refs(fresh, folder))
    assert READ in contents(fresh, folder)


def test_a_file_in_the_way_is_not_written_into(tmp_path: Path) -> None:
    """Behind what is no mbox our messages would be in nobody's folder."""
    (tmp_path / "INBOX.mbox").write_bytes(b"notes\n")
    session = target(tmp_path, format="mbox")
    assert session.refuses([("INBOX",), ("Other",)]) == {("INBOX",)}
    with pytest.raises(FolderUnusable, match="no mbox"):
        session.create_folder(("INBOX",))
    assert (tmp_path / "INBOX.mbox").read_bytes() == b"notes\n"


def test_a_folder_called_as_our_own_files_are(tmp_path: Path) -> None:
    session = target(tmp_path, format="mbox")
    folder = session.create_folder(("a",))
    session.create_folder(("a.mbox.appending", "b"))
    write_all(session, folder, [mail("x")])
    assert len(refs(session, folder)) == 1


# --- what is a folder -----------------------------------------------------------------------------------------------


def test_a_directory_that_is_called_new_is_no_maildir(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    box(tmp_path / "new" / "Work.mbox", HONEST, HONEST)
    (tmp_path / "new" / "a.eml").write_bytes(HONEST)
    found = {folder.path: folder.count for folder in source(tmp_path).folders()}
    assert found == {("new",): 1, ("new", "Work"): 2}


def test_a_folder_of_a_maildir_may_lack_cur(tmp_path: Path) -> None:
    maildir(tmp_path)
    (tmp_path / ".Old" / "new").mkdir(parents=True)
    (tmp_path / ".Old" / "new" / "1.a").write_bytes(HONEST)
    session = source(tmp_path)
    assert contents(session, folder_of(session, "Old")) == [READ]


def test_hidden_directories_are_told(tmp_path: Path) -> None:
    (tmp_path / ".Archive").mkdir()
    box(tmp_path / ".Archive" / "a.mbox", HONEST)
    assert "1 hidden directories are left out" in told(tmp_path)


def test_apples_folders_lie_in_each_other(tmp_path: Path) -> None:
    for path in (tmp_path / "A.mbox", tmp_path / "A.mbox" / "B.mbox"):
        path.mkdir()
        box(path / "mbox", HONEST)
    session = source(tmp_path)
    assert {folder.path: len(contents(session, folder)) for folder in session.folders()} == {("A",): 1, ("A", "B"): 1}


# --- the manifest, and what a failure leaves ------------------------------------------------------------------------


def manifest(path: Path) -> dict[str, dict[str, Any]]:
    """What is told last of each item."""
    last: dict[str, dict[str, Any]] = {}
    for line in map(json.loads, path.read_text().splitlines()):
        if "id" in line:
            last[line["id"]] = last.get(line["id"], {}) | line
    return last


def test_the_manifest_of_a_maildir_follows_the_flags(tmp_path: Path) -> None:
    session = target(maildir(tmp_path))
    folder = folder_of(session, "INBOX")
    write_all(session, folder, [mail("x")])
    session.change_flags(folder, [FlagChange(ref, frozenset({"\\Flagged"})) for ref in refs(session, folder)])
    (line,) = manifest(tmp_path / "manifest.jsonl").values()
    assert line["flags"] == ["\\Flagged"]
    assert (tmp_path / "cur" / line["file"]).is_file()


@pytest.mark.parametrize("kind", ["maildir", "eml"])
def test_no_message_is_there_before_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A process that dies at any name that it gives leaves a manifest that tells each message that has one."""
    session = target(tmp_path, format=kind)
    folder = session.create_folder(("INBOX",))
    renamed = os.rename

    def dies(*words: Any, **more: Any) -> None:
        renamed(*words, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", dies)
    with pytest.raises(KeyboardInterrupt):
        write_all(session, folder, [mail("x"), mail("y")])
    (file,) = (*tmp_path.rglob("cur/*"), *tmp_path.rglob("*.eml"))
    (log,) = tmp_path.rglob("manifest.jsonl")
    assert file.name in {line["file"] for line in manifest(log).values()}


@pytest.mark.parametrize("kind", ["maildir", "eml"])
@pytest.mark.parametrize("number", [40, 101])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
) -> None:
    """Of 100 messages one does not fit, or, after all of them, the manifest does not."""
    session = target(tmp_path, format=kind)
    folder = session.create_folder(("INBOX",))
    before, forced, written = sorted(tmp_path.rglob("*")), os.write, 0

    def full(fd: int, data: bytes) -> int:
        nonlocal written
        written += 1
        if written >= number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return forced(fd, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(XdmigrateError, match="No space left"):
        write_all(session, folder, [mail(f"m{each}") for each in range(100)])
    left = {path for path in tmp_path.rglob("*") if path.name != "manifest.jsonl"} - set(before)
    assert not left
