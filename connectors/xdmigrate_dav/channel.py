"""The connection to a server: requests with its cookies, and answers as they come.

`httpx.Client` does the same for every need of a browser, and takes as long for that as the transport below it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from xdmigrate_dav.unpacking import ACCEPTED

CONNECT_SECONDS = 30.0
IDLE_SECONDS = 120.0

KEPT_SECONDS = 30.0
"""So long a connection is used again after an answer."""

_TIMEOUTS = httpx.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS).as_dict()


class Channel:
    """Used by one thread at a time. Knows no proxy and no .netrc that the plan does not know of."""

    def __init__(self, believed: ssl.SSLContext, transport: httpx.BaseTransport | None = None) -> None:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT_SECONDS)
        self._transport = transport or httpx.HTTPTransport(verify=believed, trust_env=False, limits=limits)
        self._cookies = httpx.Cookies()  # some servers check a password only where there is no session's
        self._headers = {
            "user-agent": "xdmigrate",
            "accept": "*/*",
            "accept-encoding": ACCEPTED,
            "connection": "keep-alive",
        }

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def end_each(self) -> None:
        """From now on no connection is used twice."""
        self._headers["connection"] = "close"

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Request:
        """What `send` takes. Raises httpx.InvalidURL."""
        told = {**self._headers, **headers}
        return httpx.Request(method, url, headers=told, content=body or None, extensions={"timeout": _TIMEOUTS})

    def send(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer; the caller reads the rest and closes it. Raises httpx.TransportError."""
        if self._cookies:
            request.headers.pop("cookie", None)
            self._cookies.set_cookie_header(request)
        response = self._transport.handle_request(request)
        response.request = request
        if "set-cookie" in response.headers:
            self._cookies.extract_cookies(response)
        return response
