"""Login services that run in a thread on loopback HTTP, and the way of msal's requests to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.live.httpd import Httpd

Answer = tuple[int, Any]
Given = dict[str, str]


class Service(Httpd):
    """Answers what `token` says to each request for a token, and remembers what was asked."""

    def __init__(self, token: Callable[[Given], Answer]) -> None:
        self._token = token
        self.asked: list[Given] = []
        self.device: Answer = 200, {}
        super().__init__(self._encoded)

    def _encoded(self, path: str, form: Given) -> tuple[int, bytes]:
        status, told = self._answer(path, form)
        return status, told if isinstance(told, bytes) else json.dumps(told).encode()

    def _answer(self, path: str, form: Given) -> Answer:
        if path.endswith("/.well-known/openid-configuration"):
            if "/nowhere/" in path:
                return 400, {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}
            base = f"https://login.microsoftonline.com{path.split('/v2.0/', maxsplit=1)[0]}"
            return 200, {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "issuer": f"{base}/v2.0",
            }
        if path.endswith("/devicecode"):
            return self.device
        self.asked.append(form)
        return self._token(form)


class Rerouted:
    """An http_client for msal that asks our service instead of the one that the address names."""

    def __init__(self, url: str) -> None:
        import requests

        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self.hosts: set[str] = set()

    def get(self, url: str, **given: Any) -> Any:
        return self._session.get(self._route(url), **given)

    def post(self, url: str, **given: Any) -> Any:
        return self._session.post(self._route(url), **given)

    def close(self) -> None:
        self._session.close()

    def _route(self, url: str) -> str:
        parts = urlsplit(url)
        self.hosts.add(parts.netloc)
        return self._url + parts.path
