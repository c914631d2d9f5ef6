"""Nothing reaches the target; what is predicted is what the same calls then do; later listings are consistent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wrap.kit import World
from xdmigrate.contract import LARGEST_OBJECT, Accepted, Features, Intent, Refused, Source, Stored, Target
from xdmigrate.errors import FolderUnusable, XdmigrateError
from xdmigrate.model import FlagChange, Folder, Head, Item, Kind, Path, Role
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance import Message
from xdmigrate.testing.conformance.kit import item, mail, refs, write
from xdmigrate.testing.memory import INBOX, Powers
from xdmigrate.wrap import dry_source
from xdmigrate.wrap.dry_run import DryRunTarget
from xdmigrate.wrap.dry_source import DryRunSource
from xdmigrate.wrap.forward import ForwardingSource, ForwardingTarget
from xdmigrate.wrap.prediction import FolderPrediction, Prediction

Seen = dict[Path, tuple[bool, list[tuple[int, frozenset[str]]]]]


def look(source: Source) -> Seen:
    """Everything a listing shows that does not depend on ids."""
    return {
        folder.path: (folder.subscribed, [(head.size, head.flags) for head in source.heads(folder)])
        for folder in source.folders()
    }


def frozen(world: World) -> list[tuple[object, ...]]:
    """The account down to its change counters."""
    return [(box.path, box.validity, box.changes, box.subscribed) for box in world.account.boxes()]


def test_nothing_reaches_the_target() -> None:
    world = World()
    ref = world.account.deliver(INBOX, b"there", {"\\Seen"})
    before, dry = frozen(world), DryRunTarget(world.target())
    assert isinstance(dry, Target)
    (inbox,) = dry.folders()
    write(dry, inbox, [mail("new"), mail("newer")])
    dry.change_flags(inbox, [FlagChange(ref, add=frozenset({"\\Flagged"}), remove=frozenset({"\\Seen"}))])
    dry.subscribe(inbox)
    folder = dry.create_folder(("Clients", "2024"), role=Role.ARCHIVE)
    write(dry, folder, [mail("filed")])
    dry.rename_folder(dry.status(folder), ("Clients", "2025"))
    dry.remove(inbox, [ref])
    assert frozen(world) == before
    octets = len(mail("new").data) + len(mail("newer").data)
    assert dry.prediction == Prediction(
        created=[("Clients",), ("Clients", "2024")],
        renamed=[(("Clients", "2024"), ("Clients", "2025"))],
        subscribed=[INBOX],
        folders={
            INBOX: FolderPrediction(items=2, octets=octets, flags=1, removed=1),
            ("Clients", "2024"): FolderPrediction(items=1, octets=len(mail("filed").data)),
        },
    )


def test_what_would_be_written_is_listed_afterwards() -> None:
    world = World()
    old = world.account.deliver(INBOX, b"there")
    dry = DryRunTarget(world.target())
    (inbox,) = dry.folders()
    receipts = write(dry, inbox, [replace(mail("a"), flags=frozenset({"\\Seen"})), mail("b")])
    new = [receipt.ref for receipt in receipts.values() if isinstance(receipt, Stored)]
    assert refs(dry, inbox) == [old, *new]
    assert [head.ref for head in dry.heads(inbox, inbox.next_id)] == new
    assert [head.ref for head in dry.heads(inbox, new[1])] == new[1:]
    now = dry.status(inbox)
    assert (now.count, now.state) == (3, b"")
    assert now == dry.folders()[0]
    assert new[-1] < now.next_id
    assert list(dry.heads(inbox, now.next_id)) == []
    heads = list(dry.heads(inbox))
    assert [head.flags for head in heads] == [set(), {"\\Seen"}, set()]
    assert heads[1].date == mail("a").date
    assert [whole(one) for one in dry.read(inbox, refs(dry, inbox))] == [b"there"]
    later = write(dry, inbox, [mail("c")])[0]
    assert isinstance(later, Stored)
    assert later.ref == now.next_id


def test_changes_are_consistent_too() -> None:
    world = World()
    for data in (b"1", b"2", b"3"):
        world.account.deliver(INBOX, data)
    dry = DryRunTarget(world.target())
    (inbox,) = dry.folders()
    first, second, third = refs(dry, inbox)
    cursor = dry.changes(inbox).cursor
    write(dry, inbox, [mail("new")])
    dry.remove(inbox, [first])
    world.account.flag(INBOX, third, {"\\Seen"})
    told = dry.changes(inbox, cursor)
    new = refs(dry, inbox)[-1]
    assert not told.complete
    assert [head.ref for head in told.heads] == [third, new]
    assert told.vanished == (first,)
    everything = dry.changes(inbox)
    assert everything.complete
    assert [head.ref for head in everything.heads] == [second, third, new]
    made = dry.create_folder(("Made",))
    write(dry, made, [mail("x")])
    told = dry.changes(made, b"any")
    assert (told.complete, len(list(told.heads)), told.cursor) == (True, 1, b"")


def test_what_is_alive_counts_what_would_be_written_and_removed() -> None:
    world = World(Powers(names_vanished=False))
    refs_there = [world.account.deliver(INBOX, data) for data in (b"1", b"2", b"3")]
    dry = DryRunTarget(world.target())
    (inbox,) = dry.folders()
    cursor = dry.changes(inbox).cursor
    write(dry, inbox, [mail("new")])
    dry.remove(inbox, refs_there[:1])
    world.account.delete(INBOX, refs_there[1])
    told = dry.changes(inbox, cursor)
    assert told.alive is not None
    assert (list(told.alive), told.count) == (refs(dry, inbox), 2)
    assert told.vanished == ()


def test_refusals_are_predicted() -> None:
    world = World(Powers(size_limit=100, delimiter=".", name_limit=10, keywords=False, dates=False, ids_returned=False))
    dry = DryRunTarget(world.target())
    for path in (("a.b",), ("x" * 11,), ("ü" * 6,)):
        with pytest.raises(FolderUnusable):
            dry.create_folder(path)
    folder = dry.create_folder(("ok",))
    receipts = write(dry, folder, [Message(b"x" * 101), Message(b"y" * 100, frozenset({"\\Seen", "Todo"}))])
    assert isinstance(receipts[0], Refused)
    assert receipts[0].reason == "too-big"
    assert receipts[1] == Accepted(1)
    (head,) = dry.heads(folder)
    assert (head.size, set(head.flags), head.date) == (100, {"\\Seen"}, None)
    assert dry.prediction.folder(("ok",)) == FolderPrediction(items=1, octets=100, too_big=1)


class Strict(ForwardingTarget):
    """Takes only what the standards allow, so that a dry run looks into what is written."""

    @property
    def features(self) -> Features:
        return replace(super().features, strict=True)


class Unread:
    """A body that says how large it is, and is not to be touched."""

    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self) -> Iterator[memoryview]:
        raise AssertionError("it was read")

    def spool(self) -> BinaryIO:
        raise AssertionError("it was read")


@pytest.mark.parametrize(("powers", "size"), [(Powers(), LARGEST_OBJECT + 1), (Powers(size_limit=100), 101)])
@pytest.mark.parametrize("over", [None, Head(b"there", 1)])
def test_what_is_too_big_to_be_held_is_not_read(powers: Powers, size: int, over: Head | None) -> None:
    dry = DryRunTarget(Strict(World(powers).target()))
    folder = dry.create_folder(("Work",), Kind.CALENDAR)
    with dry.writer(folder, Intent(1, 1, size)) as writer:
        writer.put(0, Item(Head(b"1", size), Unread(size), Kind.CALENDAR), over)
        (told,) = writer.flush()
    assert told == Refused(0, "too-big", f"larger than {size - 1} bytes")
    assert dry.prediction.folder(("Work",)) == FolderPrediction(too_big=1)


def test_folders_that_are_there_stay_what_they_are() -> None:
    world = World()
    world.account.create_folder(("Old", "Below"))
    world.account.create_folder(("Gone", "Below"))
    world.account.remove_folder(("Gone",))
    ref = world.account.deliver(("Old", "Below"), b"inside")
    dry = DryRunTarget(world.target())
    assert dry.create_folder(("Old",)) == world.target().create_folder(("Old",))
    assert dry.prediction.created == []
    assert dry.create_folder(("Gone",)).selectable
    old = dry.create_folder(("Old",))
    assert dry.rename_folder(old, ("New",)).validity == old.validity
    paths = [folder.path for folder in dry.folders()]
    assert sorted(paths) == [("Gone",), ("Gone", "Below"), INBOX, ("New",), ("New", "Below")]
    below = dry.status(Folder(("New", "Below")))
    assert [whole(one) for one in dry.read(below, [ref])] == [b"inside"]
    with pytest.raises(FolderUnusable):
        dry.rename_folder(below, INBOX)
    with pytest.raises(FolderUnusable):
        dry.status(Folder(("Old",)))


PATHS = st.sampled_from([INBOX, ("A",), ("A", "B"), ("C",)])
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged"]))
STEPS = st.one_of(
    st.tuples(st.just("create"), PATHS),
    st.tuples(st.just("subscribe"), PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("write"), PATHS, st.lists(st.tuples(st.binary(min_size=1, max_size=40), FLAGS), max_size=4)),
    st.tuples(st.just("flags"), PATHS, st.integers(0, 9), FLAGS, FLAGS),
    st.tuples(st.just("remove"), PATHS, st.integers(0, 9)),
)


def do(target: Target, step: tuple[object, ...]) -> str:
    """One step of a migration on whatever folder has the path; how it went."""
    try:
        match step:
            case ("create", path):
                target.create_folder(path)  # type: ignore[arg-type]
            case (name, path, *rest):
                folder = target.status(Folder(path))  # type: ignore[arg-type]
                _do_in(target, folder, str(name), rest)
    except XdmigrateError as error:
        return error.code
    return "done"


def _do_in(target: Target, folder: Folder, name: str, rest: list[object]) -> None:
    heads = sorted(target.heads(folder), key=lambda head: (head.size, sorted(head.flags)))  # ids differ, these do not
    listed = [head.ref for head in heads]
    match name, rest:
        case "subscribe", []:
            target.subscribe(folder)
        case "rename", [to] if folder.path != INBOX and to[: len(folder.path)] != folder.path:  # type: ignore[index]
            target.rename_folder(folder, to)  # type: ignore[arg-type]
        case "write", [messages]:
            write(target, folder, [Message(data, flags) for data, flags in messages])  # type: ignore[attr-defined]
        case "flags", [int() as number, frozenset() as add, frozenset() as remove] if listed:
            target.change_flags(folder, [FlagChange(listed[number % len(listed)], add, remove - add)])
        case "remove", [int() as number] if listed:
            target.remove(folder, [listed[number % len(listed)]])


@given(steps=st.lists(STEPS, max_size=15), ordered=st.booleans(), limit=st.sampled_from([None, 20]))
@settings(max_examples=150, deadline=None)
def test_the_prediction_is_what_the_run_then_does(
    steps: list[tuple[object, ...]], ordered: bool, limit: int | None
) -> None:
    powers = Powers(ordered_ids=ordered, size_limit=limit)
    world, twin = World(powers), World(powers)
    for one in (world, twin):
        one.account.create_folder(("A", "Sub"))
        one.account.deliver(("A",), b"there", {"\\Seen"})
        one.account.deliver(INBOX, b"there too")
    before, dry, real = frozen(world), DryRunTarget(world.target()), twin.target()
    for step in steps:
        assert do(dry, step) == do(real, step)
    assert _sorted(look(dry)) == _sorted(look(real))
    assert frozen(world) == before


def _sorted(seen: Seen) -> Seen:
    """In an order that equal listings share: equal sets of flags may be spelled differently, by how they came to be."""
    return {
        path: (subscribed, sorted(heads, key=lambda head: (head[0], sorted(head[1]))))
        for path, (subscribed, heads) in seen.items()
    }


# --- the source -------------------------------------------------------------------------------------------------------


class Counted(ForwardingSource):
    """Notes which items are read."""

    def __init__(self, inner: Source) -> None:
        super().__init__(inner)
        self.asked: list[bytes] = []

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        self.asked += refs
        return super().read(folder, refs)


def test_bodies_are_read_only_when_asked_for() -> None:
    world = World()
    for data in (b"one", b"two", b"three"):
        world.account.deliver(INBOX, data)
    inner = Counted(world.source())
    source = DryRunSource(inner)
    (inbox,) = source.folders()
    listed = refs(source, inbox)
    items = list(source.read(inbox, [listed[2], listed[0], b"none"]))
    assert [one.body.size for one in items] == [5, 3]
    assert inner.asked == []
    assert items[0].body.spool().read() == b"three"
    assert whole(items[1]) == b"one"
    assert inner.asked == [listed[2], listed[0]]


@given(
    amount=st.integers(0, 40),
    ranges=st.lists(st.lists(st.integers(0, 45), max_size=8), max_size=6),
    listed=st.booleans(),
    ordered=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_range_is_found_whatever_is_remembered(
    amount: int, ranges: list[list[int]], listed: bool, ordered: bool
) -> None:
    world = World(Powers(ordered_ids=ordered))
    known = [world.account.deliver(INBOX, b"x" * number) for number in range(amount)]
    known += [b"\0none%d" % number for number in range(6)]
    source = DryRunSource(world.source())
    (inbox,) = source.folders()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dry_source, "WINDOW", 7)
        if listed:
            assert len(list(source.changes(inbox).heads)) == amount
        for numbers in ranges:
            wanted = [known[number] for number in numbers if number < len(known)]
            found = {one.head.ref: one.body.size for one in source.read(inbox, wanted)}
            assert found == {known[number]: number for number in numbers if number < amount}


def test_no_item_is_made_of_a_head_without_a_size() -> None:
    world = World(Powers(deltas=False, known_sizes=False))
    known = world.account.deliver(INBOX, b"x" * 10)
    source = DryRunSource(world.source())
    (inbox,) = source.folders()
    cursor = source.changes(inbox).cursor
    assert [head.measured for head in source.changes(inbox, cursor).heads] == [False]
    assert [one.body.size for one in source.read(inbox, [known])] == [10]


def test_writing_to_a_dry_run_reads_no_body() -> None:
    world = World()
    world.account.deliver(INBOX, b"x" * 10)
    world.server.powers = replace(world.server.powers, unreadable=lambda data: True)
    source, dry = DryRunSource(world.source()), DryRunTarget(World().target())
    (inbox,) = source.folders()
    (one,) = source.read(inbox, refs(source, inbox))
    with dry.writer(dry.folders()[0], Intent(1, 1, 10)) as writer:
        writer.put(0, one)
        assert writer.poll() == [Stored(0, refs(dry, dry.folders()[0])[0])]
    assert dry.prediction.folder(INBOX).octets == 10
    assert item(0, mail("x")).body.size == len(mail("x").data)
