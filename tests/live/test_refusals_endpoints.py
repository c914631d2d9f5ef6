"""Endpoints that cannot be used as a whole: exit 4, with the host, the cause and what to look at; work remains."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Pair
from tests.live.cutting import CuttingProxy
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.process import free_ports
from tests.live.project import Project, between, endpoint
from tests.live.reader import load
from tests.live.refusals import HURRY, IMPATIENT, assert_healthy, error, errors, line, lines, mails, run_patched

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]
Values = dict[str, Any]

UNKNOWN = "imap.nowhere.invalid"
"""RFC 2606: nobody has this name."""


@pytest.fixture
def project(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> Project:
    """Two mailboxes that could be copied if all were well."""
    users = [new_user() for _ in range(2)]
    for user in users:
        load(*dovecot_pair.old.access(user), {"INBOX": mails(3)})
    return between(dovecot_pair.old, dovecot_pair.new, tmp_path, *users)


@contextmanager
def spoilt(project: Project, side: str, **settings: Any) -> Iterator[None]:
    """Change an endpoint's settings for a while; None removes one."""
    before = project.plan["endpoints"][side]
    changed = {**before, **settings}
    project.plan["endpoints"][side] = {name: value for name, value in changed.items() if value is not None}
    project.save()
    yield
    project.plan["endpoints"][side] = before
    project.save()


def assert_refused(project: Project, code: str, *words: str, side: str, patch: str = HURRY) -> None:
    """Both commands that log in say so once, whichever mailboxes met it; for machines and for people."""
    (told,) = errors(run_patched(project, patch, "check"), 4)
    assert told["code"] in code.split()
    assert told["endpoint"] == side
    assert told["remedy"]
    assert all(word in told["message"] + told["remedy"] for word in words), told
    written = line(run_patched(project, patch, "sync", text=True), 4)
    assert all(word in written for word in words), written


def test_a_host_that_does_not_exist(project: Project) -> None:
    with spoilt(project, "old", host=UNKNOWN, tls="implicit", port=993):
        assert_refused(project, "unreachable", UNKNOWN, "host", side="old")


def test_a_port_where_nobody_listens(project: Project) -> None:
    """With the waits as they are: three attempts within seconds."""
    (port,) = free_ports(1)
    with spoilt(project, "new", port=port):
        assert_refused(project, "unreachable", f"127.0.0.1:{port}", "port", side="new", patch="")
    assert_healthy(project)


@pytest.mark.parametrize("tls", ["none", "implicit", pytest.param("starttls", marks=pytest.mark.full)])
def test_a_server_that_never_speaks(project: Project, tls: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        port = silent.getsockname()[1]
        with spoilt(project, "old", port=port, tls=tls):
            assert_refused(project, "unreachable", f"127.0.0.1:{port}", "no answer", side="old", patch=IMPATIENT)


@pytest.mark.parametrize("on_contact", [True, pytest.param(False, marks=pytest.mark.full)])
def test_a_server_that_hangs_up(project: Project, on_contact: bool) -> None:
    """Whatever listens on a wrong port is given up as quickly as a port where nobody listens."""

    def cut(_data: bytes, to_server: bool) -> int | None:
        return 0 if to_server is not on_contact else None

    before = project.plan["endpoints"]["old"]["port"]
    with CuttingProxy(before, cut) as proxy, spoilt(project, "old", port=proxy.port):
        assert_refused(project, "connection-lost unreachable", f"127.0.0.1:{proxy.port}", "`port`", side="old")


def test_tls_to_a_plaintext_port(project: Project, dovecot_pair: Pair) -> None:
    with spoilt(project, "new", tls="implicit", ca=str(dovecot_pair.new.ca)):
        assert_refused(project, "unreachable", "TLS", "`tls`", side="new")


def test_plaintext_to_a_tls_port(project: Project, dovecot_pair: Pair) -> None:
    with spoilt(project, "new", port=dovecot_pair.new.tls_port):
        told = error(run_patched(project, IMPATIENT, "sync"), 4, "unreachable")
        assert "tls" in told["remedy"]


def test_a_certificate_of_an_unknown_authority(project: Project, dovecot_pair: Pair) -> None:
    with spoilt(project, "old", tls="implicit", port=dovecot_pair.old.tls_port):
        assert_refused(project, "certificate-rejected", "`ca`", "`fingerprint`", side="old")
    with spoilt(project, "old", tls="starttls"):
        assert_refused(project, "certificate-rejected", "`ca`", "`fingerprint`", side="old")
    with spoilt(project, "old", tls="implicit", port=dovecot_pair.old.tls_port, ca=str(dovecot_pair.old.ca)):
        assert_healthy(project)


@pytest.mark.parametrize(
    ("settings", "word"),
    [(Settings(certificate_names=("other.example",)), "127.0.0.1"), (Settings(certificate_days=-1), "expired")],
)
def test_a_certificate_that_proves_nothing(
    settings: Settings, word: str, new_dovecot: Server, project: Project
) -> None:
    wrong = new_dovecot(settings)
    with spoilt(project, "new", **endpoint(wrong, project.folder, tls="implicit")):
        assert_refused(project, "certificate-rejected", word, side="new")


def test_a_certificate_that_is_not_the_pinned_one(project: Project, dovecot_pair: Pair) -> None:
    pem = (dovecot_pair.new.ca.parent / "server.pem").read_text()
    right = sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    port = dovecot_pair.new.tls_port
    with spoilt(project, "new", tls="implicit", port=port, fingerprint="00" * 32):
        assert_refused(project, "certificate-rejected", right, "fingerprint", side="new")
    with spoilt(project, "new", tls="implicit", port=port, fingerprint=right.upper()):
        assert_healthy(project)


def test_both_endpoints_are_told(project: Project) -> None:
    ports = free_ports(2)
    with spoilt(project, "old", port=ports[0]), spoilt(project, "new", port=ports[1]):
        answer = project.run("check")
        assert {told["endpoint"] for told in answer.facts["errors"]} == {"old", "new"}
        assert len(lines(project.run("check", text=True), 4)) == 2
