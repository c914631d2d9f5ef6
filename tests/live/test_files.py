"""Files through the whole program: an mbox and a Maildir to a server and from there to an mbox again, byte for byte."""

from __future__ import annotations

import hashlib
import json
import mailbox
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.conftest import FULL, Pair
from tests.data import corpus
from tests.live.project import Project, closed, endpoint, open_ranges, within
from tests.live.reader import Draft, dump, load
from xdmigrate.model import Kind
from xdmigrate.testing.objects import made

Accounts = Callable[[], str]

KILLS = 12
MESSAGES = 4_000
ATTEMPTS = 16
"""Kills until one has landed inside an open range; that is the state which is hard to explain."""

DATE = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)


def files(path: Path | str, **settings: Any) -> dict[str, Any]:
    """A files endpoint as a plan has it."""
    return {"connector": "files", "path": str(path), **settings}


def unquoted(raw: bytes) -> bytes:
    """mboxrd by the book."""
    return re.sub(rb"(?m)^>(>*From )", rb"\1", raw)


def quoted(raw: bytes) -> bytes:
    return re.sub(rb"(?m)^(>*From )", rb">\1", raw)


def written_mbox(messages: Iterable[bytes]) -> bytes:
    """An mboxrd as other programs write it, with an empty line between two messages."""
    return b"".join(b"From ann@example.test Thu May  6 07:08:09 2021\n" + quoted(raw) + b"\n" for raw in messages)


def read_mbox(path: Path) -> list[bytes]:
    """Every message of an mbox that we wrote, by its separators alone, with CRLF."""
    parts = re.split(rb"(?m)^From xdmigrate [^\n]*\n", path.read_bytes())
    assert parts[0] == b""
    assert all(part.endswith(b"\n") for part in parts[1:])
    return [corpus.crlf(unquoted(part[:-1])) for part in parts[1:]]


def digests(messages: Iterable[bytes]) -> Counter[str]:
    return Counter(hashlib.sha256(raw).hexdigest() for raw in messages)


def of_server(server: Any, user: str) -> dict[str, Counter[str]]:
    account = dump(*server.access(user))
    return {name: Counter(message.sha256 for message in messages) for name, messages in account.items() if messages}


def unix_mails(limit: int | None) -> Iterator[bytes]:
    """Mails of the corpus as a Unix disk has them: those that a server keeps byte for byte."""
    for _, raw in corpus.mails(limit):
        plain = raw.replace(b"\r\n", b"\n")
        if raw.strip() and b"\r" not in plain and b"\0" not in plain and raw.endswith(b"\r\n"):
            yield plain


TRICKY = (
    b"Subject: quoting\n\nFrom here\n>From there\n>>From everywhere\nFrom ann Thu May  6 07:08:09 2021\n\n"
    b"From joe@example.test Thu May  6 07:08:09 2021\n\nend\n"
)


def laid_out(disk: Path, messages: list[bytes]) -> dict[str, list[bytes]]:
    """An mbox, one below a directory, and a Maildir with a folder; what each holds, by its name on a server."""
    parts = {"INBOX": messages[::4], "Lists/2002": messages[1::4], "Old": messages[2::4], "Old/Work": messages[3::4]}
    (disk / "Lists").mkdir(parents=True)
    (disk / "inbox").write_bytes(written_mbox(parts["INBOX"]))
    (disk / "Lists" / "2002.mbox").write_bytes(written_mbox(parts["Lists/2002"]))
    box = mailbox.Maildir(disk / "Old", factory=None)
    for folder, name in ((box, "Old"), (box.add_folder("Work"), "Old/Work")):
        for raw in parts[name]:
            folder.add(raw)
    return parts


