"""A proxy that understands where IMAP's commands and literals begin and end, and meddles with them.

It stands between the program and a real server: what a server may do wrong at one exact moment is done by a `Meddler`.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress

from tests.live.listening import Listening

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")

DRIP_SECONDS = 0.3


class Connection:
    """One client, the server's side of it, and what the meddler knows of both."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.hung = threading.Event()  # nothing passes any more, and nobody is told
        self.dripping = threading.Event()  # a byte now and then is all that passes
        self.swallowing = b""  # tag of the command that does not reach the server
        self.literals = 0  # announced in the command under way
        self.inside = False  # a literal to the server is not complete
        self._saying = threading.Lock()

    def say(self, data: bytes) -> None:
        """Something that the server has not said."""
        with self._saying, suppress(OSError):
            self.pass_on(self.client, data)

    def pass_on(self, to: socket.socket, data: bytes) -> None:
        """Send it as fast as the connection is."""
        while data and self.dripping.is_set():
            to.sendall(data[:1])
            data = data[1:]
            time.sleep(DRIP_SECONDS)
        to.sendall(data)

    def cut(self) -> None:
        """The connection ends."""
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Meddler:
    """Does nothing; tests override. Called under a lock, by the threads of all connections."""

    def command(self, connection: Connection, line: bytes) -> bool:
        """A command begins with this line. False: it does not reach the server, `swallowed` is told of its end."""
        return True

    def swallowed(self, connection: Connection, tag: bytes) -> None:
        """All of a command was swallowed; the client waits for the answer."""

    def answer(self, connection: Connection, line: bytes) -> bool:
        """The server says this line. False: it does not reach the client."""
        return True


class MeddlingProxy(Listening):
    """Passes everything on as the meddler lets it."""

    def __init__(self, port: int, meddler: Meddler) -> None:
        self._server = port
        self._meddler = meddler
        self._lock = threading.RLock()
        super().__init__()
        self.connections: list[Connection] = []

    def serve(self, client: socket.socket) -> None:
        connection = Connection(client, socket.create_connection((self.host, self._server)))
        self.connections.append(connection)
        for run in (self._to_server, self._to_client):
            threading.Thread(target=run, args=(connection,), daemon=True).start()

    def end(self) -> None:
        for each in self.connections:
            each.cut()

    def _to_server(self, connection: Connection) -> None:
        with suppress(OSError), connection.client.makefile("rb") as stream:
            begins = True
            while line := stream.readline():
                if begins:
                    self._begin(connection, line)
                size = self._pass_line(connection, line)
                begins = size is None
                if size is not None:
                    self._pass_literal(connection, stream, size)
                elif connection.swallowing:
                    self._end_swallowing(connection)
        connection.cut()

    def _begin(self, connection: Connection, line: bytes) -> None:
        connection.literals = 0
        with self._lock:
            if not self._meddler.command(connection, line.rstrip(b"\r\n")):
                connection.swallowing = line.split(b" ", 1)[0]

    def _pass_line(self, connection: Connection, line: bytes) -> int | None:
        """Returns the size of the literal that follows."""
        self._send(connection, line)
        found = _LITERAL.search(line.rstrip(b"\r\n"))
        if found is None:
            return None
        connection.literals += 1
        if connection.swallowing and not found[2]:
            connection.say(b"+ go on\r\n")
        return int(found[1])

    def _pass_literal(self, connection: Connection, stream: object, size: int) -> None:
        connection.inside = True
        while size:
            data = stream.read(min(size, 65_536))  # type: ignore[attr-defined]  # a buffered reader
            if not data:
                return
            size -= len(data)
            self._send(connection, data)
        connection.inside = False

    def _send(self, connection: Connection, data: bytes) -> None:
        if not connection.swallowing and not connection.hung.is_set():
            connection.server.sendall(data)

    def _end_swallowing(self, connection: Connection) -> None:
        tag, connection.swallowing = connection.swallowing, b""
        with self._lock:
            self._meddler.swallowed(connection, tag)

    def _to_client(self, connection: Connection) -> None:
        with suppress(OSError), connection.server.makefile("rb") as stream:
            while line := stream.readline():
                with self._lock:
                    told = self._meddler.answer(connection, line.rstrip(b"\r\n"))
                if told and not connection.hung.is_set():
                    connection.say(line)
                found = _LITERAL.search(line.rstrip(b"\r\n"))
                left = int(found[1]) if found else 0
                while left and (data := stream.read(min(left, 65_536))):
                    left -= len(data)
                    if not connection.hung.is_set():
                        connection.say(data)
        if not connection.hung.is_set():
            connection.cut()
