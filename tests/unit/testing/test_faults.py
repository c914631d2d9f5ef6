"""Faults do what their mode says, the same for the same decisions, and never answer a ticket twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdmigrate.contract import Accepted, Intent, Receipt, Stored
from xdmigrate.errors import ConnectionLost, Throttled, Unreachable, XdmigrateError
from xdmigrate.model import Endpoint, FlagChange, Folder, Login
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance import ConnectorConformance, Message, Profile
from xdmigrate.testing.conformance.kit import item, refs
from xdmigrate.testing.faults import Fault, Faults, FaultySource, FaultyTarget, Killed, Mode, Operation
from xdmigrate.testing.memory import INBOX, Account, MemoryServer, Powers, connector
from xdmigrate.testing.memory.plugin import MemoryConnector

NAMES = count(1)
LOGIN = Login("ann@example.org", "ann", "secret")


class World:
    """An account, and faulty sessions on it."""

    def __init__(self, faults: Faults, powers: Powers | None = None) -> None:
        self.server = MemoryServer(f"faults-{next(NAMES)}", powers)
        self.account: Account = self.server.add_account("ann", "secret")
        self.endpoint = Endpoint("new", "memory", {"server": self.server.name})
        self.faults = faults

    def target(self) -> FaultyTarget:
        return FaultyTarget(self.faults, lambda: connector.target(self.endpoint, LOGIN))

    def bodies(self) -> list[bytes]:
        return self.account.contents(INBOX)


def inbox(target: FaultyTarget) -> Folder:
    return target.inner.folders()[0]


def put(target: FaultyTarget, amount: int) -> list[Receipt]:
    """Write `amount` items named by their numbers; the receipts that came before anything went wrong are lost here."""
    with target.writer(inbox(target), Intent(1, amount, 0)) as writer:
        for number in range(amount):
            writer.put(number, item(number, Message(b"%d" % number)))
        return writer.flush()


def script(name: str, nth: int, mode: Mode, later: int = 2) -> Faults:
    return Faults.scripted({(name, nth): Fault(mode, later=later)})


class _Faulty(MemoryConnector):
    """The memory connector behind a fault wrapper in which nothing goes wrong."""

    def target(self, endpoint: Endpoint, login: Login) -> FaultyTarget:  # type: ignore[override]  # both are targets
        return FaultyTarget(Faults.scripted({}), lambda: connector.target(endpoint, login))

    def source(self, endpoint: Endpoint, login: Login) -> FaultySource:  # type: ignore[override]  # both are sources
        return FaultySource(Faults.scripted({}), lambda: connector.source(endpoint, login))


class TestWithoutFaults(ConnectorConformance):
    @pytest.fixture
    def profile(self) -> Profile:
        world = World(Faults.scripted({}))
        return Profile(_Faulty(), world.endpoint, LOGIN, renumber=world.account.change_validity)


@pytest.mark.parametrize(("mode", "kept"), [(Mode.BEFORE, 4), (Mode.AFTER, 8), (Mode.HALF, 6), (Mode.LATE, 4)], ids=str)
def test_a_failing_batch_leaves_what_its_mode_says(mode: Mode, kept: int) -> None:
    world = World(script("send", 2, mode))
    target = world.target()
    with pytest.raises(ConnectionLost):
        put(target, 10)
    assert world.bodies() == [b"%d" % number for number in range(kept)]
    with pytest.raises(ConnectionLost):
        target.folders()


def test_receipts_of_earlier_batches_are_not_lost() -> None:
    world = World(script("send", 2, Mode.AFTER))
    target = world.target()
    writer = target.writer(inbox(target), Intent(1, 8, 0))
    for number in range(7):
        writer.put(number, item(number, Message(b"x")))
    with pytest.raises(ConnectionLost):
        writer.flush()
    assert [receipt.ticket for receipt in writer.poll()] == [0, 1, 2, 3]
    assert writer.poll() == []


def test_a_late_write_commits_after_its_session_was_closed() -> None:
    world = World(script("send", 1, Mode.LATE, later=3))
    target = world.target()
    with pytest.raises(ConnectionLost):
        put(target, 4)
    target.close()
    assert (world.faults.late(), world.server.open_sessions()) == (1, 1)
    again = world.target()
    again.folders()
    again.status(inbox(again))
    assert world.bodies() == []
    again.folders()
    assert world.bodies() == [b"0", b"1", b"2", b"3"]
    assert (world.faults.late(), world.server.open_sessions()) == (0, 1)


def test_late_writes_can_be_called_in_or_dropped() -> None:
    script_ = {("send", n): Fault(Mode.LATE, later=99) for n in (1, 2)} | {("create-folder", 1): Fault(Mode.LATE)}
    world = World(Faults.scripted(script_))
    for amount in (1, 2):
        target = world.target()
        with pytest.raises(ConnectionLost):
            put(target, amount)
        target.close()
        if amount == 1:
            world.faults.drop_late()
    with pytest.raises(ConnectionLost):
        world.target().create_folder(("Late",))
    world.faults.commit_late()
    assert world.bodies() == [b"0", b"1"]
    assert [box.path for box in world.account.boxes()] == [INBOX, ("Late",)]
    assert world.faults.late() == 0


def test_a_late_write_to_a_folder_that_is_gone_is_silent() -> None:
    world = World(script("send", 1, Mode.LATE, later=99))
    with pytest.raises(ConnectionLost):
        put(world.target(), 1)
    world.account.change_validity(INBOX)
    world.faults.commit_late()
    assert world.bodies() == []


@pytest.mark.parametrize("ids_returned", [True, False])
def test_a_lie_is_answered_like_the_truth(ids_returned: bool) -> None:
    world = World(script("send", 1, Mode.LYING), Powers(ids_returned=ids_returned))
    target = world.target()
    receipts = put(target, 4)
    assert [receipt.ticket for receipt in receipts] == [0, 1, 2, 3]
    assert {type(receipt) for receipt in receipts} == {Stored if ids_returned else Accepted}
    assert world.bodies() == [b"0", b"1"]
    assert target.folders()[0].count == 2


@pytest.mark.parametrize(
    ("mode", "left"),
    [(Mode.BEFORE, 3), (Mode.AFTER, 0), (Mode.HALF, 1), (Mode.LYING, 2), (Mode.LATE, 3)],
    ids=str,
)
def test_removals_and_flags_go_wrong_too(mode: Mode, left: int) -> None:
    for name in ("remove", "change-flags"):
        world = World(script(name, 1, mode, later=99))
        found = [world.account.deliver(INBOX, b"x") for _ in range(3)]
        target = world.target()
        raised = False
        try:
            if name == "remove":
                target.remove(inbox(target), found)
            else:
                target.change_flags(inbox(target), [FlagChange(ref, add=frozenset({"\\Seen"})) for ref in found])
        except ConnectionLost:
            raised = True
        assert raised == (mode is not Mode.LYING)
        heads = list(connector.source(world.endpoint, LOGIN).heads(Folder(INBOX)))
        assert sum(not head.flags for head in heads) == left
        assert len(heads) == (left if name == "remove" else 3)
        world.faults.commit_late()
        assert mode is not Mode.LATE or all(
            head.flags for head in connector.source(world.endpoint, LOGIN).heads(Folder(INBOX))
        )


@pytest.mark.parametrize(("mode", "told"), [(Mode.BEFORE, 0), (Mode.HALF, 2), (Mode.AFTER, 5)], ids=str)
@pytest.mark.parametrize("name", ["heads", "changes", "read"])
def test_listings_and_reads_break_off(name: str, mode: Mode, told: int) -> None:
    world = World(script(name, 1, mode))
    found = [world.account.deliver(INBOX, b"body %d" % number) for number in range(5)]
    got: list[bytes] = []
    with pytest.raises(ConnectionLost):
        take(got, stream(name, world.target(), found))
    assert got == found[:told]


def stream(name: str, target: FaultyTarget, found: list[bytes]) -> Iterator[bytes]:
    """The ids of a listing, or of the items that can be read."""
    if name == "read":
        return (one.head.ref for one in target.read(inbox(target), found) if whole(one))
    heads = target.heads(inbox(target)) if name == "heads" else target.changes(inbox(target)).heads
    return (head.ref for head in heads)


def take(got: list[bytes], refs_: Iterator[bytes]) -> None:
    """Append to `got` one by one, so that it holds what came before an error."""
    for ref in refs_:
        got.append(ref)


def test_a_torn_body_breaks_in_the_middle() -> None:
    world = World(Faults.scripted({("read", n): Fault(Mode.HALF) for n in (1, 2)}))
    ref = world.account.deliver(INBOX, b"0123456789")
    target = world.target()
    (one,) = [next(target.read(inbox(target), [ref]))]
    chunks = one.body.chunks()
    assert (one.body.size, bytes(next(chunks))) == (10, b"01234")
    with pytest.raises(ConnectionLost):
        next(chunks)
    with pytest.raises(ConnectionLost):
        target.status(inbox(target))
    target = world.target()
    with pytest.raises(ConnectionLost):
        next(target.read(inbox(target), [ref])).body.spool()


def test_an_abandoned_batch_may_have_been_sent() -> None:
    for mode, kept in ((None, 0), (Mode.AFTER, 3), (Mode.HALF, 2), (Mode.LATE, 0)):
        world = World(Faults.scripted({("abandon", 1): Fault(mode)} if mode else {}))
        target = world.target()
        writer = target.writer(inbox(target), Intent(1, 3, 0))
        for number in range(3):
            writer.put(number, item(number, Message(b"%d" % number)))
        writer.__exit__(ZeroDivisionError, None, None)
        assert len(world.bodies()) == kept
        world.faults.commit_late()
        assert len(world.bodies()) == (3 if mode is Mode.LATE else kept)


def test_errors_are_the_test_s_choice() -> None:
    world = World(
        Faults.scripted(
            {
                ("connect", 1): Fault(Mode.BEFORE, error=lambda: Unreachable("no route")),
                ("status", 1): Fault(Mode.BEFORE, error=lambda: Throttled("slower", delay=3.0)),
                ("send", 1): Fault(Mode.AFTER, error=Killed),
            }
        )
    )
    with pytest.raises(Unreachable):
        world.target()
    target = world.target()
    with pytest.raises(Throttled):
        target.status(inbox(target))
    assert target.status(inbox(target)).count == 0  # a throttled session goes on
    with pytest.raises(Killed):
        put(target, 4)
    assert len(world.bodies()) == 4
    with pytest.raises(ConnectionLost):  # a killed one does not
        target.folders()


def test_a_mode_that_means_nothing_is_a_bug_of_the_test() -> None:
    world = World(script("folders", 1, Mode.LYING))
    target = world.target()
    with pytest.raises(ValueError, match="folders cannot go wrong in mode lying"):
        target.folders()


def _busy(world: World, rounds: int) -> list[tuple[bytes, ...]]:
    """Writes until all is told, starting anew after every error; what was stored after each round."""
    seen = []
    for _ in range(rounds):
        try:
            target = world.target()
            put(target, 5)
            target.remove(inbox(target), refs(target, inbox(target))[:1])
        except XdmigrateError:
            pass
        seen.append(tuple(world.bodies()))
    return seen


@given(seed=st.integers(0, 2**32), rate=st.floats(0, 0.5))
@settings(max_examples=30, deadline=None)
def test_a_seed_gives_the_same_run(seed: int, rate: float) -> None:
    runs = []
    for _ in range(2):
        world = World(Faults.seeded(seed, rate=rate, most=10))
        runs.append((_busy(world, 6), world.faults.log))
    assert runs[0] == runs[1]
    assert sum(fault is not None for _, fault in runs[0][1]) <= 10


@given(data=st.data(), amount=st.integers(0, 13), ids_returned=st.booleans(), batch=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_no_ticket_is_answered_twice_and_nothing_is_stored_twice(
    data: st.DataObject, amount: int, ids_returned: bool, batch: int
) -> None:
    def decide(operation: Operation) -> Fault | None:
        mode = data.draw(st.sampled_from([None, None, *sorted(operation.modes)]))
        return Fault(mode, later=data.draw(st.integers(0, 3))) if mode else None

    world = World(Faults(decide, batch=batch), Powers(ids_returned=ids_returned))
    answers: list[Receipt] = []
    try:
        target = world.target()
        writer = target.writer(inbox(target), Intent(1, amount, 0))
        try:
            with writer:
                for number in range(amount):
                    writer.put(number, item(number, Message(b"%d" % number)))
                    answers += writer.poll()
                answers += writer.flush()
        finally:
            answers += writer.poll()
    except ConnectionLost:
        pass
    else:
        assert sorted(receipt.ticket for receipt in answers) == list(range(amount))
    world.faults.commit_late()
    assert max(Counter(receipt.ticket for receipt in answers).values(), default=1) == 1
    assert max(Counter(world.bodies()).values(), default=1) == 1
    lied = any(fault and fault.mode is Mode.LYING for _, fault in world.faults.log)
    assert lied or {b"%d" % receipt.ticket for receipt in answers} <= set(world.bodies())
