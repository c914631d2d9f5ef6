"""`secret PLAN login`: a person signs in, and nothing of it is ever shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.unit.access.services import Rerouted, Service
from tests.unit.cli.conftest import Office
from xdmigrate.access.renewed import Granted
from xdmigrate.errors import LoginRejected
from xdmigrate.model import Login
from xdmigrate.testing.memory import MemoryServer
from xdmigrate.testing.memory.server import Session
from xdmigrate_plans import signin
from xdmigrate_plans.logins import Grant
from xdmigrate_plans.vault import Vault

pytest.importorskip("msal", reason="msal is not installed (xdmigrate[oauth])")

from xdmigrate.access import microsoft

REFRESH = "refresh-token-canary"
PASSWORD = '{user: "{address}", password: "env:OFFICE_PASSWORD"}'


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Microsoft's login service, played by ours."""
    told = {"token_type": "Bearer", "access_token": "access-token-canary", "expires_in": 3599}
    with Service(lambda form: (200, told | {"refresh_token": REFRESH})) as played:
        played.device = (
            200,
            {
                "device_code": "device",
                "user_code": "ABCD-EFGH",
                "verification_uri": "https://microsoft.com/devicelogin",
                "interval": 0,
                "message": "Open https://microsoft.com/devicelogin and enter ABCD-EFGH.",
            },
        )
        http, begin = Rerouted(played.url), microsoft.begin
        monkeypatch.setattr(microsoft, "begin", lambda grant: begin(grant, http))
        yield played
        http.close()


@pytest.fixture
def office_by_code(office: Office) -> Office:
    """The source takes tokens of people who have signed in."""
    office.text = office.text.replace(PASSWORD, "{oauth: {flow: device-code, client_id: app}}", 1)
    office.plan.write_text(office.text)
    return office


def test_a_sign_in_is_kept_in_the_store_alone(office_by_code: Office, service: Service) -> None:
    office = office_by_code
    before = office.run("secret", "PLAN", "status", "--json")
    assert "source:ann@x.test" in before.json["missing"]
    told = office.run("secret", "PLAN", "login", "source:ANN@x.test")
    assert told.code == 0
    assert "ABCD-EFGH" in told.stdout
    assert "has signed in for ann@x.test on old" in told.stdout
    assert "canary" not in told.stdout + told.stderr
    kept = Vault(office.state.parent, "office").get(signin.name("old", "ann@x.test"))
    assert signin.parse(kept, "ann").refresh_token == REFRESH
    after = office.run("secret", "PLAN", "status", "--json")
    assert "source:ann@x.test" not in after.json["missing"]
    assert "canary" not in after.stdout + after.stderr
    assert [form["grant_type"] for form in service.asked] == ["urn:ietf:params:oauth:grant-type:device_code"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ann@x.test", "no mailbox of one side"),
        ("source:nobody@x.test", "has no mailbox 'nobody@x.test'"),
        ("target:ann@x.test", "nobody signs in on endpoint new"),
    ],
)
def test_signing_in_where_nobody_can(office_by_code: Office, name: str, words: str) -> None:
    told = office_by_code.run("secret", "PLAN", "login", name, "--json")
    assert told.code == 2
    assert words in told.json["errors"][0]["message"]
    assert told.json["errors"][0]["remedy"]


# --- tokens that are not taken ----------------------------------------------------------------------------------


def test_a_rejected_token_is_tried_once_in_each_run_and_a_rejected_password_never_again(
    office: Office, no_waits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory server takes no tokens, so it rejects them; whoever sees to the provider changes no secret here."""
    monkeypatch.setenv("SECRET", "client-secret-canary")
    monkeypatch.setattr(microsoft, "client_credentials", lambda grant: Granted("access-token-canary", 3600.0))
    oauth = "{oauth: {flow: client-credentials, tenant: t, client_id: c, client_secret: 'env:SECRET'}}"
    office.edit(PASSWORD, oauth)  # both sides
    for _ in range(2):
        before = office.old.logins
        told = office.run("sync", "PLAN", "--json")
        assert set(told.codes) == {"login-rejected"}
        assert office.old.logins - before == 3
        assert "canary" not in told.stdout + told.stderr
    office.plan.write_text(office.text)
    monkeypatch.setenv("OFFICE_PASSWORD", "wrong")
    counts = []
    for _ in range(2):
        before = office.old.logins
        assert office.run("sync", "PLAN", "--json").code == 3
        counts.append(office.old.logins - before)
    assert counts == [3, 0]


def test_a_login_service_that_refuses_is_asked_once(
    office: Office, no_waits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(grant: Grant) -> Granted:
        asked.append(grant.endpoint)
        raise LoginRejected("login.example gives no token: invalid_client", remedy="mend it")

    monkeypatch.setenv("SECRET", "client-secret-canary")
    monkeypatch.setattr(microsoft, "client_credentials", refuse)
    monkeypatch.setattr(MemoryServer, "log_in", asks_for_the_token(MemoryServer.log_in))
    oauth = "{oauth: {flow: client-credentials, tenant: t, client_id: c, client_secret: 'env:SECRET'}}"
    office.edit(PASSWORD, oauth)
    told = office.run("sync", "PLAN", "--json")
    assert told.code == 3
    assert told.codes == ["login-rejected"] * 3
    assert {error["mailbox"] for error in told.json["errors"]} == {"ann@x.test", "bob@x.test", "eve@x.test"}
    assert 1 <= len(asked) == len(set(asked))  # three mailboxes, one application


def asks_for_the_token(log_in: Callable[[MemoryServer, Login], Session]) -> Callable[[MemoryServer, Login], Session]:
    def asking(self: MemoryServer, login: Login) -> Session:
        if login.token is not None:
            login.token.current()
        return log_in(self, login)

    return asking
