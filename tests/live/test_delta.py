"""A pass costs what changed, by the servers' own record: commands when nothing did, items told when a little did."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.cyrus import Cyrus
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from tests.live.project import between, closed
from tests.live.reader import Account, Draft, contents, dump, load, metadata, quoted, session

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

MOST_COMMANDS = 8
"""A pass over a mailbox in which nothing changed, both sides together."""


def mails(count: int, first: int = 0) -> list[Draft]:
    """Short messages, none like another."""
    return [
        Draft(b"From: ann@example.test\r\nSubject: %d\r\n\r\n%s\r\n" % (number, b"x" * (number % 50)))
        for number in range(first, first + count)
    ]


def commands(server: Dovecot, user: str) -> list[bytes]:
    """What this user's recorded sessions asked for, without tags; a UID command is named by both words."""
    lines = [line.split(b" ")[2:] for line in server.recorded(user).splitlines()]
    return [b" ".join(words) for words in lines if words]


def told(server: Dovecot, user: str) -> list[bytes]:
    """The messages of which the server told anything."""
    return re.findall(rb"\* \d+ FETCH \([^\r\n]*", server.answered(user))


def vanished(server: Dovecot, user: str) -> int:
    """How many messages the server named as vanished."""
    sets = re.findall(rb"\* VANISHED \(EARLIER\) ([\d:,]+)", server.answered(user))
    ends = [part.partition(b":") for found in sets for part in found.split(b",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)


def change(client: imaplib.IMAP4, folder: str, numbers: Sequence[int], flags: str) -> None:
    """Add flags to the messages with these numbers."""
    assert client.select(folder)[0] == "OK"
    for start in range(0, len(numbers), 200):
        named = ",".join(map(str, numbers[start : start + 200]))
        assert client.store(named, "+FLAGS.SILENT", flags)[0] == "OK"


def whole(server: Dovecot, user: str) -> Account:
    return dump(*server.access(user))


def test_a_pass_over_what_did_not_change_takes_a_few_commands(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, full: bool
) -> None:
    """Whatever the size: neither the number of folders nor that of messages shows."""
    old, new = dovecot_pair
    user, folders, size = new_user(), 12, 12_000 if full else 120
    load(*old.access(user), {f"F{number}" if number else "INBOX": mails(size // folders) for number in range(folders)})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    for server in (old, new):
        server.record(user)
    assert project.run("sync").exit == 0
    asked = {server.port: commands(server, user) for server in (old, new)}
    assert all(asked.values())
    assert sum(map(len, asked.values())) <= MOST_COMMANDS, asked
    assert not [line for found in asked.values() for line in found if line.startswith((b"EXAMINE", b"UID", b"STORE"))]


@pytest.mark.parametrize("masked", [(), ("QRESYNC",), ("QRESYNC", "CONDSTORE")], ids=["all", "CONDSTORE", "neither"])
def test_a_delta_reads_what_changed(
    new_dovecot: Server, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, masked: tuple[str, ...], full: bool
) -> None:
    """100 new, 200 with other flags, 50 deleted, 20 moved: at most twice as many are told of, where the server can."""
    old = new_dovecot(Settings(capabilities=capabilities_without(*masked))) if masked else dovecot_pair.old
    new, user = dovecot_pair.new, new_user()
    size = (3000 if not full else 100_000) if not masked else (600 if not full else 10_000)
    load(*old.access(user), {"Big": mails(size), "Other": mails(30, size)})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0

    with session(*old.access(user)) as client:
        change(client, "Big", range(200, 400), "\\Flagged")
        change(client, "Big", range(500, 550), "\\Deleted")
        assert client.expunge()[0] == "OK"
        assert client.uid("MOVE", "1:20", "Other")[0] == "OK"
    load(*old.access(user), {"Big": mails(100, size + 30)})
    before = whole(old, user)
    old.record(user)
    run = project.run("sync")
    assert (run.exit, run.facts["errors"]) == (0, [])

    changed = 100 + 200 + 50 + 20
    listed = [line for line in told(old, user) if b"BODY[" not in line]
    if masked:
        assert sum(b"RFC822.SIZE" in line for line in listed) <= (2 * changed if "CONDSTORE" not in masked else 120)
        assert vanished(old, user) == 0
    else:
        assert 0 < len(listed) + vanished(old, user) <= 2 * changed, (len(listed), vanished(old, user))
        assert len(commands(old, user)) <= 20, commands(old, user)
    after = whole(new, user)
    arrived(before, after)
    counts = project.counts()
    assert closed(counts)
    assert counts["pending"] == counts["failed"] == 0


def arrived(before: Account, after: Account) -> None:
    """Everything that the source holds is there with its flags; what it deleted since may be there still."""
    for name, messages in before.items():
        there = after[name]
        assert not contents({name: messages})[name] - contents({name: there})[name]
        assert not metadata({name: messages})[name] - metadata({name: there})[name]


def test_cyrus_tells_as_much(cyrus_server: Cyrus, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """The same by another server's own record; a folder is renamed by its MAILBOXID (RFC 8474), not copied."""
    old, new, user = cyrus_server, dovecot_pair.new, new_user()
    names = [old.native(name) for name in ("INBOX", "Kept", "Old name", "New name")]
    load(*old.access(user), {name: mails(30, 30 * number) for number, name in enumerate(names[:3])})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    for server in (old, new):
        server.record(user)
    assert project.run("sync").exit == 0
    asked = re.findall(rb"(?m)^(?:<\d+<)?x\d+ (?!OK|NO|BAD)([^\r\n]*)", old.recorded(user))
    assert 0 < len(asked) + len(commands(new, user)) <= MOST_COMMANDS, (asked, commands(new, user))

    with session(*old.access(user)) as client:
        change(client, names[1], range(1, 10), "\\Deleted")
        assert client.expunge()[0] == "OK"
        change(client, names[1], [3, 4], "\\Flagged")
        assert client.rename(quoted(names[2]), quoted(names[3]))[0] == "OK"
    before = {name.removeprefix("INBOX/"): messages for name, messages in dump(*old.access(user)).items()}
    heard = old.sessions(user)
    assert project.run("sync").exit == 0
    told = b"".join(said[len(heard.get(name, b"")) :] for name, said in old.sessions(user).items())
    assert re.findall(rb"VANISHED \(EARLIER\) (\S+)", told) == [b"1:9"]
    assert len(re.findall(rb"\* \d+ FETCH ", told)) == 2
    after = whole(new, user)
    arrived(before, after)
    there = {name: len(messages) for name, messages in after.items() if messages}
    assert there == {"INBOX": 30, "Kept": 30, "New name": 30}
