"""Refusals that concern one mailbox or one run: the others go on, and the same command resumes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.project import Project, between, within
from tests.live.reader import contents, dump, load
from tests.live.refusals import (
    HURRY,
    assert_healthy,
    assert_verified,
    error,
    errors,
    line,
    lines,
    mails,
    run_patched,
)

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

ONE_AT_A_TIME = {"old": {"connections": 1}, "new": {"connections": 1}}


@pytest.fixture
def three(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> Project:
    """Three mailboxes whose passwords stand in files named like them."""
    users = [new_user() for _ in range(3)]
    for user in users:
        load(*dovecot_pair.old.access(user), {"INBOX": mails(5, user)})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, *users)
    project.plan["endpoints"]["old"]["auth"]["password"] = "file:{address}.secret"
    project.save()
    for user in users:
        give_password(project, user, "secret")
    return project


def give_password(project: Project, user: str, password: str) -> None:
    path = project.folder / f"{user}.secret"
    path.touch(0o600)
    path.write_text(password + "\n")


def users_of(project: Project) -> list[str]:
    return [mailbox["source"] for mailbox in project.plan["mailboxes"]]


# --- logins -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_in_all_runs(three: Project, dovecot_pair: Pair, full: bool) -> None:
    user = users_of(three)[1]
    give_password(three, user, "mistyped")
    for _hour in range(100 if full else 5):
        answer = three.run("sync")
        told = error(answer, 3, "login-rejected")
        assert told["mailbox"] == user
        assert str(dovecot_pair.old.port) in told["message"]
        assert "password" in told["remedy"]
    assert [mailbox["stage"] for mailbox in answer.facts["mailboxes"]] == ["synced", "needs-attention", "synced"]
    assert dovecot_pair.old.failed_logins(user) == 1
    assert line(three.run("sync", text=True), 3).startswith(f"{user}: ")
    give_password(three, user, "secret")
    assert_healthy(three)
    assert dovecot_pair.old.failed_logins(user) == 1
    (attention,) = {str(mailbox["attention"]) for mailbox in three.run("status").facts["mailboxes"]}
    assert attention == "None"


def test_another_wrong_password_is_tried_once_too(three: Project, dovecot_pair: Pair) -> None:
    user = users_of(three)[0]
    for password, tries in (("first", 1), ("first", 1), ("second", 2), ("second", 2)):
        give_password(three, user, password)
        error(three.run("sync", "--mailbox", user), 3, "login-rejected")
        assert dovecot_pair.old.failed_logins(user) == tries


def test_secret_set_lets_a_rejected_login_in(three: Project, dovecot_pair: Pair) -> None:
    user = users_of(three)[2]
    give_password(three, user, "mistyped")
    error(three.run("sync"), 3, "login-rejected")
    set_ = three.folder / "typed"
    set_.write_text("secret\n")
    patch = f"import sys\nsys.stdin = open({str(set_)!r})\n"
    assert run_patched(three, patch, "secret", "set", f"source:{user}").exit == 0
    assert_healthy(three)
    assert dovecot_pair.old.failed_logins(user) == 1


def test_verify_does_not_lock_anybody_out(three: Project, dovecot_pair: Pair) -> None:
    user = users_of(three)[1]
    give_password(three, user, "mistyped")
    error(three.run("sync"), 3, "login-rejected")
    for _hour in range(2):
        told = error(three.run("verify"), 3, "login-rejected")
        assert told["mailbox"] == user
    assert dovecot_pair.old.failed_logins(user) == 1


def test_check_stops_at_five_rejections_in_a_row(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    users = [new_user() for _ in range(12)]
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, *users)
    wrong = project.folder / "wrong"
    wrong.touch(0o600)
    wrong.write_text("mistyped\n")
    project.plan["endpoints"]["new"]["auth"]["password"] = f"file:{wrong}"
    project.save()
    answer = project.run("check")
    assert {told["code"] for told in errors(answer, 3)} == {"login-rejected"}
    assert sum(dovecot_pair.new.failed_logins(user) for user in users) == 5
    tried = [mailbox["sides"][1]["tried"] for mailbox in answer.facts["mailboxes"]]
    assert (tried.count(True), tried.count(False)) == (5, 7)
    assert all(mailbox["sides"][0]["ok"] for mailbox in answer.facts["mailboxes"])


# --- what a target refuses --------------------------------------------------------------------------------------


def test_a_read_only_target(new_dovecot: Server, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    user, new = new_user(), new_dovecot(Settings())
    load(*dovecot_pair.old.access(user), {"INBOX": mails(5)})
    dump(*new.access(user))
    new.restart(read_only=True)
    project = between(dovecot_pair.old, new, tmp_path, user)
    findings = project.run("check").facts["mailboxes"][0]["sides"][1]["findings"]
    assert any(each["topic"] == "rights" and not each["ok"] and each["remedy"] for each in findings)
    told = error(project.run("sync"), 3, "access-denied")
    assert told["mailbox"] == user
    assert "INBOX" in told["message"]
    assert told["remedy"]
    assert project.counts()["failed"] == 0
    new.restart(read_only=False)
    project.plan["endpoints"]["new"]["port"] = new.port
    project.save()
    assert_healthy(project)


def test_a_target_over_quota(new_dovecot: Server, dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    user, other, new = new_user(), new_user(), new_dovecot(Settings(quota=True))
    for each in (user, other):
        load(*dovecot_pair.old.access(each), {"INBOX": mails(40, size=4000)})
    new.set_quota(user, 50_000)
    project = between(dovecot_pair.old, new, tmp_path, user, other)
    told = error(project.run("sync"), 3, "quota-exceeded")
    assert told["mailbox"] == user
    assert "quota" in told["message"].lower()
    assert "raise" in told["remedy"]
    counts = project.counts()
    assert counts["failed"] == 0
    assert counts["pending"] > 0
    assert project.run("quarantine", "list").facts["items"] == []
    new.set_quota(user, 5_000_000)
    assert_healthy(project)
    assert contents(dump(*new.access(user)))["INBOX"] == contents(dump(*dovecot_pair.old.access(user)))["INBOX"]


def test_a_folder_that_the_target_cannot_have(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """mdbox keeps its messages under this name and has no folder of it: it gets a plainer one, or that of the plan."""
    user, other = new_user(), new_user()
    for each in (user, other):
        load(*dovecot_pair.old.access(each), {"INBOX": mails(3), "dbox-Mails": mails(3, "more")})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user, limits=ONE_AT_A_TIME)
    assert errors(run_patched(project, HURRY, "sync"), 0) == []
    (renamed,) = (name for name in dump(*dovecot_pair.new.access(user)) if "dbox" in name)
    assert renamed != "dbox-Mails"
    assert len(dump(*dovecot_pair.new.access(user))[renamed]) == 3
    project.plan["mailboxes"].append({"source": other, "target": other})
    project.plan["scope"] = {"folders": {"rename": {"dbox-Mails": "Old mails"}}}
    project.save()
    assert_healthy(project)
    assert len(dump(*dovecot_pair.new.access(other))["Old mails"]) == 3
    assert len(dump(*dovecot_pair.new.access(user))[renamed]) == 3  # what is mapped once stays where it is


# --- the run itself ---------------------------------------------------------------------------------------------


def test_a_second_run_of_the_plan_is_refused(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    user = new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": mails(2000, size=2000)})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user)
    with project.running("sync") as first:
        assert within(20, lambda: list((Path(project.state) / "locks").glob("target-*.lock")))
        first.process.send_signal(signal.SIGSTOP)
        told = error(project.run("sync"), 7, "plan-held")
        assert str(first.process.pid) in told["message"]
        assert "wait" in told["remedy"]
        assert line(project.run("sync", text=True), 7)
        assert project.run("status").exit == 0
        assert first.running
        first.kill()
    assert_healthy(project)


def test_processes_that_begin_at_once(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """There is no state yet, nor a key for the passwords of the CSV: each is made once."""
    user = new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": mails(20)})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user)
    boxes = project.folder / "boxes.csv"
    boxes.touch(0o600)
    boxes.write_text(f"source,source_password,target_password\n{user},secret,secret\n")
    project.plan["mailboxes"] = [{"file": "boxes.csv"}]
    project.save()
    begun = [project.start(command) for command in ("sync", "check", "sync", "check", "sync")]
    ended = [each.finish() for each in begun]
    assert {each.exit for each in ended[1::2]} == {0}, ended
    assert {0} <= {each.exit for each in ended[::2]} <= {0, 7}, ended
    assert_healthy(project)
    assert (
        contents(dump(*dovecot_pair.new.access(user)))["INBOX"]
        == contents(dump(*dovecot_pair.old.access(user)))["INBOX"]
    )


def test_sigterm_ends_a_run_that_can_be_resumed(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    user = new_user()
    load(*dovecot_pair.old.access(user), {"INBOX": mails(2000, size=2000)})
    project = between(dovecot_pair.old, dovecot_pair.new, tmp_path, user)
    with project.running("sync") as run:
        assert within(20, lambda: list((Path(project.state) / "locks").glob("target-*.lock")))
        answer = run.ask(signal.SIGTERM)
    assert answer.exit == 6, answer
    assert_healthy(project)


BROKEN = """
import xdmigrate_imap.plugin as plugin
def source(self, endpoint, login):
    raise RuntimeError("a bug with hunter2 in it")
