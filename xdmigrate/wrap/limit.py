"""Sessions that hold a place at a gate from login to close."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from xdmigrate.contract import Auditor, Source, Target
from xdmigrate.errors import Throttled
from xdmigrate.wrap.forward import ForwardingAuditor, ForwardingSource, ForwardingTarget
from xdmigrate.wrap.gate import Gate
from xdmigrate.wrap.patience import never

S = TypeVar("S")


class _Place:
    """A place at a gate, given back once."""

    def __init__(self, gate: Gate, stop: Callable[[], bool]) -> None:
        gate.take(stop)
        self._gate: Gate | None = gate

    def give_back(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.give_back()


def _enter(gate: Gate, connect: Callable[[], S], stop: Callable[[], bool]) -> tuple[S, _Place]:
    """Log in with a place in hand; a login that fails gives it back, one that is turned away shrinks the gate."""
    place = _Place(gate, stop)
    try:
        return connect(), place
    except BaseException as error:
        if isinstance(error, Throttled):
            gate.refused()
        place.give_back()
        raise


class LimitedSource(ForwardingSource):
    """A `Source` that counts against its system's limit while it is open."""

    def __init__(self, gate: Gate, connect: Callable[[], Source], stop: Callable[[], bool] = never) -> None:
        inner, self._place = _enter(gate, connect, stop)
        super().__init__(inner)

    def close(self) -> None:
        self.inner.close()
        self._place.give_back()


class LimitedTarget(ForwardingTarget):
    """A `Target` that counts against its system's limit while it is open."""

    def __init__(self, gate: Gate, connect: Callable[[], Target], stop: Callable[[], bool] = never) -> None:
        inner, self._place = _enter(gate, connect, stop)
        super().__init__(inner)

    def close(self) -> None:
        self.inner.close()
        self._place.give_back()


class LimitedAuditor(ForwardingAuditor):
    """An `Auditor` that counts against its system's limit while it is open."""

    def __init__(self, gate: Gate, connect: Callable[[], Auditor], stop: Callable[[], bool] = never) -> None:
        inner, self._place = _enter(gate, connect, stop)
        super().__init__(inner)

    def close(self) -> None:
        self.inner.close()
        self._place.give_back()
