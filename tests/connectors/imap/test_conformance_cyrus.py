"""The conformance suite against Cyrus 3, as its makers advise it and as a fresh installation has it."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.live import cyrus
from tests.live.cyrus import Cyrus, Settings
from xdmigrate.model import Endpoint, Login, Path
from xdmigrate.testing.conformance import ConnectorConformance, Profile
from xdmigrate.testing.conformance.folders import FolderCases
from xdmigrate.testing.conformance.profile import as_given
from xdmigrate.testing.conformance.writing import WritingCases
from xdmigrate_imap import connector


def profile_of(server: Cyrus, user: str) -> Profile:
    server.add(user)
    return Profile(
        connector=connector,
        endpoint=Endpoint("box", "imap", {"host": server.host, "port": server.port, "tls": "none"}),
        login=Login(user, user, server.password),
        becomes=as_given if server.settings.keeps_eight_bits else without_eight_bits,
        colleague="colleague@example.test",
        refuses=refuses,
        refuses_name=refuses_name,
        refused=b"Subject: nul\r\n\r\na\0b\r\n",
        renumber=partial(renumber, server, user),
    )


def refuses(data: bytes) -> bool:
    """Nothing, NUL, a bare LF, and what begins with neither a header field nor an empty line."""
    header = re.match(rb"[!-9;-~]+:|\r\n|From ", data)
    return not data or b"\0" in data or bool(re.search(rb"(?<!\r)\n", data)) or header is None


def refuses_name(path: Path) -> bool:
    """Characters that Cyrus's own tools give a meaning, and those that stand for a separator inside a level."""
    return any(set(level) & set('"%/;<>\\^`{|}') for level in path)


def without_eight_bits(data: bytes) -> bytes:
    """Every octet above 127 in the header becomes X (munge8bit)."""
    header, end, body = data.partition(b"\r\n\r\n")
    return re.sub(rb"[\x80-\xff]", b"X", header) + end + body


def renumber(server: Cyrus, user: str, path: Path) -> None:
    """The same messages in a new folder of the same name: other UIDs under another UIDVALIDITY."""
    name, was = f'"{server.native("/".join(path))}"', f'"{server.native("was")}"'
    client = imaplib.IMAP4(server.host, server.port, timeout=30)
    client.login(user, server.password)
    for command in (lambda: client.rename(name, was), lambda: client.create(name), lambda: client.select(was)):
        assert command()[0] == "OK"
    assert client.copy("1:*", name)[0] == "OK"
    client.shutdown()


class TestCyrus(ConnectorConformance):
    """Mailboxes below INBOX, "/" between the levels."""

    @pytest.fixture
    def profile(self, cyrus_server: Cyrus, new_user: Callable[[], str]) -> Profile:
        return profile_of(cyrus_server, new_user())


@pytest.fixture(scope="module")
def old_fashioned() -> Iterator[Cyrus]:
    """As Cyrus 2 was set up: a dot between the levels, mailboxes beside INBOX, no 8-bit characters in headers."""
    if cyrus.missing():
        pytest.skip(cyrus.missing())
    with Cyrus(Settings(separator=".", below_inbox=False, keeps_eight_bits=False)) as server:
        yield server


class TestOldFashionedCyrus(FolderCases, WritingCases):
    """What it rewrites is declared."""

    @pytest.fixture
    def profile(self, old_fashioned: Cyrus, new_user: Callable[[], str]) -> Profile:
        return profile_of(old_fashioned, new_user())
