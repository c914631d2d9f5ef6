"""A hostile tree is contained and told, and the rest is copied; what a hostile source wishes is refused."""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.files.making import endpoint, login, maildir
from tests.connectors.files.test_mbox import LINE, box, contents, folder_of, source, target
from xdmigrate.errors import AccessDenied, FolderUnusable, ItemRefused, XdmigrateError
from xdmigrate.model import Folder, Login
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance.kit import mail, refs, write_all
from xdmigrate_files import connector, objects, settings, vdir
from xdmigrate_files.tree import shown

SECRET = b"Subject: secret\n\nnobody's business\n"
HONEST = b"Subject: honest\n\nto be copied\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What must never be read or written."""
    made = maildir(tmp_path / "outside")
    (made / "cur" / "1.secret:2,S").write_bytes(SECRET)
    (made / "secret.eml").write_bytes(SECRET)
    box(made / "secret.mbox", SECRET)
    return made


@pytest.fixture
def tree(tmp_path: Path, outside: Path) -> Path:
    """Honest mail among everything that a hostile archive may unpack to."""
    root = maildir(tmp_path / "root")
    (root / "cur" / "2.honest:2,").write_bytes(HONEST)
    (root / "cur" / "3.link:2,").symlink_to(outside / "cur" / "1.secret:2,S")
    (root / "cur" / "4.sized,W=30:2,").symlink_to(outside / "cur" / "1.secret:2,S")
    os.mkfifo(root / "cur" / "5.pipe:2,")
    (root / ".Linked").symlink_to(outside)
    (root / "linked").symlink_to(outside)
    (root / "linked.mbox").symlink_to(outside / "secret.mbox")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.mbox")
    (root / "eml").mkdir()
    (root / "eml" / "honest.eml").write_bytes(HONEST)
    (root / "eml" / "secret.eml").symlink_to(outside / "secret.eml")
    (root / "eml" / "dir.eml").mkdir()
    os.mkfifo(root / "eml" / "pipe.eml")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(root / "eml")  # the name of a socket has 108 bytes at most
        listening.bind("socket.eml")
        os.chdir(here)
    box(root / "honest.mbox", HONEST)
    (root / "not-text-\udcff\udcfe.mbox").write_bytes(LINE + HONEST)
    (root / "line\nend.mbox").write_bytes(LINE + HONEST)
    (root / ("x" * 250 + ".mbox")).write_bytes(LINE + HONEST)
    deep = root
    for _ in range(80):
        deep /= "deep"
        deep.mkdir()
    (deep / "below.eml").write_bytes(HONEST)
    return root


def test_the_rest_is_copied(tree: Path) -> None:
    session = source(tree)
    folders = [folder for folder in session.folders() if folder.selectable]
    found = {folder.path: contents(session, folder) for folder in folders}
    assert all(each == [HONEST.replace(b"\n", b"\r\n")] for each in found.values())
    assert set(found) == {
        ("INBOX",), ("eml",), ("honest",), ("x" * 250,), ("\ufffdnot-text-%FF%FE",), ("\ufffdline%0Aend",),
    }  # fmt: skip
    for folder in folders:
        folder.native.encode()
        assert "\n" not in "/".join(folder.path)


def test_what_was_left_out_is_told(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = source(tree)
    session.folders()
    session.close()
    session.close()
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "4 devices, pipes and sockets were left out below the path",
        "1 directories that are too deep were left out below the path",
        "7 links were left out below the path",
    ]
    findings = connector.check(endpoint(tree), login(), writable=False)
    assert {finding.text for finding in findings if finding.remedy} == {
        "4 devices, pipes and sockets are left out",
        "1 directories that are too deep are left out",
        "7 links are left out",
    }


def test_a_link_that_comes_later_leads_nowhere(tmp_path: Path, outside: Path) -> None:
    """Between two looks somebody puts a link into the place of what we know."""
    root = maildir(tmp_path / "root")
    (root / "eml").mkdir()
    (root / "eml" / "a.eml").write_bytes(HONEST)
    box(root / "a.mbox", HONEST)
    session = target(root)
    eml, mbox = folder_of(session, "eml"), folder_of(session, "a")
    known = refs(session, eml), refs(session, mbox)
    for path, there in ((root / "eml" / "a.eml", "secret.eml"), (root / "a.mbox", "secret.mbox")):
        path.unlink()
        path.symlink_to(outside / there)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    assert contents(session, eml) == []
    assert list(session.read(eml, known[0])) == []
    _refused(lambda: list(session.read(mbox, known[1])))
    _refused(lambda: write_all(session, mbox, [mail("into a link")]))
    (root / "tmp").rmdir()
    (root / "tmp").symlink_to(outside / "cur")
    _refused(lambda: write_all(session, folder_of(session, "INBOX"), [mail("through a link")]))
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


