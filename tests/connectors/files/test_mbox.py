"""mbox in its variants: what is read, what ids outlive, what a crash leaves, and Google's labels."""

from __future__ import annotations

import json
import mailbox
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.connectors.files.making import endpoint, login
from tests.data import corpus
from xdmigrate.errors import AccessDenied
from xdmigrate.model import FlagChange, Folder, Head
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance.kit import mail, refs, write_all
from xdmigrate.testing.conformance.profile import Message
from xdmigrate_files.plugin import FilesConnector
from xdmigrate_files.source import FilesSource
from xdmigrate_files.target import FilesTarget

LINE = b"From ann@example.test Thu Jul  4 21:30:05 2019\n"
DATE = datetime(2019, 7, 4, 21, 30, 5, tzinfo=UTC)


def source(path: Path, **settings: object) -> FilesSource:
    """As a new process sees it."""
    return FilesConnector().source(endpoint(path, **settings), login())


def target(path: Path, **settings: object) -> FilesTarget:
    return FilesConnector().target(endpoint(path, **settings), login())


def folder_of(session: FilesSource, *path: str) -> Folder:
    return next(folder for folder in session.folders() if folder.path == path)


def contents(session: FilesSource, folder: Folder) -> list[bytes]:
    return sorted(whole(item) for item in session.read(folder, refs(session, folder)))


def box(path: Path, *messages: bytes, line: bytes = LINE, between: bytes = b"\n") -> Path:
    path.write_bytes(between.join(line + message for message in messages) + between)
    return path


@pytest.mark.parametrize(
    ("variant", "stored", "read"),
    [
        ("mboxrd", b">From a\n>>From b\n", b"From a\r\n>From b\r\n"),
        ("mboxo", b">From a\n>>From b\n", b"From a\r\n>>From b\r\n"),
        (None, b">From a\n>>From b\n", b"From a\r\n>From b\r\n"),
    ],
)
def test_quoting_of_each_variant(tmp_path: Path, variant: str | None, stored: bytes, read: bytes) -> None:
    file = box(tmp_path / "a.mbox", b"Subject: x\n\n" + stored, b"Subject: y\n\nlast\n")
    session = source(file, mbox=variant)
    wanted = [b"Subject: x\r\n\r\n" + read, b"Subject: y\r\n\r\nlast\r\n"]
    assert contents(session, folder_of(session, "a")) == wanted
    sizes = sorted(head.size for head in session.heads(folder_of(session, "a")))
    assert sizes == sorted(map(len, wanted))


@pytest.mark.parametrize("variant", ["mboxcl2", None])
def test_content_length_is_believed_where_it_leads_to_a_message(tmp_path: Path, variant: str | None) -> None:
    body = b"\n" + LINE + b"Subject: quoted whole\n\n>From here\n"
    first = b"Content-Length: %d\nSubject: x\n\n" % len(body) + body
    lying = b"Content-Length: 3\nSubject: lies\n\nlong enough\n"
    session = source(box(tmp_path / "a.mbox", first, lying), mbox=variant)
    found = contents(session, folder_of(session, "a"))
    assert found == sorted(corpus.crlf(each) for each in (first, lying))


def test_a_body_that_looks_like_a_separator_stays(tmp_path: Path) -> None:
    text = b"Subject: x\n\nFrom now on\n\nFrom here to there\nFrom 2019\n"
    session = source(box(tmp_path / "a.mbox", text))
    assert contents(session, folder_of(session, "a")) == [corpus.crlf(text)]


def test_messages_without_an_empty_line_between_them(tmp_path: Path) -> None:
    file = tmp_path / "a.mbox"
    file.write_bytes(LINE + b"Subject: x\n\none\n" + LINE + b"Subject: y\n\ntwo")
    session = source(file)
    assert contents(session, folder_of(session, "a")) == [b"Subject: x\r\n\r\none\r\n", b"Subject: y\r\n\r\ntwo"]


def test_flags_and_dates_are_read(tmp_path: Path) -> None:
    header = b"Status: RO\nX-Status: AF\nX-Keywords: Work $Junk\nX-Mozilla-Status: 0000\n\nx\n"
    session = source(box(tmp_path / "a.mbox", header, b"X-Mozilla-Status: 1003\n\ny\n"))
    heads = list(session.heads(folder_of(session, "a")))
    assert {head.flags for head in heads} == {
        frozenset({"\\Seen", "\\Answered", "\\Flagged", "Work", "$Junk"}),
        frozenset({"\\Seen", "\\Answered", "$Forwarded"}),
    }
    assert {head.date for head in heads} == {DATE}


