"""A source that shows one object in several folders: copied once, into the best of them, never lost with a label."""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import partial
from pathlib import Path as FilePath

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.conftest import FULL
from tests.engine.world import World
from xdmigrate.engine.context import Policy
from xdmigrate.engine.labels import Labels, rank, shares
from xdmigrate.engine.scope import Scope
from xdmigrate.model import Folder, Kind, Path, Role
from xdmigrate.report.verdicts import KindVerdict
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import folders, ledger, totals

INBOX: Path = ("INBOX",)
ALL: Path = ("[Gmail]", "All Mail")
STARRED: Path = ("[Gmail]", "Starred")
SPAM: Path = ("[Gmail]", "Spam")
WORK: Path = ("Work",)
CLIENT: Path = ("Work", "Client")
ROLES = {ALL: Role.ALL, STARRED: Role.FLAGGED, SPAM: Role.JUNK}


class Gmail(World):
    """A source with labels: everything but spam is in All Mail, too."""

    def __init__(self, home: FilePath, wish: Labels = Labels.ONCE) -> None:
        super().__init__(home, source=Powers(labels=True), policy=Policy(Scope(), labels=wish))
        for path in (WORK, CLIENT, ALL, STARRED, SPAM):
            self.old.create_folder(path, role=ROLES.get(path))

    def deliver(self, body: bytes, *labels: Path) -> dict[Path, bytes]:
        """One message under these labels; its ids."""
        first, *more = labels if labels == (SPAM,) else (ALL, *labels)
        ids = {first: self.old.deliver(first, body)}
        return ids | {label: self.old.label(first, ids[first], label) for label in more}

    def there(self) -> dict[Path, set[bytes]]:
        found = {box.path: self.new.contents(box.path) for box in self.new.boxes() if box.selectable}
        assert all(len(bodies) == len(set(bodies)) for bodies in found.values())
        return {path: set(bodies) for path, bodies in found.items() if bodies}

    def counts(self) -> dict[str, int]:
        found = self.db.read(lambda c: totals.mailbox_counts(c, self.plan_id))[self.mailbox_id][Kind.MAIL]
        assert found.closed
        for row in self.db.read(lambda c: folders.of_mailbox(c, self.mailbox_id, live=False)):
            assert self.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts
        return {name: count for name in ("copied", "present", "merged", "pending") if (count := getattr(found, name))}

    def verified(self) -> KindVerdict:
        verdict = self.verify()
        assert verdict.verdict is Judged.PASS, verdict
        return verdict.kinds[Kind.MAIL]


@pytest.fixture
def world(tmp_path: FilePath) -> Gmail:
    return Gmail(tmp_path)


def test_the_best_folder_is_decided_by_the_folders_alone() -> None:
    listed = [Folder(path, role=ROLES.get(path)) for path in (ALL, STARRED, WORK, CLIENT)]
    listed += [Folder(INBOX, role=Role.INBOX), Folder(("Sent",), role=Role.SENT), Folder(("A",))]
    listed += [Folder(("Important",), role=Role.IMPORTANT)]
    ranked = [folder.path for folder in sorted(listed, key=rank)]
    assert ranked == [CLIENT, ("A",), WORK, INBOX, ("Sent",), ("Important",), STARRED, ALL]
    assert [shares(Folder(SPAM, role=Role.JUNK), wish) for wish in Labels] == [False, False]


def test_an_object_is_copied_once_into_the_best_of_its_folders(world: Gmail) -> None:
    world.deliver(b"\r\na\r\n", INBOX, STARRED, WORK, CLIENT)
    world.deliver(b"\r\nb\r\n", INBOX, STARRED)
    world.deliver(b"\r\nc\r\n", STARRED)
    world.deliver(b"\r\nd\r\n")
    world.deliver(b"\r\nspam\r\n", SPAM)
    world.sync()
    assert world.there() == {
        CLIENT: {b"\r\na\r\n"},
        INBOX: {b"\r\nb\r\n"},
        STARRED: {b"\r\nc\r\n"},
        ALL: {b"\r\nd\r\n"},
        SPAM: {b"\r\nspam\r\n"},
    }
    assert world.counts() == {"copied": 5, "merged": 7}
    found = world.verified()
    assert (found.source, found.verified, found.kept) == (12, 12, 0)
    assert world.writes(world.sync) == []


def test_every_label_gets_a_copy_where_the_plan_wishes_it(tmp_path: FilePath) -> None:
    world = Gmail(tmp_path, Labels.FOLDERS)
    world.deliver(b"\r\na\r\n", INBOX, WORK)
    world.deliver(b"\r\nd\r\n")
    world.sync()
    assert world.there() == {INBOX: {b"\r\na\r\n"}, WORK: {b"\r\na\r\n"}, ALL: {b"\r\nd\r\n"}}
    assert world.counts() == {"copied": 3, "merged": 1}
    assert world.verified().verified == 4


def test_equal_messages_are_not_one_object(world: Gmail) -> None:
    for _ in range(3):
        world.old.deliver(WORK, b"\r\nsame\r\n")
    world.sync()
    assert world.bodies(WORK) == {b"\r\nsame\r\n": 3}
    assert world.counts() == {"copied": 3}


