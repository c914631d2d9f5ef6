"""Reads a small text file that may be anything, bounded and UTF-8 only; tells text that people can read."""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path
from typing import Final

MAX_OCTETS: Final = 10_000_000

_UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))


class Unusable(Exception):
    """The file cannot be read as text; `line` is where it stops being text, 0 when none of it can be read."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def read(path: Path, limit: int = MAX_OCTETS) -> tuple[str, int]:
    """The text, without a byte-order mark, and the file's mode bits. Raises Unusable."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise Unusable("is not a regular file")
            raw = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot be read: {getattr(error, 'strerror', None) or 'not a file name'}") from None
    if len(raw) > limit:
        raise Unusable(f"is larger than {limit // 1_000_000} MB")
    return _decoded(raw), stat.S_IMODE(mode)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unusable("is not UTF-8 text", line) from None


def located(path: str, directory: Path) -> Path:
    """A path as a plan names it: "~" is the user's home, and a relative one starts at `directory`."""
    return directory / os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises where there is no home


def unprintable(text: str) -> bool:
    """Whether the text holds a control character, a line separator or half a character."""
    return not text.isprintable() and any(unicodedata.category(char) in _UNPRINTABLE for char in text)


def half_characters(text: str) -> bool:
    """Whether the text holds a lone surrogate, which no encoding can carry."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
