"""The server: a thread for each connection, accounts that outlive them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.connectors.imap.dialect.answers import execute
from tests.connectors.imap.dialect.commands import Token
from tests.connectors.imap.dialect.session import PASSWORD, Fault, Session
from tests.connectors.imap.dialect.speech import Dialect
from tests.connectors.imap.dialect.store import Account
from xdmigrate.model import Endpoint, Login


class DialectServer:
    """Listens on loopback; every user name is an account. Leaving it fails when a client broke the rules."""

    host = "127.0.0.1"
    password = PASSWORD.decode()

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.faults: list[Fault] = []
        self.sessions: list[Session] = []
        self._accounts: dict[bytes, Account] = {}
        self._lock = threading.RLock()
        self._listener = socket.create_server((self.host, 0))
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def endpoint(self, name: str) -> Endpoint:
        """How a plan names it."""
        return Endpoint(name, "imap", {"host": self.host, "port": self.port, "tls": "none"})

    def login(self, user: str) -> Login:
        return Login(user, user, self.password)

    def account(self, user: str | bytes) -> Account:
        """The mailboxes of a user."""
        key = user.encode() if isinstance(user, str) else user
        with self._lock:
            return self._accounts.setdefault(key, Account(self.dialect))

    def commands(self, name: bytes) -> list[bytes]:
        """Every command so far that begins so."""
        return [line for session in self.sessions for line in session.seen if line.upper().startswith(name)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        if kind is None:
            assert not self.violations, self.violations

    @property
    def violations(self) -> list[str]:
        """What clients did that the server had not offered."""
        return [each for session in self.sessions for each in session.violations]

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(sock)
                session = Session(sock, self.dialect, self.account, self.faults)
                self.sessions.append(session)
                threading.Thread(target=self._serve, args=(session, sock), daemon=True).start()

    def _serve(self, session: Session, sock: socket.socket) -> None:
        def locked(one: Session, tokens: list[Token]) -> bytes:
            with self._lock:
                return execute(one, tokens)

        session.run(locked)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
