"""Settings: all faults at once, and one name for one system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xdmigrate.model import Endpoint, Kind
from xdmigrate_imap import connector, settings
from xdmigrate_imap.settings import Mechanism, Tls

DIGEST = "ab" * 32


def endpoint(**given: object) -> Endpoint:
    return Endpoint("old", "imap", {"connector": "imap", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"host": "imap.example.test"},
        {"host": "imap.example.test", "port": 1143, "tls": "starttls", "ca": "ca.pem"},
        {"host": "imap.example.test", "fingerprint": DIGEST, "auth": {"user": "{address}", "password": "env:X"}},
        {"host": "imap.example.test", "fingerprint": "SHA256:" + ":".join(["AB"] * 32)},
        {"host": "imap.example.test", "tls": "none", "insecure": True},
        {"host": "127.0.0.1", "tls": "none"},
        {"host": "::1", "tls": "none", "auth": {"mechanism": "plain", "authorize_as": "{address}"}},
    ],
)
def test_good_settings_have_no_problems(given: dict[str, object]) -> None:
    assert connector.problems(endpoint(**given)) == []


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "host"),
        ({"host": 5}, "host"),
        ({"host": "imap.example.test/x"}, "host"),
        ({"host": "x", "port": 0}, "port"),
        ({"host": "x", "port": "993"}, "port"),
        ({"host": "x", "port": 65536}, "port"),
        ({"host": "x", "tls": "ssl"}, "tls"),
        ({"host": "x", "tls": "none"}, "tls"),
        ({"host": "127.evil.example", "tls": "none"}, "tls"),
        ({"host": "x", "fingerprint": "abc"}, "fingerprint"),
        ({"host": "x", "auth": {"mechanism": "gssapi"}}, "auth.mechanism"),
        ({"host": "x", "hots": "y"}, "hots"),
        ({"host": "x", "auth": {"pasword": "y"}}, "auth.pasword"),
    ],
)
def test_each_fault_says_where_and_what_would_be_right(given: dict[str, object], where: str) -> None:
    [problem] = connector.problems(endpoint(**given))
    assert problem.where == f"endpoints.old.{where}"
    assert problem.message
    assert problem.remedy


def test_all_faults_are_told_at_once() -> None:
    found = connector.problems(endpoint(port=-1, tls="x", fingerprint="y", colour="red", auth={"mechanism": "z"}))
    assert len(found) == 6


def test_one_system_has_one_name() -> None:
    names = {
        connector.identity(endpoint(host="IMAP.Example.test.")),
        connector.identity(endpoint(host="imap.example.test", port=993)),
        connector.identity(endpoint(host="imap.example.test", fingerprint=DIGEST)),
    }
    assert names == {"imap://imap.example.test:993"}
    assert connector.identity(endpoint(host="a", tls="starttls")) == "imap://a:143"


def test_settings_are_read() -> None:
    found = settings.parse(endpoint(host="a", tls="starttls", fingerprint=DIGEST.upper(), auth={"mechanism": "login"}))
    assert found.port == 143
    assert found.tls is Tls.STARTTLS
    assert found.fingerprint == bytes.fromhex(DIGEST)
    assert found.mechanism is Mechanism.LOGIN


def test_it_moves_mail_and_is_light_to_load() -> None:
    assert connector.name == "imap"
    assert connector.kinds == {Kind.MAIL}
    program = "import sys, xdmigrate_imap; print(sorted({'imapclient', 'imaplib', 'ssl', 'socket'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
