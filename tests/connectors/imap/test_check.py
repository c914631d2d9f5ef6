"""What `check` tells, and the independent reader against servers that err."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


THEIRS = b'* LIST () "/" "~bob/x"', b'* LIST () "/" "~eve/Entw&APw-rfe"'


def check(capabilities: bytes, rights: bytes, quota: bytes, theirs: Sequence[bytes] = THEIRS) -> list[Finding]:
    def script(talk: Talk) -> None:
        talk.log_in(capabilities)
        inbox(talk)
        talk.expect(b"GETQUOTAROOT", b'* QUOTAROOT INBOX ""', b'* QUOTA "" ' + quota)
        talk.expect(b"MYRIGHTS", b"* MYRIGHTS INBOX " + rights)
        talk.select()
        talk.expect(b"UNSELECT")
        talk.expect(rb'LIST "" "\*"', b'* LIST () "/" INBOX', b'* LIST () "/" "~bob/x"')
        talk.expect(rb'LIST "" "~\*"', b'* LIST (\\Noselect) "/" "~bob"', *theirs)

    with Scripted(script) as server:
        return ImapConnector().check(server.endpoint, LOGIN, writable=True)


def test_a_good_account() -> None:
    capabilities = b"ACL QUOTA NAMESPACE UNSELECT UIDPLUS MULTIAPPEND LITERAL- APPENDLIMIT=35651584 CONDSTORE"
    findings = check(capabilities, b"lrswipkxtecda", b"(STORAGE 10 1000 MESSAGE 5 100)")
    assert all(finding.ok for finding in findings)
    said = "\n".join(finding.text for finding in findings)
    for words in (LOGIN.user, "MULTIAPPEND", "35651584", "without MOVE", "4096", "10 of 1000 KiB", "2 folders"):
        assert words in said
    topics = {finding.topic for finding in findings}
    assert topics == {"login", "capabilities", "fallback", "rights", "quota", "room", "size-limit", "keywords"}
    amounts = {finding.topic: finding.amount for finding in findings if finding.topic in ("room", "size-limit")}
    assert amounts == {"room": 990 * 1024, "size-limit": 35651584}


def test_missing_rights_and_a_full_mailbox_are_found_with_what_to_do() -> None:
    findings = check(b"ACL QUOTA NAMESPACE UNSELECT", b"lrs", b"(STORAGE 1000 1000 MESSAGE 95 100)")
    bad = [finding for finding in findings if not finding.ok]
    assert [finding.topic for finding in bad] == ["rights", "quota"]
    assert "lacking witk" in bad[0].text
    assert all(finding.remedy for finding in bad)
    worth_knowing = [finding for finding in findings if finding.ok and finding.remedy]
    assert ["95 of 100 messages" in finding.text for finding in worth_knowing] == [True]


def test_rights_of_the_older_rfc_are_understood() -> None:
    findings = check(b"ACL QUOTA NAMESPACE UNSELECT", b"lrswicd", b"(STORAGE 1 1000)")
    assert all(finding.ok for finding in findings)


def test_what_is_left_out_is_named_and_a_name_is_only_a_name() -> None:
    """Folders of others are found below their prefix, where LIST does not show them with the account's own."""

    def left_out(*theirs: bytes) -> str:
        findings = check(b"ACL QUOTA NAMESPACE UNSELECT", b"lrswipkxtecda", b"(STORAGE 1 1000)", theirs)
        return next(finding.text for finding in findings if "left out" in finding.text)

    assert left_out(*THEIRS) == "2 folders of other users or shared ones are left out: ~bob/x, ~eve/Entwürfe"
    many = left_out(*(b'* LIST () "/" "~eve/%d"' % number for number in range(9)))
    assert many.startswith("10 folders")
    assert many.endswith("~bob/x, ~eve/0, ~eve/1, ~eve/2, ~eve/3, …")
    odd = left_out(b'* LIST () "/" "~eve/a\x1b[2Jb"', b'* LIST () "/" "~eve/&AAoACg-"', b'* LIST () "/" "~\xff"')
    assert odd.isprintable()


