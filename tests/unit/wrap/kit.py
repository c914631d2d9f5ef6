"""What the wrapper tests share: an account in memory and a login to it."""

from __future__ import annotations

from itertools import count

from xdmigrate.model import Endpoint, Login
from xdmigrate.testing.memory import Account, MemoryServer, Powers, connector
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.testing.memory.target import MemoryTarget

NAMES = count(1)
LOGIN = Login("ann@example.org", "ann", "secret")


class World:
    """A memory server with one account."""

    def __init__(self, powers: Powers | None = None) -> None:
        self.server = MemoryServer(f"wrap-{next(NAMES)}", powers)
        self.account: Account = self.server.add_account("ann", "secret")
        self.endpoint = Endpoint("new", "memory", {"server": self.server.name})

    def source(self) -> MemorySource:
        return connector.source(self.endpoint, LOGIN)

    def target(self) -> MemoryTarget:
        return connector.target(self.endpoint, LOGIN)
