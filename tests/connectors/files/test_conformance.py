"""The conformance suite against a Maildir, an mbox, a tree of .eml, and directories of .ics and .vcf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.connectors.files.making import endpoint, login, maildir
from xdmigrate.model import Kind
from xdmigrate.model import Path as Levels
from xdmigrate.testing.conformance import ConnectorConformance, ObjectConformance, Profile
from xdmigrate.testing.conformance.kit import Kit
from xdmigrate_files import connector
from xdmigrate_files.lines import Measure


def as_read(data: bytes) -> bytes:
    """On a disk a message whose first line ends with LF alone is a Unix file: CRLF is meant by every LF."""
    measure = Measure()
    measure.add(data)
    return re.sub(rb"(?<!\r)\n", b"\r\n", data) if measure.unix else data


def refused_in_maildir(path: Levels) -> bool:
    """Maildir++ has one directory for all levels of a folder, with dots between them."""
    return any("/" in level for level in path)


class NoLogin(ConnectorConformance):
    """Files ask for no password, so that none is wrong."""

    def test_wrong_password_is_a_rejected_login(self, kit: Kit) -> None:
        assert kit.profile.login.password == ""
        assert kit.source().folders()


class TestMaildir(NoLogin):
    @pytest.fixture
    def profile(self, tmp_path: Path) -> Profile:
        maildir(tmp_path)
        return Profile(connector, endpoint(tmp_path), login(), as_read, refuses_name=refused_in_maildir)


class TestMbox(NoLogin):
    @pytest.fixture
    def profile(self, tmp_path: Path) -> Profile:
        (tmp_path / "INBOX.mbox").touch()
        return Profile(connector, endpoint(tmp_path, format="mbox"), login(), as_read)


class TestEml(NoLogin):
    @pytest.fixture
    def profile(self, tmp_path: Path) -> Profile:
        (tmp_path / "INBOX").mkdir()
        (tmp_path / "INBOX" / "manifest.jsonl").write_text('{"folder": ["INBOX"], "kind": "mail"}\n')
        return Profile(connector, endpoint(tmp_path, format="eml"), login(), as_read)


class TestObjects(ObjectConformance):
    """Whatever the mail beside them lies in."""

    @pytest.fixture(params=[Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS])
    def profile(self, request: pytest.FixtureRequest, tmp_path: Path) -> Profile:
        return Profile(connector, endpoint(tmp_path), login(), kind=request.param)
