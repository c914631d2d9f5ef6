"""Starts the program: as users do, or forked from a process that has loaded it once.

A forked command is a process like any other, with its own pid, environment, folder and output; it takes signals, and
ends as it would. It is spared only the import of a thousand modules, which costs more than most commands do.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

from tests.conftest import FULL
from tests.live import loaded

PLAIN = "from xdmigrate.cli import main\nmain()\n"


class Process(Protocol):
    """What tests need of a process that they started; `subprocess.Popen[str]` is one."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int) -> None: ...

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]: ...


def start(words: Sequence[str], environment: Mapping[str, str], folder: Path, *, patch: str = "") -> Process:
    """Run `words`, the first of which is the program; `patch` is executed before it begins."""
    if not FULL:
        return Forked(words, environment, folder, patch)
    return anew(words, environment, folder, patch)


def anew(words: Sequence[str], environment: Mapping[str, str], folder: Path, patch: str = "") -> subprocess.Popen[str]:
    """Run the program as users do."""
    program = [sys.executable, "-c", f"{patch}\n{PLAIN}"] if patch else words[:1]
    return subprocess.Popen(
        [*program, *words[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    )


class Forked:
    """A command, from the moment when it runs."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], folder: Path, patch: str = "") -> None:
        self._words = list(words)
        self._out, self._err = TemporaryFile("w+"), TemporaryFile("w+")  # noqa: SIM115 - closed when they are read
        self._told, waits = socket.socketpair()
        order = {"words": self._words, "environment": dict(environment), "folder": str(folder)}
        with TemporaryFile("w+", encoding="utf-8") as file, waits:
            json.dump({**order, "code": f"{patch}\n{PLAIN}"}, file)
            file.seek(0)
            files = [file.fileno(), self._out.fileno(), self._err.fileno(), waits.fileno()]
            socket.send_fds(_loader()[1], [b"!"], files)
        self.returncode: int | None = None
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit code when it has ended, negative for a signal."""
        return self._wait(0)

    def send_signal(self, sig: int) -> None:
        """Send it a signal if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it wrote. Raises TimeoutExpired, and ValueError when that was read already."""
        if self._wait(timeout) is None:
            raise subprocess.TimeoutExpired(self._words, timeout or 0)
        with self._out, self._err:
            for each in (self._out, self._err):
                each.seek(0)
            return self._out.read(), self._err.read()

    def _wait(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            self._told.settimeout(seconds)
            with suppress(BlockingIOError, TimeoutError):
                self.returncode = self._number()
        return self.returncode

    def _number(self) -> int:
        found = self._told.recv(loaded.NUMBER.size)
        if not found:
            raise RuntimeError("the process that loads the program has ended; see what it wrote on standard error")
        number: int = loaded.NUMBER.unpack(found)[0]
        return number


@cache
def _loader() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The process that all commands of this one are forked from, and where it takes orders; it ends with us."""
    orders, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-P", loaded.__file__, str(theirs.fileno())]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        ), orders
