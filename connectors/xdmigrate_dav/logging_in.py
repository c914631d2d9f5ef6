"""Logging in to an HTTP server: what it asks for and the plan allows, sent to no other host."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from urllib.request import parse_http_list, parse_keqv_list

import httpx

from xdmigrate.model import Login, Token
from xdmigrate_dav.settings import Mechanism

_PARAMETER = re.compile(r"[^\s=\"]+\s*=")

ALGORITHMS = frozenset(("MD5", "SHA", "SHA-256", "SHA-512"))
"""By which a password can be answered as a digest (RFC 7616 section 3.3), each also with "-sess"."""

Flow = Generator[httpx.Request, httpx.Response, None]


class Credentials(httpx.Auth):
    """Answers the server's challenge, and from then on before it is asked."""

    def __init__(self, login: Login, mechanism: Mechanism | None) -> None:
        self._login = login
        self._mechanism = Mechanism.BEARER if login.token is not None else mechanism
        self._scheme: httpx.Auth | None = None
        if self._mechanism in (Mechanism.BASIC, Mechanism.BEARER):
            self._scheme = self._of(self._mechanism)

    @property
    def begun(self) -> bool:
        """Whether the credentials are being sent; a server that answers everybody never asks."""
        return self._scheme is not None

    def insist(self) -> None:
        """Send them from now on although nobody has asked."""
        self._scheme = self._scheme or self._of(self._mechanism or Mechanism.BASIC)

    def auth_flow(self, request: httpx.Request) -> Flow:
        if self._scheme is None:
            response = yield request
            if response.status_code != 401:
                return
            chosen = self._choice(offered(response.headers.get_list("www-authenticate")))
            if chosen is None:
                return
            self._scheme = self._of(chosen)
        yield from self._scheme.auth_flow(request)

    def _choice(self, names: frozenset[str]) -> Mechanism | None:
        """The password goes as Digest where the server can; None: nothing that it offers is possible."""
        allowed = [self._mechanism] if self._mechanism else [Mechanism.DIGEST, Mechanism.BASIC]
        return next((each for each in allowed if each.value in names), None)

    def _of(self, mechanism: Mechanism) -> httpx.Auth:
        login = self._login
        if mechanism is Mechanism.BEARER and login.token is not None:
            return _Bearer(login.token)
        kind = _Digest if mechanism is Mechanism.DIGEST else httpx.BasicAuth
        return kind(login.user, login.password)


class _Digest(httpx.DigestAuth):
    """A digest of the password (RFC 7616), by the first challenge that can be answered."""

    def auth_flow(self, request: httpx.Request) -> Flow:
        flow = super().auth_flow(request)
        asked = next(flow)
        while True:
            response = yield asked
            told = challenges(response.headers.get_list("www-authenticate"))
            response.headers["www-authenticate"] = next((each for each in told if _is_answerable_digest(each)), "")
            try:
                asked = flow.send(response)
            except StopIteration:
                return


class _Bearer(httpx.Auth):
    """A token (RFC 6750); one that is not taken is asked for anew, once."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Flow:
        told = self._token.current()
        request.headers["authorization"] = f"Bearer {told}"
        response = yield request
        if response.status_code != 401:
            return
        self._token.reject(told)
        renewed = self._token.current()
        if renewed != told:
            request.headers["authorization"] = f"Bearer {renewed}"
            yield request


def challenges(fields: Iterable[str]) -> list[str]:
    """Each challenge by itself: one field `WWW-Authenticate` may hold several (RFC 9110 section 11.6.1)."""
    found: list[list[str]] = []
    for field in fields:
        for number, part in enumerate(filter(None, parse_http_list(field))):
            if number and _PARAMETER.match(part):
                found[-1].append(part)
            else:
                found.append([part])
    return [", ".join(parts) for parts in found]


def offered(fields: Sequence[str]) -> frozenset[str]:
    """The names of the schemes that a server offers, in small letters; no digest that cannot be answered."""
    schemes = ((each.partition(" ")[0].lower(), each) for each in challenges(fields))
    return frozenset(name for name, each in schemes if name != "digest" or _is_answerable_digest(each))


def _is_answerable_digest(challenge: str) -> bool:
    scheme, _, rest = challenge.partition(" ")
    parts = parse_http_list(rest)
    if scheme.lower() != "digest" or not challenge.isascii() or not all(map(_PARAMETER.match, parts)):
        return False
    told = {name.strip().lower(): value for name, value in parse_keqv_list(parts).items()}
    ways = [each.strip().lower() for each in told.get("qop", "auth").split(",")]
    algorithm = told.get("algorithm", "MD5").upper().removesuffix("-SESS")
    return {"realm", "nonce"} <= told.keys() and "auth" in ways and algorithm in ALGORITHMS
