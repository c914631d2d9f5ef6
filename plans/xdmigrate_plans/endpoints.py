"""How a plan describes a system: where it is, how the way to it is protected, and who logs in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from xdmigrate_plans import references
from xdmigrate_plans.auth import Auth
from xdmigrate_plans.section import Section
from xdmigrate_plans.values import Fingerprint, Host, Port, Template, Text, fault, is_loopback

IMAP_PORTS = {"implicit": 993, "starttls": 143, "none": 143}  # RFC 8314 §3.2; RFC 9051 §2.1
SECRET_KEYS = frozenset(
    ("password", "passphrase", "secret", "token", "api_key", "apikey", "client_secret", "private_key")
)

_USERINFO = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def _off(value: Any) -> Any:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


Labels = Annotated[
    Literal["once", "folders"] | None,
    Field(
        description="Source whose messages carry labels: copy each once, or into each labelled folder. Default: once."
    ),
]


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
    labels: Labels = None

    def described(self) -> dict[str, Any]:
        return {**super().described(), "port": self.port or IMAP_PORTS[self.tls]}


class DavEndpoint(Endpoint):
    """A CalDAV and CardDAV server."""

    connector: Literal["dav"] = Field(description="The kind of system, by the name of an installed connector.")
    url: Text | None = Field(default=None, description="Address to begin with: the server, a principal or a home.")
    domain: Text | None = Field(default=None, description="Domain whose DNS names the server, instead of `url`.")
    principal: Template | None = Field(
        default=None, description="Path of each account's principal, where an administrator logs in for all."
    )
    scheduling: Annotated[Literal["off", "silent", "silent-by-hand"] | None, BeforeValidator(_off)] = Field(
        default=None, description="What was made sure about the server's invitations: it sends none, or is kept silent."
    )
    auth: Auth = Field(default=Auth(), description="Who logs in.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.domain is None):
            raise fault("needs exactly one of `url` and `domain`", "write for example `url: https://dav.example.com/`")
        return self


class FilesEndpoint(Endpoint):
    """Local directories and files; nobody logs in there."""

    connector: Literal["files"] = Field(description="The kind of system, by the name of an installed connector.")
    path: Template = Field(description="Directory or file of each mailbox, e.g. export/{address}.")
    format: Literal["maildir", "mbox", "eml", "vdir"] | None = Field(
        default=None, description="How mail lies there. Default: recognised; where nothing lies yet, maildir."
    )
    mbox: Literal["mboxo", "mboxrd", "mboxcl", "mboxcl2"] | None = Field(
        default=None, description='How an mbox tells "From " lines apart. Default: recognised; written as mboxrd.'
    )
    labels: Labels = None

    @model_validator(mode="after")
    def _nobody_logs_in(self) -> Self:
        for key in ("host", "port", "tls", "ca", "fingerprint", "auth"):
            if getattr(self, key) is not None:
                raise fault("is no setting of files", "remove it", key)
        return self

    def described(self) -> dict[str, Any]:
        return {**super().described(), "path": os.path.normpath(self.path)}


class OtherEndpoint(Endpoint):
    """A system of another connector, whose own settings pass through unchanged."""

    model_config = ConfigDict(extra="allow")

    connector: Text = Field(
        description="The kind of system, by the name of an installed connector.",
        json_schema_extra={"not": {"enum": ["dav", "files", "imap"]}},
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
    connector = data.get("connector") if isinstance(data, dict) else None
    return connector if connector in ("dav", "files", "imap") else "other"


AnyEndpoint = Annotated[
    Annotated[ImapEndpoint, Tag("imap")]
    | Annotated[DavEndpoint, Tag("dav")]
    | Annotated[FilesEndpoint, Tag("files")]
    | Annotated[OtherEndpoint, Tag("other")],
    Discriminator(_which),
]