def test_a_label_added_later_copies_nothing_again(world: Gmail) -> None:
    ids = world.deliver(b"\r\na\r\n", INBOX)
    world.sync()
    world.old.label(ALL, ids[ALL], WORK)
    assert [name for name in world.writes(world.sync) if name != "create-folder"] == []
    assert world.there() == {INBOX: {b"\r\na\r\n"}}
    assert world.counts() == {"copied": 1, "merged": 2}
    assert world.verified().verified == 3


def test_a_label_taken_away_takes_no_message(world: Gmail) -> None:
    ids = world.deliver(b"\r\na\r\n", INBOX)
    world.policy = Policy(Scope(), mirror=True)
    world.sync()
    world.old.delete(INBOX, ids[INBOX])
    world.sync()
    world.sync()
    assert world.there() == {INBOX: {b"\r\na\r\n"}}
    found = world.verified()
    assert (found.source, found.verified, found.kept) == (1, 1, 0)
    world.old.label(ALL, ids[ALL], WORK)
    world.sync()
    assert world.there() == {INBOX: {b"\r\na\r\n"}}
    world.old.delete(ALL, ids[ALL])
    world.old.delete(WORK, *world.old.box(WORK).items)
    world.sync()
    assert world.there() == {}  # gone from everywhere: mirrored


def test_flags_reach_the_copy_by_whichever_label_is_left(world: Gmail) -> None:
    ids = world.deliver(b"\r\na\r\n", INBOX)
    world.sync()
    world.old.flag(ALL, ids[ALL], add=["\\Seen", "\\Flagged"])
    world.sync()
    [copy] = world.new.box(INBOX).items.values()
    assert copy.flags == {"\\Seen", "\\Flagged"}
    world.old.delete(INBOX, ids[INBOX])
    world.sync()
    world.old.flag(ALL, ids[ALL], remove=["\\Flagged"])
    world.sync()
    assert copy.flags == {"\\Seen"}
    assert world.verified().verified == 1


def test_new_ids_on_either_side_copy_nothing_again(world: Gmail) -> None:
    for number in range(5):
        world.deliver(b"\r\n%d\r\n" % number, INBOX, WORK)
    world.sync()
    before = world.there()
    for account, path in ((world.old, ALL), (world.old, WORK), (world.new, WORK)):
        account.change_validity(path)
        assert world.writes(world.sync) == []
        assert world.there() == before
        assert world.verified().verified == 15


def test_a_folder_out_of_scope_is_not_the_best(world: Gmail) -> None:
    world.policy = Policy(Scope(exclude=("Work",)))
    world.deliver(b"\r\na\r\n", INBOX, WORK)
    world.sync()
    assert world.there() == {INBOX: {b"\r\na\r\n"}}
    assert world.verified().source == 2
    world.policy = Policy(Scope())
    world.sync()
    assert world.there() == {INBOX: {b"\r\na\r\n"}}
    assert world.verified().source == 3


def test_what_another_tool_copied_is_adopted_where_it_belongs(world: Gmail) -> None:
    for number in range(4):
        world.deliver(b"\r\n%d\r\n" % number, WORK)
    for path in (WORK, ALL):
        world.new.create_folder(path)
        world.new.deliver(path, b"\r\n0\r\n")
        world.new.deliver(path, b"\r\n1\r\n")
    world.sync()
    assert world.there()[WORK] == {b"\r\n%d\r\n" % number for number in range(4)}
    assert world.counts() == {"present": 2, "copied": 2, "merged": 4}
    found = world.verified()
    assert (found.verified, found.own) == (8, 2)


labels = st.lists(st.sampled_from([INBOX, WORK, CLIENT, STARRED]), unique=True)


@given(
    messages=st.lists(labels, max_size=6),
    later=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([INBOX, WORK, CLIENT, STARRED])), max_size=6),
    dies=st.integers(1, 7),
    how=st.sampled_from([Mode.BEFORE, Mode.HALF, Mode.AFTER, Mode.LATE]),
)
@settings(max_examples=300 if FULL else 10)
def test_any_labels_at_any_time_make_one_copy(
    messages: list[list[Path]], later: list[tuple[int, Path]], dies: int, how: Mode
) -> None:
    with tempfile.TemporaryDirectory(prefix="xdmigrate-labels-") as home:
        world = Gmail(FilePath(home))
        label_and_die(world, messages, later, dies, how)
        world.db.close()


def label_and_die(
    world: Gmail, messages: list[list[Path]], later: list[tuple[int, Path]], dies: int, how: Mode
) -> None:
    ids = [world.deliver(b"\r\n%d\r\n" % number, *some) for number, some in enumerate(messages)]
    killed = Fault(how, error=Killed)
    world.target_faults = Faults(lambda op: killed if op.name == "send" and op.nth == dies else None)
    try:
        world.step()
    except Killed:
        world.target_faults.commit_late()
    world.calm()
    known = [(number, label) for number, label in later if number < len(ids)]
    for number, label in known:
        if label not in ids[number]:
            ids[number][label] = world.old.label(ALL, ids[number][ALL], label)
    world.sync()  # a label may go once it is known what the dead run has sent under it
    for number, label in known[::2]:
        if label in ids[number]:
            world.old.delete(label, ids[number].pop(label))
    world.sync()
    world.sync()
    assert world.everything() == Counter(b"\r\n%d\r\n" % number for number in range(len(messages)))
    if messages:
        found = world.verified()
        assert found.source == found.verified == sum(map(len, ids))
    assert world.writes(world.sync) == []
