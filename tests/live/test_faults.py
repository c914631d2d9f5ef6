"""What servers do wrong at exactly one moment: survived without loss or duplicate, and told in a line at most."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.meddling import Connection, Meddler, MeddlingProxy
from tests.live.project import Project, between, within
from tests.live.reader import contents, dump, load, session
from tests.live.refusals import HURRY, assert_verified, errors, mails, run_patched

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

COUNT = 260
QUICK = f"{HURRY}import xdmigrate_imap.wire as wire\nwire.IDLE_SECONDS = 1.5\n"
"""As HURRY, and a server that says nothing for so long is lost."""

LANES = {"old": {"connections": 2}, "new": {"connections": 2}}


def verb(line: bytes) -> bytes:
    """The command's name, of UID commands with it."""
    words = line.upper().split(b" ")
    return b" ".join(words[1:3] if words[1:2] == [b"UID"] else words[1:2])


class Nth(Meddler):
    """Acts at the n-th command of this name, once."""

    def __init__(self, name: bytes, nth: int, act: Callable[[Connection], None]) -> None:
        self.name, self.left, self._act = name, nth, act

    @property
    def acted(self) -> bool:
        return self.left <= 0

    def command(self, connection: Connection, line: bytes) -> bool:
        if verb(line) != self.name or self.acted:
            return True
        self.left -= 1
        if self.acted:
            self._act(connection)
        return True


class Pretends(Meddler):
    """Says OK to the n-th APPEND and keeps nothing of it; tells ids where it is told to."""

    def __init__(self, nth: int, first: int | None) -> None:
        self.left, self.first = nth, first
        self.validity = b""

    def command(self, connection: Connection, line: bytes) -> bool:
        self.left -= verb(line) == b"APPEND"
        return verb(line) != b"APPEND" or self.left != 0

    def swallowed(self, connection: Connection, tag: bytes) -> None:
        ids = b""
        if self.first is not None:
            ids = b" [APPENDUID %s %d:%d]" % (self.validity, self.first, self.first + connection.literals - 1)
        connection.say(tag + b" OK" + ids + b" Append completed.\r\n")

    def answer(self, connection: Connection, line: bytes) -> bool:
        found = re.search(rb"APPENDUID (\d+)", line)
        self.validity = found[1] if found else self.validity
        return True


class LosesAnswer(Meddler):
    """The n-th APPEND is done, and the connection ends instead of its answer."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def answer(self, connection: Connection, line: bytes) -> bool:
        if b"APPENDUID" not in line:
            return True
        self.left -= 1
        if self.left == 0:
            connection.cut()
        return self.left != 0


def hang(connection: Connection) -> None:
    connection.hung.set()


def say_bye(connection: Connection) -> None:
    connection.say(b"* BYE Server shutting down.\r\n")
    connection.cut()


class Case:
    """A filled mailbox and its plan; one endpoint is reached through a proxy."""

    def __init__(self, pair: Pair, user: str, folder: Path, **sections: object) -> None:
        self.pair, self.user = pair, user
        load(*pair.old.access(user), {"INBOX": mails(COUNT, size=3000), "Sub": mails(40, "sub")})
        self.project = between(pair.old, pair.new, folder, user, **{"limits": LANES, **sections})

    def server(self, side: str) -> Dovecot:
        return self.pair.old if side == "old" else self.pair.new

    def through(self, side: str, port: int) -> Project:
        self.project.plan["endpoints"][side]["port"] = port
        self.project.save()
        return self.project

    def same(self) -> None:
        """The independent reader finds the same on both sides, and so does verify."""
        old, new = (contents(dump(*server.access(self.user))) for server in (self.pair.old, self.pair.new))
        assert new["INBOX"] == old["INBOX"]
        assert new["Sub"] == old["Sub"]
        assert_verified(self.project)


@pytest.fixture
def case(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> Case:
    return Case(dovecot_pair, new_user(), tmp_path)


@pytest.mark.parametrize("act", [hang, say_bye])
@pytest.mark.parametrize(("side", "name"), [("old", b"UID FETCH"), ("new", b"APPEND"), ("new", b"CREATE")])
def test_a_connection_that_goes_silent_or_says_bye(
    side: str, name: bytes, act: Callable[[Connection], None], case: Case
) -> None:
    meddler = Nth(name, 1 if name == b"CREATE" else 2, act)
    with MeddlingProxy(case.server(side).port, meddler) as proxy:
        answer = run_patched(case.through(side, proxy.port), QUICK, "sync")
        assert meddler.acted
        assert errors(answer, 0) == []
    case.through(side, case.server(side).port)
    case.same()


@pytest.mark.parametrize("first", [None, 1_000_000], ids=["no id", "ids"])
def test_an_append_that_is_acknowledged_and_not_kept(first: int | None, case: Case) -> None:
    meddler = Pretends(2, first)
    with MeddlingProxy(case.pair.new.port, meddler) as proxy:
        answer = run_patched(case.through("new", proxy.port), HURRY, "sync")
        assert meddler.left <= 0
        assert errors(answer, 0) == []
        case.through("new", case.pair.new.port)
        case.same()


def test_an_append_that_is_kept_and_whose_answer_is_lost(case: Case) -> None:
    meddler = LosesAnswer(2)
    with MeddlingProxy(case.pair.new.port, meddler) as proxy:
        answer = run_patched(case.through("new", proxy.port), HURRY, "sync")
        assert meddler.left <= 0
        assert errors(answer, 0) == []
        case.same()


def expunge(server: Dovecot, user: str, numbers: str) -> None:
    with session(*server.access(user)) as client:
        client.select("INBOX")
        client.store(numbers, "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()


def test_messages_that_are_deleted_while_they_are_read(case: Case) -> None:
    """Those of the end go first where the newest are copied first: some are copied, some never were."""
    meddler = Nth(b"UID FETCH", 2, lambda _connection: expunge(case.pair.old, case.user, "3:12"))
    with MeddlingProxy(case.pair.old.port, meddler) as proxy:
        answer = run_patched(case.through("old", proxy.port), HURRY, "sync")
        assert meddler.acted
        assert errors(answer, 0) == []
        old = contents(dump(*case.pair.old.access(case.user)))
        new = contents(dump(*case.pair.new.access(case.user)))
        assert sum(old["INBOX"].values()) == COUNT - 10
        assert not old["INBOX"] - new["INBOX"]
        assert max(new["INBOX"].values()) == 1
        assert case.project.run("sync").exit == 0
        assert_verified(case.project)


def test_copies_that_are_deleted_while_others_are_written(case: Case) -> None:
    """The target's user deletes what has just come: it is not sent again."""
    meddler = Nth(b"APPEND", 5, lambda _connection: expunge(case.pair.new, case.user, "1:3"))
    with MeddlingProxy(case.pair.new.port, meddler) as proxy:
        answer = run_patched(case.through("new", proxy.port), HURRY, "sync")
        assert meddler.acted
        assert errors(answer, 0) == []
        new = contents(dump(*case.pair.new.access(case.user)))
        old = contents(dump(*case.pair.old.access(case.user)))
        assert not new["INBOX"] - old["INBOX"]
        assert max(new["INBOX"].values()) == 1
        assert COUNT - 3 <= sum(new["INBOX"].values()) <= COUNT


