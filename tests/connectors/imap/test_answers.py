"""What a refusal means: the mailbox stops, the item is set aside, or it is tried again; and nothing is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FULL
from tests.connectors.imap.dialect.job import INBOX, Job, mail
from tests.connectors.imap.dialect.session import Fault
from tests.connectors.imap.dialect.speech import BASIC, DOVECOT, EXCHANGE, Dialect
from xdmigrate.engine.advance import Verdict

COUNT = 7
SINGLE = replace(DOVECOT, capabilities=tuple(each for each in DOVECOT.capabilities if each != "MULTIAPPEND"))
LATER, PERSON, DONE = Verdict.RETRY_AT, Verdict.ATTENTION, Verdict.DONE


@dataclass(frozen=True)
class Case:
    """A command that gets an answer, and what comes of it."""

    command: bytes
    answer: bytes
    verdict: Verdict
    code: str = ""  # of the error, or of the quarantined items
    delay: float = 0.0  # seconds that the server asks to wait
    times: int = 10_000
    done: bool = False  # carried out all the same


ON_TARGET = {
    "over quota": Case(b"APPEND", b"NO [OVERQUOTA] no room", PERSON, "quota-exceeded"),
    "full in words": Case(b"APPEND", b"NO Mailbox is full", PERSON, "quota-exceeded"),
    "Exchange's disguise": Case(b"APPEND", b"NO Server Unavailable. 15", PERSON, "quota-exceeded"),
    "no right": Case(b"APPEND", b"NO [NOPERM] not yours", PERSON, "access-denied"),
    "read-only": Case(b"APPEND", b"NO [READ-ONLY] not now", PERSON, "access-denied"),
    "not authorised": Case(b"APPEND", b"NO [AUTHORIZATIONFAILED] no", PERSON, "access-denied"),
    "ask the administrator": Case(b"APPEND", b"NO [CONTACTADMIN] blocked", PERSON, "access-denied"),
    "limit": Case(b"APPEND", b"NO [LIMIT] too many", LATER, "throttled"),
    "unavailable": Case(b"APPEND", b"NO [UNAVAILABLE] backend is down", LATER, "throttled"),
    "in use": Case(b"APPEND", b"NO [INUSE] somebody else", LATER, "throttled"),
    "in words": Case(b"APPEND", b"NO Too many commands, try again later", LATER, "throttled"),
    "Gmail's limit": Case(
        b"APPEND", b"NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", LATER, "throttled", 3600.0
    ),
    "Exchange's back-off": Case(
        b"APPEND",
        b"NO Request is throttled. Suggested Backoff Time: 299961 milliseconds",
        LATER,
        "throttled",
        299.961,
    ),
    "a folder that went away": Case(b"APPEND", b"NO [TRYCREATE] no such mailbox", LATER, "folder-unusable"),
    "a folder that cannot be opened": Case(b"SELECT", b"NO [SERVERBUG] oops", LATER, "folder-unusable"),
    "created meanwhile": Case(b"CREATE", b"NO [ALREADYEXISTS] there", DONE, done=True),
    "farewell": Case(b"APPEND", b"* BYE going down", LATER, "connection-lost"),
    "farewell with a limit": Case(b"APPEND", b"* BYE [UNAVAILABLE] busy", LATER, "throttled"),
    "not this one": Case(b"APPEND", b"NO [CANNOT] malformed", DONE, "refused"),
    "too large": Case(b"APPEND", b"NO [TOOBIG] too large", DONE, "too-big"),
    "too large in words": Case(b"APPEND", b"NO Message size exceeds fixed maximum", DONE, "too-big"),
    "a bug of theirs": Case(b"APPEND", b"NO [SERVERBUG] oops", DONE, "refused"),
    "without a reason": Case(b"APPEND", b"NO", DONE, "refused"),
}
ON_SOURCE = {
    "login limit": Case(b"AUTHENTICATE", b"NO [LIMIT] too many connections", LATER, "throttled"),
    "wrong password": Case(b"AUTHENTICATE", b"NO [AUTHENTICATIONFAILED] no", PERSON, "login-rejected"),
    "listing later": Case(b"LIST", b"NO [UNAVAILABLE] later", LATER, "throttled"),
    "a folder that went away": Case(b"EXAMINE", b"NO [NONEXISTENT] gone", LATER, "folder-unusable"),
    "no right to read": Case(b"EXAMINE", b"NO [NOPERM] not yours", PERSON, "access-denied"),
    "bandwidth": Case(
        b"UID FETCH .*BODY", b"NO Account exceeded command or bandwidth limits", LATER, "throttled", 3600.0
    ),
    "farewell": Case(b"UID FETCH .*BODY", b"* BYE so long", LATER, "connection-lost"),
    "damaged": Case(b"UID FETCH .*BODY", b"NO [CORRUPTION] cannot be read", DONE, "unreadable"),
    "gone meanwhile": Case(b"UID FETCH .*BODY", b"NO [EXPUNGEISSUED] some are gone", DONE, times=1),
}


def begin(job: Job) -> list[bytes]:
    """A few messages at the source."""
    for number in range(COUNT):
        job.old.add(job.old.box(INBOX), mail(number))
    job.old.add(job.old.create(b"Work"), mail(COUNT))
    return sorted(map(mail, range(COUNT + 1)))


def meets(job: Job, case: Case) -> None:
    """The pass ends as the answer means it, and where something stopped, nobody is told to wait less than asked."""
    before = job.clock.now()
    step = job.step()
    assert step.verdict is case.verdict, step
    if step.error is None:
        assert {each.reason for each in job.failures()} == ({case.code} if case.code else set())
        return
    assert step.error.code == case.code, step.error
    assert step.error.remedy
    assert not job.failures()
    if case.verdict is LATER:
        assert step.when - before >= case.delay


def recovers(job: Job, wanted: list[bytes]) -> None:
    """When the server thinks better of it, everything arrives, once."""
    job.old_server.faults.clear()
    job.new_server.faults.clear()
    job.retry_quarantine()
    job.done()
    assert job.everything() == wanted
    assert job.verify().verdict == "pass"


@pytest.mark.parametrize("name", ON_TARGET)
def test_answers_of_a_target(tmp_path: Path, name: str) -> None:
    case = ON_TARGET[name]
    with Job(tmp_path, DOVECOT, SINGLE) as job:
        wanted = begin(job)
        job.new_server.faults.append(Fault(case.command, case.answer, times=case.times, done=case.done))
        meets(job, case)
        recovers(job, wanted)


@pytest.mark.parametrize("name", ON_SOURCE)
def test_answers_of_a_source(tmp_path: Path, name: str) -> None:
    case = ON_SOURCE[name]
    with Job(tmp_path, DOVECOT, SINGLE) as job:
        wanted = begin(job)
        job.old_server.faults.append(Fault(case.command, case.answer, times=case.times, done=case.done))
        meets(job, case)
        recovers(job, wanted)


# --- a connection that ends at any time ---------------------------------------------------------------------------

ENDS = (b"* BYE so long", b"* BYE Too many connections", b"NO [UNAVAILABLE] later")


@settings(max_examples=300 if FULL else 6)
@given(
    ends=st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.sampled_from(ENDS), st.booleans()), max_size=4),
    target=st.sampled_from([DOVECOT, SINGLE, BASIC]),
)
def test_connections_end_at_any_time(
    tmp_path_factory: pytest.TempPathFactory, ends: list[tuple[bool, int, bytes, bool]], target: Dialect
) -> None:
    with Job(tmp_path_factory.mktemp("job"), DOVECOT, target) as job:
        wanted = begin(job)
        for at_source, spared, answer, done in ends:
            server = job.old_server if at_source else job.new_server
            server.faults.append(Fault(b"(?!AUTH|CAPA|LOGOUT)", answer, spared=spared, done=done))
        job.done()
        assert job.everything() == wanted
        recovers(job, wanted)


# --- Exchange -----------------------------------------------------------------------------------------------------


def poisoned(number: int) -> bytes:
    """What Exchange does not take: long lines, NUL, 8-bit headers, in turn."""
    bodies = (b"x" * 10_000 + b"\r\n", b"nul\0\r\n")
    raw = mail(number, bodies[number % 2])
    return raw if number % 3 else raw.replace(b"Subject: ", b"Subject: \xfc ")


def test_exchange_hangs_up_after_ten_errors_and_the_rest_arrives(tmp_path: Path) -> None:
    with Job(tmp_path, DOVECOT, EXCHANGE) as job:
        good = [mail(number) for number in range(0, 60, 2)]
        bad = [poisoned(number) for number in range(1, 60, 2)]
        for number in range(60):
            job.old.add(job.old.box(INBOX), bad[number // 2] if number % 2 else good[number // 2])
        job.done()
        assert job.everything() == sorted(good)
        assert [each.reason for each in job.failures()] == ["refused"] * len(bad)
        hung_up = [step.error for step in job.steps if step.error is not None]
        assert all(error.code == "connection-lost" for error in hung_up)
        job.done()
        assert job.everything() == sorted(good)


def test_the_page_about_servers_explains_every_answer() -> None:
    page = (Path(__file__).parents[3] / "docs" / "connectors" / "imap-servers.md").read_text("utf-8")
    answers = b" ".join(case.answer for case in (*ON_TARGET.values(), *ON_SOURCE.values())).decode()
    codes = set(re.findall(r"\[[A-Z-]+\]", answers)) - {"[AUTHENTICATIONFAILED]"}  # a login's, on its own page
    assert [code for code in sorted(codes) if code not in page] == []
