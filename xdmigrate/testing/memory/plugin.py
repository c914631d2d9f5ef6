"""The memory connector as plans see it: `{connector: memory, server: NAME}`."""

from __future__ import annotations

from xdmigrate.contract import Finding
from xdmigrate.errors import Problem
from xdmigrate.model import Endpoint, Kind, Login
from xdmigrate.testing.memory.auditor import MemoryAuditor
from xdmigrate.testing.memory.server import Session, server
from xdmigrate.testing.memory.source import MemorySource
from xdmigrate.testing.memory.target import MemoryTarget


class MemoryConnector:
    """A `Connector` to the memory servers of this process."""

    name = "memory"
    kinds = frozenset(Kind)

    def problems(self, endpoint: Endpoint) -> list[Problem]:
        found = endpoint.settings.get("server")
        if isinstance(found, str) and found:
            return []
        where = f"endpoints.{endpoint.name}.server"
        return [Problem("", 0, where, f"{found!r} names no memory server", "write `server: NAME`")]

    def identity(self, endpoint: Endpoint) -> str:
        return f"memory://{endpoint.settings.get('server')}"

    def _log_in(self, endpoint: Endpoint, login: Login) -> Session:
        return server(str(endpoint.settings.get("server"))).log_in(login)

    def source(self, endpoint: Endpoint, login: Login) -> MemorySource:
        return MemorySource(self._log_in(endpoint, login))

    def target(self, endpoint: Endpoint, login: Login) -> MemoryTarget:
        return MemoryTarget(self._log_in(endpoint, login))

    def auditor(self, endpoint: Endpoint, login: Login) -> MemoryAuditor:
        return MemoryAuditor(self._log_in(endpoint, login))

    def check(self, endpoint: Endpoint, login: Login, *, writable: bool) -> list[Finding]:
        session = self._log_in(endpoint, login)
        session.open = False
        powers, used = session.account.world.powers, session.account.octets()
        findings = [Finding("login", ok=True, text=f"{login.user} can log in")]
        if writable:
            text = "can be written" if powers.writable else "is read-only"
            findings.append(Finding("rights", powers.writable, text, "" if powers.writable else "grant write access"))
        if powers.quota is not None:
            room = used < powers.quota
            remedy = "" if room else "raise the quota"
            findings.append(Finding("quota", room, f"{used} of {powers.quota} bytes used", remedy))
        if powers.size_limit is not None and powers.tells_size_limit:
            findings.append(Finding("size-limit", ok=True, text=f"items up to {powers.size_limit} bytes"))
        return findings


connector = MemoryConnector()
