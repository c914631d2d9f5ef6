"""What an account holds, read independently of every tool that is measured, and how two accounts differ."""

from __future__ import annotations

import hashlib
import imaplib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.live import reader

TUID = re.compile(rb"(?im)\AX-TUID: [^\r\n]*\r\n|(?<=\r\n)X-TUID: [^\r\n]*\r\n")
"""The header that mbsync puts into messages."""

Access = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it stands in an account."""

    sha256: str
    bare: str  # the digest without X-TUID
    flags: frozenset[str]


Account = Mapping[str, Counter[Seen]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a target from its source, in messages."""

    missing: int  # neither the bytes nor the bytes without X-TUID are there
    altered: int  # there, with X-TUID
    extra: int  # there, and not at the source
    flags: int  # exact, with other flags

    @property
    def exact(self) -> bool:
        """Every message is there once, byte for byte, with its flags."""
        return not (self.missing or self.altered or self.extra or self.flags)

    def __str__(self) -> str:
        words = {
            "missing": self.missing,
            "with X-TUID": self.altered,
            "extra": self.extra,
            "other flags": self.flags,
        }
        return ", ".join(f"{count} {word}" for word, count in words.items() if count) or "exact"


def difference(source: Account, target: Account) -> Difference:
    """Compare folder by folder, as multisets."""
    parts = [_folder(source.get(name, Counter()), target.get(name, Counter())) for name in {*source, *target}]
    return Difference(*(sum(counts) for counts in zip(*parts, strict=True))) if parts else Difference(0, 0, 0, 0)


def _folder(source: Counter[Seen], target: Counter[Seen]) -> tuple[int, int, int, int]:
    lost, gained = source - target, target - source
    lost_bytes, gained_bytes = _by(lost, "sha256"), _by(gained, "sha256")
    flags = (lost_bytes & gained_bytes).total()
    altered = (_by(lost, "bare") & _by(gained, "bare")).total() - flags
    return lost.total() - flags - altered, altered, gained.total() - flags - altered, flags


def _by(messages: Counter[Seen], key: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for message, count in messages.items():
        found[getattr(message, key)] += count
    return found


def read(access: Access, ca: Path | None = None) -> dict[str, Counter[Seen]]:
    """Every message of every selectable folder, folders without messages left out."""
    with reader.session(*access, ca=ca) as client:
        names = [f.name for f in reader.folders(client) if not reader.UNSELECTABLE & {a.lower() for a in f.attributes}]
        account = {name: Counter(_messages(client, name)) for name in names}
    return {name: messages for name, messages in account.items() if messages}


def _messages(client: imaplib.IMAP4, name: str) -> Iterator[Seen]:
    status, lines = client.select(reader.quoted(name), readonly=True)
    if status != "OK":
        raise RuntimeError(f"SELECT {name}: {lines!r}")
    if lines[0] == b"0":
        return
    client.send(b"READ FETCH 1:* (FLAGS BODY.PEEK[])\r\n")
    while not (line := client.readline()).startswith(b"READ "):
        if literal := re.search(rb"\{(\d+)\}\r\n$", line):
            body = client.read(int(literal[1]))
            yield _seen(line + client.readline(), body)
    if not line.startswith(b"READ OK"):
        raise RuntimeError(f"FETCH {name}: {line!r}")


def _seen(line: bytes, body: bytes) -> Seen:
    flags = re.search(rb"FLAGS \(([^)]*)\)", line)
    if flags is None:
        raise RuntimeError(f"FETCH answer without FLAGS: {line!r}")
    end = body.find(b"\r\n\r\n") + 2
    digest = hashlib.sha256(body).hexdigest()
    bare = TUID.sub(b"", body[:end])
    stripped = digest if len(bare) == end else hashlib.sha256(bare + body[end:]).hexdigest()
    return Seen(digest, stripped, frozenset(flags[1].decode().split()) - {"\\Recent"})
