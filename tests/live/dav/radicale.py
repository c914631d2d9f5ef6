"""A Radicale of our own: keeps nearly every byte, and sends no invitations."""

from __future__ import annotations

import http.client
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live.process import Daemon, free_ports, persist


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if find_spec("radicale") else "Radicale is not installed (Python package radicale)"


def answers(host: str, port: int) -> bool:
    """Whether something there speaks HTTP."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("OPTIONS", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


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


class Radicale:
    """One server; `with` runs it and removes its data at the end."""

    host = "127.0.0.1"
    password = "secret"

    def __init__(self, level: str = "error") -> None:
        self.port = 0
        self._level = level  # of its log; "info" names every request
        self._root = Path(tempfile.mkdtemp(prefix="radicale-"))
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        (self._root / "users").touch()
        (self._root / "rights").write_text(RIGHTS)
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

    @property
    def store(self) -> Path:
        """Where the collections of every user lie, as files."""
        return self._root / "store" / "collection-root"

    @property
    def log(self) -> Path:
        """What it says about itself."""
        return self._root / "log"

    def add(self, user: str) -> None:
        """Let this user log in; the home comes with the first login."""
        with (self._root / "users").open("a") as file:
            file.write(f"{user}:{self.password}\n")

    def _launch(self) -> None:
        (self.port,) = free_ports(1)
        config = self._root / "config"
        config.write_text(
            f"[server]\nhosts = {self.host}:{self.port}\nmax_connections = 50\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self._root / 'users'}\nhtpasswd_encryption = plain\n"
            f"delay = 0\n[storage]\nfilesystem_folder = {self._root / 'store'}\n"
            f"[rights]\ntype = from_file\nfile = {self._root / 'rights'}\n"
            f"[logging]\nlevel = {self._level}\n"
        )
        self._daemon = Daemon([sys.executable, "-m", "radicale", "-C", str(config)], self.log)
        self._daemon.wait_until(lambda: answers(self.host, self.port))
