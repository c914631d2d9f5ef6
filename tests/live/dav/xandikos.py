"""A Xandikos of our own: it stores what it is given, byte for byte, which makes it a source as dirty as we like."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from tests.live.process import free_ports
from tests.live.server import WebServer


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if find_spec("xandikos") else "Xandikos is not installed (Python package xandikos)"


class Xandikos(WebServer):
    """One server with one account, "alice"; `with` runs it and removes its data at the end. It asks for no password."""

    user = "alice"

    def __init__(self) -> None:
        super().__init__("xandikos")

    def _command(self) -> Sequence[str]:
        (self.port,) = free_ports(1)
        options = ["--defaults", "--current-user-principal", f"/{self.user}/", "--no-detect-systemd"]
        state = ["--state-dir", str(self._root / "state"), "-d", str(self._root / "data")]
        address = ["-l", self.host, "-p", str(self.port)]
        return [sys.executable, "-m", "xandikos", "serve", *options, *state, *address]
