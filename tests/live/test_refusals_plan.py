"""Plans and command lines that cannot be carried out: exit 2, every problem at once, and no server hears of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.project import Project
from tests.live.refusals import HURRY, Facts, error, errors, line, lines, run_patched

Values = dict[str, Any]
Edit = Callable[[Project], object]

NOBODY = {"connector": "imap", "host": "imap.nowhere.invalid", "auth": {"password": "env:XDMIGRATE_TEST_PASSWORD"}}
"""RFC 2606: nobody has this name, so nothing is ever sent."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two mailboxes on servers that do not exist."""
    return Project(tmp_path, dict(NOBODY), {**NOBODY, "host": "new.invalid"}, ["ann@example.test", "bob@example.test"])


def write(project: Project, name: str, text: str | bytes, mode: int = 0o600) -> Path:
    path = project.folder / name
    path.touch(mode)
    path.chmod(mode)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def csv(project: Project, text: str, mode: int = 0o600) -> None:
    write(project, "boxes.csv", text, mode)
    project.plan["mailboxes"] = [{"file": "boxes.csv"}]


def refused(project: Project, command: str = "sync") -> list[Facts]:
    """The problems of the plan."""
    project.save()
    found = errors(project.run(command), 2)
    assert {each["code"] for each in found} == {"plan-invalid"}
    assert not Path(project.state).exists(), "a plan that cannot be used leaves nothing behind"
    return found


# --- the plan and its CSV files -----------------------------------------------------------------------------------


EDITS: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "a mailbox twice in a CSV": (
        lambda p: csv(p, "source,target\nann@a.test,x@b.test\nbob@a.test,y@b.test\nANN@a.test,z@b.test\n"),
        ("boxes.csv:4", "line 2", "remove"),
    ),
    "two mailboxes onto one": (
        lambda p: csv(p, "source,target\nann@a.test,x@b.test\nbob@a.test,X@b.test\n"),
        ("boxes.csv:3", "x@b.test"),
    ),
    "a CSV that is not there": (lambda p: p.plan.update(mailboxes=[{"file": "no.csv"}]), ("job.yaml:", "no.csv")),
    "a CSV that is a directory": (lambda p: p.plan.update(mailboxes=[{"file": "."}]), ("job.yaml:", "directory")),
    "a CSV of passwords for everybody": (
        lambda p: csv(p, "source,source_password\nann@a.test,hunter2hunter2\n", 0o644),
        ("boxes.csv", "0644", "chmod 600"),
    ),
    "a CSV that is a spreadsheet": (lambda p: csv(p, "PK\x03\x04\0\0source"), ("boxes.csv", "UTF-8")),
    "an unknown column": (lambda p: csv(p, "source,tarjet\na@a.test,b@b.test\n"), ("boxes.csv:1", "tarjet", "target")),
    "a line break in a user's name": (
        lambda p: csv(p, 'source,source_user\nann@a.test,"ann\r\nA1 LOGOUT"\n'),
        ("boxes.csv:2", "control character"),
    ),
    "an unknown key": (lambda p: p.plan.update(mailboxs=[]), ("job.yaml:", "mailboxs", "mailboxes")),
    "an unknown key of an endpoint": (
        lambda p: p.plan["endpoints"]["old"].update(prot=993),
        ("job.yaml:", "endpoints.old.prot", "port"),
    ),
    "a connector that nobody has": (
        lambda p: p.plan["endpoints"]["old"].update(connector="imapp"),
        ("job.yaml:", "imapp", "imap"),
    ),
    "a secret in the plan itself": (
        lambda p: p.plan["endpoints"]["old"]["auth"].update(password="hunter2hunter2"),
        ("job.yaml:", "env:NAME"),
    ),
    "a plan that is no plan": (lambda p: p.plan.clear(), ("job.yaml:", "version")),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_plan_with_one_fault(project: Project, what: str) -> None:
    edit, words = EDITS[what]
    project.plan["endpoints"] = {
        name: {**each, "auth": dict(each["auth"])} for name, each in project.plan["endpoints"].items()
    }
    edit(project)
    found = refused(project)
    told = [each["message"] + " " + each["remedy"] for each in found]
    assert any(all(word in text for word in words) for text in told), told
    assert all(each["remedy"] for each in found), found
    assert "hunter2" not in "".join(told)


BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)),
    "depth": "version: " + "[" * 100_000,
    "size": "version: 1\nx: " + "y" * 11_000_000,
    "breadth": "version: [" + "1," * 300_000 + "1]",
    "itself": "version: &a [*a]",
    "a tag": "version: !!python/object/apply:os.system ['touch /tmp/never']",
    "octets": "version: \x00\x01",
    "half a file": "version: 1\nname: {",
    "nothing": "",
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_file_that_was_made_to_hurt(project: Project, what: str) -> None:
    project.file.write_text(BOMBS[what])
    found = errors(project.run("check"), 2)
    assert {each["code"] for each in found} == {"plan-invalid"}
    assert len(found) < 30


def test_a_plan_that_extends_itself(project: Project) -> None:
    project.plan["extends"] = "job.yaml"
    assert "extends itself" in refused(project)[0]["message"]


