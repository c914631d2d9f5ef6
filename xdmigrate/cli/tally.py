"""Counts the calls to endpoints, and names the endpoint and mailbox in errors that do not name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Path
from xdmigrate.wrap.trace import Count, Trace


class Calls:
    """How many calls were made. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.made = 0

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.made += 1


class CountedTrace(Trace):
    """A trace that also counts."""

    def __init__(self, calls: Calls, endpoint: str, mailbox: str) -> None:
        super().__init__(endpoint=endpoint, mailbox=mailbox)
        self._calls = calls
        self._endpoint = endpoint
        self._mailbox = mailbox

    @contextmanager
    def call(self, operation: str, folder: Path = ()) -> Iterator[Count]:
        """Count, time and name what happens inside."""
        self._calls.add()
        try:
            with super().call(operation, folder) as count:
                yield count
        except XdmigrateError as error:
            error.endpoint = error.endpoint or self._endpoint
            error.mailbox = error.mailbox or self._mailbox
            raise
