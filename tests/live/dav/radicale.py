"""A Radicale of our own: keeps nearly every byte, and sends no invitations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.live.process import free_ports
from tests.live.server import WebServer


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if find_spec("radicale") else "Radicale is not installed (Python package radicale)"


ADMIN = "admin"
"""A user who may do everything in every account, once added."""

RIGHTS = f"""[admin]
user: {ADMIN}
collection: .*
permissions: RWrw
[root]
user: .+
collection:
permissions: R
[principal]
user: .+
collection: {{user}}
permissions: RW
[collections]
user: .+
collection: {{user}}/[^/]+
permissions: rw
"""


class Radicale(WebServer):
    """One server; `with` runs it and removes its data at the end."""

    password = "secret"

    def __init__(self, level: str = "error", *, within: str = "/tmp") -> None:
        super().__init__("radicale", within=within)
        self._level = level  # of its log; "info" names every request

    @property
    def store(self) -> Path:
        """Where the collections of every user lie, as files."""
        return self._root / "store" / "collection-root"

    @property
    def pid(self) -> int:
        """The process, once it runs."""
        if self._daemon is None:
            raise RuntimeError("the server has not been started")
        return self._daemon.pid

    def add(self, user: str) -> None:
        """Let this user log in; the home comes with the first login."""
        with (self._root / "users").open("a") as file:
            file.write(f"{user}:{self.password}\n")

    def _prepare(self) -> None:
        (self._root / "users").touch()
        (self._root / "rights").write_text(RIGHTS)

    def _command(self) -> Sequence[str]:
        (self.port,) = free_ports(1)
        config = self._root / "config"
        config.write_text(
            f"[server]\nhosts = {self.host}:{self.port}\nmax_connections = 50\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self._root / 'users'}\nhtpasswd_encryption = plain\n"
            f"delay = 0\n[storage]\nfilesystem_folder = {self._root / 'store'}\n"
            f"[rights]\ntype = from_file\nfile = {self._root / 'rights'}\n"
            f"[logging]\nlevel = {self._level}\n"
        )
        return [sys.executable, "-m", "radicale", "-C", str(config)]
