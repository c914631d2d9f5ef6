"""Whole migrations between all kinds of servers: every message once, and nothing used that is not offered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import FULL
from tests.connectors.imap.dialect.job import INBOX, USER, Job, mail
from tests.connectors.imap.dialect.session import Fault
from tests.connectors.imap.dialect.speech import (
    BASIC,
    COURIER,
    CYRUS,
    DOVECOT,
    EVERY,
    EXCHANGE,
    PROTON,
    YANDEX,
    Dialect,
    Speech,
)
from tests.connectors.imap.dialect.store import Account
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate_imap import connector

FOLDERS = (b"Clients", b"R&-D", b"Entw&APw-rfe 2", b"Sent")


def fill(account: Account) -> list[bytes]:
    """Five messages in INBOX, one in each of a few folders; all of them, in no order."""
    for number in range(5):
        account.add(account.box(INBOX), mail(number), [rb"\Seen"] if number % 2 else [])
    for number, name in enumerate(FOLDERS, 100):
        path = account.dialect.prefix + name
        box = account.find(path) or account.create(path)
        account.add(box, mail(number), [rb"\Flagged"])
    return sorted([*map(mail, range(5)), *map(mail, range(100, 100 + len(FOLDERS)))])


def migrate(home: Path, source: Dialect, target: Dialect) -> None:
    """Two passes and a verification; the second pass writes nothing."""
    with Job(home, source, target) as job:
        wanted = fill(job.old)
        job.done()
        assert sorted(set(job.everything())) == wanted
        if not target.labels:
            assert job.everything() == wanted
        written = len(job.new_server.commands(b"APPEND"))
        job.done()
        assert len(job.new_server.commands(b"APPEND")) == written
        verdict = job.verify()
        assert verdict.verdict == "pass", verdict


NAMES = list(EVERY)
RING = [(name, NAMES[(number + 3) % len(NAMES)]) for number, name in enumerate(NAMES)]


@pytest.mark.parametrize(("source", "target"), [(a, b) for a in NAMES for b in NAMES] if FULL else RING)
def test_every_kind_of_server_is_migrated_from_and_to(tmp_path: Path, source: str, target: str) -> None:
    migrate(tmp_path, EVERY[source], EVERY[target])


SPEECH = {
    "lower case": Speech(lower=True),
    "spaces": Speech(spaces=True),
    "any order": Speech(shuffled=True),
    "chatter": Speech(chatty=True),
    "literals": Speech(literal_names=True),
}


@pytest.mark.parametrize("speech", SPEECH)
def test_servers_may_spell_as_they_like(tmp_path: Path, speech: str) -> None:
    spoken = SPEECH[speech]
    migrate(tmp_path, replace(DOVECOT, speech=spoken), replace(CYRUS if FULL else BASIC, speech=spoken))


MASKED = ("MULTIAPPEND", "UNSELECT", "NAMESPACE", "UIDPLUS", "LIST-EXTENDED", "LIST-STATUS", "CONDSTORE", "LITERAL+")


@pytest.mark.parametrize("masked", MASKED)
def test_nothing_is_used_that_is_not_offered(tmp_path: Path, masked: str) -> None:
    gone = {masked, *({"LIST-STATUS"} if masked == "LIST-EXTENDED" else ())}
    dialect = replace(DOVECOT, capabilities=tuple(each for each in DOVECOT.capabilities if each not in gone))
    migrate(tmp_path, dialect, dialect)


@pytest.mark.parametrize("untold", [(b"UIDNEXT",), (b"UIDNEXT", b"UIDVALIDITY")], ids=["next id", "validity, too"])
def test_what_a_server_ought_to_tell_and_does_not_is_done_without(tmp_path: Path, untold: tuple[bytes, ...]) -> None:
    """After an answer that is lost, too, and in a later pass."""
    silent = replace(BASIC, untold=untold)
    with Job(tmp_path, silent, silent) as job:
        wanted = fill(job.old)
        job.new_server.faults.append(Fault(b"APPEND", b"* BYE so long", spared=2, done=True))
        job.done()
        assert job.everything() == wanted
        job.old.add(job.old.box(INBOX), mail(50))
        job.done()
        assert job.everything() == sorted([*wanted, mail(50)])
        assert job.verify().verdict == "pass"


# --- new ids ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("dialect", [PROTON, EXCHANGE], ids=["bridge", "estimated sizes"])
def test_new_ids_copy_nothing_again(tmp_path: Path, dialect: Dialect, side: str) -> None:
    with Job(tmp_path, dialect, dialect) as job:
        wanted = fill(job.old)
        job.done()
        (job.old if side == "source" else job.new).renumber()
        written = len(job.new_server.commands(b"APPEND"))
        job.done()
        assert len(job.new_server.commands(b"APPEND")) == written
        assert job.everything() == wanted
        assert job.verify().verdict == "pass"


def test_estimated_sizes_do_not_send_twice_after_a_crash(tmp_path: Path) -> None:
    with Job(tmp_path, EXCHANGE, EXCHANGE) as job:
        wanted = fill(job.old)
        job.new_server.faults.append(Fault(b"APPEND", b"* BYE so long", spared=3, done=True))
        job.done()
        assert job.everything() == wanted


def test_estimated_sizes_hide_nothing_that_another_tool_copied(tmp_path: Path) -> None:
    with Job(tmp_path, EXCHANGE, EXCHANGE) as job:
        wanted = fill(job.old)
        assert fill(job.new) == wanted
        job.done()
        assert job.new_server.commands(b"APPEND") == []
        assert job.everything() == wanted


@pytest.mark.parametrize("count", [1, 5])
def test_one_validity_for_all_folders_makes_none_another(tmp_path: Path, count: int) -> None:
    """A folder that is deleted, and a new one with messages under the same ids and of the same sizes."""
    with Job(tmp_path, BASIC, DOVECOT) as job:
        for number in range(count):
            job.old.add(job.old.box(INBOX), mail(100 + number))
        gone = job.old.create(b"Gone")
        for number in range(count):
            job.old.add(gone, mail(10 + number))
        job.done()
        job.old.remove(b"Gone")
        new = job.old.create(b"New")
        new.validity = gone.validity
        for number in range(count):
            job.old.add(new, mail(20 + number))
        job.done()
        assert job.new.contents(b"New") == [mail(20 + number) for number in range(count)]
        assert job.new.contents(b"Gone") == [mail(10 + number) for number in range(count)]
        assert job.verify().verdict == "pass"
        job.old.rename(b"New", b"Newer")
        written = len(job.new_server.commands(b"APPEND"))
        job.done()
        assert len(job.new_server.commands(b"APPEND")) == written
        assert job.new.contents(b"Newer") == [mail(20 + number) for number in range(count)]


@pytest.mark.parametrize("source", EVERY if FULL else ["exchange"])
def test_a_renamed_folder_is_renamed_whatever_the_server_tells_of_it(tmp_path: Path, source: str) -> None:
    """By its id, or by ids and sizes, or, where sizes are estimated, by what is in it."""
    dialect = EVERY[source]
    with Job(tmp_path, dialect, DOVECOT) as job:
        name = dialect.prefix + b"Work"
        for number, path in enumerate((name, name, name, name + dialect.separator + b"Sub")):
            job.old.add(job.old.find(path) or job.old.create(path), mail(number))
        job.done()
        job.old.rename(name, dialect.prefix + b"Arbeit")
        job.done()
        assert job.new_server.commands(b"RENAME") == [b'RENAME "Work" "Arbeit"']
        assert {name for name, box in job.new.boxes.items() if box.shown} == {b"Arbeit", b"Arbeit/Sub"}
        assert job.everything() == [mail(number) for number in range(4)]
        assert job.verify().verdict == "pass"


def test_a_folder_of_the_owners_is_not_taken_for_the_one_that_was_deleted(tmp_path: Path) -> None:
    """With one validity for all folders, and ids that would fit: nothing is put there, and nothing is flagged."""
    with Job(tmp_path, BASIC, DOVECOT) as job:
        source, own = job.old.create(b"A"), job.new.create(b"Own")
        for number in range(3):
            job.old.add(source, mail(number))
        for number in range(5):
            job.new.add(own, mail(50 + number))
        job.done()
        own.validity = job.new.box(b"A").validity
        job.new.remove(b"A")
        source.shown[1].message.flags.add(rb"\Flagged")
        job.done()
        assert job.new.contents(b"A") == []  # what its owner deleted is not sent again
        assert [shown.message.data for shown in own.shown.values()] == [mail(50 + number) for number in range(5)]
        assert not any(shown.flags for shown in own.shown.values())


@pytest.mark.parametrize(("source", "target"), [(EXCHANGE, DOVECOT), (DOVECOT, EXCHANGE)], ids=["source", "target"])
def test_what_is_moved_is_followed_where_sizes_are_estimated(tmp_path: Path, source: Dialect, target: Dialect) -> None:
    with Job(tmp_path, source, target) as job:
        inbox, done = job.old.box(INBOX), job.old.create(b"Done")
        for number in range(6):
            job.old.add(inbox, mail(number), [rb"\Seen"] if number % 2 else [])
        job.done()
        written = len(job.new_server.commands(b"APPEND"))
        for uid in (1, 2, 3):
            done.show(inbox.shown[uid].message)
            job.old.expunge(inbox, [uid])
        job.done()
        assert len(job.new_server.commands(b"UID MOVE")) == 1
        assert len(job.new_server.commands(b"APPEND")) == written
        assert job.new.contents(INBOX) == [mail(3), mail(4), mail(5)]
        assert job.new.contents(b"Done") == [mail(0), mail(1), mail(2)]
        assert job.verify().verdict == "pass"


def test_mirroring_where_sizes_are_estimated_removes_what_is_ours_alone(tmp_path: Path) -> None:
    with Job(tmp_path, DOVECOT, EXCHANGE, Policy(Scope(), mirror=True)) as job:
        inbox = job.old.box(INBOX)
        for number in range(6):
            job.old.add(inbox, mail(number))
        job.new.add(job.new.box(INBOX), mail(50))
        job.done()
        flagged = next(shown for shown in job.new.box(INBOX).shown.values() if shown.message.data == mail(2))
        flagged.message.flags.add(rb"\Flagged")
        job.old.expunge(inbox, [1, 2, 3])
        job.done()
        assert sorted(job.new.contents(INBOX)) == sorted(mail(number) for number in (2, 3, 4, 5, 50))
        assert job.verify().verdict == "pass"


# --- what is listed and not copied --------------------------------------------------------------------------------


def test_parents_that_cannot_be_opened_and_folders_of_others(tmp_path: Path) -> None:
    source = replace(CYRUS, parents=(b"INBOX.Lists", b"INBOX.Empty"))
    for attribute in (rb"\Noselect", rb"\NonExistent"):
        home = tmp_path / attribute.decode().strip("\\")
        home.mkdir()
        with Job(home, replace(source, parent_attribute=attribute), DOVECOT) as job:
            job.old.add(job.old.create(b"INBOX.Lists.Python"), mail(1))
            job.old.add(job.old.create(b"user.bob.Secret"), mail(2))
            job.old.add(job.old.create(b"shared.News"), mail(3))
            job.done()
            assert job.everything() == [mail(1)]
            assert job.map() == {("INBOX",): ("INBOX",), ("Lists", "Python"): ("Lists", "Python")}
            findings = connector.check(job.old_server.endpoint("old"), job.old_server.login(USER), writable=False)
            assert any("2 folders of other users or shared ones are left out" in each.text for each in findings)


@pytest.mark.parametrize("attribute", [rb"\Noselect", rb"\NonExistent"])
def test_a_place_of_the_target_that_cannot_be_opened_becomes_a_folder(tmp_path: Path, attribute: bytes) -> None:
    with Job(tmp_path, DOVECOT, replace(DOVECOT, parents=(b"Lists",), parent_attribute=attribute)) as job:
        job.old.add(job.old.create(b"Lists"), mail(1))
        job.old.add(job.old.create(b"Lists/Sub"), mail(2))
        job.done()
        assert job.new.contents(b"Lists") == [mail(1)]
        assert job.new.contents(b"Lists/Sub") == [mail(2)]


RAW = (b"Entw\xc3\xbcrfe", b"\xff\xfe", b"R&D", b"NIL", b"12", b"{5}", b" lead", b"tab\there", b"cr\rhere")
INJECTED = b'a"\r\nx1 DELETE INBOX\r\n'


def test_names_that_no_rule_allows_are_copied_and_verified(tmp_path: Path) -> None:
    with Job(tmp_path, BASIC, DOVECOT) as job:
        for number, name in enumerate((*RAW, INJECTED)):
            job.old.add(job.old.create(name), mail(number))
        job.done()
        assert job.everything() == sorted(map(mail, range(len(RAW) + 1)))
        assert job.map()["\ufffdEntw\u00fcrfe",] == ("Entw\u00fcrfe",)
        assert job.verify().verdict == "pass"
        assert not job.old_server.commands(b"DELETE")


def test_special_uses_by_xlist_find_their_folders(tmp_path: Path) -> None:
    target = replace(DOVECOT, special={b"Gesendet": rb"\Sent", b"Papierkorb": rb"\Trash"})
    with Job(tmp_path, YANDEX, target) as job:
        job.old.add(job.old.box(b"Sent"), mail(1))
        job.done()
        assert job.new.contents(b"Gesendet") == [mail(1)]
        assert job.map()["Trash",] == ("Papierkorb",)


def test_folders_below_inbox_go_beside_it_where_there_can_be_none(tmp_path: Path) -> None:
    for name, target in (("courier", COURIER), ("yandex", YANDEX)):
        (tmp_path / name).mkdir()
        with Job(tmp_path / name, DOVECOT, target) as job:
            job.old.add(job.old.create(b"INBOX/Sub"), mail(1))
            job.done()
            assert job.map()["INBOX", "Sub"] == ("Sub",)


def test_the_page_about_servers_names_them_all() -> None:
    page = (Path(__file__).parents[3] / "docs" / "connectors" / "imap-servers.md").read_text("utf-8")
    names = {"basic": "RFC 3501 alone", "hmail": "hMailServer", "proton": "Proton"}
    assert [name for name in EVERY if names.get(name, name.capitalize()) not in page] == []
