"""A mailbox between two scripted servers, with the engine and a state of its own: what a pass makes of odd answers."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

from tests.connectors.dav.scripted import Scripted
from tests.engine.world import World
from xdmigrate.contract import Source, Target
from xdmigrate.engine.verification.audit import Depth
from xdmigrate.engine.verification.verify import verify
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Kind
from xdmigrate.report.verdicts import MailboxVerdict
from xdmigrate_dav.auditor import DavAuditor
from xdmigrate_dav.source import DavSource
from xdmigrate_dav.target import DavTarget
from xdmigrate_state import failures, folders, ledger
from xdmigrate_state.rows import ItemRow, MailboxRow


class Between(World):
    """Two accounts, each with one collection "Work"; sessions live as long as a pass does."""

    def __init__(self, home: Path, kind: Kind = Kind.CALENDAR) -> None:
        super().__init__(home)
        self.kind = kind
        self.kinds = frozenset({kind})
        self.here, self.there = (Scripted(contacts=kind is Kind.CONTACTS) for _ in range(2))

    def source(self, mailbox: MailboxRow) -> Source:
        return DavSource(self.here.session())

    def target(self, mailbox: MailboxRow) -> Target:
        return DavTarget(self.there.session())

    def audited(self) -> MailboxVerdict:
        """What `verify --full` tells."""
        return verify(
            self.db,
            self.mailbox(),
            self.policy.scope,
            source=DavAuditor(self.here.session()),
            target=DavAuditor(self.there.session()),
            features=DavTarget(self.there.session()).features,
            depth=Depth(full=True),
            altered=self._record,
            kinds=self.kinds,
        )

    def rows(self) -> dict[bytes, ItemRow]:
        """The ledger, by the names of the items at the source."""
        found = self.db.read(lambda c: folders.of_mailbox(c, self.mailbox_id))
        return {row.source_id: row for each in found for row in self.db.read(partial(ledger.scan, folder=each))}

    def outcomes(self) -> dict[str, str]:
        """What became of each item, by its reason where it failed; fails where the arithmetic does not close."""
        for row in self.db.read(lambda c: folders.of_mailbox(c, self.mailbox_id)):
            assert row.counts.closed
            assert self.db.read(partial(ledger.recount, folder_id=row.id)) == row.counts
        failed = self.db.read(lambda c: failures.of_plan(c, self.plan_id))
        reasons = {each.source_id: each.reason for each in failed}
        return {ref.decode(): reasons.get(ref, row.outcome.name.lower()) for ref, row in self.rows().items()}

    def said(self, server: Scripted) -> Counter[bytes]:
        """What the items of a server mean."""
        return Counter(map(semantics(self.kind).digest, server.items.values()))

    def puts(self) -> int:
        """Writes since the target was asked anew."""
        return len(self.there.methods("PUT"))
