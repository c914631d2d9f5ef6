"""Reads survive every passing failure and yield each thing once; writes are done once or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wrap.kit import LOGIN, World
from xdmigrate.contract import Intent
from xdmigrate.errors import (
    ConnectionLost,
    FolderUnusable,
    LoginRejected,
    ProtocolError,
    QuotaExceeded,
    Stopped,
    Throttled,
    Unreachable,
    XdmigrateError,
)
from xdmigrate.model import Changes, FlagChange, Folder, Head
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance import Message
from xdmigrate.testing.conformance.kit import item, write
from xdmigrate.testing.faults import Fault, Faults, FaultyTarget, Mode, Operation
from xdmigrate.testing.memory import INBOX, Powers, connector
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.wrap.patience import STEP, Patience, pause
from xdmigrate.wrap.retry import RetryingAuditor, RetryingSource, RetryingTarget

READS = {"folders", "status", "heads", "changes", "read"}
OTHER = Folder(INBOX)


class Sleeper:
    """Sleeps by writing down for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    def patience(self, **changes: float) -> Patience:
        return replace(Patience(sleep=self), **changes)  # type: ignore[arg-type]  # numbers only


QUICK = Sleeper().patience()


def failing(world: World, script: dict[tuple[str, int], Fault]) -> tuple[Faults, RetryingTarget]:
    faults = Faults.scripted(script)
    return faults, RetryingTarget(lambda: FaultyTarget(faults, world.target), QUICK)


def test_a_read_is_repeated_on_a_new_session() -> None:
    world = World()
    world.account.deliver(INBOX, b"one")
    faults, target = failing(world, {("folders", n): Fault(Mode.BEFORE) for n in (1, 2, 3)})
    (inbox,) = target.folders()
    assert inbox.count == 1
    assert [operation.name for operation, _ in faults.log].count("connect") == 4
    assert world.server.open_sessions() == 1


def test_patience_ends_with_the_last_error() -> None:
    faults, target = failing(World(), {("status", n): Fault(Mode.BEFORE) for n in range(1, 99)})
    with pytest.raises(ConnectionLost, match="injected"):
        target.status(OTHER)
    assert sum(operation.name == "status" for operation, _ in faults.log) == QUICK.attempts


@pytest.mark.parametrize("error", [ConnectionLost("x"), ProtocolError("x"), Unreachable("x")])
def test_lost_sessions_are_closed_and_replaced(error: XdmigrateError) -> None:
    faults, target = failing(World(), {("status", 1): Fault(Mode.BEFORE, error=lambda: error)})
    assert target.status(OTHER).path == INBOX
    assert [operation.name for operation, _ in faults.log] == ["connect", "status", "connect", "status"]


def test_a_throttled_session_is_kept() -> None:
    faults, target = failing(World(), {("status", 1): Fault(Mode.BEFORE, error=lambda: Throttled("slowly"))})
    assert target.status(OTHER).path == INBOX
    assert [operation.name for operation, _ in faults.log] == ["connect", "status", "status"]


@pytest.mark.parametrize("error", [LoginRejected("no"), FolderUnusable("no"), QuotaExceeded("no")])
def test_what_no_retry_can_mend_is_told_at_once(error: XdmigrateError) -> None:
    faults, target = failing(World(), {("status", 1): Fault(Mode.BEFORE, error=lambda: error)})
    with pytest.raises(type(error)):
        target.status(OTHER)
    assert len(faults.log) == 2


def test_a_rejected_login_is_tried_once() -> None:
    world = World()
    world.account.password = "changed"
    with pytest.raises(LoginRejected):
        RetryingSource(world.source, QUICK)
    assert world.server.logins == 1


def test_an_unreachable_system_is_tried_until_it_answers() -> None:
    world = World()
    world.server.reachable = False
    sleeper = Sleeper()

    def wake(seconds: float) -> None:
        sleeper(seconds)
        world.server.reachable = len(sleeper.slept) >= 3

    assert RetryingSource(world.source, Patience(sleep=wake, longest=STEP)).folders()[0].path == INBOX
    assert len(sleeper.slept) == 3


# --- how long ---------------------------------------------------------------------------------------------------------


def test_waits_grow_within_their_bound() -> None:
    world, sleeper = World(), Sleeper()
    world.server.reachable = False
    with pytest.raises(Unreachable):
        RetryingSource(world.source, sleeper.patience(attempts=9, first=0.01, longest=STEP))
    assert len(sleeper.slept) == 8
    assert all(seconds <= min(STEP, 0.01 * 2**n) for n, seconds in enumerate(sleeper.slept))


