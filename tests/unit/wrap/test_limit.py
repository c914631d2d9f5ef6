"""No more sessions than the limits allow, none lost, and none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wrap.kit import LOGIN, World
from xdmigrate.errors import LoginRejected, Stopped, Throttled
from xdmigrate.testing.memory import Powers, connector
from xdmigrate.wrap.gate import Gate, Gates
from xdmigrate.wrap.limit import LimitedAuditor, LimitedSource, LimitedTarget


class Clock:
    """A clock that is moved by hand, and by `tick` at every look."""

    def __init__(self, tick: float = 0.0) -> None:
        self.now = 0.0
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def gate_of(places: int, clock: Callable[[], float] | None = None, grow_after: float = 60.0) -> Gate:
    gate = Gate(clock=clock or Clock(), grow_after=grow_after)
    gate.allow("plan", places)
    return gate


def test_every_session_holds_a_place_until_it_is_closed() -> None:
    world, gate = World(), gate_of(3)
    sessions: list[LimitedSource | LimitedTarget | LimitedAuditor] = [
        LimitedSource(gate, world.source),
        LimitedTarget(gate, world.target),
        LimitedAuditor(gate, lambda: connector.auditor(world.endpoint, LOGIN)),
    ]
    assert (gate.open(), world.server.open_sessions()) == (3, 3)
    for left, session in zip((2, 1, 0), sessions, strict=True):
        assert len(session.folders()) == 1
        session.close()
        session.close()
        assert (gate.open(), world.server.open_sessions()) == (left, left)


def test_a_login_that_fails_gives_its_place_back() -> None:
    world, gate = World(), gate_of(1)
    world.account.password = "changed"
    for _ in range(3):
        with pytest.raises(LoginRejected):
            LimitedSource(gate, world.source)
    assert (gate.open(), gate.places()) == (0, 1)


def test_who_comes_too_many_waits_for_a_place() -> None:
    world, gate = World(), gate_of(1)
    first, entered = LimitedSource(gate, world.source), Event()

    def second() -> None:
        LimitedSource(gate, world.source).close()
        entered.set()

    thread = Thread(target=second)
    thread.start()
    assert not entered.wait(0.05)
    first.close()
    assert entered.wait(5)
    thread.join()
    assert gate.open() == 0


def test_waiting_can_be_stopped_and_has_an_end() -> None:
    gate = gate_of(1, Clock(tick=20.0))
    gate.take()
    with pytest.raises(Stopped):
        gate.take(lambda: True)
    with pytest.raises(Throttled, match="all 1 connections"):
        gate.take(longest=0.0)
    with pytest.raises(Throttled):
        gate.take(longest=30.0)
    assert gate.open() == 1


def test_a_login_turned_away_shrinks_the_gate_which_grows_back_slowly() -> None:
    clock = Clock()
    world, gate = World(Powers(connections=3)), gate_of(10, clock)
    sessions = [LimitedSource(gate, world.source) for _ in range(3)]
    with pytest.raises(Throttled):
        LimitedSource(gate, world.source)
    assert (gate.places(), gate.open()) == (3, 3)
    logins = world.server.logins
    with pytest.raises(Stopped):  # the next one does not even ask the server
        LimitedSource(gate, world.source, lambda: True)
    assert world.server.logins == logins
    clock.now += 60
    assert gate.places() == 4
    with pytest.raises(Throttled):
        LimitedSource(gate, world.source)
    assert gate.places() == 3
    world.server.powers = replace(world.server.powers, connections=0)
    clock.now += 60 * 7
    assert gate.places() == 10
    sessions += [LimitedSource(gate, world.source) for _ in range(7)]
    assert gate.open() == 10


def test_one_place_always_stays() -> None:
    gate = gate_of(5)
    for _ in range(3):
        gate.take()
        gate.refused()
        gate.give_back()
        assert gate.places() == 1


def test_the_lowest_limit_of_all_plans_counts() -> None:
    gates = Gates()
    gate = gates.gate("imap://host:143", "contoso", 10)
    assert gates.gate("imap://host:143", "fabrikam", 4) is gate
    assert gates.gate("imap://other:143", "fabrikam", 4) is not gate
    assert gate.places() == 4
    assert gates.gate("imap://host:143", "fabrikam", 20).places() == 10
    gates.forget("contoso")
    assert gate.places() == 20
    assert gates.gate("imap://host:143", "contoso", 0).places() == 1


@given(steps=st.lists(st.sampled_from(["take", "back", "refused", "wait"]), max_size=40), ceiling=st.integers(1, 5))
@settings(deadline=None)
def test_places_stay_between_one_and_the_ceiling(steps: list[str], ceiling: int) -> None:
    clock = Clock()
    gate, held = gate_of(ceiling, clock, grow_after=10.0), 0
    for step in steps:
        before = gate.places()
        if step == "wait":
            clock.now += 10.0
            assert gate.places() == min(before + 1, ceiling)
        elif step == "back" and held:
            gate.give_back()
            held -= 1
        elif held < before and step in {"take", "refused"}:
            gate.take()
            if step == "refused":
                gate.refused()
                gate.give_back()
                assert gate.places() == max(1, min(before, held))
            else:
                held += 1
        assert 1 <= gate.places() <= ceiling
        assert gate.open() == held
    clock.now += 10.0 * ceiling
    assert gate.places() == ceiling


def test_only_places_that_nobody_waits_for_are_free() -> None:
    gate = Gate()
    gate.allow("plan", 2)
    gate.take()
    assert (gate.free(), gate.waiting()) == (1, 0)
    gate.take()
    thread = Thread(target=gate.take)
    thread.start()
    while not gate.waiting():
        pass
    assert (gate.free(), gate.waiting()) == (0, 1)
    gate.give_back()
    thread.join()
    assert (gate.free(), gate.waiting(), gate.open()) == (0, 0, 2)
