"""Tokens of Google Workspace by google-auth: a service account acts for each mailbox of its domain."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from xdmigrate.access.refusals import refused, unreachable
from xdmigrate.access.renewed import Granted
from xdmigrate.errors import SecretUnreadable

if TYPE_CHECKING:
    from xdmigrate_plans.logins import Grant

SERVICE = "Google's login service"
SECONDS = 30
"""Longest that one request may take."""


def service_account(grant: Grant) -> Granted:
    """A token for the grant's subject. Raises LoginRejected, Unreachable, Throttled, SecretUnreadable."""
    from google.auth.exceptions import GoogleAuthError, RefreshError
    from google.auth.transport.requests import Request
    from requests import Session

    account = _account(grant)
    try:
        with Session() as session:
            account.refresh(partial(Request(session), timeout=SECONDS))
    except RefreshError as error:
        raise _refused(grant, error) from None
    except (GoogleAuthError, OSError, ValueError, TypeError, LookupError) as error:  # the last three: not its answer
        raise unreachable(SERVICE, error) from None
    ends = account.expiry.replace(tzinfo=UTC) if account.expiry else datetime.now(UTC)  # told in UTC without saying so
    return Granted(str(account.token), (ends - datetime.now(UTC)).total_seconds())


def _account(grant: Grant) -> Any:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    try:
        return Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            json.loads(grant.secret), scopes=[grant.scope], subject=grant.subject
        )
    except (ValueError, LookupError, TypeError, AttributeError, GoogleAuthError):  # its words may quote the key
        remedy = "name the JSON file that Google gave when the key was made"
        raise SecretUnreadable("`key` is no service account's key", remedy=remedy) from None


def _refused(grant: Grant, error: Any) -> Exception:
    told = next((each for each in error.args if isinstance(each, dict)), {})
    code, words = str(told.get("error") or "refused"), str(told.get("error_description") or "")
    if error.retryable:
        code = "temporarily_unavailable"
    return refused(SERVICE, code, words, _remedy(grant, code), secrets=(grant.secret,))


def _remedy(grant: Grant, code: str) -> str:
    if code == "unauthorized_client":
        return (
            f"delegate {grant.scope} to the service account's client ID (Google Admin: Security, API controls, "
            "Domain-wide delegation)"
        )
    if code == "invalid_grant":
        return (
            f"see that {grant.subject} is a user of this Workspace, that the key is valid, and that this clock is right"
        )
    return "look at the service account, its key and `scope`; it is tried once in each run"
