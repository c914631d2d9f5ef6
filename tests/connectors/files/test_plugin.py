"""Settings, what `check` tells, and the independent reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.connectors.files.making import endpoint, login, maildir
from tests.connectors.files.test_mbox import box, folder_of, source, target
from xdmigrate.errors import AccessDenied
from xdmigrate.model import Endpoint, Login
from xdmigrate.testing.conformance.kit import mail, refs, write_all
from xdmigrate.testing.conformance.profile import Message
from xdmigrate_files import connector, settings


@pytest.mark.parametrize(
    ("given", "key", "remedy"),
    [
        ({}, "path", "write a directory or a file, e.g. export/{address}"),
        ({"path": 7}, "path", "write a directory or a file, e.g. export/{address}"),
        ({"path": "x", "format": "zip"}, "format", "write maildir, mbox, eml, vdir, or leave it out"),
        ({"path": "x", "mbox": "mmdf"}, "mbox", "write mboxo, mboxrd, mboxcl, mboxcl2, or leave it out"),
        ({"path": "x", "fromat": "mbox"}, "fromat", "did you mean format?"),
        ({"path": "x", "host": "h"}, "host", "known: connector, path, format, mbox, labels"),
    ],
)
def test_every_fault_is_told_with_its_remedy(given: dict[str, object], key: str, remedy: str) -> None:
    (problem,) = connector.problems(Endpoint("disk", "files", given))
    assert (problem.where, problem.remedy) == (f"endpoints.disk.{key}", remedy)


def test_templates_are_filled_in() -> None:
    found = settings.parse(endpoint(Path("/x/{domain}/{local}/{address}/{other}")), Login("ann@b.example", "u"))
    assert found.root == "/x/b.example/ann/ann@b.example/{other}"


def test_check_tells_what_lies_there(tmp_path: Path) -> None:
    box(tmp_path / "a.mbox", b"Subject: x\n\nx\n")
    told = [finding.text for finding in connector.check(endpoint(tmp_path), login(), writable=False)]
    assert told == [f"{tmp_path} is there; files ask for no login", "mail: 1 items in 1 folders"]
    empty = connector.check(endpoint(tmp_path, format="eml"), login(), writable=False)
    assert "was recognised" in empty[1].text


def test_check_of_a_target_makes_nothing(tmp_path: Path) -> None:
    found = connector.check(endpoint(tmp_path / "new" / "one"), login(), writable=True)
    assert all(finding.ok for finding in found)
    assert {finding.topic for finding in found} == {"login", "rights", "room"}
    assert list(tmp_path.iterdir()) == []
    refused = connector.check(endpoint(maildir(tmp_path), mbox="mboxcl"), login(), writable=True)
    assert [finding.text for finding in refused if not finding.ok] == [
        "mboxcl cannot keep every byte, and is not written"
    ]


def test_a_target_that_is_only_looked_at_is_not_made(tmp_path: Path) -> None:
    """A dry run opens it, asks for names, and leaves no trace."""
    session = target(tmp_path / "new" / "one")
    assert session.folders() == []
    assert session.refuses([("Work",), ("a/b",)]) == {("a/b",)}
    assert session.features.delimiter == "."
    session.close()
    assert list(tmp_path.iterdir()) == []
    assert session.create_folder(("Work",)).count == 0
    assert [folder.path for folder in session.folders()] == [("Work",)]


def test_a_source_that_is_read_is_not_changed(tmp_path: Path) -> None:
    root = maildir(tmp_path / "root")
    (root / "new" / "1.x").write_bytes(b"Subject: x\n\nx\n")
    box(root / "a.mbox", b"Subject: x\n\nx\n")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*")}
    session = source(root)
    for folder in session.folders():
        list(session.read(folder, refs(session, folder)))
    session.close()
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*")} == before


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_the_auditor_reads_the_same_by_other_code(tmp_path: Path, kind: str) -> None:
    session = target(tmp_path, format=kind)
    folder = session.create_folder(("Work",))
    bodies = [
        b"Subject: x\r\n\r\nFrom a\r\n>From b\r\nend",
        b"a\nb\r\n",
        b"a\r\nb\n\r\r\n",
        b"",
        b"\r\n" * 3,
        b">" * 70_000,
    ]
    write_all(session, folder, [mail("one"), *map(Message, bodies)])
    auditor = connector.auditor(endpoint(tmp_path), login())
    same = folder_of(source(tmp_path), "Work")
    read = {
        item.head.ref: b"".join(bytes(c) for c in item.body.chunks())
        for item in session.read(folder, refs(session, folder))
    }
    assert {ref: b"".join(auditor.chunks(same, ref)) for ref in read} == read
    assert {one.ref: one.size for one in auditor.inspect(same, list(read))} == {
        ref: len(raw) for ref, raw in read.items()
    }
    assert sorted(read.values()) == sorted(
        [mail("one").data, b"a\r\nb\r\n", *(each for each in bodies if each != b"a\nb\r\n")]
    )


def test_a_target_to_which_nothing_went_is_empty_to_its_auditor(tmp_path: Path) -> None:
    """An account without anything is exported to nothing; a source that is not there is refused all the same."""
    place = tmp_path / "bob"
    with pytest.raises(AccessDenied, match="cannot look at"):
        connector.auditor(endpoint(place), login())
    connector.target(endpoint(place), login())
    assert connector.auditor(endpoint(place), login()).folders() == []
    assert not place.exists()


def test_an_account_in_mixed_formats_is_extended_in_its_own(tmp_path: Path) -> None:
    box(tmp_path / "a.mbox", b"Subject: x\n\nx\n")
    session = target(tmp_path)
    session.create_folder(("b",))
    assert (tmp_path / "b.mbox").exists()
    assert target(tmp_path, format="eml").create_folder(("c",)).native == "eml:c"
