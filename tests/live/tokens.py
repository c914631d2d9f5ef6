"""A service that gives access tokens and tells whose they are, and a proxy that ends sessions with their token."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests.live.httpd import Answer, Fields, Httpd
from tests.live.listening import Listening

FAREWELL = b"* BYE Session invalidated - AccessTokenExpired\r\n"
"""Microsoft's words."""


class TokenService(Httpd):
    """`/mint?user=` gives a new token; `/tokeninfo?access_token=` tells whose it is, as long as it holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._valid: dict[str, str] = {}
        self.minted: list[str] = []
        self.taken: list[str] = []
        self.turned_away = 0
        self.misers = False  # gives nothing but words that are no token of anybody
        super().__init__(self._answer)

    @property
    def tokeninfo(self) -> str:
        """What Dovecot appends a token to."""
        return f"{self.url}/tokeninfo?access_token="

    def revoke(self) -> None:
        """Every token that was given so far has ended."""
        with self._lock:
            self._valid.clear()

    def mint(self, user: str) -> str:
        """A token for this user."""
        with self._lock:
            token = f"canary-token-{next(self._numbers):06d}-{id(self):x}"
            self.minted.append(token)
            if not self.misers:
                self._valid[token] = user
            return token

    def command(self, folder: Path) -> str:
        """A reference to a program that prints another token each time."""
        script = folder / "mint.py"
        script.write_text(
            "import sys, urllib.request as r\n"
            f"print(r.urlopen('{self.url}/mint?user=' + sys.argv[1], timeout=20).read().decode())\n"
        )
        return f"command:{sys.executable} -S -E {script} {{address}}"

    def _owner(self, token: str) -> str | None:
        with self._lock:
            owner = self._valid.get(token)
            if owner:
                self.taken.append(token)
            else:
                self.turned_away += 1
            return owner

    def _answer(self, path: str, asked: Fields) -> Answer:
        if path == "/mint":
            return 200, self.mint(asked["user"]).encode()
        if owner := self._owner(asked.get("access_token", "")):
            return 200, json.dumps({"email": owner, "active": True}).encode()
        return 401, b'{"error": "invalid_token"}'


class ExpiringProxy(Listening):
    """Passes on so many pieces of what a client says, then tells that its token has ended; does so `times` times."""

    def __init__(self, port: int, pieces: Callable[[], int], expire: Callable[[], None], *, times: int) -> None:
        self._server = port
        self._pieces = pieces
        self._times = times
        self._expire = expire
        super().__init__()
        self.expired = 0

    def serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self.host, self._server))
        ended = threading.Event()
        threading.Thread(target=self._to_server, args=(client, server, ended), daemon=True).start()
        threading.Thread(target=self._to_client, args=(client, server, ended), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, ended: threading.Event) -> None:
        left = self._pieces()
        with suppress(OSError):
            while data := client.recv(65_536):
                if left <= 0 and self.expired < self._times:
                    ended.set()
                    self.expired += 1
                    self._expire()
                    break
                server.sendall(data)
                left -= 1
            server.shutdown(socket.SHUT_WR)  # what it has to say to the rest, it still says

    def _to_client(self, client: socket.socket, server: socket.socket, ended: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                client.sendall(data)
            if ended.is_set():
                client.sendall(FAREWELL)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        with suppress(OSError):  # read what comes still, or closing would destroy what was sent
            client.settimeout(5)
            while client.recv(65_536):
                pass
        client.close()
        server.close()
