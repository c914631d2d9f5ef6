"""Connecting and logging in: who is told what, and what is never tried or told."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any

import pytest

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from xdmigrate.errors import (
    CertificateRejected,
    ConnectionLost,
    LoginRejected,
    ProtocolError,
    Throttled,
    Unreachable,
    XdmigrateError,
)
from xdmigrate.model import Endpoint, Login
from xdmigrate_imap.plugin import ImapConnector

connector = ImapConnector()
OPENERS = [connector.source, connector.target, connector.auditor]


def refused(talk: Talk, answer: bytes) -> None:
    talk.greet()
    talk.command()
    talk.send(b"+ ")
    talk.line()
    talk.ok(text=answer)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("answer", "error", "delay"),
    [
        (b"NO [AUTHENTICATIONFAILED] Authentication failed.", LoginRejected, None),
        (b"NO LOGIN failed", LoginRejected, None),
        (b"NO [PRIVACYREQUIRED] Plaintext authentication disallowed", LoginRejected, None),
        (b"BAD invalid user or password", LoginRejected, None),
        (b"NO [UNAVAILABLE] Temporary authentication failure.", Throttled, None),
        (b"NO [LIMIT] Maximum number of connections from user+IP exceeded", Throttled, None),
        (b"NO [INUSE] in use", Throttled, None),
        (b"NO [ALERT] Too many simultaneous connections. (Failure)", Throttled, None),
        (b"NO Throttled. Suggested Backoff Time: 1500 milliseconds", Throttled, 1.5),
    ],
)
def test_only_a_rejected_account_is_a_rejected_login(
    opener: Callable[..., object], answer: bytes, error: type[XdmigrateError], delay: float | None
) -> None:
    with Scripted(lambda talk: refused(talk, answer)) as server, pytest.raises(error) as raised:
        opener(server.endpoint, LOGIN)
    assert raised.type is error
    assert raised.value.remedy
    assert raised.value.endpoint == "old"
    assert raised.value.mailbox == LOGIN.address
    assert "127.0.0.1" in str(raised.value)
    assert "\n" not in str(raised.value)
    if isinstance(raised.value, Throttled):
        assert raised.value.delay == delay


@pytest.mark.parametrize("opener", OPENERS)
def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_error(opener: Callable[..., object]) -> None:
    with Scripted(lambda talk: refused(talk, b"NO hunter2 is wrong")) as server, pytest.raises(LoginRejected) as raised:
        opener(server.endpoint, LOGIN)
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(LOGIN)


def say_bye(talk: Talk) -> None:
    talk.send(b"* BYE Too many connections from your address")


def hang_up(talk: Talk) -> None:
    talk.line()


def bye_in_login(talk: Talk) -> None:
    talk.greet()
    talk.command()
    talk.send(b"+ ")
    talk.line()
    talk.send(b"* BYE Maximum number of connections exceeded")


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("script", "error"),
    [
        (say_bye, Throttled),
        (bye_in_login, Throttled),
        (lambda talk: None, ConnectionLost),
        (lambda talk: talk.send(b"220 smtp.example.test ESMTP"), ProtocolError),
        (lambda talk: talk.send(b"* PREAUTH welcome", b"* CAPABILITY IMAP4rev1"), ConnectionLost),
        (lambda talk: talk.raw(b"\x16\x03\x01\0\xff\r\n"), ProtocolError),
    ],
)
def test_strange_greetings(
    opener: Callable[..., object], script: Callable[[Talk], None], error: type[XdmigrateError]
) -> None:
    with Scripted(script) as server, pytest.raises(error):
        opener(server.endpoint, LOGIN)


def test_preauth_is_nobody_in_particular() -> None:
    def script(talk: Talk) -> None:
        talk.send(b"* PREAUTH welcome")
        talk.expect(b"CAPABILITY", b"* CAPABILITY IMAP4rev1")
        assert talk.at_end()

    with Scripted(script) as server, pytest.raises(ProtocolError, match="PREAUTH"):
        connector.source(server.endpoint, LOGIN)


@pytest.mark.parametrize("opener", OPENERS)
def test_nobody_listens(opener: Callable[..., object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    endpoint = Endpoint("old", "imap", {"host": "127.0.0.1", "port": port, "tls": "none"})
    with pytest.raises(Unreachable, match="refused") as raised:
        opener(endpoint, LOGIN)
    assert raised.value.remedy


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(Unreachable, match="name"):
        connector.source(Endpoint("old", "imap", {"host": "no-such-host.invalid"}), LOGIN)


def test_no_tls_on_the_port() -> None:
    with Scripted(lambda talk: talk.send(b"* OK plaintext")) as server, pytest.raises(Unreachable, match="TLS"):
        connector.source(replace(server.endpoint, settings=server.endpoint.settings | {"tls": "implicit"}), LOGIN)


def test_login_is_used_where_plain_is_not_offered() -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"")
        assert talk.command() == b'LOGIN "a \\"b\\\\" "pass word"'
        talk.ok(text=b"OK [CAPABILITY IMAP4rev1 UIDPLUS] in")

    with Scripted(script) as server:
        source = connector.source(server.endpoint, Login("a@b", 'a "b\\', "pass word"))
    assert source._session.can("UIDPLUS")


def test_nothing_is_sent_where_passwords_are_not_taken() -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"LOGINDISABLED")
        assert talk.at_end()

    with Scripted(script) as server, pytest.raises(LoginRejected, match="no passwords"):
        connector.source(server.endpoint, LOGIN)


@pytest.mark.parametrize("field", ["user", "password", "authorize_as"])
@pytest.mark.parametrize("end", ["\r\nx1 DELETE INBOX", "\0", "\n"])
def test_a_line_break_in_a_secret_never_reaches_the_server(field: str, end: str) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        assert talk.at_end()

    given: dict[str, Any] = {field: "x" + end}
    login = replace(LOGIN, **given)
    with Scripted(script) as server, pytest.raises(LoginRejected, match="line break"):
        connector.source(server.endpoint, login)


def test_a_plaintext_answer_behind_starttls_is_an_injection() -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"STARTTLS")
        talk.command()
        talk.ok(text=b"OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN")

    with Scripted(script) as server:
        endpoint = replace(server.endpoint, settings=server.endpoint.settings | {"tls": "starttls"})
        with pytest.raises(ProtocolError, match="STARTTLS"):
            connector.source(endpoint, LOGIN)


def test_without_starttls_there_is_no_login() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        assert talk.at_end()

    with Scripted(script) as server:
        endpoint = replace(server.endpoint, settings=server.endpoint.settings | {"tls": "starttls"})
        with pytest.raises(Unreachable, match="STARTTLS"):
            connector.source(endpoint, LOGIN)


# --- Dovecot ----------------------------------------------------------------------------------------------------

New = Callable[[Settings], Dovecot]


def secured(server: Dovecot, tls: str, **settings: object) -> Endpoint:
    port = server.tls_port if tls == "implicit" else server.port
    return Endpoint("old", "imap", {"host": "localhost", "port": port, "tls": tls, **settings})


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_certificates(new_dovecot: New, opener: Callable[..., object], tls: str) -> None:
    server = new_dovecot(Settings())
    login = Login("ann@example.test", "ann@example.test", server.password)
    digest = sha256(PEM_cert_to_DER_cert((server.ca.parent / "server.pem").read_text())).hexdigest()
    for trusted in ({"ca": str(server.ca)}, {"fingerprint": digest}, {"fingerprint": f"SHA256:{digest.upper()}"}):
        session = opener(secured(server, tls, **trusted), login)
        session.close()  # type: ignore[attr-defined]
    before = server.logins(login.user)
    for distrusted in ({}, {"fingerprint": "00" * 32}, {"ca": str(server.ca), "fingerprint": "00" * 32}):
        with pytest.raises(CertificateRejected) as raised:
            opener(secured(server, tls, **distrusted), login)
        assert "fingerprint" in raised.value.remedy
    assert server.logins(login.user) == before == 3


def test_a_certificate_for_another_name_and_an_expired_one(new_dovecot: New) -> None:
    other = new_dovecot(Settings(certificate_names=("elsewhere.example",)))
    expired = new_dovecot(Settings(certificate_days=-1))
    for server, cause in ((other, "mismatch|not valid for"), (expired, "expired")):
        with pytest.raises(CertificateRejected, match=cause):
            connector.source(secured(server, "implicit", ca=str(server.ca)), replace(LOGIN, password=server.password))


def test_a_file_that_holds_no_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(CertificateRejected, match="cannot read `ca`"):
            connector.source(Endpoint("old", "imap", {"host": "localhost", "ca": str(tmp_path / name)}), LOGIN)


def test_a_master_user_acts_for_another(new_dovecot: New) -> None:
    server = new_dovecot(Settings())
    settings = server.settings
    plain = Endpoint("old", "imap", {"host": "127.0.0.1", "port": server.port, "tls": "none"})
    login = Login("ann@example.test", settings.master, settings.master_password, authorize_as="ann@example.test")
    for opener in OPENERS:
        opener(plain, login).close()  # type: ignore[attr-defined]
    assert server.logins("ann@example.test") == 3
    by_login = replace(plain, settings=plain.settings | {"auth": {"mechanism": "login"}})
    with pytest.raises(LoginRejected, match="plain"):
        connector.source(by_login, login)


def test_characters_beyond_ascii_in_a_password(new_dovecot: New) -> None:
    server = new_dovecot(Settings(password="pässwörd{3}"))
    plain = Endpoint("old", "imap", {"host": "127.0.0.1", "port": server.port, "tls": "none"})
    connector.source(plain, Login("ann@example.test", "ann@example.test", server.password)).close()
    assert server.logins("ann@example.test") == 1


def test_too_many_connections_are_throttled_not_rejected(new_dovecot: New) -> None:
    server = new_dovecot(Settings(connections=1))
    plain = Endpoint("old", "imap", {"host": "127.0.0.1", "port": server.port, "tls": "none"})
    login = Login("ann@example.test", "ann@example.test", server.password)
    first = connector.source(plain, login)
    for opener in OPENERS:
        with pytest.raises(Throttled):
            opener(plain, login)
    first.close()
