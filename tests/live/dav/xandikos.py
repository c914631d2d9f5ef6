"""A Xandikos of our own: it stores what it is given, byte for byte, which makes it a source as dirty as we like."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live.dav.radicale import answers
from tests.live.process import Daemon, free_ports, persist


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if find_spec("xandikos") else "Xandikos is not installed (Python package xandikos)"


class Xandikos:
    """One server with one account, "alice"; `with` runs it and removes its data at the end. It asks for no password."""

    host = "127.0.0.1"
    user = "alice"

    def __init__(self) -> None:
        self.port = 0
        self._root = Path(tempfile.mkdtemp(prefix="xandikos-"))
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        persist(self._launch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._daemon is not None:
            self._daemon.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    @property
    def url(self) -> str:
        """What a plan names."""
        return f"http://{self.host}:{self.port}/"

    def _launch(self) -> None:
        (self.port,) = free_ports(1)
        options = ["--defaults", "--current-user-principal", f"/{self.user}/", "--no-detect-systemd"]
        state = ["--state-dir", str(self._root / "state"), "-d", str(self._root / "data")]
        address = ["-l", self.host, "-p", str(self.port)]
        command = [sys.executable, "-m", "xandikos", "serve", *options, *state, *address]
        self._daemon = Daemon(command, self._root / "log")
        self._daemon.wait_until(lambda: answers(self.host, self.port))