def test_ids_outlive_what_mail_programs_do(tmp_path: Path) -> None:
    """Notes in place, and messages that go, change nobody else's id."""
    file = box(tmp_path / "a.mbox", b"Subject: one\n\n1\n", b"Subject: two\n\n2\n", b"Subject: two\n\n2\n")
    session = source(file)
    before = refs(session, folder_of(session, "a"))
    assert len(set(before)) == 3
    box(file, b"Subject: two\nStatus: RO\n\n2\n", b"Subject: two\nX-UID: 7\n\n2\n")
    after = list(source(file).heads(folder_of(source(file), "a")))
    assert {head.ref for head in after} < set(before)
    assert {head.flags for head in after} == {frozenset(), frozenset({"\\Seen"})}


def test_flags_stay_beside_the_messages(tmp_path: Path) -> None:
    session = target(tmp_path, format="mbox")
    folder = session.create_folder(("Work",))
    twin = Message(mail("twin").data, frozenset({"\\Seen"}))
    write_all(session, folder, [twin, Message(mail("own").data, frozenset({"Later"})), twin])
    heads = {head.ref: head for head in session.heads(folder)}
    second = next(ref for ref in heads if ref.endswith(b"\1"))
    session.change_flags(folder, [FlagChange(second, add=frozenset({"\\Flagged"}))])
    session.remove(folder, [second[:-1] + b"\0"])
    left = {head.flags for head in source(tmp_path).heads(folder)}
    assert left == {frozenset({"\\Seen", "\\Flagged"}), frozenset({"Later"})}
    raw = (tmp_path / "Work.mbox").read_bytes()
    assert b"Status" not in raw
    assert len(mailbox.mbox(tmp_path / "Work.mbox", create=False)) == 2


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    session = target(tmp_path, format="mbox")
    folder = session.create_folder(("Work",))
    write_all(session, folder, [mail("kept")])
    whole_file = (tmp_path / "Work.mbox").read_bytes()
    with (tmp_path / "Work.mbox").open("ab") as file:
        file.write(b"From xdmigrate Thu Jul  4 21:30:05 2019\nSubject: to")
    (tmp_path / "Work.mbox.appending").write_bytes(b"%d\n" % len(whole_file))
    assert source(tmp_path).status(folder).count == 1
    assert contents(source(tmp_path), folder) == [mail("kept").data]
    again = target(tmp_path, format="mbox")
    assert again.status(folder).count == 1
    write_all(again, folder, [mail("new")], intent=2)
    assert (
        (tmp_path / "Work.mbox").read_bytes().startswith(whole_file + LINE.replace(b"ann@example.test", b"xdmigrate"))
    )
    assert not (tmp_path / "Work.mbox.appending").exists()
    assert contents(source(tmp_path), folder) == sorted([mail("kept").data, mail("new").data])


def test_what_a_failure_leaves_half_written_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = target(tmp_path, format="mbox")
    folder = session.create_folder(("Work",))
    write_all(session, folder, [mail("kept")])
    before = (tmp_path / "Work.mbox").read_bytes()
    synced = os.fsync
    calls = iter(range(100))

    def fails(fd: int) -> None:
        if os.fstat(fd).st_size > len(before):
            next(calls)
            raise OSError(28, "No space left on device")
        synced(fd)

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(Exception, match="No space left"):
        write_all(session, folder, [mail("lost", b"x" * 5000)], intent=2)
    monkeypatch.undo()
    assert next(calls) == 1
    assert (tmp_path / "Work.mbox").read_bytes() == before
    assert len(refs(target(tmp_path, format="mbox"), folder)) == 1


def test_what_others_wrote_keeps_its_ids_when_we_append(tmp_path: Path) -> None:
    file = box(tmp_path / "Work.mbox", b"Subject: theirs\n\nx\n", between=b"")
    session = target(tmp_path)
    folder = folder_of(session, "Work")
    before = refs(session, folder)
    write_all(session, folder, [mail("ours"), Message(b"no end")])
    assert set(before) < set(refs(source(file.parent), folder))
    assert contents(source(tmp_path), folder) == sorted([b"Subject: theirs\r\n\r\nx\r\n", mail("ours").data, b"no end"])


@pytest.mark.parametrize("variant", ["mboxo", "mboxcl", "mboxcl2"])
def test_what_cannot_keep_every_byte_is_not_written(tmp_path: Path, variant: str) -> None:
    session = target(tmp_path, format="mbox", mbox=variant)
    folder = session.create_folder(("Work",))
    with pytest.raises(AccessDenied, match="cannot keep every byte"):
        write_all(session, folder, [mail("one")])


