"""What a person's sign-in leaves in the plan's encrypted store, and nowhere else (the OAuth flow device-code)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Protocol

from xdmigrate.errors import SecretUnreadable

PREFIX = "oauth:"


class Store(Protocol):
    """Secrets by name; `xdmigrate_plans.vault.Vault` is the real one."""

    def get(self, name: str) -> str | None:
        """The secret, or None when there is none of this name."""

    def set(self, name: str, secret: str) -> None:
        """Keep one secret."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A refresh token (RFC 6749 section 1.5), which each use may replace, and a stamp that stays until the next one."""

    refresh_token: str = field(repr=False)
    stamp: str

    @classmethod
    def fresh(cls, refresh_token: str) -> SignIn:
        """A person has just signed in."""
        return cls(refresh_token, secrets.token_hex(8))


def name(endpoint: str, address: str) -> str:
    """Where the store keeps it, for one account on one endpoint."""
    return f"{PREFIX}{endpoint}:{address}"


def parse(stored: str | None, address: str) -> SignIn:
    """What was kept. Raises SecretUnreadable when nobody has signed in."""
    try:
        told = json.loads(stored or "")
        return SignIn(str(told["refresh_token"]), str(told["stamp"]))
    except (ValueError, LookupError, TypeError):
        remedy = "sign in by `xdmigrate secret PLAN login SIDE:ADDRESS`"
        raise SecretUnreadable(f"nobody has signed in for '{address}' yet", remedy=remedy) from None


def keep(store: Store, endpoint: str, address: str, sign_in: SignIn) -> None:
    """Keep it. Raises SecretUnreadable, StateUnusable."""
    told = {"refresh_token": sign_in.refresh_token, "stamp": sign_in.stamp}
    store.set(name(endpoint, address), json.dumps(told))


def renewed(sign_in: SignIn, refresh_token: str) -> SignIn:
    """The same sign-in with the token that replaces the one just used."""
    return replace(sign_in, refresh_token=refresh_token)
