"""Findings too strange to be believed at night: nothing is changed before a person has accepted exactly this one."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.project import Project, between, within
from tests.live.reader import Account, contents, dump, load, newest_validity, session
from tests.live.refusals import Facts, assert_healthy, error, line, mails

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

MANY = 40
"""Above the number up to which a mailbox may lose anything."""


@pytest.fixture
def user(new_user: Accounts) -> str:
    return new_user()


def seeded(old: Dovecot, new: Dovecot, user: str, folder: Path, **sections: str) -> Project:
    """A mailbox of two folders that is on both sides."""
    load(*old.access(user), {"INBOX": mails(MANY), "Sub": mails(MANY, "sub")})
    project = between(old, new, folder, user, **sections)
    assert project.run("sync").exit == 0
    return project


def expunge(server: Dovecot, user: str, *folders: str) -> None:
    """Delete every message of these folders."""
    with session(*server.access(user)) as client:
        for name in folders:
            client.select(name)
            client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()


def guarded(project: Project, *words: str) -> Facts:
    """The finding that a run refuses; its remedy names the checksum that accepts it."""
    told = error(project.run("sync"), 5, "guard-refused")
    assert "--accept-change " in told["remedy"]
    assert all(word in told["message"] for word in words), told
    return told


def checksum(told: Facts) -> str:
    return str(told["remedy"]).partition("--accept-change ")[2].split()[0]


def removed(server: Dovecot, user: str) -> None:
    """The account is gone; what comes in its place has other ids.

    Dovecot makes a UIDVALIDITY of the time in seconds: two accounts of one second would be the same to any client.
    """
    newest = validity(server, user)
    shutil.rmtree(server.home(user))
    assert within(60, lambda: time.time() > newest + 1)


def validity(server: Dovecot, user: str) -> int:
    with session(*server.access(user)) as client:
        return newest_validity(client)


# --- a side that suddenly looks empty -------------------------------------------------------------------------------


@pytest.mark.parametrize("deletions", ["additive", "mirror"])
def test_a_source_whose_mail_is_all_gone(deletions: str, dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    old, new = dovecot_pair
    project = seeded(old, new, user, tmp_path, deletions=deletions)
    before = dump(*new.access(user))
    expunge(old, user, "INBOX", "Sub")
    told = guarded(project, user, "source", "80")
    assert checksum(told) in line(project.run("sync", "--accept-change", "0123456789ab", text=True), 5)
    assert dump(*new.access(user)) == before
    assert project.run("sync", "--accept-change", checksum(told)).exit == 0
    after = dump(*new.access(user))
    assert after == (before if deletions == "additive" else {name: [] for name in before})
    assert_healthy(project)


def test_an_empty_account_behind_the_same_name(dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    """The source was set up anew: other ids, no mail."""
    old, new = dovecot_pair
    project = seeded(old, new, user, tmp_path, deletions="mirror")
    before = dump(*new.access(user))
    removed(old, user)
    told = guarded(project, user, "source")
    assert dump(*new.access(user)) == before
    assert project.run("sync", "--accept-change", checksum(told)).exit == 0
    assert dump(*new.access(user)) == before, "whatever had other ids was not deleted one by one"


def test_somebody_elses_account_behind_the_same_name(
    dovecot_pair: Pair, user: str, new_user: Accounts, tmp_path: Path
) -> None:
    """As many messages, under other ids, and none of them the same."""
    old, new = dovecot_pair
    project = seeded(old, new, user, tmp_path, deletions="mirror")
    before = dump(*new.access(user))
    removed(old, user)
    load(*old.access(user), {"INBOX": mails(MANY, "stranger"), "Sub": mails(MANY, "danger")})
    guarded(project, user, "source", "ids")
    assert dump(*new.access(user)) == before


def test_a_target_that_was_emptied(dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    """The target's account was set up anew: INBOX has other ids, the other folders are gone."""
    old, new = dovecot_pair
    project = seeded(old, new, user, tmp_path)
    removed(new, user)
    told = guarded(project, user, "INBOX", "target")
    told = error(project.run("sync", "--accept-change", checksum(told)), 5, "guard-refused")
    assert "'Sub' is no longer on the target" in told["message"]
    assert "reset" in told["remedy"]
    assert project.run("mailbox", "reset", user, "--yes").exit == 0
    assert_healthy(project)
    assert contents(dump(*new.access(user))) == contents(dump(*old.access(user)))


