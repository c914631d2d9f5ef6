"""Connections that the plan's limits allow and nobody needs just now go to mailboxes that are being copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdmigrate.cli.compose import Route, Systems
    from xdmigrate.contract import Source, Target
    from xdmigrate_state.rows import MailboxRow


class SpareConnections:
    """A `Lender` over the gates of a route. The mailbox's lock is held by its first pair of sessions."""

    def __init__(self, systems: Systems, route: Route) -> None:
        self._systems, self._route = systems, route
        self._gates = route.source.gate, route.target.gate

    def lends(self) -> bool:
        source, target = self._gates
        needed = 2 if source is target else 1
        return source.free() >= needed and target.free() >= needed

    def wanted(self) -> bool:
        return any(gate.waiting() for gate in self._gates)

    def source(self, mailbox: MailboxRow) -> Source:
        return self._systems.readdressed(self._route.source, mailbox, insist=False)

    def target(self, mailbox: MailboxRow) -> Target:
        return self._systems.target(self._route.target, mailbox, insist=False)
