"""One token for each identity, shared by all sessions and all connectors of a plan."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import TYPE_CHECKING

from xdmigrate.access.renewed import Granted, RenewedToken

if TYPE_CHECKING:
    from xdmigrate_plans.logins import Grant
    from xdmigrate_plans.signin import Store


class Tokens:
    """The tokens of one plan. Safe for several threads."""

    def __init__(self, store: Store, *, hide: Callable[[str], None] = lambda _secret: None) -> None:
        self._store = store
        self._hide = hide
        self._lock = Lock()
        self._tokens: dict[Hashable, RenewedToken] = {}

    def printed(self, endpoint: str, identity: str, ask: Callable[[], str]) -> RenewedToken:
        """The token that a reference leads to; what a program prints is believed to hold until a server rejects it."""
        return self._shared((endpoint, identity), lambda: Granted(ask()))

    def granted(self, grant: Grant) -> RenewedToken:
        """The token that an OAuth flow gives."""
        return self._shared(grant, lambda: request(grant, self._store, hide=self._hide))

    def forgive(self) -> None:
        """Ask again, when it is needed, for what was refused."""
        with self._lock:
            tokens = list(self._tokens.values())
        for token in tokens:
            token.forgive()

    def _shared(self, key: Hashable, ask: Callable[[], Granted]) -> RenewedToken:
        with self._lock:
            if key not in self._tokens:
                self._tokens[key] = RenewedToken(ask, hide=self._hide)
            return self._tokens[key]


def request(grant: Grant, store: Store, *, hide: Callable[[str], None]) -> Granted:
    """Ask for a token. Raises LoginRejected, Unreachable, SecretUnreadable or ExtraMissing."""
    for secret in (grant.secret, grant.certificate):
        hide(secret)
    if grant.flow == "google-service-account":
        from xdmigrate.access import google

        return google.service_account(grant)
    from xdmigrate.access import microsoft

    if grant.flow == "client-credentials":
        return microsoft.client_credentials(grant)
    return microsoft.refreshed(grant, store, hide=hide)
