"""An in-memory mail system that is a connector like any other: for tests, demonstrations and engine fuzzing.

`MemoryServer("old").add_account("ann", "secret")` makes an account that a plan reaches by
`{connector: memory, server: old}`; the returned `Account` is its user at work with another program.
"""

from xdmigrate.testing.memory.account import INBOX, Account
from xdmigrate.testing.memory.plugin import connector
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.server import MemoryServer, server

__all__ = ["INBOX", "Account", "MemoryServer", "Powers", "connector", "server"]