@pytest.mark.parametrize(("side", "name", "nth"), [("old", b"UID FETCH", 2), ("new", b"APPEND", 2)])
def test_ids_that_change_in_the_middle(side: str, name: bytes, nth: int, case: Case) -> None:
    meddler = Nth(name, nth, lambda _connection: case.server(side).renumber(case.user))
    with MeddlingProxy(case.server(side).port, meddler) as proxy:
        answer = run_patched(case.through(side, proxy.port), HURRY, "sync")
        assert meddler.acted
        assert errors(answer, 0) == []
        case.same()


def test_login_limits_make_it_use_fewer_connections(
    new_dovecot: Server, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path
) -> None:
    """Each side lets one connection in at a time where the plan allows four."""
    old = new_dovecot(Settings(connections=1))
    limits = {"old": {"connections": 4}, "new": {"connections": 4}}
    case = Case(Pair(old, dovecot_pair.new), new_user(), tmp_path, limits=limits)
    answer = case.project.run("sync")
    assert errors(answer, 0) == []
    assert old.logins(case.user) <= 4  # the filling, the pass, and a lane that was turned away is not tried again
    case.same()


def test_a_stalled_source_never_leaves_the_target_inside_of_a_message(case: Case) -> None:
    stalled: list[Connection] = []

    def stall(connection: Connection) -> None:
        stalled.append(connection)
        time.sleep(0.7)

    quiet = Meddler()
    inside: list[bool] = []
    source = Nth(b"UID FETCH", 3, stall)
    with MeddlingProxy(case.pair.new.port, quiet) as target, MeddlingProxy(case.pair.old.port, source) as old:
        case.through("new", target.port)
        running = case.through("old", old.port).start("sync")
        assert within(20, lambda: stalled)
        time.sleep(0.4)  # what was under way has passed
        inside += [connection.inside for connection in target.connections]
        assert errors(running.finish(), 0) == []
        assert inside
        assert not any(inside)
        case.same()


def drip(connection: Connection) -> None:
    """The server's answers come a byte at a time, each before anybody would call it silence."""
    connection.dripping.set()


@pytest.mark.parametrize(("side", "name"), [("old", b"UID FETCH"), ("new", b"APPEND")])
def test_a_connection_that_drips(side: str, name: bytes, case: Case) -> None:
    """A byte now and then is no answer: the connection is given up, and the next one is better."""
    meddler = Nth(name, 2, drip)
    with MeddlingProxy(case.server(side).port, meddler) as proxy:
        answer = run_patched(case.through(side, proxy.port), QUICK, "sync")
        assert meddler.acted
        assert errors(answer, 0) == []
    case.through(side, case.server(side).port)
    case.same()
