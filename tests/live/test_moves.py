"""Messages that their user moves at the source are moved on the target: none is sent again, and none is lost."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.conftest import FULL, Pair
from tests.live.cyrus import Cyrus
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from tests.live.project import Project, between, closed, open_ranges, within
from tests.live.reader import Draft, dump, load, metadata, quoted, session

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

MANY = 1_500
"""More than one range."""

ATTEMPTS = 8
"""Kills until one has landed inside an open range."""


def mails(count: int) -> list[Draft]:
    """Most are of one size; one in ten is equal to others."""
    texts = [b"%06d" % number if number % 10 else b"always" for number in range(count)]
    return [Draft(b"From: a@example.test\r\nSubject: x\r\n\r\n%s\r\n" % text) for text in texts]


def move(server: Dovecot, user: str, count: int, path: str, to: str, *, flag: str = "") -> None:
    """The user moves the first so many, and flags some on the way."""
    with session(*server.access(user)) as client:
        client.select(quoted(path))
        if flag:
            client.store(f"1:{count // 2}", "+FLAGS.SILENT", f"({flag})")
        kind, told = client._simple_command("MOVE", f"1:{count}", quoted(to))
        assert kind == "OK", told


def prove(project: Project, old: Dovecot, new: Dovecot, user: str) -> None:
    """Both accounts hold the same in every folder, flags and dates included, and `verify` says so."""
    assert metadata(dump(*new.access(user))) == metadata(dump(*old.access(user)))
    verdict = project.run("verify", "--full")
    assert (verdict.exit, verdict.facts["verdict"]) == (0, "pass"), verdict.out[:2000]
    assert verdict.facts["mailboxes"][0]["kinds"]["mail"]["kept"] == 0
    counts = project.counts()
    assert closed(counts)
    assert (counts["pending"], counts["gone"]) == (0, 0)
    assert project.run("journal", "verify").exit == 0


def said(server: Dovecot, user: str, command: bytes) -> int:
    """How often this command stands in what the server was sent."""
    return len(re.findall(rb"^\d*\.?\d* ?\S+ (?:UID )?%s " % command, server.recorded(user), re.MULTILINE))


@pytest.mark.parametrize("uidplus", [True, pytest.param(False, marks=pytest.mark.full)])
def test_twenty_moves_are_one_command(
    dovecot_pair: Pair, new_dovecot: Server, new_user: Accounts, tmp_path: Path, *, uidplus: bool
) -> None:
    user, old = new_user(), dovecot_pair.new
    new = dovecot_pair.old if uidplus else new_dovecot(Settings(capabilities=capabilities_without("UIDPLUS")))
    load(*old.access(user), {"INBOX": mails(200), "Clients": mails(3)})
    project = between(old, new, tmp_path, user)
    new.record(user)
    assert project.run("sync").exit == 0
    sent = said(new, user, b"APPEND")
    assert sent
    move(old, user, 20, "INBOX", "Clients", flag="\\Flagged")
    predicted = project.run("sync", "--dry-run")
    assert [told["moved"] for told in predicted.facts["predictions"]] == [20]
    assert project.run("sync").exit == 0
    assert (said(new, user, b"MOVE"), said(new, user, b"APPEND")) == (1, sent)
    prove(project, old, new, user)


@pytest.mark.parametrize("trial", range(10 if FULL else 1))
def test_killed_while_messages_are_moved(
    trial: int,
    dovecot_pair: Pair,
    new_user: Accounts,
    tmp_path: Path,
    rng: Random,
    record_property: Callable[[str, object], None],
) -> None:
    user, old, new = new_user(), dovecot_pair.new, dovecot_pair.old
    load(*old.access(user), {"INBOX": mails(MANY), "Clients": mails(3)})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    new.record(user)
    here, there, inside, kills = "INBOX", "Clients", 0, 0
    while kills < ATTEMPTS and (not inside or kills < (4 if FULL else 1)):
        move(old, user, MANY, here, there, flag=rng.choice(["\\Seen", "\\Flagged", "$Later"]))
        with project.running("sync") as run:
            assert within(30, project.writing, pause=0.001)
            assert run.kill().exit in {-signal.SIGKILL, 0}
        inside += open_ranges(project.snapshot(project.folder / f"killed{kills}")) > 0
        here, there, kills = there, here, kills + 1
        assert project.run("sync").exit == 0
    prove(project, old, new, user)
    record_property("told", f"kill -9 while moving, trial {trial}: {inside} of {kills} kills landed in an open range")
    assert inside
    assert said(new, user, b"MOVE")
    assert not said(new, user, b"APPEND")


@pytest.mark.full
def test_cyrus_names_its_messages_so_that_none_is_read_to_follow_it(
    cyrus_server: Cyrus, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path
) -> None:
    """EMAILID (RFC 8474)."""
    old, new, user = cyrus_server, dovecot_pair.new, new_user()
    inbox, kept = old.native("INBOX"), old.native("Kept")
    load(*old.access(user), {inbox: mails(30), kept: mails(1)})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    with session(*old.access(user)) as client:
        client.select(inbox)
        assert client.uid("MOVE", "1:12", quoted(kept))[0] == "OK"
    old.record(user)
    assert project.run("sync").exit == 0
    assert b"EMAILID" in old.recorded(user)
    assert b"BODY.PEEK[]" not in old.recorded(user)
    assert {name: len(messages) for name, messages in dump(*new.access(user)).items() if messages} == {
        "INBOX": 18,
        "Kept": 13,
    }
    assert project.run("verify", "--full").facts["verdict"] == "pass"