def test_the_server_is_given_the_time_it_asks_for() -> None:
    sleeper = Sleeper()
    faults = Faults.scripted({("status", 1): Fault(Mode.BEFORE, error=lambda: Throttled("slowly", delay=7.2))})
    target = RetryingTarget(lambda: FaultyTarget(faults, World().target), sleeper.patience())
    target.status(OTHER)
    assert sum(sleeper.slept) == pytest.approx(7.2)


def test_a_very_long_wait_is_left_to_the_runner() -> None:
    sleeper = Sleeper()
    faults = Faults.scripted({("status", 1): Fault(Mode.BEFORE, error=lambda: Throttled("slowly", delay=300.0))})
    target = RetryingTarget(lambda: FaultyTarget(faults, World().target), sleeper.patience(longest=60.0))
    with pytest.raises(Throttled) as caught:
        target.status(OTHER)
    assert caught.value.delay == 300.0
    assert sleeper.slept == []


def test_stopping_ends_the_wait() -> None:
    slept: list[float] = []
    with pytest.raises(Stopped):
        pause(60.0, lambda: len(slept) >= 2, slept.append)
    assert slept == [STEP, STEP]
    world = World()
    world.server.reachable = False
    with pytest.raises(Stopped):
        RetryingSource(world.source, Patience(stop=lambda: True, first=1000.0))
    assert world.server.logins == 0


def test_a_closed_wrapper_does_not_come_back() -> None:
    world = World()
    source = RetryingSource(world.source, QUICK)
    source.close()
    source.close()
    with pytest.raises(Stopped):
        source.folders()
    assert (world.server.logins, world.server.open_sessions()) == (1, 0)


# --- streams ----------------------------------------------------------------------------------------------------------


@given(data=st.data(), amount=st.integers(0, 12), ordered=st.booleans(), deltas=st.booleans())
@settings(max_examples=100, deadline=None)
def test_streams_yield_everything_once_whatever_fails(
    data: st.DataObject, amount: int, ordered: bool, deltas: bool
) -> None:
    world = World()
    world.server.powers = replace(world.server.powers, ordered_ids=ordered, deltas=deltas)
    bodies = {world.account.deliver(INBOX, b"body %d" % n): b"body %d" % n for n in range(amount)}
    failed = 0

    def decide(operation: Operation) -> Fault | None:
        """At most three failures in a row: fewer than patience has attempts, counting those of the reconnection."""
        nonlocal failed
        modes = operation.modes - ({Mode.HALF} if operation.name == "read" else set())
        if operation.name not in READS | {"connect"} or failed >= 3 or not data.draw(st.booleans()):
            failed = 0 if operation.name in {"heads", "changes", "read", "folders"} else failed
            return None
        failed += 1
        return Fault(data.draw(st.sampled_from(sorted(modes))))

    target = RetryingTarget(lambda: FaultyTarget(Faults(decide), world.target), QUICK)
    (inbox,) = target.folders()
    assert [head.ref for head in target.heads(inbox)] == sorted(bodies)
    told = target.changes(inbox)
    assert told.complete
    assert [head.ref for head in told.heads] == sorted(bodies)
    found = [(one.head.ref, whole(one)) for one in target.read(inbox, list(bodies))]
    assert sorted(found) == sorted(bodies.items())


class _Expiring(MemorySource):
    """The session on which the announced listing is complete, and every later one claims to be a delta."""

    used = False

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        told = super().changes(folder, cursor)
        if _Expiring.used:
            return replace(told, complete=False, heads=iter(()))
        _Expiring.used = True
        return replace(told, heads=self._breaking(told.heads))

    def _breaking(self, heads: Iterator[Head]) -> Iterator[Head]:
        yield next(heads)
        raise ConnectionLost("in the middle of the listing")


def test_a_complete_listing_stays_complete() -> None:
    """What a listing announced as complete leaves out would count as vanished, and might be deleted for it."""
    world = World()
    refs = [world.account.deliver(INBOX, b"x") for _ in range(4)]
    source = RetryingSource(lambda: _Expiring(world.server.log_in(LOGIN)), QUICK)
    told = source.changes(source.folders()[0], b"old")
    assert told.complete
    assert [head.ref for head in told.heads] == refs


def test_a_delta_goes_on_behind_the_last_head() -> None:
    world = World()
    _, target = failing(world, {("changes", 2): Fault(Mode.HALF)})
    (inbox,) = target.folders()
    cursor = target.changes(inbox).cursor
    refs = [world.account.deliver(INBOX, b"x") for _ in range(4)]
    told = target.changes(inbox, cursor)
    assert not told.complete
    assert [head.ref for head in told.heads] == refs


