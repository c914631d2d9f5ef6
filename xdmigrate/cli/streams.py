"""Standard output and error as a process may find them: closed, full, left by their reader, or of a narrow encoding."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast


class Forgiving:
    """A text stream that loses what cannot be written: a run at night is worth more than its words.

    `lost` is why, unless its reader has simply left.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """As the stream's own; never raises OSError."""
        with self._forgiving():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As the stream's own; never raises OSError."""
        with self._forgiving():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error
            with suppress(OSError):  # what is still in the buffer must not fail once more at the end of the process
                os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self._stream.fileno())


def prepare() -> None:
    """Make both streams usable, whatever they are."""
    sys.stdout = cast("TextIO", Forgiving(_usable(sys.stdout)))
    sys.stderr = cast("TextIO", Forgiving(_usable(sys.stderr)))


def lost() -> OSError | None:
    """Why words on the standard output were lost; None when none were."""
    sys.stdout.flush()
    return sys.stdout.lost if isinstance(sys.stdout, Forgiving) else None


def _usable(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by whoever started us
        return Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
