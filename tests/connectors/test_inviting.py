"""The conformance suite tells the author of a connector when it would send invitations: tried on memory servers."""

from __future__ import annotations

from itertools import count

import pytest

from xdmigrate.contract import Inviting, Trial
from xdmigrate.model import Endpoint, Kind, Login
from xdmigrate.testing.conformance import ObjectConformance, Profile
from xdmigrate.testing.conformance.inviting import InvitingCases
from xdmigrate.testing.conformance.kit import Kit
from xdmigrate.testing.memory import INBOX, Powers
from xdmigrate.testing.memory.inviting import CarelessConnector, InvitingConnector, SchedulingServer
from xdmigrate.testing.memory.plugin import MemoryConnector
from xdmigrate.testing.memory.server import server
from xdmigrate.testing.objects import uid

NAMES = count(1)
DAV = Powers(ordered_ids=False, updates=True, versions=True, exact_sizes=False, name=uid)
ANN, BOB = "ann@x.test", "bob@x.test"


def scheduling(inviting: MemoryConnector, **settings: object) -> Profile:
    system = SchedulingServer(f"test-inviting-{next(NAMES)}", DAV)
    for name in (ANN, BOB):
        system.add_account(name, "secret")
    return Profile(
        inviting,
        Endpoint("new", "memory", {"server": system.name, **settings}),
        Login(ANN, ANN, "secret"),
        kind=Kind.CALENDAR,
        colleague=BOB,
        sent=lambda: len(system.sent),
    )


@pytest.mark.parametrize("promise", ["", "silent", "silent-by-hand"], scope="class")
class TestInviting(ObjectConformance):
    """Attendees in the description, or SCHEDULE-AGENT=CLIENT on a server that obeys."""

    @pytest.fixture
    def profile(self, promise: str) -> Profile:
        return scheduling(InvitingConnector(), **({"scheduling": promise} if promise else {}))


def test_a_connector_that_invites_is_told_so() -> None:
    profile = scheduling(CarelessConnector())
    assert profile.sent is not None
    kit = Kit(profile)
    with pytest.raises(AssertionError, match="has mailed somebody"):
        InvitingCases().test_nobody_is_invited_by_what_is_written_changed_or_removed(kit, profile.sent)
    assert profile.sent() > 0
    account = server(str(profile.endpoint.settings["server"])).account(BOB)
    assert all(b"UID:invited" in each for each in account.contents(INBOX))
    kit.close()


def test_a_promise_that_is_not_true_is_found_out() -> None:
    profile = scheduling(InvitingConnector(), scheduling="silent")
    system = server(str(profile.endpoint.settings["server"]))
    assert isinstance(system, SchedulingServer)
    system.obeys = False
    with pytest.raises(AssertionError, match="has mailed somebody"):
        InvitingCases().test_nobody_is_invited_by_what_is_written_changed_or_removed(
            Kit(profile), lambda: len(system.sent)
        )


def test_what_it_is() -> None:
    profile = scheduling(InvitingConnector())
    assert isinstance(profile.connector, Inviting)
    assert not isinstance(CarelessConnector(), Inviting)
    trial: Trial = InvitingConnector().trial(profile.endpoint, profile.login)
    assert (trial.server, trial.schedules) == ("Memory", True)
    trial.close()
