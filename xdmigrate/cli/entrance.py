"""How the mailboxes of a plan log in, and which login is not tried again: nobody is locked out."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from xdmigrate.access.tokens import Tokens
from xdmigrate.errors import LoginRejected, XdmigrateError
from xdmigrate_plans import logins
from xdmigrate_plans.resolver import Resolver
from xdmigrate_plans.vault import MARK_BYTES

if TYPE_CHECKING:
    from xdmigrate.model import Login
    from xdmigrate_plans.plan import Plan, PlannedMailbox, Side
    from xdmigrate_plans.vault import Vault

S = TypeVar("S")


class Entrance:
    """The logins of a plan on both sides. Safe for several threads.

    A side may have an endpoint for each kind of data: a kind names the one that is meant.
    """

    def __init__(self, plan: Plan, vault: Vault, hide: Callable[[str], None]) -> None:
        self._plan = plan
        self._vault = vault
        self._hide = hide
        self._resolver = Resolver(plan.directory, vault)
        self._tokens = Tokens(vault, hide=hide)
        self._salt = os.urandom(16)
        self._rejected: set[tuple[str, str, bytes]] = set()
        self._rejected_tokens: set[tuple[str, str]] = set()

    def login(self, side: Side, kind: str, planned: PlannedMailbox) -> Login:
        """The mailbox's login. Raises SecretUnreadable."""
        return self._credentials(side, kind, planned).login

    def secret(self, side: Side, kind: str, planned: PlannedMailbox) -> str:
        """What the mailbox logs in with; where there is only a token, that is it. Raises SecretUnreadable."""
        found = self._credentials(side, kind, planned)
        if found.secret or found.login.token is None:
            return found.secret
        try:
            return found.login.token.current()
        except XdmigrateError as error:
            error.endpoint = error.endpoint or self._plan.endpoint_name(side, kind)
            error.mailbox = error.mailbox or found.login.address
            raise

    def mark(self, side: Side, kind: str, planned: PlannedMailbox) -> bytes:
        """Changes when the mailbox's secret does. Raises SecretUnreadable.

        Rights that a token lacks are granted at its provider, where no secret changes, and no password is guessed by
        trying: a token's login that was rejected here has a mark that no later run finds again, so each tries it once.
        """
        found = self._credentials(side, kind, planned)
        if (self._plan.endpoint_name(side, kind), found.login.address) in self._rejected_tokens:
            return os.urandom(MARK_BYTES)
        return self._vault.mark(found.secret)

    def admit(self, side: Side, kind: str, planned: PlannedMailbox, connect: Callable[[Login], S]) -> S:
        """Log in; a user and password that were rejected once are not tried again, whichever mailboxes share them."""
        found, endpoint = self._credentials(side, kind, planned), self._plan.endpoint_name(side, kind)
        login = found.login
        key = (endpoint, login.user, hmac.digest(self._salt, found.secret.encode(), "sha256"))
        if login.token is None and key in self._rejected:
            raise LoginRejected(
                f"{login.address}: the login of {login.user!r} on {endpoint} was rejected before",
                remedy="mend the password, then run again",
                endpoint=endpoint,
                mailbox=login.address,
            )
        try:
            return connect(login)
        except LoginRejected:
            if login.token is None:
                self._rejected.add(key)
            else:
                self._rejected_tokens.add((endpoint, login.address))
            raise

    def forget(self) -> None:
        """A person changed secrets: ask again where no token was given."""
        self._tokens.forgive()

    def _credentials(self, side: Side, kind: str, planned: PlannedMailbox) -> logins.Credentials:
        found = logins.credentials(self._plan, side, kind, planned, self._resolver, tokens=self._tokens)
        self._hide(found.secret)
        return found
