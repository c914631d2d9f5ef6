"""Endpoints and logins as connectors get them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.access.tokens import Tokens
from xdmigrate.errors import SecretUnreadable
from xdmigrate.model import Endpoint, Login
from xdmigrate_plans import signin
from xdmigrate_plans.checks import login_name
from xdmigrate_plans.logins import Credentials, Grant, credentials, endpoint, store_name
from xdmigrate_plans.plan import SIDES, Plan, PlannedMailbox, Side
from xdmigrate_plans.templates import Fields

Load = Callable[..., Plan]


class Secrets:
    """A store, and references that tell what they were asked."""

    def __init__(self, stored: Mapping[str, str] | None = None) -> None:
        self._stored = stored or {}

    def stored(self, name: str) -> str | None:
        return self._stored.get(name)

    def resolve(self, reference: str, fields: Fields) -> str:
        if reference == "env:BROKEN":
            raise SecretUnreadable("broken")
        return f"<{reference} for {fields.address}>"

    def document(self, reference: str, fields: Fields) -> str:
        return f"<all of {reference}>"

    # the store, as sign-ins use it

    def get(self, name: str) -> str | None:
        return self._stored.get(name)

    def set(self, name: str, secret: str) -> None:
        self._stored = {**self._stored, name: secret}


def found(plan: Plan, side: Side, secrets: Secrets, tokens: Tokens | None = None) -> Credentials:
    [ann] = plan.mailboxes
    return credentials(plan, side, "mail", ann, secrets, tokens=tokens or Tokens(secrets))


def login(plan: Plan, side: Side, kind: str, mailbox: PlannedMailbox, secrets: Secrets) -> Login:
    return credentials(plan, side, kind, mailbox, secrets, tokens=Tokens(secrets)).login


def test_an_endpoint_has_its_settings_but_no_password(load_text: Load, minimal: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    pin = ":".join(["AB"] * 32)
    text = minimal.replace("host: imap.old.example", f"host: Imap.Old.example, ca: ca.pem, fingerprint: '{pin}'")
    assert endpoint(load_text(text), "old") == Endpoint(
        "old",
        "imap",
        {
            "host": "imap.old.example",
            "port": 993,
            "tls": "implicit",
            "ca": str(tmp_path / "ca.pem"),
            "fingerprint": "ab" * 32,
            "insecure": False,
            "auth": {"user": "{address}"},
        },
    )


def test_an_unknown_endpoint_is_a_key_error(load_text: Load, minimal: str) -> None:
    with pytest.raises(KeyError):
        endpoint(load_text(minimal), "elsewhere")


def test_each_side_logs_in_with_its_own_address(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal)
    source, target = (found(plan, side, Secrets()).login for side in SIDES)
    assert (source.address, source.user, source.password) == (
        "ann@old.example",
        "ann@old.example",
        "<env:OLD for ann@old.example>",
    )
    assert (target.user, target.password) == ("ann@new.example", "<env:NEW for ann@new.example>")
    assert source.authorize_as == ""


def test_a_master_user_logs_in_for_everybody(load_text: Load, minimal: str) -> None:
    text = minimal.replace("{password:", '{user: "{address}*admin", password:', 1)
    text = text.replace("{password:", "{user: admin, authorize_as: '{local}', mechanism: plain, password:", 1)
    plan = load_text(text)
    [ann] = plan.mailboxes
    assert login(plan, "source", "mail", ann, Secrets()).user == "ann@old.example*admin"
    target = login(plan, "target", "mail", ann, Secrets())
    assert (target.user, target.authorize_as) == ("admin", "ann")
    assert endpoint(plan, "new").settings["auth"] == {
        "user": "admin",
        "authorize_as": "{local}",
        "mechanism": "plain",
    }


def test_a_mailbox_of_its_own_wins(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal.replace("{source:", "{source_user: 'a{local}', source:"))
    [ann] = plan.mailboxes
    given = login(plan, "source", "mail", ann, Secrets({"source:ann@old.example": "own", "ann@old.example": "other"}))
    assert (given.user, given.password) == ("a{local}", "own")
    assert store_name("target", "ann@new.example") == "target:ann@new.example"


def test_without_any_password_the_remedy_is_told(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal.replace('auth: {password: "env:OLD"}', "port: 993"))
    with pytest.raises(SecretUnreadable, match=r"no password for 'ann@old.example'") as refusal:
        login(plan, "source", "mail", plan.mailboxes[0], Secrets())
    assert (refusal.value.endpoint, refusal.value.mailbox) == ("old", "ann@old.example")
    own = Secrets({"source:ann@old.example": "own"})
    assert login(plan, "source", "mail", plan.mailboxes[0], own).password == "own"


def test_a_system_that_asks_for_no_password_gets_none(load_text: Load, minimal: str) -> None:
    text = minimal.replace('imap, host: imap.old.example, auth: {password: "env:OLD"}', "memory, server: x")
    plan = load_text(text)
    assert login(plan, "source", "mail", plan.mailboxes[0], Secrets()).password == ""
    assert endpoint(plan, "old").settings == {"server": "x", "insecure": False}


def test_a_secret_that_cannot_be_read_names_endpoint_and_mailbox(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal.replace("env:NEW", "env:BROKEN"))
    with pytest.raises(SecretUnreadable) as refusal:
        login(plan, "target", "mail", plan.mailboxes[0], Secrets())
    assert (refusal.value.endpoint, refusal.value.mailbox) == ("new", "ann@new.example")


def test_a_login_does_not_show_its_password(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal)
    assert "env:OLD" not in repr(login(plan, "source", "mail", plan.mailboxes[0], Secrets()))


@given(st.text())
def test_no_address_reaches_into_another_ones_login(address: str) -> None:
    """Whatever an address holds, the login name is exactly the template around it."""
    from xdmigrate_plans.content import Content

    data = {
        "version": 1,
        "name": "p",
        "endpoints": {"mail": {"connector": "imap", "host": "h", "auth": {"user": "<{address}>*admin"}}},
        "source": "mail",
        "target": "mail",
        "mailboxes": [],
    }
    plan = Plan(Path("p.yaml"), Content.model_validate(data), ())
    assert login_name(plan, "source", PlannedMailbox(address, "x")) == f"<{address}>*admin"


# --- tokens -----------------------------------------------------------------------------------------------------


def with_auth(minimal: str, auth: str) -> str:
    return minimal.replace('{password: "env:OLD"}', f"{{{auth}}}")


class Minting(Secrets):
    """References that lead to another token each time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def resolve(self, reference: str, fields: Fields) -> str:
        self.asked.append(fields.address)
        return f"t{len(self.asked)}"


