"""Logging in to an HTTP server: what it asks for and the plan allows, sent to no other host."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

import httpx

from xdmigrate.model import Login, Token
from xdmigrate_dav.settings import Mechanism

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s|$|,)")

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
        kind = httpx.DigestAuth if mechanism is Mechanism.DIGEST else httpx.BasicAuth
        return kind(login.user, login.password)


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


def offered(challenges: Sequence[str]) -> frozenset[str]:
    """The names of the schemes in `WWW-Authenticate` (RFC 9110 section 11.6.1), in small letters."""
    return frozenset(found.lower() for each in challenges for found in _SCHEME.findall(each))
