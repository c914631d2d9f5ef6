"""Gmail: one message under several labels, at the source and at the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.connectors.imap.dialect.job import INBOX, USER, Job, mail
from tests.connectors.imap.dialect.server import DialectServer
from tests.connectors.imap.dialect.speech import BASIC, DOVECOT, GMAIL, YAHOO
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.model import Role
from xdmigrate_imap import connector
from xdmigrate_imap.source import ImapSource
from xdmigrate_imap.target import ImapTarget

ALL, TRASH, STARRED = b"[Gmail]/Alle Nachrichten", b"[Gmail]/Papierkorb", b"[Gmail]/Markiert"


def source_of(server: DialectServer) -> ImapSource:
    return connector.source(server.endpoint("old"), server.login(USER))


def target_of(server: DialectServer) -> ImapTarget:
    return connector.target(server.endpoint("new"), server.login(USER))


def test_a_message_has_one_identity_whatever_its_label() -> None:
    with DialectServer(GMAIL) as server:
        account = server.account(USER)
        account.add(account.box(INBOX), mail(1), [rb"\Flagged"])
        source = source_of(server)
        assert source.features.labels
        assert source.features.identities
        opened = [folder for folder in source.folders() if folder.selectable]
        listed = {folder.path: [head.identity for head in source.heads(folder)] for folder in opened}
        [identity] = listed["INBOX",]
        assert identity.isdigit()
        assert listed["[Gmail]", "Alle Nachrichten"] == listed["[Gmail]", "Markiert"] == [identity]


def test_special_uses_have_local_names() -> None:
    with DialectServer(GMAIL) as server:
        listed = {folder.role: folder for folder in source_of(server).folders()}
    assert listed[Role.ALL].path == ("[Gmail]", "Alle Nachrichten")
    assert listed[Role.IMPORTANT].path == ("[Gmail]", "Wichtig")
    assert listed[Role.FLAGGED].path == ("[Gmail]", "Markiert")
    assert listed[Role.DRAFTS].path == ("[Gmail]", "Entwürfe")


def test_every_message_arrives_once(tmp_path: Path) -> None:
    with Job(tmp_path, GMAIL, DOVECOT) as job:
        inbox, work = job.old.box(INBOX), job.old.create(b"Work")
        job.old.add(inbox, mail(1), [rb"\Flagged"])
        job.old.add(inbox, mail(2))
        job.old.add(work, mail(2))
        job.old.add(job.old.box(ALL), mail(3))  # archived: no label at all
        job.old.add(job.old.box(TRASH), mail(4))
        job.done()
        assert job.everything() == sorted(map(mail, range(1, 5)))
        assert job.new.contents(b"Work") == [mail(2)]
        assert job.new.contents(ALL) == [mail(3)]
        assert job.verify().verdict == "pass"


def test_a_target_with_labels_keeps_one_object_for_equal_messages(tmp_path: Path) -> None:
    with Job(tmp_path, DOVECOT, GMAIL) as job:
        inbox, work = job.old.box(INBOX), job.old.create(b"Work")
        for _ in range(3):
            job.old.add(inbox, mail(1))
        job.old.add(work, mail(1))
        job.old.add(work, mail(2))
        job.done()
        assert job.new.contents(INBOX) == [mail(1)]
        assert job.new.contents(b"Work") == [mail(1), mail(2)]
        assert job.new.contents(ALL) == [mail(1), mail(2)]
        assert [each.reason for each in job.failures()] == ["not-kept"] * 2  # told, never passed over


def test_mirroring_takes_the_label_and_never_the_message(tmp_path: Path) -> None:
    with Job(tmp_path, DOVECOT, GMAIL, Policy(Scope(), mirror=True)) as job:
        work = job.old.create(b"Work")
        for number in range(4):
            job.old.add(work, mail(number))
        job.done()
        job.old.expunge(work, [1, 2])
        job.done()
        assert job.new.contents(b"Work") == [mail(2), mail(3)]
        assert job.new.contents(ALL) == [mail(number) for number in range(4)]


def test_the_size_limit_is_known_without_being_told() -> None:
    silent = replace(GMAIL, capabilities=tuple(each for each in GMAIL.capabilities if "APPENDLIMIT" not in each))
    for dialect, limit in ((silent, 35_651_584), (GMAIL, 35_651_584), (DOVECOT, None)):
        with DialectServer(dialect) as server:
            assert target_of(server).features.size_limit == limit


def test_a_size_limit_of_one_mailbox_is_asked_for(tmp_path: Path) -> None:
    """RFC 7889: APPENDLIMIT without a number."""
    limited = replace(DOVECOT, capabilities=(*DOVECOT.capabilities, "APPENDLIMIT"), size_limit=500)
    with Job(tmp_path, BASIC, limited) as job:
        small, large = mail(1), mail(2, b"x" * 600 + b"\r\n")
        for data in (small, large):
            job.old.add(job.old.box(INBOX), data)
        job.done()
        assert job.everything() == [small]
        assert [each.reason for each in job.failures()] == ["too-big"]
        assert len(job.new_server.commands(b"APPEND")) == 1  # the other one was not even offered
        findings = connector.check(job.new_server.endpoint("new"), job.new_server.login(USER), writable=True)
        assert ["500" in each.text for each in findings if each.topic == "size-limit"] == [True]


def test_object_ids_are_identities_without_being_labels() -> None:
    """RFC 8474: EMAILID names the content; a copy in another mailbox is a copy all the same."""
    with DialectServer(YAHOO) as server:
        account = server.account(USER)
        account.add(account.box(INBOX), mail(1))
        features = source_of(server).features
        assert (features.identities, features.labels) == (True, False)
        [head] = source_of(server).heads(next(f for f in source_of(server).folders() if f.path == ("INBOX",)))
        assert head.identity.startswith(b"M")
