"""How a plan describes a system: where it is, how the way to it is protected, and who logs in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from xdmigrate_plans import references
from xdmigrate_plans.auth import Auth
from xdmigrate_plans.section import Section
from xdmigrate_plans.values import Fingerprint, Host, Port, Text, fault, is_loopback

IMAP_PORTS = {"implicit": 993, "starttls": 143, "none": 143}  # RFC 8314 §3.2; RFC 9051 §2.1
SECRET_KEYS = frozenset(
    ("password", "passphrase", "secret", "token", "api_key", "apikey", "client_secret", "private_key")
)

_USERINFO = re.compile(r"://[^/@\s]*:[^/@\s]+@")


class Endpoint(Section):
    """What all systems have in common."""

    connector: Text = Field(description="The kind of system, by the name of an installed connector.")
    host: Host | None = Field(default=None, description="Host name or IP address.")
    port: Port | None = Field(default=None, description="TCP port.")
    tls: Literal["implicit", "starttls", "none"] | None = Field(
        default=None, description="How the connection is protected."
    )
    ca: Text | None = Field(default=None, description="File with the certificates to trust, instead of the system's.")
    fingerprint: Fingerprint | None = Field(default=None, description="SHA-256 of the one certificate to trust.")
    insecure: bool = Field(default=False, description="Allow plain text to a host that is not this machine.")
    auth: Auth | None = Field(default=None, description="Who logs in.")

    @model_validator(mode="after")
    def _plain_text_is_wished_for(self) -> Self:
        if self.tls == "none" and not self.insecure and not (self.host and is_loopback(self.host)):
            raise fault("sends passwords in plain text", "use implicit or starttls, or write `insecure: true`", "tls")
        return self

    def described(self) -> dict[str, Any]:
        """All settings as plain values; secrets only as references."""
        return self.model_dump(mode="json", exclude_none=True)


class ImapEndpoint(Endpoint):
    """An IMAP server."""

    connector: Literal["imap"] = Field(description="The kind of system, by the name of an installed connector.")
    host: Host = Field(description="Host name or IP address.")
    tls: Literal["implicit", "starttls", "none"] = Field(
        default="implicit", description="How the connection is protected."
    )
    auth: Auth = Field(default=Auth(), description="Who logs in.")
    labels: Literal["once", "folders"] | None = Field(
        default=None,
        description="Source whose messages carry labels: copy each once, or into each labelled folder. Default: once.",
    )

    def described(self) -> dict[str, Any]:
        return {**super().described(), "port": self.port or IMAP_PORTS[self.tls]}


class OtherEndpoint(Endpoint):
    """A system of another connector, whose own settings pass through unchanged."""

    model_config = ConfigDict(extra="allow")

    connector: Text = Field(
        description="The kind of system, by the name of an installed connector.",
        json_schema_extra={"not": {"const": "imap"}},
    )

    @model_validator(mode="after")
    def _no_plain_secrets(self) -> Self:
        for key, value in (self.model_extra or {}).items():
            if any(_is_plain_secret(*pair) for pair in _leaves(key, value)):
                raise fault("holds a plain secret, which a plan never does", references.REMEDY, key)
        return self


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from _leaves(inner_key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(key, inner)
    else:
        yield key, value


def _is_plain_secret(key: str, value: Any) -> bool:
    if value is None:
        return False
    if key.lower() not in SECRET_KEYS:
        return isinstance(value, str) and _USERINFO.search(value) is not None
    try:
        references.parse(value if isinstance(value, str) else "")
    except references.NotAReference:
        return True
    return False


def _which(data: Any) -> str:
    return "imap" if isinstance(data, dict) and data.get("connector") == "imap" else "other"


AnyEndpoint = Annotated[
    Annotated[ImapEndpoint, Tag("imap")] | Annotated[OtherEndpoint, Tag("other")], Discriminator(_which)
]
