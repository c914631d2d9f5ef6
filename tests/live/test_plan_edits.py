"""A plan that is edited, tried out, paused and asked things of while it runs."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Pair
from tests.data.generate import account
from tests.live import reader
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from tests.live.project import Project, Running, between, closed, deliver, open_ranges, within
from tests.live.reader import Account, Draft, append, contents, dump, load, metadata, quoted, readable, session
from tests.live.slow import SlowLine

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

OLD_MAIL = datetime(2009, 8, 7, tzinfo=UTC)
NEW_MAIL = datetime(2023, 4, 5, tzinfo=UTC)


def mails(count: int, mark: str, date: datetime = NEW_MAIL, size: int = 100) -> list[Draft]:
    """Small mails, no two equal."""
    fill = b"x" * size
    body = b"Subject: x\r\n\r\n%s %06d %s\r\n"
    return [Draft(body % (mark.encode(), number, fill), frozenset(("\\Seen",)), date) for number in range(count)]


def whole(server: Dovecot, user: str) -> Account:
    return dump(*server.access(user))


def uids(found: Account) -> dict[tuple[str, int], str]:
    """Which body stands under which UID of which folder."""
    return {(name, message.uid): message.sha256 for name, messages in found.items() for message in messages}


def kinds_of(changes: list[dict[str, Any]]) -> dict[str, str]:
    return {change["where"]: change["kind"] for change in changes}


def verified(project: Project) -> None:
    answer = project.run("verify", "--full")
    assert (answer.exit, answer.facts["verdict"]) == (0, "pass"), answer.out[:2000]


# --- edited midway ----------------------------------------------------------------------------------------------


def test_edited_midway(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """A user and a folder renamed, the scope widened, two mailboxes added: nothing is copied again, nothing twice."""
    old, new = dovecot_pair
    ann, bob, anna, cleo, dave = (new_user() for _ in range(5))
    for user in (ann, bob):
        folders = {
            "INBOX": mails(1500, f"in {user}"),
            "Clients": mails(700, f"clients {user}"),
            "Clients/Ann": mails(20, user),
        }
        load(*old.access(user), {**folders, "Old": mails(30, f"old {user}"), "Sent": mails(20, "sent", OLD_MAIL)})
    for user in (cleo, dave):
        load(*old.access(user), {"INBOX": mails(20, user)})
    scope = {"folders": {"exclude": ["Old"]}, "mail_since": "2015-01-01"}
    project = between(old, new, tmp_path, ann, bob, scope=scope)
    stop_midway(project)
    before = {user: whole(new, user) for user in (ann, bob)}
    assert 0 < sum(len(messages) for user in before for messages in before[user].values()) < 4400

    for server in dovecot_pair:
        server.home(ann).rename(server.home(anna))
    with session(*old.access(bob)) as client:
        client.rename(quoted("Clients"), quoted("Customers"))
    del project.plan["scope"]
    project.plan["mailboxes"] = [{"source": user} for user in (anna, bob, cleo, dave)]
    project.save()
    edited = project.run("diff")
    assert edited.exit == 0
    assert kinds_of(edited.facts["changes"]) == {
        f"mailboxes.{ann}": "free",
        **{f"mailboxes.{user}": "free" for user in (anna, cleo, dave)},
        "scope.folders.exclude": "scope-wider",
        "scope.mail_since": "scope-wider",
    }
    assert project.run("mailbox", "rename", ann, anna, "--target", anna).exit == 0
    run = project.run("sync")
    assert (run.exit, run.facts["errors"]) == (0, [])

    for was, now in ((ann, anna), (bob, bob)):
        after = whole(new, now)
        assert {(back(name), uid): body for (name, uid), body in uids(after).items()}.items() >= uids(
            before[was]
        ).items()
    for user in (anna, bob, cleo, dave):
        assert metadata(whole(new, user)) == metadata(whole(old, user))
    assert "Customers/Ann" in whole(new, bob)
    assert "Clients" not in whole(new, bob)
    status = {box["source"]: box for box in project.run("status").facts["mailboxes"]}
    assert status[anna]["id"] == 1
    assert all(closed(box["kinds"]["mail"]) for box in status.values())
    assert not any(box["kinds"]["mail"]["filtered"] for box in status.values())
    verified(project)


def back(name: str) -> str:
    return name.replace("Customers", "Clients")


def stop_midway(project: Project) -> None:
    """Run until something is copied, and ask for the end."""
    with project.running("sync") as run:
        assert within(30, project.writing, pause=0.002)
        with project.watched() as look:
            assert within(30, lambda: any(map(copied, look().values())), pause=0.002)
        stopped = run.ask(signal.SIGTERM)
    assert (stopped.exit, open_ranges(project.database)) == (6, 0), stopped


def test_another_target_of_a_seeded_mailbox_is_refused(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    (old, new), user, other = dovecot_pair, new_user(), new_user()
    load(*old.access(user), {"INBOX": mails(20, user)})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    before = whole(new, user)
    project.plan["mailboxes"] = [{"source": user, "target": other}]
    project.save()

    told = project.run("diff")
    (change,) = told.facts["changes"]
    assert (told.exit, told.codes, change["kind"]) == (5, ["guard-refused"], "refused")
    assert (change["before"], change["after"]) == (user, other)
    checksum = told.facts["checksum"]
    for words in ((), ("--accept-change", "0" * len(checksum)), ("--dry-run",)):
        refused = project.run("sync", *words)
        assert (refused.exit, refused.codes) == (5, ["guard-refused"])
        assert checksum in refused.facts["errors"][0]["remedy"]
        assert user in refused.facts["errors"][0]["message"]
        assert other in refused.facts["errors"][0]["message"]
    assert not new.home(other).exists()
    assert whole(new, user) == before

    accepted = project.run("sync", "--accept-change", checksum)
    assert (accepted.exit, accepted.facts["errors"]) == (0, [])
    assert metadata(whole(new, other)) == metadata(whole(old, user))
    assert whole(new, user) == before
    assert project.run("diff").facts["changes"] == []
    verified(project)


def test_another_system_is_refused(dovecot_pair: Pair, new_dovecot: Server, new_user: Accounts, tmp_path: Path) -> None:
    (old, new), user, other = dovecot_pair, new_user(), new_dovecot(Settings())
    load(*old.access(user), {"INBOX": mails(5, user)})
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    project.plan["endpoints"]["new"]["port"] = other.port
    project.save()
    refused = project.run("sync")
    assert (refused.exit, refused.codes) == (5, ["guard-refused"])
    assert str(new.port) in refused.facts["errors"][0]["message"]
    assert str(other.port) in refused.facts["errors"][0]["message"]
    assert not other.home(user).exists()


# --- tried out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [(), ("UIDPLUS",)], ids=("all-powers", "no-uidplus"))
def test_a_dry_run_predicts_the_run(
    missing: tuple[str, ...], dovecot_pair: Pair, new_dovecot: Server, new_user: Accounts, tmp_path: Path, seed: int
) -> None:
    """A first copy, then a delta: the same counts and folders, and nothing changed by the trial."""
    (old, new), user = dovecot_pair, new_user()
    if missing:
        new = new_dovecot(Settings(capabilities=capabilities_without(*missing)))
    load(*old.access(user), account(seed, 60))
    load(*new.access(user), {"INBOX": mails(2, "own"), "Archive": []})
    load(*old.access(user), {"INBOX": mails(2, "own"), "Deep/er/still": mails(3, "deep")})
    project = between(old, new, tmp_path, user)
    predicted_exactly(project, new, user)

    load(*old.access(user), {"INBOX": mails(30, "second"), "Later": mails(3, "later")})
    with session(*old.access(user)) as client:
        client.rename(quoted("Deep/er"), quoted("Shallow"))
        client.select('"INBOX"')
        client.store("1:5", "+FLAGS.SILENT", "(\\Flagged)")
    predicted_exactly(project, new, user)
    verified(project)


def predicted_exactly(project: Project, new: Dovecot, user: str) -> None:
    before, state, names = whole(new, user), rows(project), listed(new, user)
    commands = new.commands(user)
    trial = project.run("sync", "--dry-run")
    assert (trial.exit, trial.facts["errors"], trial.facts["dry_run"]) == (0, [], True), trial
    assert whole(new, user) == before
    assert not {"APPEND", "CREATE", "UID_STORE", "RENAME", "SUBSCRIBE"} & (new.commands(user) - commands).keys()
    assert rows(project) == state
    run = project.run("sync")
    assert run.exit == 0
    assert trial.facts["totals"] == run.facts["totals"]
    assert trial.facts["mailboxes"][0]["kinds"] == run.facts["mailboxes"][0]["kinds"]
    (prediction,) = trial.facts["predictions"]
    after = listed(new, user)
    opens = {path for path, can_be_opened in after.items() if can_be_opened}
    assert moved(names, prediction["renamed"]) | levels(prediction["created"]) >= opens
    for made in levels(prediction["created"]):
        assert made in after
    assert prediction["flags"] == flagged(before, whole(new, user), prediction["renamed"])


def levels(paths: list[list[str]]) -> set[tuple[str, ...]]:
    return {tuple(path) for path in paths}


def moved(paths: Iterable[tuple[str, ...]], renamed: list[dict[str, list[str]]]) -> set[tuple[str, ...]]:
    """Where these folders stand after the renames."""
    now = set(paths)
    for one in renamed:
        old, new = tuple(one["from"]), tuple(one["to"])
        now = {new + path[len(old) :] if path[: len(old)] == old else path for path in now}
    return now


def flagged(before: Account, after: Account, renamed: list[dict[str, list[str]]]) -> int:
    """How many messages that were there have other flags now."""
    assert not [one for one in renamed if one["from"] == ["INBOX"]]
    was = {message.uid: message.flags for message in before["INBOX"]}
    return sum(was.get(message.uid, message.flags) != message.flags for message in after["INBOX"])


def listed(server: Dovecot, user: str) -> dict[tuple[str, ...], bool]:
    """Every name that LIST tells, as levels, and whether it can be opened."""
    with session(*server.access(user)) as client:
        found = reader.folders(client)
    return {
        tuple(map(readable, folder.name.split("/"))): not {"\\Noselect", "\\NonExistent"} & folder.attributes
        for folder in found
    }


def rows(project: Project) -> list[str]:
    """Everything that the state holds about the plan."""
    if not project.database.exists():
        return []
    with closing(sqlite3.connect(f"file:{project.database}?mode=ro", uri=True)) as state:
        return [line for line in state.iterdump() if line.startswith("INSERT") and "alembic_version" not in line]


# --- asked while it runs ------------------------------------------------------------------------------------------


def test_requests_reach_a_running_process(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """Everything is taken up within five seconds, while mailboxes are under way on a slow line."""
    old, new = dovecot_pair
    quick, slow, slower = (new_user() for _ in range(3))
    load(*old.access(quick), {"INBOX": mails(3, "quick")})
    deliver(old, quick, b"")
    for user in (slow, slower):  # a second or so for each folder: work ends between two ranges
        load(*old.access(user), {f"Folder {n:02}": mails(25, f"{n} {user}", size=1_000) for n in range(40)})
    with SlowLine(old.port, rate=25_000) as line:
        project = between(old, new, tmp_path, quick, slow, slower)
        project.plan["endpoints"]["old"]["port"] = line.port
        project.save()
        with project.running("sync") as run:
            assert within(30, project.writing)
            asked(run, project, (quick, slow), old, new)
            held = project.run("sync")
            assert (held.exit, held.codes) == (7, ["plan-held"])
            taken(project, "pause")
            line.rate = None
            ended = run.finish(60)
    assert (ended.exit, "stopped" in ended.codes) == (6, True), ended
    assert project.counts()["pending"] > 0
    assert project.run("sync").exit == 6
    assert project.run("resume").facts["request"] == "done"
    project.plan["endpoints"]["old"]["port"] = old.port
    project.save()
    accepted = project.run("diff").facts["checksum"]  # the port names the system
    rest = project.run("sync", "--accept-change", accepted)
    assert (rest.exit, rest.codes) == (3, ["item-refused"])  # the one unwanted message
    for user in (slow, slower):
        assert contents(whole(new, user)) == contents(whole(old, user))


def asked(run: Running, project: Project, users: tuple[str, str], old: Dovecot, new: Dovecot) -> None:
    """retry, sync --mailbox, pause and resume of a mailbox, each with its effect."""
    quick, slow = users
    with project.watched() as look:
        assert within(30, lambda: look()[quick]["last_pass"])
        before = refused_at(project)
        taken(project, "quarantine", "retry", "--all")
        assert within(10, lambda: refused_at(project) not in {"", before})
        with session(*old.access(quick)) as client:
            append(client, "INBOX", mails(1, "late"))
        taken(project, "sync", "--mailbox", quick)
        assert within(10, lambda: len(whole(new, quick)["INBOX"]) == 4)

        taken(project, "pause", "--mailbox", slow)
        assert within(30, lambda: at_rest(project, slow))
        held = look()[slow]
        assert held["stage"] == "paused"
        assert held["kinds"]["mail"]["pending"] > 0
        taken(project, "resume", "--mailbox", slow)
        assert within(60, lambda: copied(look()[slow]) > copied(held)), (held, look()[slow], project.log()[-20:])
    assert run.running


def taken(project: Project, *words: str) -> None:
    """Ask; the running process has it within five seconds (the command gives up after that)."""
    answer = project.run(*words)
    assert (answer.exit, answer.facts["request"]) == (0, "taken"), answer


def copied(box: Mapping[str, Any]) -> int:
    return int(box["kinds"].get("mail", {}).get("copied", 0))


def at_rest(project: Project, user: str) -> bool:
    """Whether the running process has let go of the mailbox."""
    ends = [line["verdict"] for line in project.log() if line["event"] == "slice" and line["mailbox"] == user]
    return ends[-1:] == ["paused"]


def refused_at(project: Project) -> str:
    """When the target last refused the one unwanted message; empty while it is being tried again."""
    return "".join(item["since"] for item in project.run("quarantine", "list").facts["items"])
