"""Servers and people that mean harm: nothing of theirs becomes a command, a path, or the end of the memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.hostile import Hostile
from tests.live.project import Answer, Project, endpoint
from tests.live.reader import dump
from tests.live.refusals import HURRY, assert_harmless, error, lines, one_line, run_patched

Accounts = Callable[[], str]

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m \u202e\u061cgnp.exe \u2028 \r\x08\x00"
"""Clears a screen, names a window, turns the writing round, and goes back to the line's beginning."""

SMALL = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))
"""
"""A process that wants all of the memory does not get it."""

AT_ONCE = "reaching.PATIENCE_SECONDS = 0.0\ncompose.ATTEMPTS = 1\n"
"""What fails is given up at the first attempt."""


@pytest.fixture
def user(new_user: Accounts) -> str:
    return new_user()


def plan(old: Hostile, pair: Pair, user: str, folder: Path) -> Project:
    """From a hostile server to a good one."""
    source = {"connector": "imap", "host": old.host, "port": old.port, "tls": "none"}
    target = endpoint(pair.new, folder)
    return Project(folder, {**source, "auth": {"password": target["auth"]["password"]}}, target, [user])


def everything(project: Project) -> Iterator[Answer]:
    """What every reading command tells people."""
    for words in ("status", "quarantine list", "journal show", "mailbox show 1"):
        answer = project.run(*words.split(), text=True)
        assert answer.exit == 0, answer
        yield answer


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "greeting"),
    [
        ({b"LOGIN": b"{tag} NO [AUTHENTICATIONFAILED] " + EVIL.encode() + b"\r\n"}, b"* OK ready\r\n"),
        pytest.param(
            {b"LOGIN": b"{tag} NO " + b"\x9b\xff" * 300_000 + b"\r\n"}, b"* OK ready\r\n", marks=pytest.mark.full
        ),
        ({}, b"* BYE " + EVIL.encode() + b"\r\n"),
        ({}, EVIL.encode() + b"\r\n"),
        ({b"EXAMINE": b"{tag} NO [" + EVIL.encode() + b"] " + EVIL.encode() + b"\r\n"}, b"* OK ready\r\n"),
        pytest.param({b"UID FETCH": b"{tag} NO " + EVIL.encode() + b"\r\n"}, b"* OK ready\r\n", marks=pytest.mark.full),
        ({b"UID FETCH": b"* BYE " + EVIL.encode() + b"\r\n"}, b"* OK ready\r\n"),
    ],
)
def test_the_words_of_a_server_are_only_words(
    answers: dict[bytes, bytes], greeting: bytes, dovecot_pair: Pair, user: str, tmp_path: Path
) -> None:
    with Hostile(answers, greeting) as old:
        project = plan(old, dovecot_pair, user, tmp_path)
        answer = run_patched(project, HURRY + AT_ONCE, "sync", text=True)
        assert answer.exit in (3, 4), answer
        assert_harmless(answer)
        told = lines(answer, answer.exit)
        assert all(str(old.port) in each and len(each) < 1000 for each in told)
        assert_harmless(project.run("status", text=True))
    for log in Path(project.state).rglob("*.log"):
        assert all(one_line(each) for each in log.read_text().splitlines())


def literal(name: bytes) -> bytes:
    return b'* LIST () "/" {%d}\r\n%s\r\n' % (len(name), name)


def test_the_names_of_folders_are_only_names(dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    """Commands, escapes and ways out of a directory, as names, each with a message that ends in quarantine."""
    names = [
        b"x\r\nA1 DELETE INBOX",
        b'x" {3+}\r\nA2 LOGOUT',
        EVIL.replace("\0", "").encode(),
        b"../../../../tmp/escaped",
        b"/etc/cron.d/job",
        b"=cmd|' /C calc'!A0",
        b"[bold red]markup[/]",
        b"~root",
        b"%s%n{0}{user}",
        b"&",
        b"&AGEAYg",
        b"a" * 400,
    ]
    listed = b"".join(map(literal, names)) + b'* LIST () "/" INBOX\r\n'
    statuses = b"".join(
        b"* STATUS {%d}\r\n%s (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n" % (len(name), name) for name in names
    )
    unreadable = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000" RFC822.SIZE 5 BODY[] NIL)\r\n'
    answers = {b"LIST": listed, b"STATUS": statuses, b"UID FETCH": unreadable, b"UID SEARCH": b"* SEARCH 1\r\n"}
    with Hostile(answers) as old:
        project = plan(old, dovecot_pair, user, tmp_path)
        project.plan["scope"] = {"folders": {"exclude": ["a" * 400]}}
        project.save()
        answer = run_patched(project, HURRY, "sync", text=True)
        assert_harmless(answer)
        assert answer.exit == 3, answer
        for reading in everything(project):
            assert_harmless(reading)
        exported = tmp_path / "exported"
        assert_harmless(project.run("quarantine", "export", str(exported), text=True))
        heard = {command.split(b" ")[0].upper() for command in old.heard}
    assert not Path("/tmp/escaped").exists()
    assert all(re.fullmatch(r"quarantine\.csv|\d+\.[0-9a-fx]+\.eml", path.name) for path in exported.rglob("*"))
    cells = (exported / "quarantine.csv").read_text().replace('"', "").split(",")
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert heard <= {b"CAPABILITY", b"LOGIN", b"LIST", b"LSUB", b"STATUS", b"EXAMINE", b"UID", b"LOGOUT", b""} | {
        name.split(b" ")[0] for name in names
    }, "literals are heard as lines here, and nothing else is"
    assert "INBOX" in dump(*dovecot_pair.new.access(user)), "no name ran as a command on the target"


def test_a_users_name_is_only_a_name(dovecot_pair: Pair, tmp_path: Path) -> None:
    with Hostile({b"LOGIN": b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"}) as old:
        user = 'ann" "x"\\ {5+} {address} %s'
        project = plan(old, dovecot_pair, "ann@example.test", tmp_path)
        project.plan["mailboxes"] = [{"source": "ann@example.test", "source_user": user}]
        project.save()
        error(project.run("sync"), 3, "login-rejected")
    (login,) = [command for command in old.heard if command.startswith(b"LOGIN")]
    assert login == b'LOGIN "ann\\" \\"x\\"\\\\ {5+} {address} %s" "secret"'


# --- sizes ----------------------------------------------------------------------------------------------------------


def many(part: Callable[[int], bytes], count: int) -> Iterator[bytes]:
    """Many parts of one answer, a thousand at a time."""
    for start in range(0, count, 1000):
        yield b"".join(part(number) for number in range(start, min(start + 1000, count)))


def head(number: int) -> bytes:
    return b'* %d FETCH (UID %d FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000" RFC822.SIZE 5)\r\n' % (
        number + 1,
        number + 1,
    )


def wide(number: int) -> bytes:
    """A folder whose name is half a megabyte long."""
    return b'* LIST () "/" "%d%s"\r\n' % (number, b"x" * 500_000)


class Again:
    """An answer that is made anew each time that it is given."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()


