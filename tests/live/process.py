"""Programs started by a test: they end with it, even when the test process is killed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""Debian's servers stand in directories that a user's PATH does not name."""


ATTEMPTS = 5
"""A port that was free may be taken before the server binds it."""


class StartFailed(Exception):
    """The program ended or did not answer; the text is the end of its log."""


def program(name: str) -> str | None:
    """Where the program stands, or None."""
    return shutil.which(name, path=SYSTEM_PATH)


def free_ports(count: int) -> list[int]:
    """Loopback ports that are free now. Another process may be quicker: whoever starts a server tries again."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def account(*names: str) -> pwd.struct_passwd:
    """The account that a server runs as: the first of these that exists when we are root, else ourselves."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in names if name in known)


def persist(launch: Callable[[], None]) -> None:
    """Launch on freshly chosen ports until it works. Raises StartFailed when it never does."""
    for _ in range(ATTEMPTS - 1):
        with suppress(StartFailed):
            return launch()
    return launch()


class Daemon:
    """A program that runs in the foreground as our child; `orphaned`: the signal that it gets when we die."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        user: pwd.struct_passwd | None = None,
        orphaned: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_prefix(user, orphaned), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], seconds: float = 20.0) -> None:
        """Return as soon as `ready` says so. Raises StartFailed, with the program stopped."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise StartFailed(self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 10.0) -> None:
        """Ask it to end, and end it by force when it does not."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _prefix(user: pwd.struct_passwd | None, orphaned: signal.Signals) -> list[str]:
    """The kernel stops the program when we die; as root it runs as `user`."""
    setpriv = program("setpriv")
    if setpriv is None:
        return []
    prefix = [setpriv, "--pdeathsig", orphaned.name.removeprefix("SIG")]
    if user is not None and os.geteuid() == 0:
        prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return [*prefix, "--"]
