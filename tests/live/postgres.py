"""A throw-away PostgreSQL cluster in a directory of its own, on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live.process import Daemon, account, free_ports, persist, program

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian keeps the server programs, one directory per version, outside every PATH."""

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB"}
"""Nothing here outlives the test."""


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if _programs() else "PostgreSQL's server is not installed (apt package postgresql)"


class Postgres:
    """One cluster; `with` runs it. Every connection from this machine is trusted."""

    def __init__(self) -> None:
        self._owner = account("postgres", "nobody")
        self._root = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        os.chown(self._root, self._owner.pw_uid, self._owner.pw_gid)
        self._programs = _programs() or Path()
        self._numbers = count(1)
        self._port = 0
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        self._initialise()
        persist(self._launch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._daemon is not None:
            self._daemon.stop(signal.SIGQUIT)
        shutil.rmtree(self._root, ignore_errors=True)

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
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def _initialise(self) -> None:
        command = [*self._as_owner(), str(self._programs / "initdb"), "--pgdata", str(self._root / "data")]
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def _as_owner(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={self._owner.pw_uid}", f"--regid={self._owner.pw_gid}", "--clear-groups"]

    def _launch(self) -> None:
        (self._port,) = free_ports(1)
        command = [str(self._programs / "postgres"), "-D", str(self._root / "data"), "-p", str(self._port)]
        command += ["-h", "127.0.0.1", "-k", str(self._root)]
        for name, value in FAST.items():
            command += ["-c", f"{name}={value}"]
        self._daemon = Daemon(command, self._root / "log", user=self._owner)
        self._daemon.wait_until(self._answers)

    def _answers(self) -> bool:
        """Only this cluster has its socket, named for the port, in our directory."""
        import psycopg

        try:
            psycopg.connect(f"host={self._root} port={self._port} user=postgres dbname=postgres").close()
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