def source(capabilities: bytes, *steps: Callable[[Talk], object]) -> list[Finding]:
    def script(talk: Talk) -> None:
        talk.log_in(b"NAMESPACE LIST-STATUS " + capabilities)
        inbox(talk)
        for step in steps:
            step(talk)

    with Scripted(script) as server:
        return ImapConnector().check(server.endpoint, LOGIN, writable=False)


def others(talk: Talk) -> None:
    talk.expect(rb'LIST "" "\*"')
    talk.expect(rb'LIST "" "~\*"')


def listing(talk: Talk) -> None:
    """INBOX and two folders, of which one is only a name."""
    lines = [b'* LIST () "/" INBOX', b'* LIST () "/" Box', b'* LIST (\\Noselect) "/" Names']
    sizes = [
        b"* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 7)",
        b"* STATUS Box (MESSAGES 5 UIDNEXT 9 UIDVALIDITY 7)",
    ]
    talk.expect(b"LIST", *lines, *sizes)


def examined(*flags: bytes, text: bytes = b"OK done") -> Callable[[Talk], object]:
    def step(talk: Talk) -> None:
        assert talk.command().startswith(b"EXAMINE ")
        talk.ok(*[b"* FLAGS (" + each + b")" for each in flags], text=text)

    return step


def test_a_source_tells_its_size_and_its_keywords() -> None:
    def sizes(talk: Talk) -> None:
        talk.expect(rb'STATUS "INBOX" \(SIZE\)', b"* STATUS INBOX (SIZE 1000)")
        talk.expect(rb'STATUS "Box" \(SIZE\)', b"* STATUS Box (SIZE 4294967296)")

    steps = (others, listing, sizes, examined(b"\\Seen $Work"), examined(b"$WORK Later \\Draft"))
    findings = source(b"STATUS=SIZE", *steps)
    assert all(finding.ok for finding in findings)
    told = {finding.topic: finding for finding in findings}
    assert (told["size"].amount, told["size"].text) == (4294968296, "7 messages in 2 folders, 4294968296 bytes")
    assert told["keywords"].names == ("$work", "later")


def test_gmails_day_is_told_before_it_is_used_up() -> None:
    def used(kibibytes: int) -> Finding:
        def quota(talk: Talk) -> None:
            talk.expect(b"GETQUOTAROOT", b'* QUOTA "" (STORAGE %d 15728640)' % kibibytes)

        findings = source(b"QUOTA X-GM-EXT-1", quota, others, listing, examined(b"\\Seen"), examined(b"\\Seen"))
        return next(finding for finding in findings if "a day" in finding.text)

    assert (used(2_000_000).remedy, used(2_000_000).ok) == ("", True)
    assert used(5_000_000).remedy.startswith("begin 3 days before")


def test_folders_that_cannot_be_read_are_named() -> None:
    def rights(talk: Talk) -> None:
        talk.expect(b'MYRIGHTS "INBOX"', b"* MYRIGHTS INBOX lr")
        talk.expect(b'MYRIGHTS "Box"', b"* MYRIGHTS Box l")

    def quota(talk: Talk) -> None:
        talk.expect(b"GETQUOTAROOT", b'* QUOTA "" (STORAGE 12 0)')

    def mine(talk: Talk) -> None:
        talk.expect(b"MYRIGHTS", b"* MYRIGHTS INBOX lr")

    closed = examined(text=b"NO [SERVERBUG] broken index")
    findings = source(b"ACL QUOTA", quota, mine, others, listing, rights, examined(b"\\Seen"), closed)
    bad = [finding for finding in findings if not finding.ok]
    assert [finding.text for finding in bad] == ["no right to read “Box”", "cannot open “Box”"]
    assert all(finding.remedy for finding in bad)
    assert [finding.amount for finding in findings if finding.topic == "size"] == [12 * 1024]


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
