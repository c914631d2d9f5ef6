"""An IMAP server of a few lines that answers what a test wishes, to every connection, as often as it is asked."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress

from tests.live.listening import Listening

PLAIN: dict[bytes, bytes] = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
    b"LOGIN": b"",
    b'LIST "" ""': b'* LIST (\\Noselect) "/" ""\r\n',
    b"LIST": b'* LIST () "/" INBOX\r\n',
    b"LSUB": b"",
    b"STATUS": b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n",
    b"EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 2] next\r\n",
    b"UID FETCH": b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] "hello")\r\n',
    b"LOGOUT": b"* BYE\r\n",
}
"""What comes before the tagged answer, by how a command begins; the longest beginning counts."""


class Hostile(Listening):
    """Answers each command with its text, then `OK`; a text that ends without a line break ends the connection.

    `{tag}` at the beginning of a line stands for the tag, for answers of the test's own.
    """

    def __init__(self, answers: Mapping[bytes, bytes | Iterable[bytes]], greeting: bytes = b"* OK ready\r\n") -> None:
        self._answers: dict[bytes, bytes | Iterable[bytes]] = {**PLAIN, **answers}
        self._greeting = greeting
        super().__init__()
        self.heard: list[bytes] = []

    def serve(self, client: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.sendall(self._greeting)
            for line in lines:
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                self.heard.append(command)
                if not self._answer(connection, tag, command):
                    return

    def _answer(self, connection: socket.socket, tag: bytes, command: bytes) -> bool:
        """Send the answer; False at the connection's end."""
        begins = max((each for each in self._answers if command.startswith(each)), key=len, default=b"")
        answer = self._answers.get(begins, b"")
        last = b""
        for part in [answer] if isinstance(answer, bytes) else answer:
            last = re.sub(rb"(?m)^\{tag\}", tag, part) or last
            connection.sendall(last)
        if last and not last.endswith(b"\n"):
            return False
        if tag + b" " not in last:
            connection.sendall(tag + b" OK done\r\n")
        return True
