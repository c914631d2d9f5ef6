"""One connection: cookies, what every request says, and what the environment has no part in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from tests.live.listening import Listening
from xdmigrate_dav import tls
from xdmigrate_dav.channel import CONNECT_SECONDS, IDLE_SECONDS, Channel

URL = "http://dav.example.test/ann/"


def channel(answer: Callable[[httpx.Request], httpx.Response]) -> Channel:
    return Channel(tls.nothing(), httpx.MockTransport(answer))


def test_a_session_is_kept_by_its_cookies() -> None:
    """Some servers hash a password anew for every request that comes without."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie", ""))
        new = {"set-cookie": "session=1; Path=/"} if len(seen) == 1 else {}
        gone = {"set-cookie": "session=; Path=/; Max-Age=0"} if len(seen) == 3 else {}
        return httpx.Response(204, headers=new | gone)

    ways = channel(answer)
    for _ in range(4):
        ways.send(ways.request("OPTIONS", URL, b"", {}))
    assert seen == ["", "session=1", "session=1", ""]


def test_a_request_that_is_sent_again_has_its_cookies_once() -> None:
    seen: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get_list("cookie"))
        return httpx.Response(401, headers={"set-cookie": f"at={len(seen)}"})

    ways = channel(answer)
    request = ways.request("PROPFIND", URL, b"<x/>", {})
    for _ in range(3):
        ways.send(request)
    assert seen == [[], ["at=1"], ["at=2"]]


def test_a_cookie_of_another_server_is_not_kept() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie", ""))
        return httpx.Response(204, headers={"set-cookie": "session=1; Domain=other.example"})

    ways = channel(answer)
    for _ in range(2):
        ways.send(ways.request("OPTIONS", URL, b"", {}))
    assert seen == ["", ""]


def test_what_every_request_says() -> None:
    ways = channel(lambda _request: httpx.Response(204))
    request = ways.request("PUT", URL, b"body", {"if-none-match": "*"})
    assert request.read() == b"body"
    told = {name: request.headers[name] for name in ("host", "content-length", "if-none-match", "connection")}
    assert told == {
        "host": "dav.example.test",
        "content-length": "4",
        "if-none-match": "*",
        "connection": "keep-alive",
    }
    assert request.extensions["timeout"] == {
        "connect": CONNECT_SECONDS,
        "read": IDLE_SECONDS,
        "write": IDLE_SECONDS,
        "pool": IDLE_SECONDS,
    }
    ways.end_each()
    assert ways.request("PUT", URL, b"body", {}).headers["connection"] == "close"


class Plain(Listening):
    """Answers everything with 204."""

    def __init__(self) -> None:
        self.asked = 0
        super().__init__()

    def serve(self, client: socket.socket) -> None:
        threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            while client.recv(65_536):
                self.asked += 1
                client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_the_environment_sends_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with Plain() as server, closing(Channel(tls.nothing())) as ways:
        url = f"http://{server.host}:{server.port}/"
        for _ in range(2):
            response = ways.send(ways.request("OPTIONS", url, b"", {}))
            response.close()
            assert response.status_code == 204
    assert server.asked == 2