def test_a_token_is_asked_for_when_it_is_needed_and_again_when_it_was_rejected(load_text: Load, minimal: str) -> None:
    plan = load_text(with_auth(minimal, "token: 'command:ask {local}', mechanism: xoauth2"))
    secrets = Minting()
    asked = secrets.asked
    tokens = Tokens(secrets)
    credential = found(plan, "source", secrets, tokens)
    token = credential.login.token
    assert token is not None
    assert token is found(plan, "source", secrets, tokens).login.token
    assert (asked, credential.secret, credential.login.password) == ([], "", "")
    assert [token.current(), token.current()] == ["t1", "t1"]
    token.reject("t1")
    token.reject("t1")
    assert token.current() == "t2"
    token.reject("t1")  # by a session that was opened before
    assert token.current() == "t2"
    assert asked == ["ann@old.example"] * 2
    assert endpoint(plan, "old").settings["auth"] == {"user": "{address}", "mechanism": "xoauth2"}


def test_a_mailbox_with_a_password_of_its_own_needs_no_token(load_text: Load, minimal: str) -> None:
    plan = load_text(with_auth(minimal, "token: 'command:ask'"))
    credential = found(plan, "source", Secrets({"source:ann@old.example": "own"}))
    assert (credential.login.token, credential.secret) == (None, "own")


OAUTH = {
    "flow: client-credentials, tenant: t, client_id: c, client_secret: 'env:S'": Grant(
        "old",
        "client-credentials",
        "https://outlook.office365.com/.default",
        "t",
        "c",
        "https://login.microsoftonline.com",
        secret="<env:S for ann@old.example>",
    ),
    "flow: client-credentials, tenant: t, client_id: c, certificate: 'file:a.pem', scope: s": Grant(
        "old",
        "client-credentials",
        "s",
        "t",
        "c",
        "https://login.microsoftonline.com",
        certificate="<all of file:a.pem>",
    ),
    "flow: google-service-account, key: 'file:k.json', subject: 'x-{address}'": Grant(
        "old",
        "google-service-account",
        "https://mail.google.com/",
        subject="x-ann@old.example",
        secret="<all of file:k.json>",
    ),
    "flow: device-code, client_id: c, authority: 'https://login.microsoftonline.us/'": Grant(
        "old",
        "device-code",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "organizations",
        "c",
        "https://login.microsoftonline.us",
        subject="ann@old.example",
        secret="stamp",
    ),
}


@pytest.mark.parametrize("oauth", OAUTH)
def test_an_oauth_flow_is_asked_with_its_settings_and_its_secret(oauth: str, load_text: Load, minimal: str) -> None:
    plan = load_text(with_auth(minimal, f"oauth: {{{oauth}}}"))
    secrets = Secrets()
    signin.keep(secrets, "old", "ann@old.example", signin.SignIn("refresh", "stamp"))
    tokens = Tokens(secrets)
    credential = found(plan, "source", secrets, tokens)
    assert credential.login.token is tokens.granted(OAUTH[oauth])
    assert credential.secret == (OAUTH[oauth].secret or OAUTH[oauth].certificate)
    assert endpoint(plan, "old").settings["auth"] == {"user": "{address}"}
    assert "<" not in repr(OAUTH[oauth])


def test_a_person_who_has_not_signed_in_is_told_how(load_text: Load, minimal: str) -> None:
    plan = load_text(with_auth(minimal, "oauth: {flow: device-code, client_id: c}"))
    for stored in ({}, {signin.name("old", "ann@old.example"): "{}"}):
        with pytest.raises(SecretUnreadable, match="nobody has signed in") as refusal:
            found(plan, "source", Secrets(stored))
        assert "secret PLAN login" in refusal.value.remedy
        assert refusal.value.endpoint == "old"
