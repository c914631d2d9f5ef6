"""The connector as plans see it. What reads and writes files is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdmigrate.model import Kind
from xdmigrate_files import settings

if TYPE_CHECKING:
    from xdmigrate.contract import Finding
    from xdmigrate.errors import Problem
    from xdmigrate.model import Endpoint, Login
    from xdmigrate_files.auditor import FilesAuditor
    from xdmigrate_files.layout import Memory
    from xdmigrate_files.source import FilesSource
    from xdmigrate_files.target import FilesTarget


class FilesConnector:
    """A `Connector` for `connector: files`. There is no login: whoever runs xdmigrate reads and writes."""

    name = "files"
    kinds = frozenset(Kind)

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._targets: set[str] = set()  # roots that are written to: they are made with their first folder

    def problems(self, endpoint: Endpoint) -> list[Problem]:
        return settings.problems(endpoint)

    def identity(self, endpoint: Endpoint) -> str:
        return f"file://{settings.place(endpoint)}"

    def source(self, endpoint: Endpoint, login: Login) -> FilesSource:
        from xdmigrate_files.layout import Layout
        from xdmigrate_files.source import FilesSource
        from xdmigrate_files.tree import Tree

        found = settings.parse(endpoint, login)
        return FilesSource(Layout(Tree.at(found.root), found, self._remembered()))

    def target(self, endpoint: Endpoint, login: Login) -> FilesTarget:
        from xdmigrate_files.target import FilesTarget

        found = settings.parse(endpoint, login)
        self._targets.add(found.root)
        return FilesTarget(found, self._remembered())

    def auditor(self, endpoint: Endpoint, login: Login) -> FilesAuditor:
        from xdmigrate_files.auditor import FilesAuditor

        found = settings.parse(endpoint, login)
        return FilesAuditor(found, may_lack=found.root in self._targets)

    def check(self, endpoint: Endpoint, login: Login, *, writable: bool) -> list[Finding]:
        from xdmigrate_files import check

        return check.findings(settings.parse(endpoint, login), writable=writable)

    def _remembered(self) -> Memory:
        if self._memory is None:
            from xdmigrate_files.layout import Memory

            self._memory = Memory()
        return self._memory


connector = FilesConnector()
"""The one that the entry point names: its sessions share what they have learnt about files."""
