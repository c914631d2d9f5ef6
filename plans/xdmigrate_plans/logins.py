"""How a mailbox of a plan is reached: the endpoint's settings for the connector, and the login with its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from xdmigrate.errors import SecretUnreadable
from xdmigrate.model import Endpoint, Login
from xdmigrate_plans.checks import authorized, login_name
from xdmigrate_plans.templates import Fields
from xdmigrate_plans.textfile import located

if TYPE_CHECKING:
    from xdmigrate_plans.endpoints import Auth
    from xdmigrate_plans.plan import Plan, PlannedMailbox, Side


class Resolve(Protocol):
    """Fetches secrets; `xdmigrate_plans.resolver.Resolver` is the real one."""

    def stored(self, name: str) -> str | None:
        """What the plan's store holds under a name."""

    def resolve(self, reference: str, fields: Fields) -> str:
        """The secret behind a reference, for one account."""


def store_name(side: Side, address: str) -> str:
    """The name in the plan's store of one account's own password, as CSV rows and people give it."""
    return f"{side}:{address}"


def endpoint(plan: Plan, name: str) -> Endpoint:
    """The endpoint for its connector: its settings as plain values, without password, with a path to `ca` that works.

    Raises KeyError when the plan has no endpoint of this name.
    """
    described = plan.endpoints[name]
    settings: dict[str, Any] = described.described()
    connector: str = settings.pop("connector")
    settings.get("auth", {}).pop("password", None)
    if described.ca:
        settings["ca"] = str(located(described.ca, plan.directory))
    return Endpoint(name, connector, settings)


def login(plan: Plan, side: Side, kind: str, mailbox: PlannedMailbox, resolve: Resolve) -> Login:
    """The login of one account. Its own user and password (from a CSV) win over the endpoint's.

    Raises SecretUnreadable, naming endpoint and mailbox.
    """
    name = plan.endpoint_name(side, kind)
    auth = plan.endpoints[name].auth
    address = mailbox.address(side)
    fields = Fields.of(address)
    try:
        password = resolve.stored(store_name(side, address)) or _shared_password(auth, fields, resolve)
    except SecretUnreadable as error:
        error.endpoint, error.mailbox = name, address
        raise
    user = login_name(plan, side, mailbox, kind)
    return Login(address, user, password, authorized(plan, side, mailbox, kind))


def _shared_password(auth: Auth | None, fields: Fields, resolve: Resolve) -> str:
    """The endpoint's password; a system without `auth` asks for none."""
    if auth is None:
        return ""
    if auth.password is None:
        remedy = "write `auth: {password: …}` at the endpoint, or `xdmigrate secret PLAN set SIDE:ADDRESS`"
        raise SecretUnreadable(f"there is no password for '{fields.address}'", remedy=remedy)
    return resolve.resolve(auth.password, fields)