plugin.ImapConnector.source = source
"""


def test_a_bug_is_one_line_and_its_traceback_stays_in_the_log(three: Project) -> None:
    told = errors(run_patched(three, BROKEN, "sync"), 1)
    assert [each["code"] for each in told] == ["internal"] * 3
    assert {each["mailbox"] for each in told} == set(users_of(three))
    assert all("RuntimeError" in each["message"] and "report" in each["remedy"] for each in told)
    assert all("hunter2" not in each["message"] for each in told)
    assert len(lines(run_patched(three, BROKEN, "sync", text=True), 1)) == 3
    (log,) = (Path(three.state) / "logs").rglob("sync.log")
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert_healthy(three)


def test_a_bug_outside_of_any_mailbox(three: Project, tmp_path: Path) -> None:
    patch = "import xdmigrate.jobs.threads as threads\ndef run(self):\n    raise RuntimeError('hunter2')\n"
    patch += "threads.Runner.run = run\n"
    told = error(run_patched(three, patch, "sync"), 1, "internal")
    assert "RuntimeError" in told["message"]
    assert "hunter2" not in told["message"]
    assert "sync.log" in told["message"]
    assert_verified_after(three)


def assert_verified_after(project: Project) -> None:
    assert project.run("sync").exit == 0
    assert_verified(project)