def test_twenty_mistakes_are_told_at_once(project: Project) -> None:
    csv(project, 'source,target\na@a.test,b@b.test\na@a.test,c@b.test\n,d@b.test\n"open\n')
    project.plan.update(
        version=7,
        name="Job!",
        endpoints={
            "old": {"connector": "imap", "host": "two words", "port": 70_000, "tls": "yes", "fingerprint": "12"},
            "new": {"connector": "nntp", "auth": {"password": "plain", "mechanism": "ntlm", "usr": "x"}},
        },
        source="odl",
        target="new",
        limits={"old": {"connections": 0}, "nobody": {"connections": 2}},
        deletions="all",
        invitations="always",
        failures={"items_per_mailbox": -1},
        scope={"max_size": "huge", "mail_since": "yesterday", "order": "random", "folders": {"include": "*"}},
        colour="red",
    )
    found = [each["message"] for each in refused(project, "check")]
    assert len(found) >= 20, found
    for where in (
        "version",
        "name",
        "endpoints.old.port",
        "source",
        "limits",
        "deletions",
        "scope.max_size",
        "boxes.csv:3",
    ):
        assert any(where in message for message in found), where
    numbers = [int(message.split(":")[1]) for message in found if "job.yaml:" in message]
    assert numbers == sorted(numbers)
    assert len(lines(project.run("check", text=True), 2)) == len(found)


def test_two_plan_files_with_one_name(project: Project) -> None:
    """A guard: the second would edit the mailboxes of the first."""
    project.plan["endpoints"]["old"]["auth"] = {"password": "env:NOT_SET_ANYWHERE"}
    project.save()
    assert project.run("sync").exit == 2  # its secrets cannot be read, but it is known now
    first, project.file = project.file, project.folder / "other.yaml"
    project.plan["mailboxes"] = [{"source": "carla@example.test"}]
    project.save()
    told = error(project.run("sync"), 5, "guard-refused")
    assert str(first) in told["message"]
    assert str(project.file) in told["message"]
    assert "another name" in told["remedy"]
    assert [each["source"] for each in project.run("status").facts["mailboxes"]] == [
        "ann@example.test",
        "bob@example.test",
    ]
    first.unlink()
    assert project.run("sync").exit == 2, "a file that was moved is the same plan"


# --- secrets ------------------------------------------------------------------------------------------------------


def no_password(project: Project, reference: str | None) -> list[Facts]:
    for name in ("old", "new"):
        auth = {} if reference is None else {"password": reference}
        project.plan["endpoints"][name] = {**project.plan["endpoints"][name], "auth": auth}
    project.save()
    found = errors(project.run("sync"), 2)
    assert {each["code"] for each in found} == {"secret-unreadable"}
    assert {each["mailbox"] for each in found} == {"ann@example.test", "bob@example.test"}
    assert all(each["remedy"] for each in found), found
    return found


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("file:nowhere.pw", ("nowhere.pw", "No such file")),
        ("env:XDMIGRATE_NOT_SET", ("XDMIGRATE_NOT_SET", "variable")),
        ("keyring:xdmigrate/nobody", ("xdmigrate/nobody", "keyring")),
        ("store:nobody", ("store:nobody", "secret PLAN set")),
        ("command:false", ("false", "exit code 1")),
        ("command:no-such-program-anywhere", ("no-such-program-anywhere", "No such file")),
        (None, ("no password", "secret PLAN set")),
    ],
)
def test_a_secret_that_cannot_be_read(project: Project, reference: str | None, words: tuple[str, ...]) -> None:
    for told in no_password(project, reference):
        assert all(word in told["message"] + told["remedy"] for word in words), told


def test_a_secret_that_others_can_read(project: Project) -> None:
    write(project, "old.pw", "hunter2hunter2\n", 0o644)
    for told in no_password(project, "file:old.pw"):
        assert "0644" in told["message"]
        assert "chmod 600" in told["remedy"]
        assert "hunter2" not in str(told)
    assert len(lines(project.run("check", text=True), 2)) == 4, "each mailbox on either side"
    write(project, "old.pw", "", 0o600)
    assert all("empty" in told["message"] for told in no_password(project, "file:old.pw"))


def test_a_store_whose_key_is_lost(project: Project) -> None:
    csv(project, "source,source_password,target_password\nann@example.test,one,two\n")
    project.save()
    assert run_patched(project, HURRY, "sync").exit == 4  # nobody answers, but the passwords are kept
    shutil.rmtree(project.folder / "home")
    found = errors(project.run("sync"), 2)
    assert {each["code"] for each in found} == {"secret-unreadable"}
    assert all("key" in each["message"] and each["remedy"] for each in found)


# --- the command line ---------------------------------------------------------------------------------------------


def test_commands_that_ask_for_what_is_not_there(project: Project) -> None:
    project.plan["endpoints"]["old"]["auth"] = {"password": "env:XDMIGRATE_NOT_SET"}
    project.save()
    assert project.run("sync").exit == 2, "the secrets cannot be read, but the plan is known now"
    for words, told in (
        ("sync --mailbox nobody@example.test", "nobody@example.test"),
        ("sync --wave pilot", "pilot"),
        ("sync --kind mails", "mail"),
        ("sync --no-such-option", "--no-such-option"),
        ("verify --sample x", "--sample"),
        ("quarantine retry", "which items"),
    ):
        found = error(project.run(*words.split()), 2, "usage")
        assert told in found["message"]
        assert found["remedy"]
    assert told in line(project.run(*words.split(), text=True), 2)


def test_a_plan_file_that_is_not_there(project: Project) -> None:
    project.file = project.folder / "nothing\x1b[2J.yaml"
    found = error(project.run("sync"), 2, "usage")
    assert "nothing" in found["message"]
    assert "init" in found["remedy"]
    assert line(project.run("sync", text=True), 2)


def test_a_plan_that_was_never_run(project: Project) -> None:
    for command in (("status",), ("verify",), ("journal", "verify"), ("quarantine", "list"), ("pause",)):
        found = error(project.run(*command), 2, "state-unusable")
        assert "sync" in found["remedy"]
    assert not list(Path(project.state).glob("*.db"))


def test_the_plan_as_yaml_means_itself(project: Project) -> None:
    """The tests above edit what `save` writes."""
    project.save()
    assert yaml.safe_load(project.file.read_text()) == project.plan
