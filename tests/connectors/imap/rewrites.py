"""What servers are known to make of the bytes that they are given."""

from __future__ import annotations

import re


def as_dovecot_keeps(data: bytes) -> bytes:
    """Dovecot stores lines with LF alone and no NUL: one CR in front of LF, or at the end, goes and comes back."""
    stored = re.sub(rb"\r(?=\n|\Z)", b"", data.replace(b"\0", b"\x80"))
    return re.sub(rb"(?<!\r)\n", b"\r\n", stored)


def as_pymap_keeps(data: bytes) -> bytes:
    """A message without the empty line behind its header loses its last line feed."""
    return data[:-1] if data.endswith(b"\n") and not re.search(rb"\A\r?\n|\n\r?\n", data) else data
