"""A listener of a test's own on loopback, with a thread for each connection."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Self


class Listening(ABC):
    """Listens on a free port as long as the block lasts."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self._listener = socket.create_server((self.host, 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits there
        self._listener.close()
        self.end()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._serve_or_close(client)

    def _serve_or_close(self, client: socket.socket) -> None:
        """One client that cannot be served is no reason to serve nobody any more."""
        try:
            self.serve(client)
        except OSError:
            client.close()

    @abstractmethod
    def serve(self, client: socket.socket) -> None:
        """A client has come. Returns at once: what takes time is done in threads."""

    def end(self) -> None:  # noqa: B027 - most have nothing to end
        """The block has ended: nobody comes any more."""
