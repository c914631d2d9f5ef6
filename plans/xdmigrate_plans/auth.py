"""Who logs in at an endpoint, and by what: a password, a token, or an OAuth flow that gives tokens."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from xdmigrate_plans.section import Section
from xdmigrate_plans.values import Secret, Template, Text, fault

FLOWS = ("client-credentials", "google-service-account", "device-code")
PASSWORD_MECHANISMS = ("login", "plain", "basic", "digest")
TOKEN_MECHANISMS = ("xoauth2", "oauthbearer", "bearer")
MICROSOFT = "https://login.microsoftonline.com"


def _authority(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise fault("is not the address of a login service", f"write for example {MICROSOFT}, without the tenant")
    return value.rstrip("/")


def _flow(value: Any) -> Any:
    """Only here the flow is known by name; the union itself would say nothing that helps."""
    if isinstance(value, dict) and (flow := value.get("flow")) not in FLOWS:
        near = get_close_matches(str(flow), FLOWS, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"write {', '.join(FLOWS)}"
        raise fault("is no OAuth flow", remedy, "flow")
    return value


Authority = Annotated[Text, AfterValidator(_authority)]


class ClientCredentials(Section):
    """Microsoft: an application with rights of its own (RFC 6749 section 4.4)."""

    flow: Literal["client-credentials"] = Field(description="An application logs in for all mailboxes.")
    tenant: Text = Field(description="Directory (tenant) ID, or a domain of the tenant.")
    client_id: Text = Field(description="Application (client) ID.")
    client_secret: Secret | None = Field(default=None, description="Reference to the secret's value, not to its ID.")
    certificate: Secret | None = Field(
        default=None, description="Reference to a PEM file with the private key and the certificate, instead."
    )
    scope: Text = Field(default="https://outlook.office365.com/.default", description="What the token is for.")
    authority: Authority = Field(default=MICROSOFT, description="The login service, for sovereign clouds.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.client_secret is None) == (self.certificate is None):
            raise fault("need exactly one of `client_secret` and `certificate`", "write one of them, as a reference")
        return self


class GoogleServiceAccount(Section):
    """Google Workspace: a service account with domain-wide delegation (RFC 7523)."""

    flow: Literal["google-service-account"] = Field(description="A service account acts for each mailbox.")
    key: Secret = Field(description="Reference to the service account's JSON key.")
    subject: Template = Field(default="{address}", description="For whom it acts.")
    scope: Text = Field(default="https://mail.google.com/", description="What the token is for.")


class DeviceCode(Section):
    """Microsoft: a person signs in once for each mailbox (RFC 8628)."""

    flow: Literal["device-code"] = Field(
        description="A person signs in, by `xdmigrate secret PLAN login SIDE:ADDRESS`."
    )
    client_id: Text = Field(description="Application (client) ID.")
    tenant: Text = Field(default="organizations", description="Directory (tenant) ID, or organizations or consumers.")
    scope: Text = Field(
        default="https://outlook.office.com/IMAP.AccessAsUser.All", description="What the token is for."
    )
    authority: Authority = Field(default=MICROSOFT, description="The login service, for sovereign clouds.")


OAuth = Annotated[
    Annotated[ClientCredentials | GoogleServiceAccount | DeviceCode, Field(discriminator="flow")],
    BeforeValidator(_flow),
]


class Auth(Section):
    """Who logs in."""

    user: Template = Field(default="{address}", description="Login name; a CSV's user column replaces it.")
    password: Secret | None = Field(default=None, description="Reference to the password, never the password itself.")
    token: Secret | None = Field(default=None, description="Reference to an access token, instead of a password.")
    oauth: OAuth | None = Field(default=None, description="How tokens are got, instead of a password.")
    mechanism: Literal["login", "plain", "xoauth2", "oauthbearer", "basic", "digest", "bearer"] | None = Field(
        default=None, description="Default: what the server offers."
    )
    authorize_as: Template | None = Field(default=None, description="Act for this user (SASL authorisation identity).")

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        given = [name for name in ("password", "token", "oauth") if getattr(self, name) is not None]
        if len(given) > 1:
            raise fault(f"stands beside `{given[0]}`", "write one of `password`, `token` and `oauth`", given[1])
        return self

    @model_validator(mode="after")
    def _mechanism_fits(self) -> Self:
        by_token = self.token is not None or self.oauth is not None
        if by_token and self.mechanism in PASSWORD_MECHANISMS:
            raise fault("carries no token", "write xoauth2 or oauthbearer (dav: bearer), or leave it out", "mechanism")
        if not by_token and self.mechanism in TOKEN_MECHANISMS:
            raise fault("needs a token", "write `token` or `oauth` beside it, or leave it out", "mechanism")
        return self
