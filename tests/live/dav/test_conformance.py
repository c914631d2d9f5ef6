"""The conformance suite for events, tasks and contacts, against each server."""

from __future__ import annotations

import httpx
import pytest

from tests.live.dav.cyrus_dav import CyrusDav
from tests.live.dav.sogo import Sogo
from xdmigrate.model import Endpoint, Kind, Login
from xdmigrate.testing.conformance import ObjectConformance, Profile
from xdmigrate.testing.conformance.kit import FOLDER
from xdmigrate_dav import connector

pytestmark = pytest.mark.live

Place = tuple[Endpoint, Login]

INVITING = {"at_cyrus": "cyrus_dav_server", "at_sogo": "sogo_server"}
"""Whose servers mail people."""


def profile_of(place: Place, kind: Kind, server: CyrusDav | Sogo | None = None) -> Profile:
    """`server`: one that mails people; what is about this account counts."""
    user, unfit = place[1].user.encode(), b"\0 neither a calendar nor a card"

    def sent() -> int:
        return sum(user in mail for mail in server.sink.mails) if server else 0

    return Profile(connector, *place, kind=kind, refused=unfit, sent=sent if server else None)


class TestRadicaleCalendar(ObjectConformance):
    @pytest.fixture
    def profile(self, at_radicale: Place) -> Profile:
        return profile_of(at_radicale, Kind.CALENDAR)


@pytest.mark.full
class TestCyrusContacts(ObjectConformance):
    @pytest.fixture
    def profile(self, at_cyrus: Place) -> Profile:
        return profile_of(at_cyrus, Kind.CONTACTS)


@pytest.mark.full
class TestXandikosTasks(ObjectConformance):
    """Its one account is the same for all: what an earlier case left is removed."""

    @pytest.fixture
    def profile(self, at_xandikos: Place) -> Profile:
        endpoint, login = at_xandikos
        for folder in connector.source(endpoint, login).folders():
            if folder.path == FOLDER:
                httpx.delete(str(endpoint.settings["url"]).rstrip("/") + folder.native).raise_for_status()
        return profile_of(at_xandikos, Kind.TASKS)


@pytest.mark.full
class TestEveryOther(ObjectConformance):
    """The kinds that the others leave out."""

    @pytest.fixture(
        params=[
            ("at_radicale", Kind.TASKS),
            ("at_radicale", Kind.CONTACTS),
            ("at_cyrus", Kind.TASKS),
            ("at_cyrus", Kind.CALENDAR),
            ("at_sogo", Kind.CALENDAR),
            ("at_sogo", Kind.TASKS),
            ("at_sogo", Kind.CONTACTS),
        ],
        ids=lambda given: f"{given[0]}-{given[1].value}",
    )
    def profile(self, request: pytest.FixtureRequest) -> Profile:
        account, kind = request.param
        place, inviting = request.getfixturevalue(account), INVITING.get(account)
        return profile_of(place, kind, request.getfixturevalue(inviting) if inviting else None)
