"""The conformance suite against Dovecot, as it is and with its powers masked, and against pymap."""

from __future__ import annotations

import imaplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Pair
from tests.connectors.imap.rewrites import as_dovecot_keeps, as_pymap_keeps
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from xdmigrate.model import Endpoint, Login, Path
from xdmigrate.testing.conformance import ConnectorConformance, Profile
from xdmigrate.testing.conformance.changing import ChangingCases
from xdmigrate.testing.pymap import PymapServer
from xdmigrate_imap import connector

MASKED = {
    "no MULTIAPPEND": capabilities_without("MULTIAPPEND"),
    "LITERAL- without UIDPLUS": (*capabilities_without("LITERAL+", "UIDPLUS"), "LITERAL-"),
    "IMAP4rev1 alone": ("IMAP4rev1", "AUTH=PLAIN"),
}
"""What changes the way in which messages are written; how folders are listed has tests of its own."""


def profile_of(server: Dovecot, user: str) -> Profile:
    return Profile(
        connector=connector,
        endpoint=Endpoint("box", "imap", {"host": server.host, "port": server.port, "tls": "none"}),
        login=Login(user, user, server.password),
        becomes=as_dovecot_keeps,
        refuses=lambda data: not data,
        refuses_name=refuses_name if not server.settings.prefix else refuses_name_in_maildir,
        refused=b"",
        renumber=lambda path: renumber(server, user, path),
    )


def refuses_name(path: Path) -> bool:
    """Dovecot keeps folders as directories and gives "~" in front a meaning of its own."""
    return any(level.startswith("~") for level in path)


def refuses_name_in_maildir(path: Path) -> bool:
    """The layout "Maildir++" has directories whose names hold all levels."""
    return refuses_name(path) or any("/" in level for level in path)


@contextmanager
def user_session(server: Dovecot, user: str) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(server.host, server.port)
    client.login(user, server.password)
    try:
        yield client
    finally:
        client.shutdown()


def renumber(server: Dovecot, user: str, path: Path) -> None:
    """The same messages in a new folder of the same name: other UIDs under another UIDVALIDITY."""
    prefix = server.settings.prefix
    name, was = f'"{prefix}{server.settings.separator.join(path)}"', f"{prefix}was"
    with user_session(server, user) as client:
        for command in (lambda: client.rename(name, was), lambda: client.create(name), lambda: client.select(was)):
            assert command()[0] == "OK"
        assert client.copy("1:*", name)[0] == "OK"


class TestDovecot(ConnectorConformance):
    """With everything that it can do, over Maildir."""

    @pytest.fixture
    def profile(self, dovecot_pair: Pair, new_user: Callable[[], str]) -> Profile:
        return profile_of(dovecot_pair.old, new_user())


class TestDovecotMdbox(ConnectorConformance):
    """Over mdbox, which keeps other things in its index."""

    @pytest.fixture
    def profile(self, dovecot_pair: Pair, new_user: Callable[[], str]) -> Profile:
        return profile_of(dovecot_pair.new, new_user())


@pytest.fixture(scope="module", params=MASKED)
def masked(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A server that announces only some of its capabilities."""
    request.getfixturevalue("dovecot_pair")  # skips where there is no Dovecot
    with Dovecot(Settings(capabilities=MASKED[request.param])) as server:
        yield server


class TestMaskedDovecot(ConnectorConformance):
    """Every fallback does the same job."""

    @pytest.fixture
    def profile(self, masked: Dovecot, new_user: Callable[[], str]) -> Profile:
        return profile_of(masked, new_user())


DELTAS = {
    "without QRESYNC": capabilities_without("QRESYNC"),
    "without QRESYNC and ESEARCH": capabilities_without("QRESYNC", "ESEARCH"),
    "without CONDSTORE": capabilities_without("QRESYNC", "CONDSTORE"),
}
"""What changes the way in which changes are told."""


@pytest.fixture(scope="module", params=DELTAS)
def forgetful(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A server that tells less of what changed."""
    request.getfixturevalue("dovecot_pair")  # skips where there is no Dovecot
    with Dovecot(Settings(capabilities=DELTAS[request.param])) as server:
        yield server


class TestForgetfulDovecot(ChangingCases):
    """Whatever is not told is found out."""

    @pytest.fixture
    def profile(self, forgetful: Dovecot, new_user: Callable[[], str]) -> Profile:
        return profile_of(forgetful, new_user())


@pytest.fixture(scope="module")
def cyrus_like() -> Iterator[Dovecot]:
    """Everything below INBOX, with a dot between the levels, as Cyrus and Courier have it."""
    from tests.live import dovecot

    if dovecot.missing():
        pytest.skip(dovecot.missing())
    with Dovecot(Settings(separator=".", prefix="INBOX.", layout="Maildir++")) as server:
        yield server


class TestPrefixedDovecot(ConnectorConformance):
    """A namespace with a prefix."""

    @pytest.fixture
    def profile(self, cyrus_like: Dovecot, new_user: Callable[[], str]) -> Profile:
        return profile_of(cyrus_like, new_user())


class TestPymap(ConnectorConformance):
    """A third implementation, whose rewrites are declared."""

    @pytest.fixture
    def profile(self, new_pymap: Callable[[dict[str, str]], PymapServer], new_user: Callable[[], str]) -> Profile:
        user = new_user()
        server = new_pymap({user: "secret"})
        return Profile(
            connector=connector,
            endpoint=Endpoint("box", "imap", {"host": "127.0.0.1", "port": server.port, "tls": "none"}),
            login=Login(user, user, "secret"),
            becomes=as_pymap_keeps,
            refuses=lambda data: not data,
            refused=b"",
        )
