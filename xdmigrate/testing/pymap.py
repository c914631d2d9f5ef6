"""An IMAP server inside this process: the demo's default, and a third implementation for the tests.

It is pymap with its dict backend: mail lives in memory and is gone with the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from xdmigrate.errors import ExtraMissing

START_SECONDS = STOP_SECONDS = 10.0

Listen = Callable[[Mapping[str, str], AsyncExitStack], Coroutine[Any, Any, int]]
"""Serves the users until the stack closes, and returns the port."""


class PymapServer:
    """Serves the given accounts (name to password) on a free loopback port while its `with` block lasts.

    Raises ExtraMissing when pymap is not installed.
    """

    host = "127.0.0.1"

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = dict(users)
        self._listen = _load_backend()
        self._listening: Future[int] = Future()
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="pymap", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listening.result(START_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.result(START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._stop()
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        async with AsyncExitStack() as stack:
            try:
                self._listening.set_result(await self._listen(self._users, stack))
            except OSError as error:
                self._listening.set_exception(error)
                return
            await stopped.wait()


def _load_backend() -> Listen:
    try:
        from xdmigrate.testing.pymap_backend import listen
    except ModuleNotFoundError as error:
        raise ExtraMissing("the embedded IMAP server needs pymap", remedy="install xdmigrate[demo]") from error
    return listen
