"""What all servers of the tests have in common: a directory of their own, a free port, a beginning and an end."""

from __future__ import annotations

import http.client
import os
import pwd
import shutil
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.live.process import Daemon, persist

LOOKS, PAUSE = 40, 0.05
"""How often, and after how many seconds, it is looked whether what a server left behind writes on."""


def remove(folder: Path) -> None:
    """Remove a directory of a server that has ended, also while what it started is still ending."""
    for _ in range(LOOKS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(PAUSE)


class Server(ABC):
    """One program; `with` runs it until it answers, ends it by its id and removes everything that it kept."""

    host = "127.0.0.1"
    ending: ClassVar[signal.Signals] = signal.SIGTERM
    """How it is asked to end, also when the test process is killed."""

    def __init__(self, name: str, *, owner: pwd.struct_passwd | None = None, within: str = "/tmp") -> None:
        self.port = 0
        self._owner = owner or pwd.getpwuid(os.geteuid())  # whom the program runs as
        self._place = f"{name}-", within
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        try:
            self._prepare()
            persist(self._launch)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._daemon is not None:
            self._daemon.stop(self.ending)
        remove(self._root)

    @cached_property
    def _root(self) -> Path:
        """Everything that it keeps; made when it is first needed, as one that is never started removes nothing."""
        prefix, within = self._place
        return Path(tempfile.mkdtemp(prefix=prefix, dir=within))

    @property
    def log(self) -> Path:
        """What it says about itself."""
        return self._root / "log"

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The program with its arguments, on ports that are free now; what it reads at the start is written."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it serves, and it is this one that does."""

    def _prepare(self) -> None:  # noqa: B027 - some need nothing
        """What is done once, before the first attempt."""

    def _launch(self) -> None:
        self._daemon = Daemon(self._command(), self.log, user=self._owner, orphaned=self.ending)
        self._daemon.wait_until(self._answers)

    def _give(self, *paths: Path) -> None:
        """These belong to whom the program runs as."""
        for path in paths:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)


class WebServer(Server):
    """One that speaks HTTP."""

    @property
    def url(self) -> str:
        """What a plan names."""
        return f"http://{self.host}:{self.port}/"

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("OPTIONS", "/")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
