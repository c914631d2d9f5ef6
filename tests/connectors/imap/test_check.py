"""What `check` tells, and the independent reader against servers that err."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk
from xdmigrate.contract import Finding
from xdmigrate.errors import ConnectionLost, FolderUnusable, ProtocolError, StateFull, Throttled, XdmigrateError
from xdmigrate.model import Folder
from xdmigrate_imap import bodies
from xdmigrate_imap.auditor import ImapAuditor
from xdmigrate_imap.plugin import ImapConnector

BOX = Folder(("Box",), native="Box", validity=7)


def inbox(talk: Talk) -> None:
    talk.expect(b'LIST "" "INBOX"', b'* LIST () "/" INBOX')
    talk.expect(b"NAMESPACE", b'* NAMESPACE (("" "/")) (("~" "/")) NIL')
    talk.expect(b"STATUS", b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)")


def check(capabilities: bytes, rights: bytes, quota: bytes) -> list[Finding]:
    def script(talk: Talk) -> None:
        talk.log_in(capabilities)
        inbox(talk)
        talk.expect(b"MYRIGHTS", b"* MYRIGHTS INBOX " + rights)
        talk.select()
        talk.expect(b"UNSELECT")
        talk.expect(b"GETQUOTAROOT", b'* QUOTAROOT INBOX ""', b'* QUOTA "" ' + quota)
        talk.expect(b"LIST", b'* LIST () "/" INBOX', b'* LIST () "/" "~bob"', b'* LIST () "/" "~bob/x"')
        talk.expect(b"LSUB")
        talk.expect(b"STATUS")

    with Scripted(script) as server:
        return ImapConnector().check(server.endpoint, LOGIN, writable=True)


def test_a_good_account() -> None:
    capabilities = b"ACL QUOTA NAMESPACE UNSELECT UIDPLUS MULTIAPPEND LITERAL- APPENDLIMIT=35651584 CONDSTORE"
    findings = check(capabilities, b"lrswipkxtecda", b"(STORAGE 10 1000 MESSAGE 5 100)")
    assert all(finding.ok for finding in findings)
    said = "\n".join(finding.text for finding in findings)
    for words in (LOGIN.user, "MULTIAPPEND", "35651584", "without LIST-STATUS", "4096", "10 of 1000 KiB", "2 folders"):
        assert words in said
    assert {finding.topic for finding in findings} == {"login", "capabilities", "rights", "quota", "size-limit"}


def test_missing_rights_and_a_full_mailbox_are_found_with_what_to_do() -> None:
    findings = check(b"ACL QUOTA NAMESPACE UNSELECT", b"lrs", b"(STORAGE 950 1000)")
    bad = [finding for finding in findings if not finding.ok]
    assert [finding.topic for finding in bad] == ["rights", "quota"]
    assert "lacking witk" in bad[0].text
    assert all(finding.remedy for finding in bad)


def test_rights_of_the_older_rfc_are_understood() -> None:
    findings = check(b"ACL QUOTA NAMESPACE UNSELECT", b"lrswicd", b"(STORAGE 1 1000)")
    assert all(finding.ok for finding in findings)


# --- the auditor ------------------------------------------------------------------------------------------------


def audited(*steps: Callable[[Talk], object]) -> Callable[[Talk], None]:
    def script(talk: Talk) -> None:
        talk.log_in()
        for step in steps:
            step(talk)

    return script


def answer(*lines: bytes, text: bytes = b"OK done") -> Callable[[Talk], None]:
    def step(talk: Talk) -> None:
        talk.command()
        talk.ok(*lines, text=text)

    return step


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (answer(b"* 5 FETCH (((((", text=b"OK done"), ProtocolError),
        (answer(b"* 1 FETCH (UID 1 RFC822.SIZE x)"), ProtocolError),
        (answer(b"* 1 FETCH (UID 1 RFC822.SIZE 5 FLAGS " + b"(" * 2000 + b")" * 2000 + b")"), ProtocolError),
        (answer(text=b"NO [UNAVAILABLE] storage is away"), Throttled),
        (answer(text=b"NO no such thing"), FolderUnusable),
        (answer(text=b"BAD what"), ProtocolError),
        (lambda talk: (talk.command(), talk.send(b"* BYE shutting down")), ConnectionLost),
        (lambda talk: talk.command(), ConnectionLost),
    ],
)
def test_an_auditor_fails_only_with_errors_of_ours(step: Callable[[Talk], object], error: type[XdmigrateError]) -> None:
    def opened(talk: Talk) -> None:
        talk.select(1)
        talk.expect(b"UID SEARCH", b"* SEARCH 1")

    with Scripted(audited(opened, step)) as server:
        auditor: ImapAuditor = ImapConnector().auditor(server.endpoint, LOGIN)
        with pytest.raises(error) as raised:
            list(auditor.heads(BOX))
        auditor.close()
    assert "127.0.0.1" in str(raised.value)


def test_an_auditor_takes_flags_that_look_like_something_else() -> None:
    line = b'* 1 FETCH (UID 1 RFC822.SIZE 5 FLAGS (123 NIL 007 \\Recent \\seen) INTERNALDATE "junk")'

    def opened(talk: Talk) -> None:
        talk.select(1)
        talk.expect(b"UID SEARCH", b"* SEARCH 1")
        talk.expect(b"UID FETCH", line)

    with Scripted(audited(opened)) as server:
        [head] = ImapConnector().auditor(server.endpoint, LOGIN).heads(BOX)
    assert head.flags == {"123", "NIL", "007", "\\Seen"}
    assert head.date is None


def test_a_full_temporary_directory_stops_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(StateFull, match="absent") as raised:
        bodies.hold([memoryview(b"x")], 1_000_000)
    assert "TMPDIR" in raised.value.remedy
