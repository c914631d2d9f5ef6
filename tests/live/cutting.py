"""A proxy between the program and a server that breaks connections, anywhere and without a word."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.live.listening import Listening

Cut = Callable[[bytes, bool], int | None]
"""Told what is about to pass (bytes, and whether they go to the server); how many of them still do, or None: all."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: the connection ends by RST, and what was not sent yet is lost."""


class CuttingProxy(Listening):
    """Passes everything on, until `cut` says that a connection ends. `cuts` counts how often it did."""

    def __init__(self, port: int, cut: Cut) -> None:
        self._server = port
        self._cut = cut
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__()
        self.cuts = 0

    def serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self.host, self._server))
        with self._lock:
            self._open |= {client, server}
        for pair in ((client, server, True), (server, client, False)):
            threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def end(self) -> None:
        with self._lock:
            left = list(self._open)
        for each in left:
            _end(each)

    def _pass_on(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    left = self._cut(data, to_server)
                    self.cuts += left is not None
                target.sendall(data[:left])
                if left is not None:
                    break
        with self._lock:
            self._open -= {source, target}
        _end(source)
        _end(target)


def _end(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
