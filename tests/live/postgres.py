"""A throw-away PostgreSQL cluster in a directory of its own, on a free loopback port."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.live.process import account, free_ports, program
from tests.live.server import Server

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian keeps the server programs, one directory per version, outside every PATH."""

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB"}
"""Nothing here outlives the test."""


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if _programs() else "PostgreSQL's server is not installed (apt package postgresql)"


class Postgres(Server):
    """One cluster; `with` runs it. Every connection from this machine is trusted."""

    ending = signal.SIGQUIT
    """At once; it would else wait for its clients."""

    def __init__(self) -> None:
        super().__init__("postgres", owner=account("postgres", "nobody"))
        self._programs = _programs() or Path()
        self._numbers = count(1)

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"test{next(self._numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, its connections included."""
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _prepare(self) -> None:
        self._give(self._root)
        command = [*self._as_owner(), str(self._programs / "initdb"), "--pgdata", str(self._root / "data")]
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def _as_owner(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={self._owner.pw_uid}", f"--regid={self._owner.pw_gid}", "--clear-groups"]

    def _command(self) -> Sequence[str]:
        (self.port,) = free_ports(1)
        command = [str(self._programs / "postgres"), "-D", str(self._root / "data"), "-p", str(self.port)]
        command += ["-h", "127.0.0.1", "-k", str(self._root)]
        return command + [word for name, value in FAST.items() for word in ("-c", f"{name}={value}")]

    def _answers(self) -> bool:
        """Only this cluster has its socket, named for the port, in our directory."""
        import psycopg

        try:
            psycopg.connect(f"host={self._root} port={self.port} user=postgres dbname=postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def _programs() -> Path | None:
    """The directory of initdb and postgres: the newest version's."""
    versions = sorted(INSTALLED.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = program("postgres")
    return Path(found).parent if found else None