@pytest.mark.parametrize(
    ("command", "answer", "code"),
    [
        (b"UID FETCH", Again(lambda: many(head, 400_000)), "protocol-error"),
        (b"LIST", Again(lambda: (wide(number) for number in range(400))), "protocol-error"),
        (b"UID FETCH", b"* 1 FETCH (UID 1 FLAGS " + b"(" * 100_000 + b"\r\n", "protocol-error"),
        (b"UID FETCH", b"* 1 FETCH (UID 1 FLAGS () X {999999999999}\r\nx", "protocol-error"),
        (b"STATUS", b"* STATUS INBOX (MESSAGES 99999999999999999999999 UIDNEXT 2 UIDVALIDITY 7)\r\n", "protocol-error"),
        (b"EXAMINE", b"* 1 EXISTS " + b"x" * 2_000_000, "protocol-error"),
    ],
)
def test_no_answer_takes_all_of_the_memory(
    command: bytes, answer: bytes | Again, code: str, dovecot_pair: Pair, user: str, tmp_path: Path
) -> None:
    with Hostile({command: answer}) as old:
        project = plan(old, dovecot_pair, user, tmp_path)
        told = error(run_patched(project, HURRY + SMALL + AT_ONCE, "sync"), 4, code)
    assert told["endpoint"] == "old"
    assert told["mailbox"] == user


def test_a_body_without_end_is_not_a_message(dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    body = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0000" BODY[] {999999999999999}\r\n'
    answers = {b"UID FETCH 1:* (UID FLAGS": head(0), b"UID FETCH 1 (": body + b"x" * 5_000_000}
    with Hostile(answers) as old:
        project = plan(old, dovecot_pair, user, tmp_path)
        told = error(run_patched(project, HURRY + SMALL + AT_ONCE, "sync"), 4, "protocol-error")
        assert "too long" in told["message"]
    assert dump(*dovecot_pair.new.access(user))["INBOX"] == []
