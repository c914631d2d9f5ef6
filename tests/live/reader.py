"""The oracle: fills and reads accounts with the standard library only, sharing no code with the product."""

from __future__ import annotations

import base64
import hashlib
import imaplib
import re
import ssl
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

BATCH = 200
"""Messages in one FETCH, and in one APPEND."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

UNSELECTABLE = {"\\noselect", "\\nonexistent"}
"""Attributes of names that are only places in the hierarchy (RFC 3501, RFC 5258)."""


class Draft(NamedTuple):
    """A message to put into an account."""

    body: bytes
    flags: frozenset[str] = frozenset()
    date: datetime | None = None


class Message(NamedTuple):
    """A message as it stands in an account."""

    uid: int
    flags: frozenset[str]  # without \\Recent
    date: str  # INTERNALDATE as the server writes it, stripped
    sha256: str
    size: int  # bytes that came


class Folder(NamedTuple):
    """A folder as it stands in an account."""

    name: str  # as on the wire: modified UTF-7
    attributes: frozenset[str]
    delimiter: str


Account = dict[str, list[Message]]
"""Messages by native folder name; unselectable folders are left out."""


@contextmanager
def session(host: str, port: int, user: str, password: str, *, ca: Path | None = None) -> Iterator[imaplib.IMAP4]:
    """A logged-in connection: TLS when `ca` is given, plain otherwise."""
    if ca is None:
        client = imaplib.IMAP4(host, port, timeout=60)
    else:
        client = imaplib.IMAP4_SSL(host, port, ssl_context=ssl.create_default_context(cafile=ca), timeout=60)
    try:
        client.login(user, password)
        yield client
    finally:
        client.shutdown()


# --- reading ----------------------------------------------------------------------------------------------------


def dump(host: str, port: int, user: str, password: str, *, ca: Path | None = None) -> Account:
    """Every message of every selectable folder, bodies read and hashed."""
    with session(host, port, user, password, ca=ca) as client:
        names = [folder.name for folder in folders(client) if not UNSELECTABLE & _lower(folder.attributes)]
        return {name: _messages(client, name) for name in names}


def drafts(host: str, port: int, user: str, password: str) -> dict[str, list[Draft]]:
    """Every message of every selectable folder with its body, ready to be put elsewhere."""
    with session(host, port, user, password) as client:
        names = [folder.name for folder in folders(client) if not UNSELECTABLE & _lower(folder.attributes)]
        return {name: [_draft(message, body) for message, body in _bodies(client, name)] for name in names}


def _draft(message: Message, body: bytes) -> Draft:
    return Draft(body, message.flags, datetime.strptime(message.date, "%d-%b-%Y %H:%M:%S %z"))


def contents(account: Mapping[str, Iterable[Message]]) -> dict[str, Counter[tuple[str, int]]]:
    """What must be equal after a migration whatever the ids are: how often each body is in each folder."""
    return {name: Counter((message.sha256, message.size) for message in messages) for name, messages in account.items()}


def metadata(account: Mapping[str, Iterable[Message]]) -> dict[str, Counter[tuple[str, frozenset[str], str]]]:
    """As `contents`, with flags and date beside each body."""
    return {
        name: Counter((message.sha256, message.flags, message.date) for message in messages)
        for name, messages in account.items()
    }


def folders(client: imaplib.IMAP4) -> list[Folder]:
    """LIST "" "*": names may come as atoms, quoted strings or literals (RFC 3501 section 7.2.2)."""
    _, lines = client.list()
    found = []
    for line in lines:
        head, literal = line if isinstance(line, tuple) else (line, None)
        match = re.match(rb'\(([^)]*)\) (?:"(\\?.)"|NIL) (.*)', head, re.DOTALL) if head else None
        if match:
            name = literal if literal is not None else _unquoted(match[3])
            found.append(Folder(name.decode(), _words(match[1]), (match[2] or b"").removeprefix(b"\\").decode()))
    return found


def newest_validity(client: imaplib.IMAP4) -> int:
    """The highest UIDVALIDITY of the account's folders."""
    names = [folder.name for folder in folders(client) if not {"\\Noselect", "\\NonExistent"} & folder.attributes]
    told = [_checked(client.status(quoted(name), "(UIDVALIDITY)")) for name in names]
    return max(int(each.rpartition("UIDVALIDITY ")[2].rstrip(")")) for each in told)


def _messages(client: imaplib.IMAP4, name: str) -> list[Message]:
    return [message for message, _ in _bodies(client, name)]


