"""The network breaks, or one mailbox's connections do: the run survives by itself, and every message is there once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.conftest import Pair
from tests.live.cutting import Cut, CuttingProxy
from tests.live.project import Project, between
from tests.live.reader import contents, dump, load
from tests.live.refusals import HURRY, assert_verified, errors, mails, run_patched

Accounts = Callable[[], str]


def cut_at_random(rng: Random, *, times: int, every: tuple[int, int], to_server: bool) -> Cut:
    """Cuts in one direction after random numbers of bytes, counted over all connections, so many times."""
    left = [rng.randint(*every) for _ in range(times)]

    def cut(data: bytes, towards_server: bool) -> int | None:
        if towards_server is not to_server or not left:
            return None
        if len(data) < left[0]:
            left[0] -= len(data)
            return None
        return left.pop(0)

    return cut


def through(project: Project, side: str, proxy: CuttingProxy) -> None:
    """Let one endpoint of the plan be reached through the proxy."""
    project.plan["endpoints"][side]["port"] = proxy.port
    project.save()


@pytest.mark.parametrize("side", ["old", "new"])
def test_connections_that_break_inside_of_messages(
    side: str, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, rng: Random, full: bool
) -> None:
    """The source's break while messages are read, the target's while they are written."""
    user, count = new_user(), 2000 if full else 120
    load(*dovecot_pair.old.access(user), {"INBOX": mails(count, size=9000), "Sub": mails(20, "sub")})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user)
    server = dovecot_pair.old if side == "old" else dovecot_pair.new
    times = 60 if full else 8
    cut = cut_at_random(rng, times=times, every=(20_000, 150_000), to_server=side == "new")
    with CuttingProxy(server.port, cut) as proxy:
        through(project, side, proxy)
        answer = run_patched(project, HURRY, "sync")
        assert errors(answer, 0) == []
        assert proxy.cuts == times
        assert_verified(project)
    assert (
        contents(dump(*dovecot_pair.new.access(user)))["INBOX"]
        == contents(dump(*dovecot_pair.old.access(user)))["INBOX"]
    )


def test_a_line_that_never_lasts_for_a_whole_range(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, full: bool
) -> None:
    """Connections to the target end after some megabytes; each attempt gets a little further, and that counts."""
    user = new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": mails(600, size=40_000)})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user)
    passed: dict[str, int] = {"octets": 0}

    def cut(data: bytes, to_server: bool) -> int | None:
        passed["octets"] += len(data) if to_server else 0
        if passed["octets"] > 2_500_000:
            passed["octets"] = 0
            return len(data) // 2
        return None

    patience = "\nreaching.PATIENCE_SECONDS = 3.0\n"
    with CuttingProxy(dovecot_pair.new.port, cut) as proxy:
        through(project, "new", proxy)
        answer = run_patched(project, HURRY + patience, "sync")
        assert errors(answer, 0) == []
        assert proxy.cuts >= 9
    assert (
        contents(dump(*dovecot_pair.new.access(user)))["INBOX"]
        == contents(dump(*dovecot_pair.old.access(user)))["INBOX"]
    )


def test_a_mailbox_whose_connections_always_break_keeps_nobody_from_theirs(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path
) -> None:
    users = [new_user() for _ in range(3)]
    for user in users:
        load(*dovecot_pair.old.access(user), {"INBOX": mails(3)})
    limits = {"old": {"connections": 1}, "new": {"connections": 1}}
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, *users, limits=limits)
    project.plan["endpoints"]["old"]["auth"]["mechanism"] = "login"
    with CuttingProxy(dovecot_pair.old.port, lambda data, _: 0 if users[0].encode() in data else None) as proxy:
        through(project, "old", proxy)
        patience = "\nreaching.PATIENCE_SECONDS = 3.0\n"
        answer = run_patched(project, HURRY + patience, "sync")
    assert {told["mailbox"] for told in errors(answer, 4)} == {users[0]}
    assert [mailbox["stage"] for mailbox in answer.facts["mailboxes"]] == ["planned", "synced", "synced"]