def test_what_we_may_not_read_is_one_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may read everything, so that the system's answer is given for it."""
    root = maildir(tmp_path)
    (root / "cur" / "1.closed:2,S").write_bytes(HONEST)
    (root / "cur" / "2.honest:2,").write_bytes(HONEST)
    (root / "closed.mbox").write_bytes(LINE + HONEST)
    (root / "closed.ics").write_bytes(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    opened = os.open

    def guarded(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if b"closed" in os.fsencode(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", guarded)
    session = source(root)
    calendar, inbox = session.folders()
    assert (calendar.count, inbox.count) == (1, 2)
    items = {item.head.size: item for item in session.read(inbox, refs(session, inbox))}
    assert whole(items[len(HONEST) + 3]) == HONEST.replace(b"\n", b"\r\n")
    with pytest.raises(ItemRefused, match="cannot be read"):
        whole(items[0])
    told = connector.check(endpoint(root), login(), writable=False)
    assert "1 unreadable files are left out" in {finding.text for finding in told}


def test_a_root_that_cannot_be_read_is_no_empty_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = source(maildir(tmp_path / "root"))

    def refuses(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuses)
    with pytest.raises(AccessDenied, match="Permission denied"):
        session.folders()


def test_errors_do_not_tell_subjects() -> None:
    """A message that somebody saved is called by its subject."""
    assert shown((b"Work", b"Re: your salary.eml")) == "'Work/*.eml'"
    assert shown((b"Work", b"a.mbox")) == "'Work/a.mbox'"
    assert len(shown((b"x" * 10_000,))) < 250


def _refused(act: Callable[[], object]) -> None:
    with pytest.raises(XdmigrateError):
        act()


@pytest.mark.parametrize(
    "name", ["../../up", "mbox:../up.mbox", "eml:..", "eml:/etc", "eml:a/../../x", "label:x", "mbox:%00"]
)
def test_a_name_that_leads_out_is_nobodys_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "up.mbox").write_bytes(LINE + SECRET)
    (tmp_path / "x.eml").write_bytes(SECRET)
    root = maildir(tmp_path / "root")
    with pytest.raises(FolderUnusable):
        source(root).status(Folder(("up",), native=name))


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
@pytest.mark.parametrize(
    "path", [("..", "..", "up"), (".",), ("/etc/passwd",), ("a/../../b",), ("CON",), ("x" * 10_000,), ("a",) * 60]
)
def test_names_of_a_hostile_source_stay_inside(tmp_path: Path, kind: str, path: tuple[str, ...]) -> None:
    root = tmp_path / "root"
    session = target(root, format=kind)
    if session.refuses([path]):
        with pytest.raises(FolderUnusable):
            session.create_folder(path)
    else:
        folder = session.create_folder(path)
        assert folder.path == path
        write_all(session, folder, [mail("inside")])
    assert [each.name for each in tmp_path.iterdir()] == ["root"]


def test_names_that_differ_in_case_alone_do_not_meet(tmp_path: Path) -> None:
    for kind in ("maildir", "mbox", "eml"):
        session = target(tmp_path / kind, format=kind)
        session.create_folder(("Sent", "x"))
        assert session.refuses([("sent",), ("Sent", "X"), ("Sent", "y")]) == {("sent",), ("Sent", "X")}


@pytest.mark.parametrize("address", ["../../etc", "..", ".", "", "a/b@x", "a\0b"])
def test_an_address_is_one_name(address: str) -> None:
    found = settings.parse(endpoint(Path("/export/{address}/{domain}")), Login(address, address))
    assert found.root.startswith("/export/")
    assert "\0" not in found.root


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AccessDenied, match="No such file"):
        source(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(AccessDenied, match="is a file"):
        target(tmp_path / "file")
    with pytest.raises(AccessDenied, match="cannot make"):
        target(tmp_path / "file" / "below").create_folder(("x",))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AccessDenied, match="neither"):
        source(tmp_path / "pipe")


def test_labels_that_are_no_text_and_labels_without_end(tmp_path: Path) -> None:
    """A label of Google's is a folder; none ends the listing, and none is deeper than folders are."""
    labelled = LINE + b"X-Gmail-Labels: %s\n" + HONEST + b"\n"
    (tmp_path / "a.mbox").write_bytes(
        labelled % b"=?utf-8?b?A?=" + labelled % (b"a/" * 3000) + labelled % b"=?\0?q?x?="
    )
    session = source(tmp_path)
    folders = [folder for folder in session.folders() if folder.selectable]
    assert sum(folder.count for folder in folders) == 3
    assert max(len(folder.path) for folder in folders) == 20
    assert all(len(contents(session, folder)) == folder.count for folder in folders)


def test_a_file_of_many_items_is_taken_apart_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = b"".join(b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%d\r\nFN:x\r\nEND:VCARD\r\n" % each for each in range(30))
    (tmp_path / "all.vcf").write_bytes(cards)
    session = source(tmp_path)
    (folder,) = session.folders()
    known, taken = refs(session, folder), Counter[str]()

    def counted(data: bytes, ending: str) -> list[objects.Part]:
        taken[ending] += 1
        return objects.parts(data, ending)

    monkeypatch.setattr(vdir, "parts", counted)
    found = [item for start in range(0, 30, 5) for item in session.read(folder, known[start : start + 5])]
    assert sorted(item.head.ref for item in found) == sorted(known)
    assert taken == {".vcf": 1}
    (tmp_path / "all.vcf").write_bytes(cards.replace(b"FN:x", b"FN:yy"))
    assert all(b"FN:yy" in whole(item) for item in session.read(folder, known))


def test_a_file_that_grows_or_shrinks_while_it_is_read(tmp_path: Path) -> None:
    box(tmp_path / "a.mbox", HONEST * 30_000)
    session = source(tmp_path)
    (folder,) = session.folders()
    (item,) = session.read(folder, refs(session, folder))
    passing = item.body.chunks()
    got = len(next(passing))
    with (tmp_path / "a.mbox").open("ab") as file:
        file.write(LINE + b"Subject: later\n\nx\n" * 1000)
    assert got + sum(map(len, passing)) == item.body.size
    (item,) = (each for each in session.read(folder, refs(session, folder)) if each.body.size == item.body.size)
    passing = item.body.chunks()
    next(passing)
    os.truncate(tmp_path / "a.mbox", 400_000)
    with pytest.raises(ItemRefused, match="changed while it was read"):
        list(passing)
    assert session.status(folder).count == 1
