"""What the servers can do when the other side costs nothing: FETCH to nowhere, MULTIAPPEND from memory."""

from __future__ import annotations

import imaplib
import socket
import time
from collections.abc import Iterable, Sequence

from bench.compare import Access
from bench.corpus import Corpus
from bench.measure import Usage
from tests.live import reader
from tests.live.reader import Draft

ITEMS, OCTETS, WINDOW = 200, 16_000_000, 4
"""Of one MULTIAPPEND, and how many may be unanswered."""

PAYLOAD = 400_000_000
"""Bytes of messages held in memory; a larger corpus is cut."""


def fetch(access: Access) -> Usage:
    """Read the whole account over one connection and keep nothing."""
    with reader.session(*access) as client:
        names = [folder.name for folder in reader.folders(client)]
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        begin, cpu = time.perf_counter(), time.process_time()
        for name in names:
            status, lines = client.select(reader.quoted(name), readonly=True)
            if status == "OK" and lines[0] != b"0":
                _drain(client)
        return Usage(time.perf_counter() - begin, time.process_time() - cpu, 0, (0,))


def _drain(client: imaplib.IMAP4) -> None:
    """Nothing else is unread when a command has been answered, so its answer ends where the buffer ends."""
    client.send(b"NOWHERE UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n")
    buffer, tail = bytearray(1 << 20), b""
    while not (tail.endswith(b"\r\n") and b"\r\nNOWHERE OK " in tail):
        count = client.sock.recv_into(buffer)
        if not count:
            raise ConnectionError("the server closed the connection")
        tail = (tail + buffer[max(0, count - 300) : count])[-300:]


class Payload:
    """Commands ready to be sent, by folder."""

    def __init__(self, corpus: Corpus) -> None:
        self.messages = self.octets = 0
        self.folders: list[tuple[str, list[bytes]]] = []
        for name, drafts in corpus.account():
            if self.octets < PAYLOAD:
                self.folders.append((name, [_command(name, part) for part in parts(drafts)]))
                self.messages += len(drafts)
                self.octets += sum(len(draft.body) for draft in drafts)


def parts(drafts: Iterable[Draft]) -> list[list[Draft]]:
    """Cut into commands."""
    found: list[list[Draft]] = [[]]
    octets = 0
    for draft in drafts:
        if found[-1] and (len(found[-1]) >= ITEMS or octets + len(draft.body) > OCTETS):
            found.append([])
            octets = 0
        found[-1].append(draft)
        octets += len(draft.body)
    return [part for part in found if part]


def _command(name: str, drafts: Sequence[Draft]) -> bytes:
    pieces = [b"LIMIT APPEND " + reader.quoted(name).encode()]
    for draft in drafts:
        flags, date = " ".join(sorted(draft.flags)), reader.internaldate(draft.date) if draft.date else ""
        pieces += [f' ({flags}) "{date}" {{{len(draft.body)}+}}\r\n'.encode(), draft.body]
    return b"".join([*pieces, b"\r\n"])


def append(access: Access, payload: Payload) -> Usage:
    """Send everything over one connection into an account with its folders made."""
    with reader.session(*access) as client:
        for name, _ in payload.folders:
            client.create(reader.quoted(name))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        begin, cpu = time.perf_counter(), time.process_time()
        unanswered = 0
        for command in (command for _, commands in payload.folders for command in commands):
            if unanswered == WINDOW:
                unanswered -= _answer(client)
            client.send(command)
            unanswered += 1
        while unanswered:
            unanswered -= _answer(client)
        return Usage(time.perf_counter() - begin, time.process_time() - cpu, 0, (0,))


def _answer(client: imaplib.IMAP4) -> int:
    while (line := client.readline()).startswith(b"* "):
        pass
    if not line.startswith(b"LIMIT OK"):
        raise RuntimeError(f"MULTIAPPEND: {line!r}")
    return 1