def test_disk_to_server_to_mbox_keeps_every_byte(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    messages, user, server = [TRICKY, *unix_mails(None if FULL else 160)], new_user(), dovecot_pair.new
    parts = laid_out(tmp_path / "disk", messages)
    wanted = {name: digests(corpus.crlf(raw) for raw in each) for name, each in parts.items()}
    there = Project(tmp_path / "in", files(tmp_path / "disk"), endpoint(server, tmp_path / "in"), [user])
    assert run_and_verify(there) == len(messages)
    assert of_server(server, user) == wanted

    back = Project(
        tmp_path / "out", endpoint(server, tmp_path / "out"), files("../export/{address}", format="mbox"), [user]
    )
    assert run_and_verify(back) == len(messages)
    root = tmp_path / "export" / user
    found = {name: digests(read_mbox(root / f"{name}.mbox")) for name in parts}
    assert found == wanted
    manifest = [json.loads(line) for line in (root / "INBOX.mbox.jsonl").read_text().splitlines()]
    assert manifest[0] == {"folder": ["INBOX"], "kind": "mail"}
    assert {line["sha256"] for line in manifest[1:]} == set(wanted["INBOX"])
    before = (root / "INBOX.mbox").read_bytes()
    assert back.run("sync").exit == 0
    assert (root / "INBOX.mbox").read_bytes() == before


def run_and_verify(project: Project) -> int:
    """Copy, and compare every byte; how many items were copied."""
    answer, verified = project.run("sync"), project.run("verify", "--full")
    assert answer.exit == 0, answer
    assert verified.exit == 0, verified
    totals: dict[str, int] = answer.facts["totals"]["mail"]
    assert closed(totals)
    return totals["copied"]


@pytest.mark.full
@pytest.mark.parametrize("kind", ["mbox", "maildir", "eml"])
def test_killed_while_it_writes(
    kind: str,
    dovecot_pair: Pair,
    new_user: Accounts,
    tmp_path: Path,
    rng: Random,
    record_property: Callable[[str, object], None],
) -> None:
    """kill -9 in the middle of writing: 0 lost, 0 twice."""
    user, server, export = new_user(), dovecot_pair.new, tmp_path / "export"
    load(*server.access(user), {"INBOX": drafts(rng, MESSAGES), "Clients": drafts(rng, MESSAGES // 3)})
    project = Project(tmp_path / "job", endpoint(server, tmp_path / "job"), files(export, format=kind), [user])
    inside, kills = 0, 0
    while kills < KILLS or (not inside and kills < ATTEMPTS):
        run = project.start("sync")
        within(20, project.writing, pause=0.002)
        within(rng.uniform(0, 0.1), partial(grows, export, octets(export)), pause=0.001)
        run.kill()
        inside += open_ranges(project.snapshot(tmp_path / f"killed{kills}")) > 0
        kills += 1
    record_property("told", f"kill -9 of a {kind} target: {inside} of {kills} kills landed in an open range")
    assert inside
    assert run_and_verify(project) == MESSAGES + MESSAGES // 3
    assert {name: digests(each) for name, each in exported(kind, export).items()} == of_server(server, user)


@pytest.mark.full
def test_a_takeout_comes_once(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """Each message in the best of its folders, whichever labels it has."""
    takeout, user, server = corpus.require() / "mbox" / "gyb-takeout-takeout.mbox", new_user(), dovecot_pair.new
    project = Project(tmp_path, files(takeout), endpoint(server, tmp_path), [user])
    answer = project.run("sync")
    assert answer.exit == 0, answer
    totals = answer.facts["totals"]["mail"]
    assert closed(totals)
    assert (totals["copied"], totals["merged"]) == (39, totals["source"] - 39)
    box = mailbox.mbox(takeout, create=False)
    wanted = Counter(corpus.crlf(box.get_bytes(key)).rstrip() for key in box.iterkeys())
    assert sum(map(Counter.total, of_server(server, user).values())) == wanted.total() == 39
    assert project.run("verify").exit == 0
    assert project.run("sync").facts["totals"]["mail"]["copied"] == 39


def test_all_kinds_from_files_to_files(tmp_path: Path) -> None:
    """What changes at the source changes in its place, whatever is in one file there; what goes there stays here."""
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "Work").mkdir(parents=True)
    (old / "Work" / "a.ics").write_bytes(made(Kind.CALENDAR, "a", "one"))
    (old / "Work" / "b.ics").write_bytes(made(Kind.CALENDAR, "b", "two"))
    (old / "Friends.vcf").write_bytes(made(Kind.CONTACTS, "c", "Ann") + made(Kind.CONTACTS, "d", "Bob"))
    (old / "inbox").write_bytes(written_mbox([TRICKY]))
    (old / "passwd.eml").symlink_to("/etc/passwd")
    project = Project(tmp_path, files(old), files(new, format="eml"), ["ann@example.test"])
    assert project.run("sync").exit == 0
    assert "1 links were left out below the path" in {line["event"] for line in project.log()}
    assert {path.parent.name: path.read_bytes() for path in new.rglob("*.eml")} == {"INBOX": corpus.crlf(TRICKY)}
    assert {path.read_bytes() for path in new.rglob("*.ics")} == {path.read_bytes() for path in old.rglob("*.ics")}
    assert len(list((new / "Friends").glob("*.vcf"))) == 2
    (old / "Work" / "a.ics").write_bytes(made(Kind.CALENDAR, "a", "changed"))
    (old / "Work" / "b.ics").unlink()
    answer, verified = project.run("sync"), project.run("verify")
    assert (answer.exit, verified.exit) == (0, 0), (answer, verified)
    wanted = {made(Kind.CALENDAR, "a", "changed"), made(Kind.CALENDAR, "b", "two")}
    assert {path.read_bytes() for path in (new / "Work").glob("*.ics")} == wanted
    assert {kind: closed(counts) for kind, counts in answer.facts["totals"].items()} == dict.fromkeys(
        ("mail", "calendar", "contacts"), True
    )


@pytest.mark.full
def test_what_outlook_kept_becomes_files(tmp_path: Path) -> None:
    """Mail, an appointment, a contact and a task of real .msg files, and the mail of a .pst."""
    kept = corpus.require()
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(kept / "msg", old / "Desk")
    shutil.copyfile(kept / "pst" / "tika-testPST_variousBodyTypes.pst", old / "archive.pst")
    project = Project(tmp_path, files(old), files(new, format="eml"), ["ann@example.test"])
    answer, verified = project.run("sync"), project.run("verify", "--full")
    assert (answer.exit, verified.exit) == (0, 0), (answer, verified)
    copied = {kind: counts["copied"] for kind, counts in answer.facts["totals"].items()}
    assert copied == {"mail": 39, "calendar": 1, "contacts": 1, "tasks": 1}
    assert sorted(path.parent.name for path in new.rglob("*.ics")) == ["Desk (calendar)", "Desk (tasks)"]
    assert project.run("sync").facts["totals"]["mail"]["copied"] == 39


def drafts(rng: Random, count: int) -> list[Draft]:
    """Small mails with equal ones among them, and a few large ones."""
    made = []
    for number in range(count):
        body = b"From %d\r\n" % (number if rng.random() > 0.05 else 0)
        if rng.random() < 0.002:
            body += rng.randbytes(400_000).hex().encode() + b"\r\n"
        made.append(Draft(b"From: a@example.test\r\nSubject: x\r\n\r\n" + body, frozenset({"\\Seen"}), DATE))
    return made


def octets(folder: Path) -> int:
    """How much lies there, half-written files included."""
    return sum(path.stat().st_size for path in list(folder.rglob("*")) if path.is_file()) if folder.is_dir() else 0


def grows(folder: Path, before: int) -> bool:
    """Whether more lies there than before."""
    return octets(folder) > before


def exported(kind: str, root: Path) -> dict[str, list[bytes]]:
    """What an export holds, by other means than ours."""
    if kind == "mbox":
        return {name: read_mbox(root / f"{name}.mbox") for name in ("INBOX", "Clients")}
    if kind == "maildir":
        box = mailbox.Maildir(root, create=False)
        folders = {"INBOX": box, "Clients": box.get_folder("Clients")}
        return {name: [corpus.crlf(each.get_bytes(key)) for key in each.keys()] for name, each in folders.items()}  # noqa: SIM118
    return {name: [path.read_bytes() for path in (root / name).glob("*.eml")] for name in ("INBOX", "Clients")}
