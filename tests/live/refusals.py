"""What every refusal has in common: one line that names the thing and the remedy, no traceback, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.live.project import Answer, Project
from tests.live.reader import Draft

Facts = dict[str, Any]

HURRY = """
import xdmigrate.cli.compose as compose, xdmigrate.engine.advance as advance
import xdmigrate.engine.context as context, xdmigrate.jobs.reaching as reaching
compose.FIRST_WAIT = 0.05
advance.BACKOFF_SECONDS = reaching.BACKOFF_SECONDS = (0.1,) * 5
unhurried = context.StopClock.sleep
context.StopClock.sleep = lambda self, seconds: unhurried(self, seconds / 8)
"""
"""Waits between attempts, and between two looks at a target that settles, are shorter."""

IMPATIENT = f"{HURRY}compose.ATTEMPTS = 1\nimport xdmigrate_imap.connect as connect\nconnect.CONNECT_SECONDS = 1.0\n"
"""A server has one second to answer a new connection."""


def mails(count: int, word: str = "mail", size: int = 200) -> list[Draft]:
    """Different messages of about this many bytes."""
    filler = "0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * (size // 39)
    return [Draft(f"Subject: {word} {number}\r\n\r\n{filler}{number}\r\n".encode()) for number in range(count)]


def run_patched(project: Project, patch: str, command: str, *words: str, text: bool = False) -> Answer:
    """As `Project.run`, in a process where `patch` was executed before the program began."""
    return project.start(command, *words, text=text, patch=patch).finish()


# --- what is told -----------------------------------------------------------------------------------------------


def error(answer: Answer, ended: int, code: str) -> Facts:
    """The one error with this code of a command that ended with this exit code and was run with --json."""
    found = errors(answer, ended)
    assert [each["code"] for each in found] == [code], answer
    return found[0]


def errors(answer: Answer, ended: int) -> list[Facts]:
    """All errors of a command that was run with --json; each is one line with a remedy."""
    assert answer.exit == ended, answer
    assert_quiet(answer)
    told = answer.facts
    assert (told["schema"], told["exit"]) == (1, ended)
    assert all(line.startswith("state: ") for line in answer.err.splitlines()), answer.err
    for each in told["errors"]:
        assert set(each) == {"code", "mailbox", "endpoint", "message", "remedy"}
        assert each["message"]
        assert all(map(one_line, [*each["message"].split("\n"), each["remedy"]])), each
    return list(told["errors"])


def line(answer: Answer, ended: int) -> str:
    """The one line on stderr of a command that was run for people."""
    (only,) = lines(answer, ended)
    return only


def lines(answer: Answer, ended: int) -> list[str]:
    """All lines on stderr of a command that was run for people."""
    assert answer.exit == ended, answer
    assert_quiet(answer)
    told = answer.err.splitlines()
    assert all(each.startswith("xdmigrate: ") and one_line(each) for each in told), answer.err
    return [each.removeprefix("xdmigrate: ") for each in told]


def one_line(text: str) -> bool:
    """Whether nothing in it moves a terminal's cursor."""
    return text.isprintable()


def assert_quiet(answer: Answer) -> None:
    """No bug shows itself."""
    for told in (answer.out, answer.err):
        assert "Traceback" not in told, answer
        assert "\x1b" not in told, answer


def assert_harmless(answer: Answer) -> None:
    """Only lines, and nothing in them that moves a cursor."""
    assert_quiet(answer)
    for text in (answer.out, answer.err):
        assert all(one_line(each) for each in text.split("\n")), text


# --- what comes after -------------------------------------------------------------------------------------------


def assert_healthy(project: Project) -> None:
    """The next run completes, and everything is there."""
    synced = project.run("sync")
    assert synced.exit == 0, synced
    assert_verified(project)


def assert_verified(project: Project) -> None:
    """Every item was read again on both sides, and is there once."""
    verified = project.run("verify", "--full")
    assert (verified.exit, verified.facts.get("verdict")) == (0, "pass"), verified


def kinds(answer: Answer) -> Iterator[Facts]:
    """The counts of each mailbox that a command told, one after the other."""
    for mailbox in answer.facts["mailboxes"]:
        yield mailbox["kinds"].get("mail", {})
