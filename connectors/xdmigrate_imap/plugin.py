"""The connector as plans see it. Everything that needs imapclient or a socket is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdmigrate.model import Kind
from xdmigrate_imap import settings

if TYPE_CHECKING:
    from xdmigrate.contract import Finding
    from xdmigrate.errors import Problem
    from xdmigrate.model import Endpoint, Login
    from xdmigrate_imap.auditor import ImapAuditor
    from xdmigrate_imap.source import ImapSource
    from xdmigrate_imap.target import ImapTarget


class ImapConnector:
    """A `Connector` for `connector: imap`."""

    name = "imap"
    kinds = frozenset({Kind.MAIL})

    def __init__(self) -> None:
        self._careful: set[str] = set()
        self._distrusted: set[str] = set()

    def problems(self, endpoint: Endpoint) -> list[Problem]:
        return settings.problems(endpoint)

    def identity(self, endpoint: Endpoint) -> str:
        found = settings.parse(endpoint)
        return f"imap://{found.host.lower().rstrip('.')}:{found.port}"

    def source(self, endpoint: Endpoint, login: Login) -> ImapSource:
        from xdmigrate_imap.session import Session
        from xdmigrate_imap.source import ImapSource

        account = f"{self.identity(endpoint)} {login.authorize_as or login.user}"
        return ImapSource(Session.open(settings.parse(endpoint), login), account=account, distrusted=self._distrusted)

    def target(self, endpoint: Endpoint, login: Login) -> ImapTarget:
        from xdmigrate_imap.session import Session
        from xdmigrate_imap.target import ImapTarget

        account = f"{self.identity(endpoint)} {login.authorize_as or login.user}"
        return ImapTarget(Session.open(settings.parse(endpoint), login), account=account, careful=self._careful)

    def auditor(self, endpoint: Endpoint, login: Login) -> ImapAuditor:
        from xdmigrate_imap.auditor import ImapAuditor

        return ImapAuditor.open(settings.parse(endpoint), login)

    def check(self, endpoint: Endpoint, login: Login, *, writable: bool) -> list[Finding]:
        from xdmigrate_imap import check
        from xdmigrate_imap.session import Session

        session = Session.open(settings.parse(endpoint), login)
        try:
            return check.findings(session, login, writable=writable)
        finally:
            session.close()


connector = ImapConnector()
