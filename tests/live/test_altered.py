"""Targets that alter or refuse what they are given: Dovecot with NUL and bare CR, a server as strict as Exchange."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FULL, Pair
from tests.connectors.imap.dialect.server import DialectServer
from tests.connectors.imap.dialect.speech import DOVECOT, EXCHANGE
from tests.live.dovecot import Dovecot
from tests.live.project import Project, endpoint, within
from tests.live.reader import dump
from xdmigrate.formats.meaning import meaning

Accounts = Callable[[], str]
Facts = dict[str, Any]

INBOX = b"INBOX"
GOOD = [b"Subject: %d\r\n\r\nbody\r\n" % number for number in range(20)]
NUL = b"Subject: nul\r\n\r\nbo\0dy\r\n"
BARE_CR = b"Subject: cr\r\n\r\nbody\r"
"""Dovecot makes 0x80 of a NUL, and drops a bare CR at the end."""

BAD = [NUL, b"Subject: long\r\n\r\n" + b"long " * 3_000 + b"\r\n", "Subject: Größe\r\n\r\nbody\r\n".encode()]
ARGUMENT_ERROR = b"BAD Command Argument Error. 11"


def as_exchange(data: bytes) -> bytes:
    """Its answer to what it does not take."""
    header = data.partition(b"\r\n\r\n")[0]
    faulty = b"\0" in data or re.search(rb"[\x80-\xff]", header) or max(map(len, data.split(b"\r\n"))) > 9_900
    return ARGUMENT_ERROR if faulty else b""


def job(old: DialectServer, new: Dovecot | DialectServer, folder: Path, user: str, **sections: Any) -> Project:
    def side(server: Any) -> Facts:
        return endpoint(server, folder, password=server.password)

    return Project(folder, side(old), side(new), [user], **sections)


def listed(project: Project) -> list[Facts]:
    found: list[Facts] = project.run("quarantine", "list").facts["items"]
    return found


def digests(bodies: list[bytes]) -> list[bytes]:
    return sorted(meaning(BytesIO(body)).digest for body in bodies)


def fill(server: DialectServer, user: str, bodies: list[bytes]) -> None:
    account = server.account(user)
    for body in bodies:
        account.add(account.box(INBOX), body)


def test_what_dovecot_makes_of_nul_and_bare_cr_can_be_accepted(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path
) -> None:
    new, user = dovecot_pair.new, new_user()
    with DialectServer(DOVECOT) as old:
        fill(old, user, [*GOOD, NUL, BARE_CR])
        project = job(old, new, tmp_path, user)
        first = project.run("sync")
        assert first.exit == 0
        assert first.facts["mailboxes"][0]["altered"]["accepted"] == 0
        verdict = project.run("verify", "--full")
        assert (verdict.exit, verdict.facts["verdict"]) == (3, "fail")
        assert verdict.facts["mailboxes"][0]["kinds"]["mail"]["changed"] == 2
        known = listed(project)
        assert [(item["code"], item["copied"], item["accepted"]) for item in known] == [("altered", True, None)] * 2
        refused = project.run("quarantine", "retry", known[0]["id"])
        assert (refused.exit, refused.codes) == (2, ["usage"])
        accepted = project.run("quarantine", "accept", "--code", "altered", "--reason", "Dovecot does that")
        assert (accepted.exit, accepted.facts["altered"]) == (0, 2)
        verdict = project.run("verify", "--full")
        assert (verdict.exit, verdict.facts["verdict"]) == (0, "pass-with-exceptions")
        assert project.run("sync").exit == 0
    assert len(dump(*new.access(user))["INBOX"]) == len(GOOD) + 2
    accepts = [entry for entry in project.run("journal", "show").facts["entries"] if entry["event"] == "accepted"]
    assert [len(entry["facts"]["items"]) for entry in accepts] == [2]


def strict_pair(held: ExitStack) -> tuple[DialectServer, DialectServer]:
    strict = replace(EXCHANGE, refuse=as_exchange)
    return held.enter_context(DialectServer(DOVECOT)), held.enter_context(DialectServer(strict))


def assert_repaired(project: Project, new: DialectServer, user: str) -> None:
    there = new.account(user).contents(INBOX)
    assert digests(there) == digests([*GOOD, *BAD])
    assert sorted(set(there) & set(GOOD)) == sorted(GOOD)
    assert [item["code"] for item in listed(project)] == ["repaired"] * 3
    verdict = project.run("verify", "--full")
    assert (verdict.exit, verdict.facts["verdict"]) == (0, "pass-with-exceptions")
    found = verdict.facts["mailboxes"][0]["kinds"]["mail"]
    assert (found["verified"], found["changed"], found["failed"]) == (len(GOOD), 3, 0)


def test_what_a_strict_server_refuses_is_repaired_when_the_plan_wishes_it(new_user: Accounts, tmp_path: Path) -> None:
    user = new_user()
    with ExitStack() as held:
        old, new = strict_pair(held)
        fill(old, user, [*GOOD, *BAD])
        project = job(old, new, tmp_path, user)
        assert project.run("sync").exit == 3
        known = listed(project)
        assert [(item["code"], item["copied"]) for item in known] == [("refused", False)] * 3
        assert all("scope: {repair: true}" in item["remedy"] for item in known)
        project.plan["scope"] = {"repair": True}
        project.save()
        done = project.run("sync")
        assert (done.exit, done.facts["totals"]["mail"]["copied"]) == (0, len(GOOD) + 3)
        appended = len(new.commands(b"APPEND"))
        assert project.run("sync").exit == 0
        assert len(new.commands(b"APPEND")) == appended
        assert_repaired(project, new, user)


@pytest.mark.parametrize("nth", [1, 2, 3] if FULL else [2])
def test_killed_inside_the_repaired_attempt(new_user: Accounts, tmp_path: Path, nth: int) -> None:
    """kill -9 at one of the repaired writes: the intent tells what was under way, and nothing comes twice."""
    user = new_user()
    with ExitStack() as held:
        old, new = strict_pair(held)
        fill(old, user, [*GOOD, *BAD])
        project = job(old, new, tmp_path, user, scope={"repair": True})
        with project.running("sync") as running:
            assert within(60, lambda: len(new.account(user).contents(INBOX)) >= len(GOOD) + nth, pause=0.0)
            running.kill()
        done = project.run("sync")
        assert done.exit == 0, done
        assert_repaired(project, new, user)


@pytest.mark.full
def test_nothing_is_repaired_that_is_not_refused(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    new, user = dovecot_pair.new, new_user()
    with DialectServer(DOVECOT) as old:
        fill(old, user, [*GOOD, *BAD[1:]])
        project = job(old, new, tmp_path, user, scope={"repair": True})
        assert project.run("sync").exit == 0
        assert project.run("verify", "--full").facts["verdict"] == "pass"
    assert len(dump(*new.access(user))["INBOX"]) == len(GOOD) + 2
