"""What changed at the source is believed only where it adds up, whatever the store can tell or makes up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path as FilePath

import pytest

from tests.engine.world import World
from xdmigrate.contract import Source
from xdmigrate.engine.advance import Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import GuardRefused
from xdmigrate.model import UNTOLD, Changes, Folder, Login, Path
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate_state import folders, ledger
from xdmigrate_state.rows import FolderRow, ItemRow, MailboxRow

INBOX = ("INBOX",)
MANY = 30

Lie = Callable[[Changes], Changes]

NAMED = Powers()
ALIVE = Powers(names_vanished=False, known_sizes=False)
FLAGS = Powers(deltas=False, change_test=False, known_sizes=False)
WHOLE = Powers(deltas=False, change_test=False)
KINDS = pytest.mark.parametrize("powers", [NAMED, ALIVE, FLAGS, WHOLE], ids=["named", "alive", "flags", "whole"])


class Watched(MemorySource):
    """Notes what is asked for, and lies where it is told to."""

    def __init__(self, world: Telling, inner: MemorySource) -> None:
        super().__init__(inner._session)
        self._world = world

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        told = super().changes(folder, cursor)
        self._world.asked.append((folder.path, bool(cursor), told.complete))
        if told.alive is not None:
            told = replace(told, alive=self._noted(told.alive))
        return self._world.lie(told) if cursor else told

    def _noted(self, alive: Iterator[bytes]) -> Iterator[bytes]:
        self._world.alive_read += 1
        yield from alive


class Telling(World):
    """A world whose source can lie."""

    asked: list[tuple[Path, bool, bool]]
    alive_read = 0
    lie: Lie = staticmethod(lambda told: told)

    def source(self, mailbox: MailboxRow) -> Source:
        login = Login(mailbox.source, mailbox.source, "secret-old")
        return Watched(self, MemorySource(self.old_server.log_in(login)))

    def row(self, path: Path = INBOX) -> FolderRow:
        rows = self.db.read(lambda c: folders.of_mailbox(c, self.mailbox_id))
        return next(row for row in rows if row.path == path)

    def items(self, path: Path = INBOX) -> list[ItemRow]:
        return self.db.read(partial(ledger.scan, folder=self.row(path)))


def world(
    home: FilePath, powers: Powers, policy: Policy | None = None, count: int = MANY
) -> tuple[Telling, list[bytes]]:
    """A migrated mailbox of so many messages, and their ids at the source."""
    made = Telling(home, source=powers, policy=policy)
    made.asked = []
    refs = [made.old.deliver(INBOX, b"Subject: %d\r\n\r\nbody\r\n" % number) for number in range(count)]
    made.sync()
    made.asked.clear()
    return made, refs


@KINDS
def test_new_flagged_and_gone_whatever_the_store_can_tell(tmp_path: FilePath, powers: Powers) -> None:
    made, refs = world(tmp_path, powers)
    made.old.deliver(INBOX, b"Subject: new\r\n\r\n\r\n")
    made.old.flag(INBOX, refs[3], add=["\\Flagged"])
    made.old.delete(INBOX, refs[5])
    made.sync()
    assert len(made.asked) == 1, "nothing had to be asked twice"
    counts = made.row().counts
    assert (counts.seen, counts.gone, counts.copied, counts.closed) == (MANY + 1, 1, MANY + 1, True)
    assert [item.source_id for item in made.items() if item.gone] == [refs[5]]
    assert [bool(kept.flags) for kept in made.new.box(INBOX).ascending()].count(True) == 1
    assert all(item.size >= 0 for item in made.items())
    assert made.writes(made.sync) == []


def test_what_is_alive_is_read_only_when_something_is_missing(tmp_path: FilePath) -> None:
    made, refs = world(tmp_path, ALIVE)
    made.old.deliver(INBOX, b"Subject: new\r\n\r\n\r\n")
    made.old.flag(INBOX, refs[0], add=["\\Seen"])
    made.sync()
    assert made.alive_read == 0
    made.old.delete(INBOX, refs[1])
    made.old.deliver(INBOX, b"Subject: another\r\n\r\n\r\n")
    made.sync()
    assert made.alive_read == 1
    assert made.row().counts.gone == 1


def test_what_nobody_touched_is_not_asked_for(tmp_path: FilePath) -> None:
    made, _ = world(tmp_path, NAMED)
    made.sync()
    assert made.asked == []


def silent(told: Changes) -> Changes:
    return replace(told, vanished=(), alive=None)


def mute(told: Changes) -> Changes:
    return replace(told, heads=iter(()), vanished=(), alive=None)


def dead(told: Changes) -> Changes:
    return replace(told, vanished=tuple(number.to_bytes(4, "big") for number in range(1, MANY)), alive=None)


def extinct(told: Changes) -> Changes:
    return replace(told, vanished=(), alive=iter(()))


@pytest.mark.parametrize("lie", [silent, mute, dead, extinct])
@pytest.mark.parametrize("powers", [NAMED, ALIVE], ids=["named", "alive"])
def test_a_delta_that_does_not_add_up_is_not_believed(tmp_path: FilePath, powers: Powers, lie: Lie) -> None:
    made, refs = world(tmp_path, powers)
    made.old.delete(INBOX, refs[7])
    made.old.deliver(INBOX, b"Subject: new\r\n\r\n\r\n")
    made.old.deliver(INBOX, b"Subject: newer\r\n\r\n\r\n")
    made.lie = lie
    made.sync()
    assert made.asked == [(INBOX, True, False), (INBOX, False, True)]
    assert [item.source_id for item in made.items() if item.gone] == [refs[7]]
    assert made.row().counts.copied == MANY + 2


def test_an_unknown_item_without_a_size_is_looked_at_properly(tmp_path: FilePath) -> None:
    made, _ = world(tmp_path, NAMED, Policy(Scope(max_size=1000)))
    made.old.deliver(INBOX, b"Subject: big\r\n\r\n" + b"x" * 5000)
    made.lie = lambda told: replace(told, heads=(replace(head, size=UNTOLD, date=None) for head in told.heads))
    made.sync()
    assert made.asked == [(INBOX, True, False), (INBOX, False, True)]
    counts = made.row().counts
    assert (counts.filtered, counts.copied) == (1, MANY)
    assert all(item.size >= 0 for item in made.items())


@pytest.mark.parametrize("powers", [FLAGS, WHOLE], ids=["flags", "whole"])
def test_a_listing_that_shows_nothing_of_what_is_counted_is_refused(tmp_path: FilePath, powers: Powers) -> None:
    """The mailbox still counts its items, so it is not what a user emptied."""
    made, _ = world(tmp_path, powers)
    made.lie = lambda told: replace(told, heads=iter(()))
    step = made.step()
    assert step.verdict is Verdict.ATTENTION
    assert isinstance(step.error, GuardRefused)
    assert f"shows 0 items where {MANY} are known" in step.error.message
    assert made.row().counts.gone == 0
    made.lie = lambda told: told
    made.sync()
    assert made.row().counts == replace(made.row().counts, gone=0, copied=MANY)


@KINDS
def test_a_folder_that_its_user_emptied_is_believed(tmp_path: FilePath, powers: Powers) -> None:
    made, refs = world(tmp_path, powers)
    made.old.create_folder(("Archive",))
    for ref in refs:
        made.old.move(INBOX, ref, ("Archive",))
    made.sync()
    assert made.old.contents(INBOX) == []
    assert Counter(made.new.contents(("Archive",))) == Counter(made.old.contents(("Archive",)))


@KINDS
def test_another_scope_left_unfinished_is_not_forgotten(tmp_path: FilePath, powers: Powers) -> None:
    """A pass under a narrower scope judges items anew and dies; under the old scope all of them are wanted again."""
    wide, narrow = Policy(Scope(mail_since=date(2001, 1, 1))), Policy(Scope(mail_since=date(1999, 1, 1)))
    made = Telling(tmp_path, source=powers, policy=wide)
    made.asked = []
    for year in (2000, 2002):
        made.old.deliver(INBOX, b"Subject: %d\r\n\r\n" % year, date=datetime(year, 1, 1, tzinfo=UTC))
    made.sync()
    assert made.row().counts.filtered == 1
    made.policy = narrow
    made.new_server.powers = replace(made.new_server.powers, quota=0)
    assert made.step().verdict is Verdict.ATTENTION
    assert made.row().counts.pending == 1
    made.new_server.powers = replace(made.new_server.powers, quota=None)
    made.policy = wide
    made.sync()
    assert (made.row().counts.filtered, made.row().counts.pending) == (1, 0)
    assert made.new.contents(INBOX) == [b"Subject: 2002\r\n\r\n"]


@KINDS
def test_flags_are_merged_three_ways(tmp_path: FilePath, powers: Powers) -> None:
    made, refs = world(tmp_path, powers, count=4)
    there = sorted(made.new.box(INBOX).items)
    made.old.flag(INBOX, refs[0], add=["\\Seen"])  # both sides, different flags
    made.new.flag(INBOX, there[0], add=["\\Flagged"])
    made.new.flag(INBOX, there[1], add=["\\Answered"])  # the target's own
    made.old.flag(INBOX, refs[2], add=["\\Seen"])  # both sides, the same
    made.new.flag(INBOX, there[2], add=["\\Seen"])
    made.sync()
    told = [set(kept.flags) for kept in made.new.box(INBOX).ascending()]
    assert told == [{"\\Seen", "\\Flagged"}, {"\\Answered"}, {"\\Seen"}, set()]
    made.old.flag(INBOX, refs[0], remove=["\\Seen"])
    made.new.flag(INBOX, there[2], remove=["\\Seen"])
    made.sync()
    told = [set(kept.flags) for kept in made.new.box(INBOX).ascending()]
    assert told == [{"\\Flagged"}, {"\\Answered"}, set(), set()]


@KINDS
def test_mirror_that_is_switched_on_later_removes_what_was_gone_before(tmp_path: FilePath, powers: Powers) -> None:
    made, refs = world(tmp_path, powers)
    made.old.delete(INBOX, refs[0])
    made.sync()
    assert len(made.new.contents(INBOX)) == MANY
    made.policy = replace(made.policy, mirror=True)
    made.sync()
    assert len(made.new.contents(INBOX)) == MANY - 1
    made.asked.clear()
    assert made.writes(made.sync) == []
    if powers.change_test:
        names = [operation.name for operation, _ in made.target_faults.log]
        assert names == ["connect", "folders"], "a folder that did not change is not looked at for removals"


@KINDS
@pytest.mark.parametrize("folder_ids", [True, False])
def test_a_source_that_was_restored_from_a_backup_loses_nothing(
    tmp_path: FilePath, powers: Powers, *, folder_ids: bool
) -> None:
    """Ids are given a second time, to other messages, under the same validity."""
    made, refs = world(tmp_path, replace(powers, folder_ids=folder_ids), count=6)
    box = made.old.box(INBOX)
    for ref in refs[4:]:
        made.old.delete(INBOX, ref)
    box.gone.clear()
    box.next_number, box.changes = 5, 5
    assert made.old.deliver(INBOX, b"Subject: after the backup\r\n\r\n") == refs[4]
    made.sync()
    assert Counter(made.new.contents(INBOX)) >= Counter(made.old.contents(INBOX))
    assert len(made.new.contents(INBOX)) == 7
    assert made.writes(made.sync) == []
