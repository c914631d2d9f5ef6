"""The three OAuth flows against login services of our own: what is asked, and what each answer means."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.access.services import Answer, Given, Rerouted, Service
from xdmigrate.errors import LoginRejected, SecretUnreadable, Throttled, Unreachable, XdmigrateError
from xdmigrate_plans import signin
from xdmigrate_plans.logins import Grant

pytest.importorskip("msal", reason="msal is not installed (xdmigrate[oauth])")
pytest.importorskip("google.auth", reason="google-auth is not installed (xdmigrate[oauth])")

from xdmigrate.access import google, microsoft

CANARY = "canary-secret-~1"
TOKEN = {"token_type": "Bearer", "access_token": "at-canary", "expires_in": 3599}
APPLICATION = Grant(
    "new",
    "client-credentials",
    "https://outlook.office365.com/.default",
    "contoso.example",
    "app-id",
    "https://login.microsoftonline.com",
    secret=CANARY,
)
PERSON = replace(APPLICATION, flow="device-code", subject="ann@contoso.example", secret="stamp")


@contextmanager
def serving(token: Callable[[Given], Answer]) -> Iterator[tuple[Service, Rerouted]]:
    with Service(token) as service:
        http = Rerouted(service.url)
        try:
            yield service, http
        finally:
            http.close()


def told(error: str, description: str = "", status: int = 400) -> Answer:
    return status, {"error": error, "error_description": description}


class Store:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.kept.get(name)

    def set(self, name: str, secret: str) -> None:
        self.kept[name] = secret


def key_and_certificate() -> tuple[str, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "xdmigrate")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


# --- Microsoft --------------------------------------------------------------------------------------------------


def test_an_application_asks_with_its_secret() -> None:
    with serving(lambda form: (200, TOKEN)) as (service, http):
        granted = microsoft.client_credentials(APPLICATION, http)
        again = microsoft.client_credentials(APPLICATION, http)
    assert (granted.token, granted.seconds) == ("at-canary", 3599.0)
    assert again == granted
    assert len(service.asked) == 2  # nothing is remembered but by RenewedToken
    [form, _] = service.asked
    assert form["grant_type"] == "client_credentials"
    assert (form["client_id"], form["client_secret"], form["scope"]) == ("app-id", CANARY, APPLICATION.scope)
    assert http.hosts == {"login.microsoftonline.com"}


@pytest.mark.parametrize("order", [1, -1])
def test_an_application_asks_with_its_certificate(order: int) -> None:
    pem = "".join(key_and_certificate()[::order])
    with serving(lambda form: (200, TOKEN)) as (service, http):
        granted = microsoft.client_credentials(replace(APPLICATION, secret="", certificate=pem), http)
    assert granted.token == "at-canary"
    [form] = service.asked
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["client_assertion"].count(".") == 2
    assert "client_secret" not in form


def test_half_a_certificate_is_told_before_anything_is_asked() -> None:
    private, public = key_and_certificate()
    with serving(lambda form: (200, TOKEN)) as (service, http):
        for pem in (private, public, "nothing"):
            with pytest.raises(SecretUnreadable, match="certificate"):
                microsoft.client_credentials(replace(APPLICATION, secret="", certificate=pem), http)
    assert service.asked == []


REFUSALS: Mapping[str, tuple[Answer, type[XdmigrateError], str]] = {
    "wrong secret": (
        told(
            "invalid_client",
            f"AADSTS7000215: Invalid client secret {CANARY} provided.\r\nTrace ID: 0-0\r\nTimestamp: 2026",
            401,
        ),
        LoginRejected,
        "value, not its ID",
    ),
    "expired secret": (told("invalid_client", "AADSTS7000222: expired keys", 401), LoginRejected, "make a new one"),
    "no such application": (told("unauthorized_client", "AADSTS700016: not found"), LoginRejected, "consent"),
    "no grant": (told("invalid_grant", "x"), LoginRejected, "tenant"),
    "another error": (told("invalid_scope"), LoginRejected, "tenant"),
    "busy": (told("temporarily_unavailable", "AADSTS90033"), Throttled, "tried again"),
    "not JSON": ((200, b"<html>captive portal</html>"), Unreachable, "tried again"),
    "broken": ((503, b"down"), Unreachable, "tried again"),
    "no token": ((200, {}), LoginRejected, "tenant"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_microsofts_answers_mean(case: str) -> None:
    answer, kind, remedy = REFUSALS[case]
    with serving(lambda form: answer) as (_, http), pytest.raises(XdmigrateError) as raised:
        microsoft.client_credentials(APPLICATION, http)
    assert type(raised.value) is kind
    assert remedy in raised.value.remedy
    assert CANARY not in str(raised.value)
    assert "Trace" not in str(raised.value)
    assert str(raised.value).isprintable()
    assert "login.microsoftonline.com" in raised.value.message


def test_a_tenant_that_nobody_knows() -> None:
    with serving(lambda form: (200, TOKEN)) as (_, http), pytest.raises(LoginRejected, match="tenant nowhere"):
        microsoft.client_credentials(replace(APPLICATION, tenant="nowhere"), http)


def test_a_service_that_nobody_reaches() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    http = Rerouted(f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match="refused") as raised:
        microsoft.client_credentials(APPLICATION, http)
    http.close()
    assert "0x" not in str(raised.value)


DEVICE = {
    "device_code": "device",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://microsoft.com/devicelogin",
    "expires_in": 60,
    "interval": 0,
    "message": "To sign in, open https://microsoft.com/devicelogin and enter the code ABCD-EFGH.",
}


def test_a_person_signs_in_and_the_refresh_token_rotates() -> None:
    answers = [
        told("authorization_pending"),
        (200, TOKEN | {"refresh_token": "rt-1"}),
        (200, TOKEN | {"access_token": "at-2", "refresh_token": "rt-2"}),
        (200, TOKEN | {"access_token": "at-3"}),
    ]
    store, hidden = Store(), list[str]()
    with serving(lambda form: answers.pop(0)) as (service, http):
        service.device = 200, DEVICE
        asked = microsoft.begin(PERSON, http)
        assert "ABCD-EFGH" in asked.message
        found, _ = asked.finish()
        signin.keep(store, "new", "ann@contoso.example", found)
        assert microsoft.refreshed(PERSON, store, hide=hidden.append, http=http).token == "at-2"
        assert microsoft.refreshed(PERSON, store, hide=hidden.append, http=http).token == "at-3"
    assert [form.get("refresh_token") for form in service.asked[2:]] == ["rt-1", "rt-2"]
    kept = signin.parse(store.get("oauth:new:ann@contoso.example"), "ann")
    assert (kept.refresh_token, kept.stamp) == ("rt-2", found.stamp)
    assert {"rt-1", "rt-2"} <= set(hidden)
    assert "rt-" not in repr(kept)


def test_a_sign_in_that_is_declined_or_withdrawn() -> None:
    with serving(lambda form: told("authorization_declined", "no")) as (service, http):
        service.device = told("unauthorized_client", "AADSTS700016: no such application")
        with pytest.raises(LoginRejected, match="AADSTS700016"):
            microsoft.begin(PERSON, http)
        service.device = 200, DEVICE
        with pytest.raises(LoginRejected, match="authorization_declined"):
            microsoft.begin(PERSON, http).finish()
        with pytest.raises(SecretUnreadable, match="nobody has signed in"):
            microsoft.refreshed(PERSON, Store(), hide=lambda _: None, http=http)
    store = Store()
    signin.keep(store, "new", "ann@contoso.example", signin.SignIn("rt-canary", "stamp"))
    withdrawn = told("invalid_grant", "AADSTS700082: rt-canary has expired")
    with serving(lambda form: withdrawn) as (_, http), pytest.raises(LoginRejected) as raised:
        microsoft.refreshed(PERSON, store, hide=lambda _: None, http=http)
    assert "sign in again" in raised.value.remedy
    assert "rt-canary" not in str(raised.value)


# --- Google -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private_key() -> str:
    return key_and_certificate()[0]


def workspace(service: Service, private_key: str) -> Grant:
    key = {
        "type": "service_account",
        "client_email": "mover@project.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": private_key,
        "token_uri": f"{service.url}/token",
    }
    return Grant(
        "old",
        "google-service-account",
        "https://mail.google.com/",
        subject="ann@contoso.example",
        secret=json.dumps(key),
    )


def test_a_service_account_acts_for_the_mailbox(private_key: str) -> None:
    import jwt

    with Service(lambda form: (200, TOKEN)) as service:
        granted = google.service_account(workspace(service, private_key))
    assert granted.token == "at-canary"
    assert granted.seconds is not None
    assert 3500 < granted.seconds < 3600
    [form] = service.asked
    claims: dict[str, Any] = jwt.decode(form["assertion"], options={"verify_signature": False})
    assert (claims["sub"], claims["scope"]) == ("ann@contoso.example", "https://mail.google.com/")
    assert claims["iss"] == "mover@project.iam.gserviceaccount.com"


@pytest.mark.parametrize(
    ("answer", "kind", "remedy"),
    [
        (
            told("unauthorized_client", "Client is unauthorized to retrieve access tokens", 401),
            LoginRejected,
            "delegat",
        ),
        (told("invalid_grant", "Invalid email or User ID"), LoginRejected, "ann@contoso.example is a user"),
        (told("access_denied"), LoginRejected, "scope"),
        ((200, b"<html>portal</html>"), XdmigrateError, ""),
    ],
)
def test_what_googles_answers_mean(answer: Answer, kind: type[XdmigrateError], remedy: str, private_key: str) -> None:
    with Service(lambda form: answer) as service, pytest.raises(kind) as raised:
        google.service_account(workspace(service, private_key))
    assert remedy in raised.value.remedy
    assert "PRIVATE" not in str(raised.value)
    assert str(raised.value).isprintable()


def test_google_that_nobody_reaches(private_key: str) -> None:
    with Service(lambda form: (200, TOKEN)) as service:
        grant = workspace(service, private_key)
    with pytest.raises(Unreachable):
        google.service_account(grant)


@pytest.mark.parametrize("key", ["", "[]", "not JSON canary", '{"type": "authorized_user", "private_key": "canary"}'])
def test_what_is_no_key_is_not_quoted(key: str) -> None:
    with pytest.raises(SecretUnreadable, match="no service account's key") as raised:
        google.service_account(Grant("old", "google-service-account", "s", subject="ann", secret=key))
    assert "canary" not in str(raised.value)
