"""A host that takes mail: a test sees that none came."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from tests.live.listening import Listening


class Sink(Listening):
    """Takes every mail (RFC 5321) and keeps it; a test sees that there was none."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[bytes] = []

    def serve(self, client: socket.socket) -> None:
        threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("rwb", buffering=0) as lines:
            lines.write(b"220 sink\r\n")
            for line in iter(lines.readline, b""):
                verb = line[:4].upper()
                if verb == b"DATA":
                    lines.write(b"354 go on\r\n")
                    self.mails.append(b"".join(iter(lines.readline, b".\r\n")))
                elif verb == b"QUIT":
                    lines.write(b"221 bye\r\n")
                    break  # it is the server that ends the connection
                lines.write(b"250 ok\r\n")
