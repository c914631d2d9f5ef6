"""Counts what the endpoints cost, and names the endpoint and mailbox in errors that do not name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Path
from xdmigrate.wrap.cost import Costs
from xdmigrate.wrap.trace import Count, Trace


class CountedTrace(Trace):
    """A trace that also counts."""

    def __init__(self, costs: Costs, endpoint: str, mailbox: str) -> None:
        super().__init__(endpoint=endpoint, mailbox=mailbox)
        self.enter, self.leave = partial(costs.enter, endpoint), costs.leave
        self._costs = costs
        self._endpoint = endpoint
        self._mailbox = mailbox

    @contextmanager
    def told(self, operation: str, folder: Path = ()) -> Iterator[Count]:
        """Count, time and name what happens inside."""
        count, retries = Count(), 0
        try:
            with super().told(operation, folder) as count:
                yield count
        except XdmigrateError as error:
            error.endpoint = error.endpoint or self._endpoint
            error.mailbox = error.mailbox or self._mailbox
            retries = int(error.retriable)
            raise
        finally:
            self._costs.called(self._endpoint, items=count.items, octets=count.octets, retries=retries)
