"""Several mailboxes into one place: `keep` ends up with the sum, `dedupe` with the maximum of what each holds."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from functools import partial, reduce
from pathlib import Path as FilePath

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.conftest import FULL
from tests.engine.world import USER, World
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.model import Kind, Path, Role
from xdmigrate.report.verdicts import KindVerdict
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate_state import folders, ledger, mailboxes, totals

INBOX: Path = ("INBOX",)
LEFT: Path = ("Bob (left)",)
A, B, C = USER, "bob@old.example", "cid@old.example"
X, Y, Z = b"\r\nx\r\n", b"\r\ny\r\n", b"Subject: z\r\n\r\nlonger\r\n"


class Merged(World):
    """Three mailboxes of the source go to one place of one target mailbox."""

    def __init__(self, home: FilePath, merge: str = "dedupe", into: Path = (), **more: object) -> None:
        super().__init__(home, **more)  # type: ignore[arg-type]
        self.others = {name: self.old_server.add_account(name, "secret-old") for name in (B, C)}
        self.ids = {name: self.add_mailbox(name, USER, into, merge) for name in (A, B, C)}
        self.mailbox_id = self.ids[A]

    def deliver(self, name: str, bodies: Iterable[bytes], path: Path = INBOX, flags: Iterable[str] = ()) -> list[bytes]:
        account = self.old_server.account(name)
        account.create_folder(path)
        return [account.deliver(path, body, flags) for body in bodies]

    def sync_all(self, *names: str) -> None:
        for name in names or (A, B, C):
            self.sync(self.ids[name])

    def counts(self, name: str) -> dict[str, int]:
        found = self.db.read(lambda c: totals.mailbox_counts(c, self.plan_id))[self.ids[name]][Kind.MAIL]
        assert found.closed
        for row in self.db.read(lambda c: folders.of_mailbox(c, self.ids[name], live=False)):
            assert self.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts
        return {
            key: value for key in ("copied", "present", "merged", "pending", "gone") if (value := getattr(found, key))
        }

    def verdicts(self) -> dict[str, KindVerdict]:
        found = {name: self.verify(mailbox_id=number) for name, number in self.ids.items()}
        assert {verdict.verdict for verdict in found.values()} == {Judged.PASS}, found
        return {name: verdict.kinds[Kind.MAIL] for name, verdict in found.items() if Kind.MAIL in verdict.kinds}


@pytest.fixture
def world(tmp_path: FilePath) -> Merged:
    return Merged(tmp_path)


def test_equal_items_of_three_mailboxes_are_there_once(world: Merged) -> None:
    world.deliver(A, [X, X, Y])
    world.deliver(B, [X, X, X, Z])
    world.deliver(C, [X, X, Y, Z])
    world.sync_all()
    assert world.bodies(INBOX) == {X: 3, Y: 1, Z: 1}
    assert [world.counts(name) for name in (A, B, C)] == [{"copied": 3}, {"copied": 2, "merged": 2}, {"merged": 4}]
    assert {name: (kind.source, kind.verified) for name, kind in world.verdicts().items()} == {
        A: (3, 3),
        B: (4, 4),
        C: (4, 4),
    }
    assert world.writes(world.sync_all) == []


def test_kept_items_of_three_mailboxes_are_all_there(tmp_path: FilePath) -> None:
    world = Merged(tmp_path, "keep")
    for name in (A, B, C):
        world.deliver(name, [X, X, Y])
    world.sync_all()
    assert world.bodies(INBOX) == {X: 6, Y: 3}
    assert world.verdicts()[C].verified == 3


def test_folders_of_one_name_and_use_share_a_place_below_into(tmp_path: FilePath) -> None:
    world = Merged(tmp_path, into=LEFT)
    for name in (A, B, C):
        world.old_server.account(name).create_folder(("Gesendet",), role=Role.SENT)
        world.deliver(name, [X, name.encode()])
        world.deliver(name, [Y, name.encode()], ("Gesendet",))
    world.new.deliver(INBOX, X)
    world.sync_all()
    below = {body.encode() for body in (A, B, C)}
    assert world.bodies((*LEFT, "INBOX")) == Counter([X, *below])
    assert world.bodies((*LEFT, "Gesendet")) == Counter([Y, *below])
    assert world.bodies(INBOX) == {X: 1}  # its owner's, in another place
    assert world.counts(C) == {"copied": 2, "merged": 2}
    assert world.verdicts()[C].verified == 4
    assert world.writes(world.sync_all) == []


def test_a_copy_that_its_owner_deleted_stands_for_nothing(world: Merged) -> None:
    world.deliver(A, [X])
    world.sync_all(A)
    [ref] = world.new.box(INBOX).items
    world.new.delete(INBOX, ref)
    world.deliver(B, [X])
    world.sync_all(B)
    assert world.counts(B) == {"copied": 1}
    assert world.bodies(INBOX) == {X: 1}


def test_a_merged_item_brings_its_flags_and_takes_none_away(world: Merged) -> None:
    world.deliver(A, [X], flags=["\\Answered"])
    [bobs] = world.deliver(B, [X], flags=["\\Seen"])
    world.sync_all()
    [kept] = world.new.box(INBOX).items.values()
    assert kept.flags == {"\\Answered", "\\Seen"}
    world.others[B].flag(INBOX, bobs, add=["\\Flagged"], remove=["\\Seen"])
    world.sync_all()
    assert kept.flags == {"\\Answered", "\\Seen", "\\Flagged"}
    world.verdicts()
    assert world.writes(world.sync_all) == []


def test_what_others_rely_on_is_not_mirrored_away(tmp_path: FilePath) -> None:
    world = Merged(tmp_path, policy=Policy(Scope(), mirror=True))
    [anns] = world.deliver(A, [X])
    [bobs] = world.deliver(B, [X])
    world.sync_all()
    world.old.delete(INBOX, anns)
    world.sync_all()
    assert world.bodies(INBOX) == {X: 1}
    assert world.verdicts()[B].verified == 1
    world.others[B].delete(INBOX, bobs)
    world.sync_all()
    world.sync_all()
    assert world.bodies(INBOX) == {}


def test_new_ids_on_the_target_keep_what_is_merged(world: Merged) -> None:
    world.deliver(A, [X, Y])
    world.deliver(B, [X, Y, Z])
    world.sync_all()
    world.new.change_validity(INBOX)
    assert world.writes(world.sync_all) == []
    assert world.counts(B) == {"copied": 1, "merged": 2}
    world.verdicts()


def test_what_is_lost_with_new_ids_is_sent_once(world: Merged) -> None:
    world.deliver(A, [X, Y])
    world.deliver(B, [X, Y])
    world.sync_all()
    lost = next(ref for ref, kept in world.new.box(INBOX).items.items() if kept.data == X)
    world.new.delete(INBOX, lost)
    world.new.change_validity(INBOX)
    world.sync_all(B)
    world.sync_all()
    assert world.bodies(INBOX) == {X: 1, Y: 1}
    world.verdicts()


def test_a_mailbox_that_is_reset_finds_its_own_again(world: Merged) -> None:
    world.deliver(A, [X, Y])
    world.deliver(B, [X, Z])
    world.sync_all()
    for name in (A, B):
        world.db.write(partial(mailboxes.reset, mailbox_id=world.ids[name]))
        world.sync_all()
        assert world.bodies(INBOX) == {X: 1, Y: 1, Z: 1}
        world.verdicts()


bags = st.lists(st.sampled_from([X, Y, Z]), max_size=5)


@settings(max_examples=400 if FULL else 5)
@given(
    held=st.tuples(bags, bags, bags), later=st.tuples(bags, bags, bags), there=bags, order=st.permutations((A, B, C))
)
def test_dedupe_is_the_maximum_and_keep_the_sum(
    held: tuple[list[bytes], ...], later: tuple[list[bytes], ...], there: list[bytes], order: list[str]
) -> None:
    for merge in ("dedupe", "keep"):
        home = FilePath(tempfile.mkdtemp(prefix="xdmigrate-merge-"))
        try:
            world = Merged(home, merge)
            for body in there:
                world.new.deliver(INBOX, body)
            for part in (held, later):
                for name, bodies in zip((A, B, C), part, strict=True):
                    world.deliver(name, bodies)
                world.sync_all(*order)
            one = Counter.__or__ if merge == "dedupe" else Counter.__add__
            first = reduce(one, map(Counter, held))
            both = reduce(one, [Counter(early + late) for early, late in zip(held, later, strict=True)])
            assert world.bodies(INBOX) == both + (Counter(there) - first)  # what nobody claimed is the target's own
            verdicts = world.verdicts()
            assert all(kind.source == kind.verified for kind in verdicts.values())
            assert world.writes(world.sync_all) == []
            world.db.close()
        finally:
            shutil.rmtree(home, ignore_errors=True)


def test_whoever_comes_first_after_new_ids_matches_everybody(world: Merged) -> None:
    world.deliver(C, [X, Y, Z])
    world.sync_all(C)
    world.new.change_validity(INBOX)
    world.deliver(A, [X])
    world.sync_all()
    assert world.bodies(INBOX) == {X: 1, Y: 1, Z: 1}
    assert world.counts(A) == {"merged": 1}
    assert world.counts(C) == {"copied": 3}
    world.verdicts()
