"""A process of its own for a library that a hostile file may crash, hang or fill with memory."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

SECONDS = 120.0
"""Longest that the process may take for one answer."""

_LONGEST_LINE = 1_000_000


class Ended(Exception):
    """The process is gone, or says nothing (`hung`); `number` is the item that it was at, if it was at one."""

    def __init__(self, number: int | None = None, *, hung: bool = False) -> None:
        super().__init__()
        self.number = number
        self.hung = hung


class Process:
    """One running reader."""

    def __init__(self, command: Sequence[str], fd: int | None = None) -> None:
        """`fd`: an open file that the process gets under its number, which is its last word."""
        words, given = ([*command, str(fd)], (fd,)) if fd is not None else ([*command], ())
        self._process = subprocess.Popen(
            words,
            pass_fds=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._buffer = bytearray()

    def say(self, words: bytes) -> None:
        """Ask for something. Raises Ended."""
        pipe, left = self._process.stdin, memoryview(words)
        try:
            while pipe is not None and left:
                left = left[os.write(pipe.fileno(), left) :]
        except OSError:
            raise Ended from None

    def line(self) -> dict[str, Any]:
        """The next answer. Raises Ended."""
        while b"\n" not in self._buffer and len(self._buffer) < _LONGEST_LINE:
            self._more()
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = bytearray(rest)
        try:
            told = json.loads(line)
        except ValueError:
            raise Ended from None
        if not isinstance(told, dict):
            raise Ended
        return told

    def octets(self, size: int) -> Iterator[bytes]:
        """So many bytes that follow an answer. Raises Ended."""
        while size > 0:
            if not self._buffer:
                self._more()
            part = bytes(self._buffer[:size])
            del self._buffer[:size]
            size -= len(part)
            yield part

    def end(self) -> None:
        """It is not needed any more."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _more(self) -> None:
        pipe = self._process.stdout
        if pipe is None or not select.select([pipe], [], [], SECONDS)[0]:
            raise Ended(hung=True)
        got = os.read(pipe.fileno(), 1 << 20)
        if not got:
            raise Ended
        self._buffer += got
