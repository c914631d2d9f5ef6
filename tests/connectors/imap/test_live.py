"""Against Dovecot: the real corpus byte for byte, bodies that attack, quota, rights, names, memory, and the auditor."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.conftest import Pair
from tests.connectors.imap.rewrites import as_dovecot_keeps
from tests.connectors.imap.scripted import item
from tests.data import corpus
from tests.data.folders import AWKWARD, REFUSED
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from xdmigrate.contract import Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied, FolderUnusable, QuotaExceeded
from xdmigrate.model import Endpoint, FlagChange, Folder, Head, Item, Login, fingerprint
from xdmigrate_imap import connector
from xdmigrate_imap.source import ImapSource
from xdmigrate_imap.target import ImapTarget

New = Callable[[Settings], Dovecot]
SUBSET = 400


def endpoint(server: Dovecot) -> Endpoint:
    return Endpoint("box", "imap", {"host": server.host, "port": server.port, "tls": "none"})


def login(server: Dovecot, user: str) -> Login:
    return Login(user, user, server.password)


def target_of(server: Dovecot, user: str) -> ImapTarget:
    return connector.target(endpoint(server), login(server, user))


def write(target: ImapTarget, folder: Folder, items: Iterator[Item] | Sequence[Item]) -> list[Receipt]:
    receipts: list[Receipt] = []
    with target.writer(folder, Intent(1, 1, 1)) as writer:
        for ticket, each in enumerate(items):
            writer.put(ticket, each)
            receipts += writer.poll()
        return receipts + writer.flush()


def bodies(source: ImapSource, folder: Folder) -> list[bytes]:
    refs = [head.ref for head in source.heads(folder)]
    return [b"".join(bytes(chunk) for chunk in each.body.chunks()) for each in source.read(folder, refs)]


# --- bytes ------------------------------------------------------------------------------------------------------


def test_the_corpus_arrives_byte_for_byte_in_order(
    dovecot_pair: Pair, new_user: Callable[[], str], *, full: bool
) -> None:
    mails = [data for _, data in corpus.mails(None if full else SUBSET) if data]
    user = new_user()
    old, new = target_of(dovecot_pair.old, user), target_of(dovecot_pair.new, user)
    here, there = old.create_folder(("Corpus",)), new.create_folder(("Corpus",))
    receipts = write(old, here, [item(data) for data in mails])
    assert all(isinstance(receipt, Stored) for receipt in receipts)
    assert bodies(old, here) == [as_dovecot_keeps(data) for data in mails]
    listed = [head.ref for head in old.heads(here)]
    copied = write(new, there, old.read(here, listed))
    assert [receipt.ticket for receipt in copied] == list(range(len(mails)))
    expected = bodies(old, here)  # what the first server has made of them is what must arrive
    assert bodies(new, there) == [as_dovecot_keeps(data) for data in expected]
    auditor = connector.auditor(endpoint(dovecot_pair.new), login(dovecot_pair.new, user))
    refs = [head.ref for head in auditor.heads(there)]
    seen = [(found.size, found.fingerprint) for found in auditor.inspect(there, refs)]
    assert seen == [(len(data), fingerprint(data)) for data in bodies(new, there)]


def test_the_auditor_reads_large_bodies_in_parts(dovecot_pair: Pair, new_user: Callable[[], str]) -> None:
    user = new_user()
    target = target_of(dovecot_pair.new, user)
    folder = target.create_folder(("Large",))
    sizes = [0, 10, 999_950, 1_000_000 - 14, 1_000_000 - 13, 2_000_000 - 14, 2_500_000]
    mails = [b"Subject: x\r\n\r\n" + b"0123456789abcde\n" * (size // 16) + b"z" * (size % 16) for size in sizes]
    mails = [mail.replace(b"e\n", b"\r\n") for mail in mails]
    write(target, folder, [item(mail) for mail in mails])
    auditor = connector.auditor(endpoint(dovecot_pair.new), login(dovecot_pair.new, user))
    refs = [head.ref for head in auditor.heads(folder)]
    seen = [(found.size, found.fingerprint) for found in auditor.inspect(folder, refs)]
    assert seen == [(len(mail), fingerprint(mail)) for mail in mails]


ATTACK = b"Subject: x\r\n\r\n" + b"x9 DELETE Precious\r\nx9 CREATE Pwned\r\nx9 LOGOUT\r\n" * 3


@pytest.mark.parametrize("masked", [(), ("MULTIAPPEND",), ("LITERAL+",)])
def test_no_body_and_no_flag_ever_runs_as_a_command(
    new_dovecot: New, new_user: Callable[[], str], masked: tuple[str, ...]
) -> None:
    server = new_dovecot(Settings(capabilities=capabilities_without(*masked)))
    user = new_user()
    target = target_of(server, user)
    target.create_folder(("Precious",))
    folder = target.create_folder(("Box",))
    hostile = ["\\Recent", "\\Bad", "a b", 'q"', "{3+}", "x]", "%", "(", "\r\nx9 DELETE Precious\r\n", "ö", "\\", ""]
    zones = [timezone(timedelta(hours=hours, minutes=17)) for hours in (-23, 0, 22)]
    dates = [datetime(year, 1, 1, tzinfo=zone) for year in (1, 1900, 1969, 2038, 9999) for zone in zones]
    odd = [Item(Head(b"", 0, frozenset({flag, "\\Seen"})), item(ATTACK).body) for flag in hostile]
    odd += [Item(Head(b"", 0, frozenset(), date), item(ATTACK).body) for date in dates]
    receipts = write(target, folder, odd)
    assert len(receipts) == len(odd)
    kept = sum(isinstance(receipt, Stored) for receipt in receipts)
    assert kept >= len(hostile)
    assert target.dropped.total() == len(hostile) - 1
    assert bodies(target, folder) == [ATTACK] * kept
    target.change_flags(folder, [FlagChange(next(target.heads(folder)).ref, add=frozenset(hostile))])
    assert {each.path for each in target.folders()} == {("INBOX",), ("Precious",), ("Box",)}


def test_dates_and_flags_arrive_as_they_were(dovecot_pair: Pair, new_user: Callable[[], str]) -> None:
    target = target_of(dovecot_pair.new, new_user())
    folder = target.create_folder(("Box",))
    dates = [
        datetime(1998, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-8))),
        datetime(2024, 2, 29, 23, 59, 59, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
    ]
    flags = [
        frozenset({"\\Seen", "$MDNSent"}),
        frozenset({"\\Draft", "\\Flagged", "\\Answered"}),
        frozenset({"NonJunk"}),
    ]
    write(target, folder, [Item(Head(b"", 0, f, d), item(b"x\r\n").body) for f, d in zip(flags, dates, strict=True)])
    heads = list(target.heads(folder))
    assert [head.date for head in heads] == dates
    assert [head.flags for head in heads] == flags


# --- what the server refuses ------------------------------------------------------------------------------------


def test_a_full_mailbox_stops_and_fails_no_item(new_dovecot: New, new_user: Callable[[], str]) -> None:
    server = new_dovecot(Settings(quota=True))
    user = new_user()
    server.set_quota(user, 300_000)
    target = target_of(server, user)
    folder = target.create_folder(("Box",))
    with pytest.raises(QuotaExceeded, match=r"[Qq]uota"):
        write(target, folder, [item(b"Subject: x\r\n\r\n" + b"y" * 20_000) for _ in range(40)])
    assert target.status(folder).count * 20_000 < 300_000
    findings = connector.check(endpoint(server), login(server, user), writable=True)
    assert ["used" in finding.text for finding in findings if finding.topic == "quota"] == [True]


def test_a_mailbox_that_may_not_be_written_is_denied(new_dovecot: New, new_user: Callable[[], str]) -> None:
    server = new_dovecot(Settings(read_only=True))
    user = new_user()
    target = target_of(server, user)
    inbox = next(folder for folder in target.folders() if folder.path == ("INBOX",))
    with pytest.raises(AccessDenied):
        target.writer(inbox, Intent(1, 1, 1))
    with pytest.raises((AccessDenied, FolderUnusable)):
        target.create_folder(("New",))
    findings = connector.check(endpoint(server), login(server, user), writable=True)
    denied = [finding for finding in findings if not finding.ok]
    assert denied
    assert all(finding.topic == "rights" and finding.remedy for finding in denied)


def test_an_empty_message_is_refused_alone(dovecot_pair: Pair, new_user: Callable[[], str]) -> None:
    target = target_of(dovecot_pair.new, new_user())
    folder = target.create_folder(("Box",))
    receipts = write(target, folder, [item(b"a\r\n"), item(b""), item(b"b\r\n")])
    assert [type(receipt) for receipt in sorted(receipts, key=lambda each: each.ticket)] == [Stored, Refused, Stored]


# --- folders ----------------------------------------------------------------------------------------------------


def test_awkward_folder_names(dovecot_pair: Pair, new_user: Callable[[], str]) -> None:
    target = target_of(dovecot_pair.old, new_user())
    for path in AWKWARD:
        assert target.create_folder(path).path == path
    for path in REFUSED:
        with pytest.raises(FolderUnusable) as raised:
            target.create_folder(path)
        assert raised.value.remedy
    listed = {folder.path for folder in target.folders()}
    assert set(AWKWARD) <= listed
    assert not set(REFUSED) & listed


def test_a_shared_state_token_changes_with_flags_that_nobody_enabled(
    dovecot_pair: Pair, new_user: Callable[[], str]
) -> None:
    """No session of this account has ever enabled CONDSTORE; HIGHESTMODSEQ has to move all the same."""
    user = new_user()
    target = target_of(dovecot_pair.old, user)
    folder = target.create_folder(("Box",))
    write(target, folder, [item(b"a\r\n")])
    states = [target.status(folder).state]
    ref = next(target.heads(folder)).ref
    for change in (FlagChange(ref, add=frozenset({"\\Seen"})), FlagChange(ref, remove=frozenset({"\\Seen"}))):
        target.change_flags(folder, [change])
        states.append(next(each.state for each in target.folders() if each.path == ("Box",)))
    assert len(set(states)) == 3


LISTING = {
    "no LIST-STATUS": capabilities_without("LIST-STATUS", "UNSELECT"),
    "no LIST-EXTENDED": capabilities_without("LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE"),
    "no NAMESPACE": capabilities_without("NAMESPACE"),
    "no CONDSTORE": capabilities_without("CONDSTORE", "QRESYNC"),
}


def test_folders_are_listed_alike_whatever_the_server_can(new_dovecot: New, new_user: Callable[[], str]) -> None:
    server = new_dovecot(Settings())
    user = new_user()
    target = target_of(server, user)
    for path in (*AWKWARD[:6], ("Sent",), ("Clients", "2024", "Ä")):
        write(target, target.create_folder(path), [item(b"a\r\n")])
    target.subscribe(target.create_folder(("Sent",)))
    target.close()
    expected = sorted(connector.source(endpoint(server), login(server, user)).folders(), key=lambda each: each.path)
    assert any(each.subscribed and each.role for each in expected)
    for masked, announced in LISTING.items():
        server.restart(capabilities=announced)
        listed = sorted(connector.source(endpoint(server), login(server, user)).folders(), key=lambda each: each.path)
        wanted = [replace(each, state=b"") for each in expected] if masked == "no CONDSTORE" else expected
        assert listed == wanted, masked
        audited = connector.auditor(endpoint(server), login(server, user)).folders()
        plain = sorted((each.path, each.validity, each.next_id, each.count, each.native) for each in audited)
        assert plain == [(each.path, each.validity, each.next_id, each.count, each.native) for each in expected]


# --- memory -----------------------------------------------------------------------------------------------------


def test_a_large_message_passes_in_small_memory(dovecot_pair: Pair, new_user: Callable[[], str]) -> None:
    user = new_user()
    old, new = target_of(dovecot_pair.old, user), target_of(dovecot_pair.new, user)
    here, there = old.create_folder(("Large",)), new.create_folder(("Large",))
    large = b"Subject: large\r\n\r\n" + b"x" * 70 * 300_000
    write(old, here, [item(large)])
    [head] = old.heads(here)
    tracemalloc.start()
    try:
        write(new, there, old.read(here, [head.ref]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bodies(new, there) == [large]
    assert peak < 4_000_000
