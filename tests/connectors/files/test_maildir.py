"""Maildir in its layouts, with flags and keywords as Dovecot keeps them."""

from __future__ import annotations

import mailbox
from datetime import UTC, datetime
from pathlib import Path

from tests.connectors.files.making import maildir
from tests.connectors.files.test_mbox import contents, folder_of, source, target
from xdmigrate.model import FlagChange, Role
from xdmigrate.testing.conformance.kit import mail, refs, write_all
from xdmigrate.testing.conformance.profile import Message

RAW = b"Subject: x\n\nbody\n"


def test_both_layouts_are_found(tmp_path: Path) -> None:
    root = maildir(tmp_path / "root")
    for name in (".Sent", ".Work.2019", ".Entw&APw-rfe", "Nested", "Nested/Below", ".INBOX.Child"):
        maildir(root / name)
    found = {folder.path: folder for folder in source(root).folders()}
    assert set(found) == {
        ("INBOX",), ("Sent",), ("Work", "2019"), ("Entwürfe",), ("Nested",), ("Nested", "Below"), ("INBOX", "Child"),
    }  # fmt: skip
    assert all(folder.selectable and folder.subscribed for folder in found.values())
    assert found["INBOX",].role is Role.INBOX


def test_a_root_that_is_no_maildir_itself(tmp_path: Path) -> None:
    for name in ("INBOX", "Archive/2019"):
        maildir(tmp_path / name)
    found = {folder.path: folder.selectable for folder in source(tmp_path).folders()}
    assert found == {("INBOX",): True, ("Archive",): False, ("Archive", "2019"): True}


def test_flags_are_read_from_names(tmp_path: Path) -> None:
    root = maildir(tmp_path)
    (root / "dovecot-keywords").write_text("0 Work\n1 two words\n25 Last\n26 beyond\nnonsense\n")
    for number, info in enumerate(("", ":2,", ":2,DFRSTP", ":2,azbS", "!2,S", ":1,S")):
        (root / "cur" / f"1562275805.{number}.host{info}").write_bytes(RAW)
    (root / "new" / "1562275805.9.host").write_bytes(RAW)
    session = source(root)
    flags = sorted((sorted(head.flags) for head in session.heads(folder_of(session, "INBOX"))), key=str)
    every = ["$Forwarded", "\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"]
    assert flags == sorted([[], [], every, ["Last", "Work", "\\Seen"], ["\\Seen"], [], []], key=str)


def test_an_id_stays_whatever_happens_to_the_name(tmp_path: Path) -> None:
    root = maildir(tmp_path)
    (root / "new" / "1.host,W=20").write_bytes(RAW)
    session = source(root)
    inbox = folder_of(session, "INBOX")
    (head,) = session.heads(inbox)
    (root / "new" / "1.host,W=20").rename(root / "cur" / "1.host,W=20:2,S")
    assert [item.head.ref for item in session.read(inbox, [head.ref])] == [head.ref]
    (again,) = session.heads(inbox)
    assert (again.ref, again.size) == (head.ref, 20)
    assert again.flags == {"\\Seen"}
    assert session.status(inbox).state != inbox.state


def test_a_name_in_both_places_is_two_messages(tmp_path: Path) -> None:
    root = maildir(tmp_path)
    (root / "new" / "1.host").write_bytes(RAW)
    (root / "cur" / "1.host:2,S").write_bytes(b"Subject: other\n\n")
    session = source(root)
    assert len(contents(session, folder_of(session, "INBOX"))) == 2


def test_what_is_written_is_a_maildir_to_others(tmp_path: Path) -> None:
    session = target(tmp_path)
    message = Message(mail("one").data, frozenset({"\\Seen", "$Forwarded", "Work"}), datetime(2003, 4, 5, tzinfo=UTC))
    write_all(session, session.create_folder(("Clients", "Ann")), [message])
    box = mailbox.Maildir(tmp_path, create=False).get_folder("Clients.Ann")
    (key,) = box.keys()
    assert box.get_bytes(key) == message.data.replace(b"\r\n", b"\n")
    assert box.get_message(key).get_flags() == "Sab"
    assert (tmp_path / ".Clients.Ann" / "dovecot-keywords").read_text() == "0 $Forwarded\n1 Work\n"
    (file,) = (tmp_path / ".Clients.Ann" / "cur").iterdir()
    assert file.stat().st_mtime == datetime(2003, 4, 5, tzinfo=UTC).timestamp()
    assert f",S={file.stat().st_size},W={len(message.data)}:2," in file.name
    assert (tmp_path / ".Clients" / "maildirfolder").exists()


def test_a_folder_has_26_keywords_and_no_more(tmp_path: Path) -> None:
    session = target(tmp_path)
    folder = session.create_folder(("Many",))
    write_all(session, folder, [Message(mail("one").data, frozenset({f"K{n:02d}" for n in range(30)} | {"\\Seen"}))])
    (head,) = source(tmp_path).heads(folder)
    assert head.flags == {"\\Seen", *(f"K{n:02d}" for n in range(26))}
    session.change_flags(folder, [FlagChange(head.ref, frozenset({"K29", "\\Flagged"}), frozenset({"K00"}))])
    (head,) = source(tmp_path).heads(folder)
    assert head.flags == {"\\Seen", "\\Flagged", *(f"K{n:02d}" for n in range(1, 26))}


def test_letters_that_nobody_named_stay(tmp_path: Path) -> None:
    root = maildir(tmp_path)
    (root / "cur" / "1.host:2,Sq").write_bytes(RAW)
    session = target(root)
    inbox = folder_of(session, "INBOX")
    session.change_flags(inbox, [FlagChange(refs(session, inbox)[0], add=frozenset({"\\Flagged"}))])
    assert [path.name for path in (root / "cur").iterdir()] == ["1.host:2,FSq"]
