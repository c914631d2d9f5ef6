"""RFC 8474: messages keep their names (EMAILID) when they are moved, so that nothing has to be read to follow them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.connectors.imap.dialect.job import INBOX, Job, mail
from tests.connectors.imap.dialect.speech import DOVECOT, Dialect
from tests.connectors.imap.dialect.store import Message

NAMING = replace(DOVECOT, capabilities=(*DOVECOT.capabilities, "OBJECTID"))
ARCHIVE = b"Archive"
COUNT, MOVED = 10, 4


def filled(job: Job) -> None:
    job.old.create(ARCHIVE)
    for number in range(COUNT):
        job.old.add(job.old.box(INBOX), mail(number), [rb"\Seen"] if number % 2 else [])
    job.done()


def move(job: Job) -> None:
    """The source's user moves the first few."""
    inbox = job.old.box(INBOX)
    for uid in sorted(inbox.shown)[:MOVED]:
        job.old.box(ARCHIVE).show(inbox.shown[uid].message)
        job.old.expunge(inbox, [uid])


def read(job: Job) -> list[bytes]:
    """The commands by which messages were read since."""
    return [line for line in job.old_server.commands(b"UID FETCH") if b"BODY.PEEK[]" in line]


def followed(job: Job) -> None:
    """Everything is on the target where it is at the source, once, and nothing was sent for it."""
    assert job.new.contents(ARCHIVE) == [mail(number) for number in range(MOVED)]
    assert job.new.contents(INBOX) == [mail(number) for number in range(MOVED, COUNT)]
    assert [row.counts.pending for row in job.rows()] == [0, 0]
    assert job.verify().verdict == "pass"


@pytest.mark.parametrize("source", [NAMING, DOVECOT], ids=["named", "unnamed"])
def test_what_is_moved_is_followed_and_read_only_without_a_name(tmp_path: Path, source: Dialect) -> None:
    with Job(tmp_path, source, DOVECOT) as job:
        filled(job)
        before, written = len(read(job)), len(job.new_server.commands(b"APPEND"))
        move(job)
        job.done()
        assert bool(len(read(job)) - before) == (source is DOVECOT)
        assert len(job.new_server.commands(b"UID MOVE")) == 1
        assert len(job.new_server.commands(b"APPEND")) == written
        followed(job)


def test_flags_that_changed_on_the_way_arrive_and_equal_messages_stay_as_many(tmp_path: Path) -> None:
    with Job(tmp_path, NAMING, DOVECOT) as job:
        filled(job)
        for uid in (1, 2):
            job.old.box(INBOX).shown[uid].message.flags.add(rb"\Flagged")
        move(job)
        job.old.add(job.old.box(ARCHIVE), mail(1))  # another message of equal bytes, with a name of its own
        job.done()
        assert job.new.contents(ARCHIVE) == [*(mail(number) for number in range(MOVED)), mail(1)]
        flagged = [shown.message.data for shown in job.new.box(ARCHIVE).shown.values() if rb"\Flagged" in shown.flags]
        assert flagged == [mail(0), mail(1)]
        assert job.verify().verdict == "pass"


@pytest.mark.parametrize(
    "names", ["one for all", "one for all, one moves", "another after the move", "of something else"]
)
def test_names_that_lie_take_no_message(tmp_path: Path, names: str) -> None:
    """A name for two contents is no name; one that changed helps nobody; size and name together are believed."""
    with Job(tmp_path, NAMING, DOVECOT) as job:
        job.old.create(ARCHIVE)
        for number in range(COUNT):
            job.old.add(job.old.box(INBOX), mail(number))
        shown = [each.message for each in job.old.box(INBOX).shown.values()]
        if names.startswith("one for all"):
            for message in shown:
                message.number = 7
        job.done()
        if names == "one for all, one moves":  # and another of the same size comes
            job.old.expunge(job.old.box(INBOX), [1])
            job.old.box(ARCHIVE).show(Message(7, mail(8, b"HELLO\r\n"), shown[0].date, set(shown[0].flags)))
            job.done()
            assert job.new.contents(ARCHIVE) == [mail(8, b"HELLO\r\n")]
            return
        move(job)
        if names == "another after the move":
            for message in shown[:MOVED]:
                message.number += 1_000
        if names == "of something else":
            other = mail(99, b"of another size\r\n")
            job.old.box(ARCHIVE).show(Message(shown[0].number, other, shown[0].date, set()))
            job.done()
            assert sorted(job.new.contents(ARCHIVE)) == sorted([*(mail(number) for number in range(MOVED)), other])
            assert job.verify().verdict == "pass"
            return
        job.done()
        followed(job)


def test_the_names_are_kept_as_digests(tmp_path: Path) -> None:
    with Job(tmp_path, NAMING, DOVECOT) as job:
        filled(job)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("plan.sqlite*"))
    assert re.search(rb"M17000000\d\d", raw) is None
