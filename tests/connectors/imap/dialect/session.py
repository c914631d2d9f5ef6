"""The server's side of one connection."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.connectors.imap.dialect.commands import MARKER, Token, Tokens, text
from tests.connectors.imap.dialect.speech import Dialect
from tests.connectors.imap.dialect.store import Account, Box, Refusal

PASSWORD = b"secret"

_UNKNOWN = b"BAD unknown command"


@dataclass(slots=True)
class Fault:
    """Commands that match get this answer instead of their own; one that begins with "* BYE" ends the connection."""

    pattern: bytes  # of the command behind its tag, without the octets of literals
    answer: bytes
    times: int = 1
    spared: int = 0  # commands that match and still go well before
    done: bool = False  # the command is carried out all the same: its answer is lost

    def strikes(self, line: bytes) -> bool:
        """Whether it is this command's turn."""
        if not self.times or re.match(self.pattern, line, re.IGNORECASE | re.DOTALL) is None:
            return False
        if self.spared:
            self.spared -= 1
            return False
        self.times -= 1
        return True


class HungUp(Exception):
    """The connection is over."""


class Session:
    """Reads commands, answers them. `violations` gathers what the client did without being allowed to."""

    def __init__(
        self, sock: socket.socket, dialect: Dialect, account: Callable[[bytes], Account], faults: list[Fault]
    ) -> None:
        self.dialect = dialect
        self.violations: list[str] = []
        self.seen: list[bytes] = []  # commands without tags and literals
        self.tag = b""  # of the command under way
        self.box: Box | None = None
        self.read_only = True
        self._sock = sock
        self._file = sock.makefile("rb")
        self._accounts = account
        self._account: Account | None = None
        self._faults = faults
        self._errors = 0

    @property
    def account(self) -> Account:
        if self._account is None:
            raise Refusal(b"BAD log in first")
        return self._account

    # --- speaking -------------------------------------------------------------------------------------------------

    def send(self, line: bytes) -> None:
        self._sock.sendall(line + b"\r\n")

    def tell(self, keyword: bytes, *parts: bytes, number: int | None = None) -> None:
        """An untagged response."""
        space = b"  " if self.dialect.speech.spaces and keyword != b"SEARCH" else b" "
        first = [] if number is None else [b"%d" % number]
        self.send(b"* " + space.join([b" ".join([*first, self.word(keyword)]), *parts]))

    def word(self, keyword: bytes) -> bytes:
        return keyword.lower() if self.dialect.speech.lower else keyword

    def name(self, name: bytes) -> bytes:
        """A mailbox name as this server writes it."""
        if self.dialect.speech.literal_names or b"\n" in name:
            return b"{%d}\r\n%s" % (len(name), name)
        return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    # --- listening ------------------------------------------------------------------------------------------------

    def run(self, execute: Callable[[Session, list[Token]], bytes]) -> None:
        """Talk until one of the two hangs up."""
        with suppress(HungUp, OSError):
            self.send(self.dialect.greeting)
            while True:
                self._command(execute)

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise HungUp
        return line[:-2]

    def _command(self, execute: Callable[[Session, list[Token]], bytes]) -> None:
        tag, _, line = self._line().partition(b" ")
        self.tag = tag
        self.seen.append(line)
        fault = next((each for each in self._faults if each.strikes(line)), None)
        try:
            if fault is not None and not fault.done:
                self._fail(line, fault.answer)
            tokens = self._tokens(line)
            answer = execute(self, tokens)
        except Refusal as refusal:
            answer = refusal.answer
        except ValueError:
            answer = b"BAD cannot be read"
        if fault is not None and fault.done:
            answer = fault.answer
        self._answer(tag, answer)

    def _fail(self, line: bytes, answer: bytes) -> None:
        marker = MARKER.search(line)
        if marker and marker[2] and not answer.startswith(b"* BYE"):
            self._tokens(line)  # RFC 7888: what needs no consent comes all the same
        raise Refusal(answer)

    def _answer(self, tag: bytes, answer: bytes) -> None:
        if answer.startswith(b"* BYE"):
            self.send(answer)
            raise HungUp
        self.send(tag + b" " + answer)
        if not answer.startswith(b"OK") and self.dialect.errors_allowed:
            self._errors += 1
            if self._errors >= self.dialect.errors_allowed:
                self.send(self.dialect.last_words)
                raise HungUp

    def _tokens(self, line: bytes) -> list[Token]:
        tokens = Tokens()
        while marker := MARKER.search(line):
            tokens.line(line[: marker.start()])
            size, free = int(marker[1]), bool(marker[2])
            self._allow_literal(line, size, free=free)
            if not free:
                self.send(b"+ go on")
            data = self._file.read(size)
            if len(data) < size:
                raise HungUp
            tokens.literal(data)
            line = self._line()
        tokens.line(line)
        return tokens.all

    def _allow_literal(self, line: bytes, size: int, *, free: bool) -> None:
        small = size <= 4096 and self.dialect.can("LITERAL-")
        if free and not small and not self.dialect.can("LITERAL+"):
            self.violated(b"a literal without consent: " + line)
        limit = self.dialect.size_limit
        if not free and limit and size > limit and line[:6].upper() == b"APPEND":
            raise Refusal(b"NO [TOOBIG] message too large")

    def violated(self, what: bytes) -> None:
        """The client did what the server never offered."""
        self.violations.append(what.decode("latin-1"))
        raise Refusal(b"BAD not offered here")

    def must(self, capability: str) -> None:
        """Only what was announced may be used."""
        if not self.dialect.can(capability):
            self.violated(f"{self.seen[-1].decode('latin-1')} without {capability}".encode("latin-1"))

    # --- logging in -----------------------------------------------------------------------------------------------

    def log_in(self, user: bytes, password: bytes) -> bytes:
        if password != PASSWORD:
            raise Refusal(b"NO [AUTHENTICATIONFAILED] wrong password")
        self._account = self._accounts(user)
        return b"OK [CAPABILITY " + self.capabilities() + b"] logged in"

    def authenticate(self, arguments: list[Token]) -> bytes:
        """SASL PLAIN (RFC 4616), with or without an initial response."""
        if text(arguments[0]).upper() != b"PLAIN":
            raise Refusal(b"NO only PLAIN")
        if len(arguments) == 1:
            self.send(b"+ ")
        told = text(arguments[1]) if len(arguments) > 1 else self._line()
        _, user, password = base64.b64decode(told).split(b"\0")
        return self.log_in(user, password)

    def capabilities(self) -> bytes:
        login = () if self._account is not None else ("AUTH=PLAIN",)
        return " ".join((*self.dialect.capabilities, *login)).encode("ascii")
