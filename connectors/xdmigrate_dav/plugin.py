"""The connector as plans see it. Everything that needs httpx or lxml is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from xdmigrate.model import Kind
from xdmigrate_dav import settings

if TYPE_CHECKING:
    from xdmigrate.contract import Finding, Promise
    from xdmigrate.errors import Problem
    from xdmigrate.model import Endpoint, Login
    from xdmigrate_dav.auditor import DavAuditor
    from xdmigrate_dav.session import Session
    from xdmigrate_dav.source import DavSource
    from xdmigrate_dav.target import DavTarget
    from xdmigrate_dav.trial import DavTrial


class DavConnector:
    """A `Connector` for `connector: dav`, and `Inviting`."""

    name = "dav"
    kinds = frozenset({Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS})

    def problems(self, endpoint: Endpoint) -> list[Problem]:
        return settings.problems(endpoint)

    def identity(self, endpoint: Endpoint) -> str:
        found = settings.parse(endpoint)
        if not found.url:
            return f"dav://{found.domain.lower().rstrip('.')}"
        parts = urlsplit(found.url)
        port = parts.port or settings.DEFAULT_PORTS[parts.scheme]
        return f"dav://{(parts.hostname or '').rstrip('.')}:{port}{parts.path.rstrip('/')}"

    def source(self, endpoint: Endpoint, login: Login) -> DavSource:
        from xdmigrate_dav.source import DavSource

        return DavSource(self._session(endpoint, login))

    def target(self, endpoint: Endpoint, login: Login) -> DavTarget:
        from xdmigrate_dav.target import DavTarget

        return DavTarget(self._session(endpoint, login))

    def auditor(self, endpoint: Endpoint, login: Login) -> DavAuditor:
        from xdmigrate_dav.auditor import DavAuditor

        return DavAuditor(self._session(endpoint, login))

    def check(self, endpoint: Endpoint, login: Login, *, writable: bool) -> list[Finding]:
        from xdmigrate_dav import check

        session = self._session(endpoint, login)
        try:
            return check.findings(session, login, writable=writable)
        finally:
            session.client.close()

    def promise(self, endpoint: Endpoint) -> Promise:
        from xdmigrate_dav.invitations import PROMISES

        return PROMISES[settings.parse(endpoint).scheduling]

    def trial(self, endpoint: Endpoint, login: Login) -> DavTrial:
        from xdmigrate_dav.trial import DavTrial

        return DavTrial(self._session(endpoint, login))

    def _session(self, endpoint: Endpoint, login: Login) -> Session:
        from xdmigrate_dav.session import Session

        return Session.open(settings.parse(endpoint), login)


connector = DavConnector()
