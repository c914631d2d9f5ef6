"""What a message says, whatever its bytes are: the semantic digest of mail, for stores that rewrite.

It covers the decoded From, To, Cc, Subject, Date and Message-ID of the message and of every message inside it, and of
every leaf the content type and the decoded payload; of a text leaf without regard to CR, LF or CRLF and to empty lines
at its end. It ignores all other headers (Received, Return-Path, X-TUID …) and how the parts are laid out and encoded.

Equal bytes have equal meanings. Two messages of equal meaning say the same to their reader, but may have come by
different ways: equality of meaning explains a difference of bytes and proves nothing about identity.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from hashlib import sha256
from typing import BinaryIO

from xdmigrate.formats.fields import plain
from xdmigrate.formats.mime import Part, field_name, field_value, parts
from xdmigrate.formats.transfer import decoded, octets, with_line_ends

NAMED = (b"from", b"to", b"cc", b"subject", b"date", b"message-id")
"""The header fields that are part of the meaning."""

_FREE = frozenset({b"subject"})
_LAYOUT = re.compile(r'["\\\s]+')
_DATE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Meaning:
    """The digest, and how often each header field stands in the outermost header, for explaining a difference."""

    digest: bytes
    fields: tuple[tuple[bytes, int], ...]


def meaning(file: BinaryIO) -> Meaning:
    """Read a message from its beginning; bounded memory, whatever it holds."""
    whole = sha256()
    outermost: Counter[bytes] = Counter()
    for part in parts(file):
        if part.start == 0 and part.message:
            outermost.update(field_name(field) for field in part.fields)
        for told in _told(file, part):
            whole.update(b"%d:" % len(told) + told)
    return Meaning(whole.digest(), tuple(sorted(outermost.items())))


def difference(mine: Meaning, theirs: Meaning) -> str:
    """In words what another copy differs in; for two whose bytes differ."""
    if mine.digest != theirs.digest:
        return "the content differs"
    before, after = Counter(dict(mine.fields)), Counter(dict(theirs.fields))
    told = [f"header {_shown(name)} added" for name in sorted(after - before)]
    told += [f"header {_shown(name)} missing" for name in sorted(before - after)]
    return f"same content, other bytes: {', '.join(told[:5]) or 'headers or layout written otherwise'}"


def _shown(name: bytes) -> str:
    return name[:60].decode("latin-1").title()


def _told(file: BinaryIO, part: Part) -> Iterator[bytes]:
    if part.message:
        yield b"message"
        for name in NAMED:
            values = [field_value(field) for field in part.fields if field_name(field) == name]
            yield from (name + b":" + _header(name, value) for value in values)
    if part.leaf:
        yield part.type.encode()
        yield _payload(file, part)


def _header(name: bytes, value: bytes) -> bytes:
    text = plain(value)
    if name == b"date":
        text = _moment(text)
    elif name not in _FREE:  # quoting and white space say nothing in addresses and ids (RFC 5322 section 3.2)
        text = _LAYOUT.sub("", text)
    return text.encode("utf-8", "surrogatepass")


def _moment(text: str) -> str:
    """The instant, so that zones and comments do not count; the words where there is none."""
    try:
        parsed = parsedate_tz(text[:_DATE_CHARS])
        return str(mktime_tz(parsed)) if parsed else _LAYOUT.sub("", text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return _LAYOUT.sub("", text)


def _payload(file: BinaryIO, part: Part) -> bytes:
    digest = sha256()
    raw = octets(file, part.body, part.end)
    chunks = decoded(with_line_ends(raw, b"\r\n") if part.text else raw, part.encoding)
    for chunk in _text(chunks) if part.text else chunks:
        digest.update(chunk)
    return digest.digest()


def _text(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One kind of line end, and none at the end."""
    empty = 0
    for chunk in with_line_ends(chunks, b"\n"):
        bare = chunk.rstrip(b"\n")
        if bare:
            yield from (b"\n" * min(4096, empty - start) for start in range(0, empty, 4096))
            yield bare
            empty = 0
        empty += len(chunk) - len(bare)
