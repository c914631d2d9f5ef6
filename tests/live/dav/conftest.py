"""The servers, shared by all tests of a process; each test takes accounts or collections of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.live.dav import cyrus_dav, radicale, sogo, xandikos
from tests.live.dav.cyrus_dav import CyrusDav
from tests.live.dav.radicale import Radicale
from tests.live.dav.sogo import Sogo
from tests.live.dav.xandikos import Xandikos
from tests.live.postgres import Postgres
from xdmigrate.model import Endpoint, Login


@pytest.fixture(scope="session")
def radicale_server() -> Iterator[Radicale]:
    """A running Radicale; skips where it is absent."""
    if radicale.missing():
        pytest.skip(radicale.missing())
    with Radicale() as server:
        yield server


@pytest.fixture(scope="session")
def xandikos_server() -> Iterator[Xandikos]:
    """A running Xandikos; skips where it is absent."""
    if xandikos.missing():
        pytest.skip(xandikos.missing())
    with Xandikos() as server:
        yield server


@pytest.fixture(scope="session")
def cyrus_dav_server() -> Iterator[CyrusDav]:
    """A running Cyrus that sends invitations, as a fresh installation does; skips where it is absent."""
    if cyrus_dav.missing():
        pytest.skip(cyrus_dav.missing())
    with CyrusDav() as server:
        yield server


@pytest.fixture(scope="session")
def sogo_server(request: pytest.FixtureRequest) -> Iterator[Sogo]:
    """A running SOGo that sends invitations, as a fresh installation does not; skips where it is absent."""
    if sogo.missing():
        pytest.skip(sogo.missing())
    cluster: Postgres = request.getfixturevalue("postgres_cluster")
    with Sogo(cluster) as server:
        yield server


@pytest.fixture
def at_radicale(radicale_server: Radicale, new_user: Callable[[], str]) -> tuple[Endpoint, Login]:
    """An account of the test's own."""
    user = new_user()
    radicale_server.add(user)
    return Endpoint("radicale", "dav", {"url": radicale_server.url}), Login(user, user, radicale_server.password)


@pytest.fixture
def at_xandikos(xandikos_server: Xandikos) -> tuple[Endpoint, Login]:
    """The one account that there is: take a collection of your own."""
    return Endpoint("xandikos", "dav", {"url": xandikos_server.url}), Login("alice", xandikos_server.user)


@pytest.fixture
def at_cyrus(cyrus_dav_server: CyrusDav, new_user: Callable[[], str]) -> tuple[Endpoint, Login]:
    """An account of the test's own, with nothing known about invitations."""
    user = new_user()
    cyrus_dav_server.welcome(user)
    return Endpoint("cyrus", "dav", {"url": cyrus_dav_server.url}), Login(user, user, cyrus_dav_server.password)


@pytest.fixture
def at_sogo(sogo_server: Sogo, new_user: Callable[[], str]) -> tuple[Endpoint, Login]:
    """An account of the test's own, with nothing known about invitations."""
    user = new_user()
    sogo_server.welcome(user)
    return Endpoint("sogo", "dav", {"url": sogo_server.url}), Login(user, user, sogo_server.password)
