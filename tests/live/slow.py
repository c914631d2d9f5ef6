"""A slow line: passes bytes between a client and a server on loopback no faster than it is told."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from tests.live.listening import Listening

CHUNK = 8_192


class SlowLine(Listening):
    """Each connection has `free` bytes at full speed, then `rate` bytes a second; without a rate it is never slow."""

    def __init__(self, port: int, *, rate: float | None, free: int = 65_536) -> None:
        self.rate = rate
        self._free = free
        self._server = port
        super().__init__()

    def serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self.host, self._server))
        for pair in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def end(self) -> None:
        self.rate = None

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        passed = 0
        with suppress(OSError), source, target:
            while data := source.recv(CHUNK):
                passed += len(data)
                if self.rate is not None and passed > self._free:
                    time.sleep(len(data) / self.rate)
                target.sendall(data)
            for each in (source, target):
                each.shutdown(socket.SHUT_RDWR)
