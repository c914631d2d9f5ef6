"""A wrapped session passes the same suite as a bare one, even where every few reads fail underneath."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from structlog.testing import capture_logs

from xdmigrate.contract import Auditor, Source, Target
from xdmigrate.errors import ItemRefused
from xdmigrate.model import Endpoint, Login
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance import ConnectorConformance, Profile
from xdmigrate.testing.conformance.kit import Kit, mail, refs
from xdmigrate.testing.faults import Fault, Faults, FaultySource, FaultyTarget, Mode, Operation
from xdmigrate.testing.memory import MemoryServer, Powers, connector
from xdmigrate.testing.memory.plugin import MemoryConnector
from xdmigrate.wrap.dry_source import DryRunSource
from xdmigrate.wrap.forward import ForwardingTarget
from xdmigrate.wrap.gate import Gate
from xdmigrate.wrap.limit import LimitedAuditor, LimitedSource, LimitedTarget
from xdmigrate.wrap.patience import Patience
from xdmigrate.wrap.retry import RetryingAuditor, RetryingSource, RetryingTarget
from xdmigrate.wrap.trace import Trace, TracedSource, TracedTarget

NAMES = count(1)
QUICK = Patience(sleep=lambda seconds: None)
READS = {"folders", "status", "heads", "changes", "read"}


def now_and_then(operation: Operation) -> Fault | None:
    """Every fourth operation fails if it is a read, in turn in every way that a reader can get over."""
    if operation.name not in READS or operation.number % 4:
        return None
    modes = sorted(operation.modes - ({Mode.HALF} if operation.name == "read" else set()))
    return Fault(modes[operation.nth % len(modes)])


class Wrapped(MemoryConnector):
    """Retry over limit over trace over faults over memory."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.gate.allow("plan", 6)
        self.faults = Faults(now_and_then)
        self.trace = Trace(endpoint="old")

    def source(self, endpoint: Endpoint, login: Login) -> Source:  # type: ignore[override]
        def bare() -> Source:
            return TracedSource(FaultySource(self.faults, lambda: connector.source(endpoint, login)), self.trace)

        return RetryingSource(lambda: LimitedSource(self.gate, bare), QUICK)

    def target(self, endpoint: Endpoint, login: Login) -> Target:  # type: ignore[override]
        def bare() -> Target:
            return TracedTarget(FaultyTarget(self.faults, lambda: connector.target(endpoint, login)), self.trace)

        return ForwardingTarget(RetryingTarget(lambda: LimitedTarget(self.gate, bare), QUICK))

    def auditor(self, endpoint: Endpoint, login: Login) -> Auditor:  # type: ignore[override]
        return RetryingAuditor(lambda: LimitedAuditor(self.gate, lambda: connector.auditor(endpoint, login)), QUICK)


def profile_of(wrapped: MemoryConnector, powers: Powers) -> Profile:
    server = MemoryServer(f"wrapped-{next(NAMES)}", powers)
    account = server.add_account("ann", "secret")
    endpoint = Endpoint("old", "memory", {"server": server.name})
    return Profile(
        wrapped,
        endpoint,
        Login("ann@example.org", "ann", "secret"),
        colleague="bob",
        renumber=account.change_validity,
        expire=account.expire_cursors if powers.deltas else None,
    )


@pytest.mark.parametrize(
    "powers", [Powers(), Powers(ids_returned=False, ordered_ids=False, deltas=False)], ids=["all", "few"]
)
@pytest.mark.usefixtures("quiet")
class TestWrapped(ConnectorConformance):
    @pytest.fixture
    def profile(self, powers: Powers) -> Profile:
        return profile_of(Wrapped(), powers)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Debug events are counted elsewhere."""
    with capture_logs():
        yield


class Lazy(MemoryConnector):
    """The dry run's source is a whole source."""

    def source(self, endpoint: Endpoint, login: Login) -> Source:  # type: ignore[override]
        return DryRunSource(connector.source(endpoint, login))


class TestLazySource(ConnectorConformance):
    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(Lazy(), Powers())


def test_a_lazy_source_goes_by_what_was_listed() -> None:
    """It does not look again whether an item is still there, and says so when a body is really asked for."""
    kit = Kit(profile_of(Lazy(), Powers()))
    target = kit.target()
    folder = kit.fill(target, [mail("gone"), mail("kept")])
    source = kit.source()
    listed = refs(source, folder)
    target.remove(folder, listed[:1])
    gone, kept = source.read(folder, listed)
    with pytest.raises(ItemRefused) as caught:
        whole(gone)
    assert caught.value.reason == "gone"
    assert whole(kept) == mail("kept").data
    assert [one.head.ref for one in kit.source().read(folder, listed)] == listed[1:]


def test_all_places_are_given_back() -> None:
    wrapped = Wrapped()
    profile = profile_of(wrapped, Powers())
    sessions = [
        connect(profile.endpoint, profile.login) for connect in (wrapped.source, wrapped.target, wrapped.auditor)
    ]
    for _ in range(20):
        assert [len(session.folders()) for session in sessions] == [1, 1, 1]
    assert wrapped.gate.open() <= 3
    for session in sessions:
        session.close()
        session.close()
    assert wrapped.gate.open() == 0
    assert any(fault and fault.mode is Mode.BEFORE for _, fault in wrapped.faults.log)