def _bodies(client: imaplib.IMAP4, name: str) -> Iterator[tuple[Message, bytes]]:
    count = int(_checked(client.select(quoted(name), readonly=True)))
    for first in range(1, count + 1, BATCH):
        _, parts = client.fetch(f"{first}:{min(first + BATCH - 1, count)}", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        yield from _parsed(parts)


def _parsed(parts: Sequence[object]) -> Iterator[tuple[Message, bytes]]:
    """imaplib gives (line up to the literal, literal), then the rest of the line."""
    for position, part in enumerate(parts):
        if isinstance(part, tuple):
            rest = parts[position + 1] if position + 1 < len(parts) else b""
            line = part[0] + b" " + rest if isinstance(rest, bytes) else part[0]
            yield _message(line, part[1]), part[1]
        elif isinstance(part, bytes) and b'BODY[] ""' in part:
            yield _message(part, b""), b""


def _message(line: bytes, body: bytes) -> Message:
    uid = re.search(rb"UID (\d+)", line)
    flags = re.search(rb"FLAGS \(([^)]*)\)", line)
    date = re.search(rb'INTERNALDATE "([^"]*)"', line)
    if not uid or not flags or not date:
        raise AssertionError(f"FETCH answer without UID, FLAGS or INTERNALDATE: {line!r}")
    digest = hashlib.sha256(body).hexdigest()
    return Message(int(uid[1]), _words(flags[1]) - {"\\Recent"}, date[1].decode().strip(), digest, len(body))


# --- filling ----------------------------------------------------------------------------------------------------


def load(
    host: str, port: int, user: str, password: str, account: Mapping[str, Iterable[Draft]], *, ca: Path | None = None
) -> None:
    """Create these folders (native names) where they do not exist, and append these messages in this order."""
    with session(host, port, user, password, ca=ca) as client:
        known = {folder.name for folder in folders(client)} | {"INBOX"}
        multi = b"MULTIAPPEND" in client.capability()[1][0] and b"LITERAL+" in client.capability()[1][0]
        for name, drafts in account.items():
            if name not in known:
                _checked(client.create(quoted(name)))
            append(client, name, list(drafts), multi=multi)


def append(client: imaplib.IMAP4, name: str, drafts: Sequence[Draft], *, multi: bool = False) -> None:
    """Append to one folder, every byte as given; `multi` sends many in one command (RFC 3502 over RFC 7888)."""
    if multi:
        for start in range(0, len(drafts), BATCH):
            parts = [part for draft in drafts[start : start + BATCH] for part in (_announced(draft, b"+"), draft.body)]
            client.send(b"".join([b"MULTI APPEND ", quoted(name).encode(), *parts, b"\r\n"]))
            _await(client, b"MULTI OK")
        return
    for draft in drafts:
        client.send(b"ONE APPEND " + quoted(name).encode() + _announced(draft))
        _await(client, b"+")
        client.send(draft.body + b"\r\n")
        _await(client, b"ONE OK")


def _announced(draft: Draft, synchronising: bytes = b"") -> bytes:
    """Flags, date and the head of the literal."""
    date = f' "{internaldate(draft.date)}"' if draft.date else ""
    words = f" ({' '.join(sorted(draft.flags))}){date} "
    return words.encode() + b"{%d%s}\r\n" % (len(draft.body), synchronising)


def _await(client: imaplib.IMAP4, wanted: bytes) -> None:
    """Read up to the next line that is no untagged response; it must be the wanted one."""
    while (line := client.readline()).startswith(b"* "):
        pass
    if not line.startswith(wanted):
        raise AssertionError(f"expected {wanted!r}, the server said {line!r}")


def internaldate(date: datetime) -> str:
    """RFC 3501 date-time: a day below ten is filled with a space."""
    return f"{date.day:2d}-{MONTHS[date.month - 1]}-{date:%Y %H:%M:%S %z}"


# --- names ------------------------------------------------------------------------------------------------------


def native(text: str) -> str:
    """Modified UTF-7 (RFC 3501 section 5.1.3)."""
    return re.sub(r"&|[^\x20-\x7e]+", lambda match: _shifted(match[0]), text)


def readable(name: str) -> str:
    """The inverse of `native`."""
    return re.sub(r"&([^-]*)-", lambda match: _unshifted(match[1]), name)


def quoted(name: str) -> str:
    """A native name as a quoted string."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shifted(run: str) -> str:
    if run == "&":
        return "&-"
    return "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def _unshifted(run: str) -> str:
    if not run:
        return "&"
    padded = run.replace(",", "/") + "=" * (-len(run) % 4)
    return base64.b64decode(padded).decode("utf-16-be")


def _unquoted(name: bytes) -> bytes:
    if name.startswith(b'"'):
        return re.sub(rb"\\(.)", rb"\1", name[1:-1])
    return name


def _words(text: bytes) -> frozenset[str]:
    return frozenset(text.decode().split())


def _lower(words: Iterable[str]) -> set[str]:
    return {word.lower() for word in words}


def _checked(answer: tuple[str, Sequence[object]]) -> str:
    """The first line of an answer, which must be OK."""
    status, lines = answer
    if status != "OK":
        raise AssertionError(f"the server said {status}: {lines!r}")
    return lines[0].decode(errors="replace") if isinstance(lines[0], bytes) else ""