def test_thunderbirds_and_apples_folders(tmp_path: Path) -> None:
    box(tmp_path / "Inbox", b"Subject: x\n\nx\n")
    (tmp_path / "Inbox.msf").write_text("// index")
    (tmp_path / "Inbox.sbd").mkdir()
    box(tmp_path / "Inbox.sbd" / "Below", b"Subject: y\n\ny\n")
    (tmp_path / "Apple.mbox").mkdir()
    box(tmp_path / "Apple.mbox" / "mbox", b"Subject: z\n\nz\n")
    (tmp_path / "Empty.mbox").touch()
    paths = {folder.path: folder.count for folder in source(tmp_path).folders()}
    assert paths == {("INBOX",): 1, ("INBOX", "Below"): 1, ("Apple",): 1, ("Empty",): 0}


def test_labels_of_a_takeout_are_folders(tmp_path: Path) -> None:
    labels = (
        b"Inbox,Unread,Work/2019",
        b"=?UTF-8?Q?Archiv=C3=A9,Opened,Starred,=22a,b=22?=",
        b"Sent,Opened",
        b"Unread",
    )
    file = box(tmp_path / "All.mbox", *(b"X-Gmail-Labels: %s\nSubject: x\n\n%s\n" % (one, one) for one in labels))
    session = source(file)
    assert session.features.labels
    folders = {folder.path: folder for folder in session.folders()}
    assert {path: folder.count for path, folder in folders.items()} == {
        ("INBOX",): 1, ("Work", "2019"): 1, ("Archivé",): 1, ("a,b",): 1, ("Sent",): 1, ("Archive",): 1,
    }  # fmt: skip
    (inbox,), (work,) = (list(session.heads(folders[path])) for path in (("INBOX",), ("Work", "2019")))
    assert inbox.identity == work.identity != b""
    assert inbox.flags == frozenset()
    starred: Head = next(session.heads(folders["a,b",]))
    assert starred.flags == {"\\Seen", "\\Flagged"}
    assert [item.head.ref for item in session.read(folders["INBOX",], [inbox.ref, starred.ref])] == [inbox.ref]


def test_an_export_of_what_came_from_a_takeout_is_none(tmp_path: Path) -> None:
    """Its mboxes are the folders, whatever labels their messages once had: they can be written to, and read back."""
    session = target(tmp_path, format="mbox")
    folder = session.create_folder(("Work",))
    labelled = [b"X-Gmail-Labels: Inbox,Old\nSubject: %d\n\nx\n" % number for number in range(3)]
    write_all(session, folder, [*map(Message, labelled)])
    session = target(tmp_path, format="mbox")
    assert [each.path for each in session.folders()] == [("Work",)]
    write_all(session, session.folders()[0], [Message(b"Subject: more\r\n\r\nx\r\n")])
    read = source(tmp_path)
    assert not read.features.labels
    assert [(each.path, each.count) for each in read.folders()] == [(("Work",), 4)]


def test_mboxes_of_the_corpus(tmp_path: Path) -> None:
    """As the standard library finds them; that takes an empty line with CRLF for a part of the message."""
    for path in sorted((corpus.require() / "mbox").iterdir()):
        session = source(path)
        own = next((folder for folder in session.folders() if folder.path == (path.stem,)), None)
        known = mailbox.mbox(path, create=False)
        if own is not None:
            wanted = sorted(corpus.crlf(known.get_bytes(key)) for key in known.iterkeys())
            found = contents(session, own)
            assert len(found) == len(wanted)
            plain = [corpus.crlf(raw) for raw in found]
            assert [raw.rstrip(b"\r\n") for raw in plain] == [
                raw.replace(b"\r\n>From ", b"\r\nFrom ").rstrip(b"\r\n") for raw in wanted
            ]


def test_the_manifest_tells_what_became_what(tmp_path: Path) -> None:
    session = target(tmp_path, format="mbox")
    write_all(session, session.create_folder(("A", "B/C")), [mail("one")])
    first, second = map(json.loads, (tmp_path / "A" / "B%2FC.mbox.jsonl").read_text().splitlines())
    assert first == {"folder": ["A", "B/C"], "kind": "mail"}
    assert second["file"] == "B%2FC.mbox"
    assert second["size"] == len(mail("one").data)
    assert second["date"] == DATE.isoformat()
