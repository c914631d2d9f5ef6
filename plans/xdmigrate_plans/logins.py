"""How a mailbox of a plan is reached: the endpoint's settings for the connector, and the login with its secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from xdmigrate.errors import SecretUnreadable
from xdmigrate.model import Endpoint, Login, Token
from xdmigrate_plans import signin
from xdmigrate_plans.checks import authorized, login_name
from xdmigrate_plans.plan import SIDES
from xdmigrate_plans.templates import Fields, expand
from xdmigrate_plans.textfile import located

if TYPE_CHECKING:
    from xdmigrate_plans.auth import Auth, DeviceCode, OAuth
    from xdmigrate_plans.plan import Plan, PlannedMailbox, Side


class Resolve(Protocol):
    """Fetches secrets; `xdmigrate_plans.resolver.Resolver` is the real one."""

    def stored(self, name: str) -> str | None:
        """What the plan's store holds under a name."""

    def resolve(self, reference: str, fields: Fields) -> str:
        """The secret behind a reference, for one account."""

    def document(self, reference: str, fields: Fields) -> str:
        """The same with all its lines, for keys and certificates."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an OAuth flow is asked with: its settings, its secret, and for whom. Equal ones share one token."""

    endpoint: str
    flow: str
    scope: str
    tenant: str = ""
    client_id: str = ""
    authority: str = ""
    subject: str = ""  # whose token it is; empty: one token serves all accounts
    secret: str = field(repr=False, default="")  # client secret, JSON key, or the stamp of a sign-in
    certificate: str = field(repr=False, default="")  # PEM with private key and certificate, instead of a secret


class Tokens(Protocol):
    """Makes tokens; `xdmigrate.access.tokens.Tokens` is the real one."""

    def printed(self, endpoint: str, identity: str, ask: Callable[[], str]) -> Token:
        """The token that `ask` tells; one for each identity."""

    def granted(self, grant: Grant) -> Token:
        """The token that an OAuth flow gives; one for each grant."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login, and what a person has to change when it was rejected."""

    login: Login
    secret: str = field(repr=False)  # empty: only the token itself tells


def store_name(side: Side, address: str) -> str:
    """The name in the plan's store of one account's own password, as CSV rows and people give it."""
    return f"{side}:{address}"


def endpoint(plan: Plan, name: str) -> Endpoint:
    """The endpoint for its connector: its settings as plain values, without secrets, with paths that work.

    Raises KeyError when the plan has no endpoint of this name.
    """
    described = plan.endpoints[name]
    settings: dict[str, Any] = described.described()
    connector: str = settings.pop("connector")
    for key in ("password", "token", "oauth"):
        settings.get("auth", {}).pop(key, None)
    for key in ("ca", "path"):
        if isinstance(settings.get(key), str):
            settings[key] = str(located(settings[key], plan.directory))
    return Endpoint(name, connector, settings)


def credentials(
    plan: Plan, side: Side, kind: str, mailbox: PlannedMailbox, resolve: Resolve, *, tokens: Tokens
) -> Credentials:
    """The login of one account. Its own user and password (from a CSV) win over the endpoint's.

    Raises SecretUnreadable, naming endpoint and mailbox.
    """
    name = plan.endpoint_name(side, kind)
    auth = plan.endpoints[name].auth
    address = mailbox.address(side)
    user, acts_for = login_name(plan, side, mailbox, kind), authorized(plan, side, mailbox, kind)
    try:
        own = resolve.stored(store_name(side, address))
        if own or auth is None or not (auth.token or auth.oauth):
            password = own or _shared_password(auth, Fields.of(address), resolve)
            return Credentials(Login(address, user, password, acts_for), password)
        token, secret = _token(name, auth, Fields.of(address), resolve, tokens)
    except SecretUnreadable as error:
        error.endpoint, error.mailbox = name, address
        raise
    return Credentials(Login(address, user, authorize_as=acts_for, token=token), secret)


def secret_names(plan: Plan) -> set[str]:
    """Every name by which a login of this plan may ask the store."""
    found = set()
    for way in plan.ways:
        for side, name in zip(SIDES, (way.source, way.target), strict=True):
            auth = plan.endpoints[name].auth
            for box in plan.mailboxes:
                address = box.address(side)
                found.add(store_name(side, address))
                found |= {expand(each, Fields.of(address)) for each in _stored(auth)}
    return found


def _stored(auth: Auth | None) -> list[str]:
    """What `auth` says behind `store:`."""
    told = auth.model_dump(mode="json", exclude_none=True) if auth else {}
    values = (*told.values(), *told.get("oauth", {}).values())
    return [each.removeprefix("store:") for each in values if isinstance(each, str) and each.startswith("store:")]


def _shared_password(auth: Auth | None, fields: Fields, resolve: Resolve) -> str:
    """The endpoint's password; a system without `auth` asks for none."""
    if auth is None:
        return ""
    if auth.password is None:
        remedy = "write `auth: {password: …}` at the endpoint, or `xdmigrate secret PLAN set SIDE:ADDRESS`"
        raise SecretUnreadable(f"there is no password for '{fields.address}'", remedy=remedy)
    return resolve.resolve(auth.password, fields)


def _token(endpoint: str, auth: Auth, fields: Fields, resolve: Resolve, tokens: Tokens) -> tuple[Token, str]:
    """The token of one account, and the secret by which it is got."""
    if auth.oauth is not None:
        grant = _grant(endpoint, auth.oauth, fields, resolve)
        return tokens.granted(grant), grant.secret or grant.certificate
    reference = auth.token or ""
    return tokens.printed(endpoint, expand(reference, fields), lambda: resolve.resolve(reference, fields)), ""


def _grant(endpoint: str, oauth: OAuth, fields: Fields, resolve: Resolve) -> Grant:
    """The flow's settings with its secret fetched."""
    match oauth.flow:
        case "client-credentials":
            secret = resolve.resolve(oauth.client_secret, fields) if oauth.client_secret else ""
            pem = resolve.document(oauth.certificate, fields) if oauth.certificate else ""
            return Grant(
                endpoint,
                oauth.flow,
                oauth.scope,
                oauth.tenant,
                oauth.client_id,
                oauth.authority,
                secret=secret,
                certificate=pem,
            )
        case "google-service-account":
            key = resolve.document(oauth.key, fields)
            return Grant(endpoint, oauth.flow, oauth.scope, subject=expand(oauth.subject, fields), secret=key)
        case "device-code":
            found = signin.parse(resolve.stored(signin.name(endpoint, fields.address)), fields.address)
            return device_grant(endpoint, oauth, fields.address, found.stamp)


def device_grant(endpoint: str, oauth: DeviceCode, address: str, stamp: str = "") -> Grant:
    """What a person signs in with, for one account; `stamp` tells one sign-in from the next."""
    return Grant(
        endpoint,
        oauth.flow,
        oauth.scope,
        oauth.tenant,
        oauth.client_id,
        oauth.authority,
        subject=address,
        secret=stamp,
    )
