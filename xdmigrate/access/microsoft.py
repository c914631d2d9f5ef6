"""Tokens of Microsoft's login service by msal: for an application, and for a person who has signed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdmigrate.access.refusals import refused, unreachable
from xdmigrate.access.renewed import Granted
from xdmigrate.errors import SecretUnreadable
from xdmigrate_plans import signin

if TYPE_CHECKING:
    from xdmigrate_plans.logins import Grant
    from xdmigrate_plans.signin import SignIn, Store

SECONDS = 30
"""Longest that one request may take."""

Http = Any
"""What msal calls an http_client: `get` and `post` as requests.Session has them; None: its own."""

_REMEDIES = {  # https://learn.microsoft.com/entra/identity-platform/reference-error-codes
    "AADSTS7000215": "`client_secret` must be the secret's value, not its ID",
    "AADSTS7000222": "the client secret has expired: make a new one and change it here",
    "AADSTS700016": "correct `client_id` and `tenant`, or let an administrator consent to the application there",
    "AADSTS700027": "upload the certificate of `certificate` to the application",
    "AADSTS90002": "correct `tenant`",
    "AADSTS65001": "let an administrator consent to the application's permissions",
    "AADSTS50076": "sign in again by `xdmigrate secret PLAN login SIDE:ADDRESS`",
    "AADSTS700082": "sign in again by `xdmigrate secret PLAN login SIDE:ADDRESS`",
    "AADSTS70008": "sign in again by `xdmigrate secret PLAN login SIDE:ADDRESS`",
}
_REMEDY = "correct `tenant`, `client_id` or its secret; it is tried once in each run"
_SIGN_IN = "sign in again by `xdmigrate secret PLAN login SIDE:ADDRESS`"
_CODE = re.compile(r"AADSTS\d+")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in that has begun: what the person is told, and how to wait for the person."""

    message: str
    finish: Callable[[], tuple[SignIn, str]]  # the sign-in, and who has signed in


def client_credentials(grant: Grant, http: Http = None) -> Granted:
    """A token for the application itself. Raises LoginRejected, Unreachable, Throttled, SecretUnreadable."""
    proof: str | dict[str, str] = _certificate(grant.certificate) if grant.certificate else grant.secret
    told = _told(
        grant,
        lambda: _msal().ConfidentialClientApplication(
            grant.client_id, client_credential=proof, **_common(grant, http)
        ).acquire_token_for_client(scopes=[grant.scope]),
    )  # fmt: skip
    return _granted(grant, told, _REMEDY)


def refreshed(grant: Grant, store: Store, *, hide: Callable[[str], None], http: Http = None) -> Granted:
    """A token for the person who has signed in; a new refresh token replaces the old one in the store."""
    found = signin.parse(store.get(signin.name(grant.endpoint, grant.subject)), grant.subject)
    hide(found.refresh_token)
    told = _told(
        grant,
        lambda: _public(grant, http).acquire_token_by_refresh_token(found.refresh_token, scopes=[grant.scope]),
    )
    granted = _granted(grant, told, _SIGN_IN, found.refresh_token)
    fresh = told.get("refresh_token")
    if isinstance(fresh, str) and fresh and fresh != found.refresh_token:
        hide(fresh)
        signin.keep(store, grant.endpoint, grant.subject, signin.renewed(found, fresh))
    return granted


def begin(grant: Grant, http: Http = None) -> Asked:
    """Begin a person's sign-in (RFC 8628). Raises as `client_credentials`; so does `finish`."""
    application = _told(grant, lambda: {"application": _public(grant, http)})["application"]
    flow = _told(grant, lambda: application.initiate_device_flow(scopes=[grant.scope]))
    if not flow.get("user_code"):
        raise _refused(grant, flow, _REMEDY)

    def finish() -> tuple[SignIn, str]:
        told = _told(grant, lambda: application.acquire_token_by_device_flow(flow))
        if not told.get("access_token") or not told.get("refresh_token"):
            raise _refused(grant, told, "begin again, and sign in before the code ends")
        who = (told.get("id_token_claims") or {}).get("preferred_username", "")
        return signin.SignIn.fresh(str(told["refresh_token"])), str(who)

    return Asked(str(flow.get("message", "")), finish)


def _public(grant: Grant, http: Http) -> Any:
    return _msal().PublicClientApplication(grant.client_id, **_common(grant, http))


def _common(grant: Grant, http: Http) -> dict[str, Any]:
    """Without instance discovery: the plan names the login service, and it is spoken to by TLS alone."""
    authority = f"{grant.authority}/{grant.tenant}"
    return {"authority": authority, "instance_discovery": False, "timeout": SECONDS, "http_client": http}


def _msal() -> Any:
    import msal

    return msal


def _told(grant: Grant, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the service answered."""
    from msal.exceptions import MsalError

    try:
        return ask()
    except MsalError as error:  # the status of an answer, nothing else
        raise unreachable(_service(grant), error, words=str(error)) from None
    except ValueError as error:  # msal's word for a tenant that its service does not know, and for an answer not JSON
        if "authority" in str(error).lower() or "tenant" in str(error).lower():
            words = f"the service does not know tenant {grant.tenant}"
            raise refused(_service(grant), "invalid_tenant", words, "correct `tenant`") from None
        raise unreachable(_service(grant), error) from None
    except OSError as error:  # requests' errors are ones, too
        raise unreachable(_service(grant), error) from None


def _granted(grant: Grant, told: dict[str, Any], remedy: str, *secrets: str) -> Granted:
    token = told.get("access_token")
    if not isinstance(token, str) or not token:
        raise _refused(grant, told, remedy, *secrets)
    return Granted(token, float(told.get("expires_in") or 0))


def _refused(grant: Grant, told: dict[str, Any], remedy: str, *secrets: str) -> Exception:
    words = str(told.get("error_description") or "")
    code = _CODE.search(words)
    found = _REMEDIES.get(code[0], remedy) if code else remedy
    return refused(
        _service(grant), str(told.get("error") or "no token"), words, found, secrets=(grant.secret, *secrets)
    )


def _service(grant: Grant) -> str:
    return grant.authority.removeprefix("https://")


def _certificate(pem: str) -> dict[str, str]:
    found = _PEM.search(pem)
    if not found or "PRIVATE KEY-----" not in pem:
        remedy = "name a PEM file that holds both, e.g. `cat app.key app.crt > app.pem`"
        raise SecretUnreadable("`certificate` does not hold a private key and a certificate", remedy=remedy)
    return {"private_key": pem.replace(found[0], ""), "public_certificate": found[0]}
