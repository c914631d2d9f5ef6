"""IMAPClient on our wire: the library opens the connection and logs in, and never holds a byte of what follows."""

from __future__ import annotations

import imaplib
import socket
import ssl
from functools import cache
from typing import Any

from imapclient import IMAPClient

from xdmigrate_imap.peer import Peer
from xdmigrate_imap.wire import Wire

BUFFERS = 4 << 20
"""Socket buffers in bytes, each way."""

LOGIN_OCTETS = 4 << 20
"""What a server may say until the login is done; imaplib, which reads that long, keeps all of it."""


class WiredClient(IMAPClient):  # type: ignore[misc]  # imapclient brings no types
    """An IMAPClient whose reads and writes go through a `Wire`."""

    def __init__(self, host: str, *, peer: Peer, **settings: Any) -> None:
        self._peer = peer
        super().__init__(host, **settings)

    def _create_IMAP4(self) -> _WiredImap:  # noqa: N802  # the library's name
        return _WiredImap(
            self.host, self.port, self._peer, self.ssl_context if self.ssl else None, self._timeout.connect
        )

    @property
    def wire(self) -> Wire:
        """What everything on this connection reads through."""
        imap: _WiredImap = self._imap
        return imap.wire


class _WiredImap(imaplib.IMAP4):
    """Overrides imaplib's documented I/O methods: open, read, readline, send, shutdown."""

    wire: Wire

    def __init__(self, host: str, port: int, peer: Peer, context: ssl.SSLContext | None, timeout: float) -> None:
        self._peer = peer
        self._context = context
        super().__init__(host, port, timeout)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port
        sock = socket.create_connection((host, port), timeout)
        tune(sock)
        self.sock = self._context.wrap_socket(sock, server_hostname=host) if self._context else sock
        self.wire = Wire(self.sock, self._peer)

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:
        kind, data = self._simple_command("STARTTLS")
        if kind == "OK" and ssl_context is not None:
            self.sock = self.wire.start_tls(ssl_context, self.host)
            self._tls_established = True
            self._get_capabilities()  # RFC 3501 section 6.2.1: forget the old ones
        return kind, data

    def read(self, size: int) -> bytes:
        return self.wire.exactly(size)

    def readline(self) -> bytes:
        if self.wire.received > LOGIN_OCTETS:
            raise self.wire.broken("talks without end before the login is done")
        return self.wire.line() + b"\r\n"

    def send(self, data: Any) -> None:
        self.wire.send(data)

    def shutdown(self) -> None:
        if hasattr(self, "wire"):
            self.wire.close()


def tune(sock: socket.socket) -> None:
    """No delay for small commands, room for a stream, and an early end for a peer that is gone."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        if _system_grants(option):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFERS)


@cache
def _system_grants(option: int) -> bool:
    """Whether the system allows such a buffer. Where it does not, asking would end its own, better, tuning."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, option, BUFFERS)
        return probe.getsockopt(socket.SOL_SOCKET, option) >= BUFFERS