def test_a_target_folder_that_its_owner_deleted(dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    """Nothing is sent again of what a person deleted, once a person said that it was so."""
    old, new = dovecot_pair
    project = seeded(old, new, user, tmp_path)
    with session(*new.access(user)) as client:
        client.delete("Sub")
    told = guarded(project, user, "'Sub'", "target")
    assert "Sub" not in dump(*new.access(user)), "nothing was changed"
    assert project.run("sync", "--accept-change", checksum(told)).exit == 0
    assert project.run("sync").exit == 0
    assert dump(*new.access(user))["Sub"] == []


# --- ids that changed -----------------------------------------------------------------------------------------------


def forget_ids(server: Dovecot, user: str) -> None:
    """Let a Maildir server number all messages anew: another UIDVALIDITY, other UIDs."""
    newest = validity(server, user)
    server.stop()
    for pattern in ("dovecot-uid*", "dovecot.index*", "dovecot.list.index*"):
        for path in server.home(user).rglob(pattern):
            path.unlink()
    assert within(60, lambda: time.time() > newest + 1)
    server.start()


def ids(account: Account) -> dict[str, list[int]]:
    return {name: [message.uid for message in messages] for name, messages in account.items()}


@pytest.mark.parametrize("sides", [pytest.param(("old",), marks=pytest.mark.full), ("new",), ("old", "new")])
def test_ids_changed(sides: tuple[str, ...], new_dovecot: Server, user: str, tmp_path: Path) -> None:
    servers = {"old": new_dovecot(Settings()), "new": new_dovecot(Settings())}
    old, new = servers["old"], servers["new"]
    project = seeded(old, new, user, tmp_path)
    with session(*old.access(user)) as client:  # so that the first ids mean other messages afterwards
        client.select("INBOX")
        client.store("1:5", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
    assert project.run("sync").exit == 0
    before = dump(*new.access(user))
    for side in sides:
        forget_ids(servers[side], user)
        project.plan["endpoints"][side]["port"] = servers[side].port
    project.save()
    load(*old.access(user), {"INBOX": mails(1, "fresh")})
    appended = new.commands(user)["APPEND"]
    answer = project.run("sync", "--accept-change", "0")
    assert answer.exit == 0, answer
    assert new.commands(user)["APPEND"] - (appended if "new" not in sides else 0) == 1
    after = contents(dump(*new.access(user)))
    assert (
        after["INBOX"] - contents(before)["INBOX"]
        == contents(dump(*old.access(user)))["INBOX"] - contents(before)["INBOX"]
    )
    assert sum(after["INBOX"].values()) == MANY + 1
    assert after["Sub"] == contents(before)["Sub"]
    assert_healthy(project)


# --- the journal ----------------------------------------------------------------------------------------------------

EDITS = {
    "an entry's words": "UPDATE journal SET facts = replace(facts, '40', '39') WHERE event = 'range'",
    "an entry's name": "UPDATE journal SET event = 'adopted' WHERE event = 'range'",
    "an entry's time": "UPDATE journal SET at = at + 1 WHERE event = 'range'",
    "an entry of the plan's chain": "UPDATE journal SET facts = '{}' WHERE chain = 0 AND seq = 1",
    "a deleted entry": "DELETE FROM journal WHERE chain > 0 AND seq = 2",
    "a deleted end": "DELETE FROM journal WHERE chain > 0 AND seq = (SELECT max(seq) FROM journal WHERE chain > 0)",
    "a deleted end and its head": "DELETE FROM journal WHERE chain > 0 AND seq > 2; "
    "UPDATE chain SET seq = 2, hash = (SELECT hash FROM journal WHERE chain > 0 AND seq = 2) WHERE chain > 0",
    "a deleted chain": "DELETE FROM journal WHERE chain > 0",
    "a deleted chain and its head": "DELETE FROM journal WHERE chain > 0; DELETE FROM chain WHERE chain > 0",
    "entries that changed places": "UPDATE journal SET seq = -seq WHERE chain > 0 AND seq IN (2, 3); "
    "UPDATE journal SET seq = 5 + seq WHERE seq < 0",
    "a hash": "UPDATE journal SET hash = x'00' WHERE chain > 0 AND seq = 1",
}


def test_the_journal_tells_of_every_edit(dovecot_pair: Pair, user: str, tmp_path: Path) -> None:
    project = seeded(*dovecot_pair, user, tmp_path)
    assert project.run("journal", "verify").exit == 0
    whole, state = project.database.read_bytes(), project.database
    for name, edit in EDITS.items():
        state.write_bytes(whole)
        with closing(sqlite3.connect(state)) as db, db:
            before = db.total_changes
            db.executescript(edit)
            assert db.total_changes > before, name
        told = error(project.run("journal", "verify"), 5, "guard-refused")
        assert "chain" in told["message"], name
    state.write_bytes(whole)
    assert project.run("journal", "verify").exit == 0
