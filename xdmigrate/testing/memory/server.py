"""A memory server: named accounts behind passwords, and the sessions that are open to it."""

from __future__ import annotations

from threading import Lock
from weakref import WeakSet

from xdmigrate.errors import LoginRejected, Throttled, Unreachable
from xdmigrate.model import Login
from xdmigrate.testing.memory.account import Account, World
from xdmigrate.testing.memory.powers import Powers

_servers: dict[str, MemoryServer] = {}
_servers_lock = Lock()


class Session:
    """A logged-in connection; ended by `close` or when the server drops it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.open = True


class MemoryServer:
    """A system in memory. Thread-safe: its sessions may be used by many threads, each by one at a time.

    With a name it stands in the process-wide registry, so that a plan can say `connector: memory, server: NAME`.
    """

    def __init__(self, name: str = "", powers: Powers | None = None) -> None:
        self.name = name
        self._world = World(powers or Powers())
        self._accounts: dict[str, Account] = {}
        self._admins: dict[str, str] = {}
        self._sessions: WeakSet[Session] = WeakSet()
        self.reachable = True
        self.logins = 0  # attempts, rejected ones included
        if name:
            with _servers_lock:
                _servers[name] = self

    @property
    def powers(self) -> Powers:
        """What the server can do; may be replaced at any time."""
        return self._world.powers

    @powers.setter
    def powers(self, powers: Powers) -> None:
        with self._world.lock:
            self._world.powers = powers

    def add_account(self, name: str, password: str = "") -> Account:
        """A new account with an INBOX; the account is what its user does (see `Account`)."""
        with self._world.lock:
            if name in self._accounts:
                raise ValueError(f"memory server {self.name!r} has an account {name!r} already")
            self._accounts[name] = Account(self._world, name, password)
            return self._accounts[name]

    def add_admin(self, name: str, password: str) -> None:
        """A login that may act for every account (`Login.authorize_as`)."""
        self._admins[name] = password

    def account(self, name: str) -> Account:
        """The account of this name; raises KeyError when there is none."""
        return self._accounts[name]

    def log_in(self, login: Login) -> Session:
        """Open a session. Raises Unreachable, Throttled or LoginRejected."""
        with self._world.lock:
            if not self.reachable:
                raise Unreachable(f"memory server {self.name!r} does not answer")
            self.logins += 1
            self._sessions = WeakSet(session for session in self._sessions if session.open)
            if 0 < self.powers.connections <= len(self._sessions):
                raise Throttled(f"memory server {self.name!r} has too many sessions open")
            session = Session(self._admit(login))
            self._sessions.add(session)
            return session

    def _admit(self, login: Login) -> Account:
        """The account that this login may use; one answer for an unknown name and a wrong password."""
        known = self._accounts.get(login.user)
        wanted = self._accounts.get(login.authorize_as or login.user)
        password = self._admins.get(login.user, known.password if known else None)
        allowed = login.authorize_as in {"", login.user} or login.user in self._admins
        if wanted is None or not allowed or password != login.password:
            raise LoginRejected(f"memory server {self.name!r} rejected the login", mailbox=login.address)
        return wanted

    def open_sessions(self) -> int:
        """How many sessions are open now."""
        with self._world.lock:
            return sum(session.open for session in self._sessions)

    def drop_sessions(self) -> None:
        """End every open session from the server's side: its next operation raises ConnectionLost."""
        with self._world.lock:
            for session in self._sessions:
                session.open = False


def server(name: str) -> MemoryServer:
    """The server registered under this name. Raises Unreachable when this process has none."""
    with _servers_lock:
        found = _servers.get(name)
    if found is None:
        raise Unreachable(
            f"this process has no memory server called {name!r}", remedy="create MemoryServer(name) first"
        )
    return found