def test_what_is_alive_is_told_by_another_session_too() -> None:
    world = World(Powers(names_vanished=False))
    refs = [world.account.deliver(INBOX, b"x") for _ in range(6)]
    faults, target = failing(world, {("changes", 2): Fault(Mode.HALF)})
    (inbox,) = target.folders()
    cursor = target.changes(inbox).cursor
    world.account.delete(INBOX, refs[2])
    world.account.flag(INBOX, refs[5], add=["\\Seen"])
    told = target.changes(inbox, cursor)
    assert [head.ref for head in told.heads] == refs[5:]
    assert told.alive is not None
    assert list(told.alive) == [*refs[:2], *refs[3:]]
    assert told.count == 5
    assert [operation.name for operation, _ in faults.log].count("connect") > 1


@pytest.mark.parametrize("name", ["heads", "changes", "read"])
def test_a_stream_does_not_go_on_under_another_validity(name: str) -> None:
    world = World()
    refs = [world.account.deliver(INBOX, b"x") for _ in range(4)]
    _, target = failing(world, {(name, 1): Fault(Mode.AFTER)})
    (inbox,) = target.folders()
    if name == "read":
        stream: Iterator[Head] = (one.head for one in target.read(inbox, [*refs, b"none"]))
    else:
        stream = target.heads(inbox) if name == "heads" else target.changes(inbox).heads
    assert next(stream).ref == refs[0]
    world.account.change_validity(INBOX)
    with pytest.raises(FolderUnusable):
        list(stream)


def test_a_long_stream_may_break_more_often_than_patience_lasts() -> None:
    world = World()
    refs = [world.account.deliver(INBOX, b"x") for _ in range(2**9)]
    _, target = failing(world, {("heads", n): Fault(Mode.HALF) for n in range(1, 10)})
    assert [head.ref for head in target.heads(Folder(INBOX))] == refs


def test_the_auditor_survives_too() -> None:
    world = World()
    refs = [world.account.deliver(INBOX, b"%d" % n) for n in range(3)]
    auditor = RetryingAuditor(lambda: connector.auditor(world.endpoint, LOGIN), QUICK)
    (inbox,) = auditor.folders()
    seen = []
    for one in auditor.inspect(inbox, refs):
        seen.append(one.ref)
        world.server.drop_sessions()
    assert seen == refs
    assert [head.ref for head in auditor.heads(inbox)] == refs
    auditor.close()
    assert world.server.open_sessions() == 0


# --- writes -----------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[RetryingTarget, Folder], object]] = {
    "create-folder": lambda target, inbox: target.create_folder(("New",)),
    "subscribe": lambda target, inbox: target.subscribe(inbox),
    "rename-folder": lambda target, inbox: target.rename_folder(inbox, ("New",)),
    "change-flags": lambda target, inbox: target.change_flags(inbox, [FlagChange(b"\0\0\0\1", add=frozenset({"a"}))]),
    "remove": lambda target, inbox: target.remove(inbox, [b"\0\0\0\1"]),
    "send": lambda target, inbox: write(target, inbox, [Message(b"x")]),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_failed_write_is_not_repeated_but_the_next_one_works(name: str) -> None:
    world = World()
    world.account.deliver(("INBOX",), b"there")
    folder = world.target().create_folder(("Folder",))
    faults, target = failing(world, {(name, 1): Fault(Mode.AFTER)})
    with pytest.raises(ConnectionLost):
        WRITES[name](target, folder)
    assert [operation.name for operation, _ in faults.log].count(name) == 1
    assert target.create_folder(("After",)).path == ("After",)
    assert [operation.name for operation, _ in faults.log].count("connect") == 2


def test_a_broken_source_does_not_cost_the_target_its_session() -> None:
    world, source_world = World(), World()
    source_world.account.deliver(INBOX, b"0123456789")
    torn = FaultyTarget(Faults.scripted({("read", 1): Fault(Mode.HALF)}), source_world.target)
    faults, target = failing(world, {})
    (inbox,) = target.folders()
    writer = target.writer(inbox, Intent(1, 2, 0))
    writer.put(0, item(0, Message(b"whole")))
    with pytest.raises(ConnectionLost):
        writer.put(1, next(torn.read(torn.folders()[0], [b"\0\0\0\1"])))
    assert [receipt.ticket for receipt in writer.flush()] == [0]
    assert world.account.contents(INBOX) == [b"whole"]
    assert sum(operation.name == "connect" for operation, _ in faults.log) == 1
