"""A Cyrus of our own that also keeps calendars and contacts, and a host that would get the mail which it sends."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live import cyrus
from tests.live.cyrus import TOOLS, UNPACKED, Cyrus, Settings
from tests.live.dav.sink import Sink
from tests.live.process import free_ports

PROGRAM = "httpd"


def missing() -> str:
    """What has to be installed, or nothing."""
    if cyrus.missing():
        return cyrus.missing()
    return "" if _httpd() else "Cyrus's httpd is not here (apt package cyrus-caldav, or .ci/servers)"


def _httpd() -> Path | None:
    return next((path / PROGRAM for path in (TOOLS, UNPACKED) if (path / PROGRAM).exists()), None)


class CyrusDav(Cyrus):
    """With CalDAV and CardDAV; `scheduling`: whether the server sends invitations, to the sink."""

    def __init__(self, *, scheduling: bool = True) -> None:
        self.sink = Sink()
        more = {
            "httpmodules": "caldav carddav",
            "conversations": "yes",
            "search_engine": "none",
            "caldav_allowscheduling": "on" if scheduling else "off",
            "smtp_backend": "host",
            "smtp_host": f"{self.sink.host}:{self.sink.port}",
            "httpallowcompress": "no",
        }
        super().__init__(Settings(more=more))
        self.http = 0

    @property
    def url(self) -> str:
        """What a plan names."""
        return f"http://{self.host}:{self.http}/"

    def calendar(self, user: str) -> str:
        """The user's first calendar, from the URL on."""
        return f"dav/calendars/user/{user}/Default/"

    def welcome(self, user: str) -> None:
        """Give the user a mailbox: calendars and address books come with it."""
        self.add(user)
        client = self.administrator()
        client.create(f"user/{user}")
        client.logout()

    def __enter__(self) -> Self:
        self.sink.__enter__()
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.sink.__exit__(kind, error, trace)

    def _prepare(self) -> None:
        super()._prepare()
        shutil.copy(_httpd() or "", self._root / PROGRAM)
        wrapper = self._root / "http"
        wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={self._root} exec {self._root / PROGRAM} "$@"\n')
        for path in (self._root / PROGRAM, wrapper):
            path.chmod(0o755)
            self._give(path)
        for library in _unpacked():
            shutil.copy(library, self._root / library.name)

    def _services(self) -> str:
        (self.http,) = free_ports(1)
        return super()._services() + self._service("http", f"{self._root}/http", self.http)


def _unpacked() -> list[Path]:
    """Libraries that came with the unpacked program."""
    return sorted(UNPACKED.parents[1].glob("*/lib*.so*"))
