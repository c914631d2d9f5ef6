"""No secret, no subject and no body is ever in the state, the journal, a log or what is told, whatever goes wrong."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.live.cutting import Cut, CuttingProxy
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import CAPABILITIES, Settings
from tests.live.project import Answer, Project, secret_file, within
from tests.live.reader import Draft, load
from tests.live.refusals import HURRY, run_patched

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]

LIMIT = 40_000
"""Bytes of the largest message that the target takes."""


@dataclass
class Canaries:
    """Words that stand nowhere else in the world."""

    rng: Random
    words: dict[str, str] = field(default_factory=dict)  # word: what it is

    def new(self, what: str) -> str:
        """A word for this use."""
        word = f"{what}{self.rng.getrandbits(96):024x}"
        self.words[word] = what
        return word

    def pattern(self) -> re.Pattern[bytes]:
        """Finds every word, plain or in one of the forms in which protocols and programs write things."""
        forms = {re.escape(form) for word in self.words for form in _forms(word)}
        return re.compile(b"|".join(sorted(forms)))


def _forms(word: str) -> Iterator[bytes]:
    raw = word.encode()
    yield raw
    yield raw.hex().encode()
    yield word.encode("utf-16-le")
    for shift in range(3):  # base64 of something that holds the word, wherever it begins; its ends depend on the rest
        yield base64.b64encode(b"\0" * shift + raw)[4:-4]


@dataclass
class Job:
    """A job that goes wrong in many ways, and all that it told."""

    project: Project
    old: Dovecot
    users: list[str]
    canaries: Canaries
    cuts: list[int]
    told: list[tuple[str, str]] = field(default_factory=list)

    def run(self, *words: str, patch: str = HURRY, text: bool = False) -> Answer:
        """Run a command and keep what it told."""
        answer = run_patched(self.project, patch, *words, text=text)
        self.note(" ".join(words), answer)
        return answer

    def note(self, what: str, answer: Answer) -> None:
        self.told += [(what, answer.out), (what, answer.err)]

    def leaks(self, *elsewhere: Path) -> list[str]:
        """Where a word stands that must not."""
        pattern, found = self.canaries.pattern(), []
        for what, text in self.told:
            found += [f"{what}: {match[0]!r}" for match in pattern.finditer(text.encode())]
        for root in (Path(self.project.state), *elsewhere):
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    found += [
                        f"{path.relative_to(root)}: {match[0]!r}" for match in pattern.finditer(path.read_bytes())
                    ]
        return found


def messages(canaries: Canaries, count: int, size: int) -> list[Draft]:
    """Messages in which everything that a person wrote is a canary."""
    made = []
    for number in range(count):
        subject, sender, body, name = (canaries.new(what) for what in ("subject", "sender", "body", "attachment"))
        text = (
            f"From: {sender} <a@example.test>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: text/plain; name="{name}"\r\n\r\n{number} {body}\r\n'
        )
        made.append(Draft((text + "x" * max(0, size - len(text)) + "\r\n").encode()))
    return made


@pytest.fixture
def servers(new_dovecot: Server, rng: Random) -> tuple[Dovecot, Dovecot, Canaries]:
    canaries = Canaries(rng)
    old = new_dovecot(Settings(password=canaries.new("oldpassword")))
    announced = (*CAPABILITIES, f"APPENDLIMIT={LIMIT}")
    new = new_dovecot(Settings(password=canaries.new("newpassword"), capabilities=announced, storage="mdbox"))
    return old, new, canaries


@pytest.fixture
def job(
    servers: tuple[Dovecot, Dovecot, Canaries], new_user: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Job]:
    """Four mailboxes: two that can be copied, one whose CSV password is wrong, one whose stored password is wrong."""
    old, new, canaries = servers
    users = ann, bob, cyd, dan = [new_user() for _ in range(4)]
    for user in users:
        load(*old.access(user), {"INBOX": messages(canaries, 12, 3000), "Sub": messages(canaries, 3, LIMIT + 1)})
    load(*old.access(ann), {"Large": messages(canaries, 60, 30_000)})
    folder = tmp_path / "job"
    monkeypatch.setenv("CANARY_OLD", old.password)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    project = Project(
        folder,
        {
            "connector": "imap",
            "host": old.host,
            "port": old.port,
            "tls": "none",
            "auth": {"password": "env:CANARY_OLD"},
        },
        {
            "connector": "imap",
            "host": new.host,
            "port": new.port,
            "tls": "none",
            "auth": {"password": f"file:{secret_file(folder, new.password)}"},
        },
        [ann],
        customer={"name": "Contoso", "timezone": "Europe/London"},
    )
    project.plan["mailboxes"] += [{"file": "boxes.csv"}, {"source": dan}]
    project.save()
    (folder / "boxes.csv").touch(0o600)
    (folder / "boxes.csv").write_text(
        f"source,source_password,target_password\n{bob},{old.password},{new.password}\n"
        f"{cyd},{canaries.new('csvpassword')},{new.password}\n"
    )
    stored = tmp_path / "typed"
    stored.write_text(canaries.new("storedpassword") + "\n")
    typed = f"import sys\nsys.stdin = open({str(stored)!r})\n"
    cuts: list[int] = []
    made = Job(project, old, users, canaries, cuts)
    made.note("secret set", run_patched(project, typed, "secret", "set", f"target:{dan}"))
    with CuttingProxy(old.port, when_read(cuts)) as proxy:
        project.plan["endpoints"]["old"]["port"] = proxy.port
        project.save()
        yield made


def when_read(cuts: list[int]) -> Cut:
    """Cuts when so many bytes have been read; the list becomes shorter with each cut."""

    def cut(data: bytes, to_server: bool) -> int | None:
        if to_server or not cuts:
            return None
        if len(data) < cuts[0]:
            cuts[0] -= len(data)
            return None
        return cuts.pop(0)

    return cut


def kill_midway(job: Job) -> None:
    """kill -9 while messages are on their way."""
    with job.project.running("sync", "-v") as run:
        within(20, lambda: not run.running or open_ranges(job.project))
        job.note("sync, killed", run.kill())


def open_ranges(project: Project) -> int:
    """How many ranges are begun and not ended; none while the state is being made."""
    try:
        with closing(sqlite3.connect(f"file:{project.database}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM intent").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_no_canary_sings(job: Job, tmp_path: Path) -> None:
    spool, exported = tmp_path / "spool", tmp_path / "exported"
    assert job.run("check", "-v", text=True).exit == 3
    assert not job.leaks(spool)
    kill_midway(job)
    assert not job.leaks(spool), "right after the kill, with the write-ahead log as it was"
    job.cuts[:] = [60_000, 90_000]
    assert job.run("sync", "-v").exit == 3
    assert job.cuts == []
    bug = "import xdmigrate.engine.survey as survey\nsurvey.judge = lambda *given: given[0] + survey\n"
    load(*job.old.access(job.users[0]), {"INBOX": messages(job.canaries, 1, 3000)})
    assert job.run("sync", "-v", patch=HURRY + bug).exit == 1
    assert job.run("sync", "-v", text=True).exit == 3
    failed = job.run("quarantine", "list").facts["items"]
    assert [each["code"] for each in failed] == ["too-big"] * 6
    assert job.run("quarantine", "retry", "--all").exit == 0
    assert job.run("sync", "-v").exit == 3
    assert job.run("verify", "--full", "-v").exit == 3
    assert job.run("verify", text=True).exit == 3
    for words in ("status", "quarantine list", "journal show"):
        assert job.run(*words.split()).exit == job.run(*words.split(), text=True).exit == 0
    for words in ("diff", "secret status", "mailbox show 1"):
        assert job.run(*words.split(), text=True).exit == 0
    assert job.run("quarantine", "export", str(exported)).exit == 0
    assert not job.leaks(spool)


def test_the_search_finds_what_it_looks_for(job: Job, tmp_path: Path) -> None:
    """Only `quarantine export` may hold bodies, and it does."""
    kill_midway(job)
    job.run("sync", "-v")
    assert job.run("quarantine", "export", str(tmp_path / "exported")).exit == 0
    found = job.leaks(tmp_path / "exported")
    assert found
    assert all(".eml: b'" in each for each in found), found
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "exported").iterdir()} == {0}
    assert any(path.name == "job.vault" for path in Path(job.project.state).rglob("*")), "the store was searched, too"
    logs = list(Path(job.project.state).rglob("*.log"))
    assert any('"event": "call"' in path.read_text() for path in logs), "the verbose log was searched, too"
