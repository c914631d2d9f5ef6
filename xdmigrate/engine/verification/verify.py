"""Verification, independent of the copy path: both sides are read through auditors, name map and filters anew.

Per folder: items are paired by the ledger's links first, the rest by content; what remains is looked for elsewhere on
the target. The ledger names differences (quarantined, gone since, adopted) but a wanted source item without an equal
on the target is missing whatever the ledger says.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdmigrate.contract import Auditor, Features
from xdmigrate.engine import guards
from xdmigrate.engine.names import Rules, place_folders
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.verification.audit import Altering, Audit, Depth, rows
from xdmigrate.engine.verification.left import look_elsewhere
from xdmigrate.engine.verification.merged import judge_merged
from xdmigrate.engine.verification.pairs import compare
from xdmigrate.model import Folder, Kind, Path
from xdmigrate.report.verdicts import MailboxVerdict
from xdmigrate_state.database import Database
from xdmigrate_state.rows import MailboxRow


def verify(
    db: Database,
    mailbox: MailboxRow,
    scope: Scope,
    *,
    source: Auditor,
    target: Auditor,
    features: Features,
    depth: Depth,
    altered: Altering = lambda _folder_id, _found: None,
    kinds: frozenset[Kind] = frozenset(Kind),
) -> MailboxVerdict:
    """Compare every wanted item of these kinds with the target. Changes nothing on either side, nor in the state.

    `altered` hears of the copies that have other bytes than their source, so that a person can accept them.

    Raises GuardRefused when the source shows far less than the ledger knows: nothing missing there proves nothing.
    """
    audit = Audit(db, mailbox, scope, source, target, features, depth, altered, kinds)
    audit.random.seed(depth.seed)
    shown = {folder.path: folder for folder in target.folders() if folder.selectable and folder.kind in kinds}
    listed = [folder for folder in source.folders() if folder.selectable and folder.kind in kinds]
    _believe(audit, listed)
    wanted = [folder for folder in listed if scope.wants_folder(folder)]
    where = _where(audit, wanted, shown)
    for folder in wanted:
        compare(audit, folder, shown.get(where[folder.path]))
    judge_merged(audit, shown)
    audit.others = [folder for path, folder in shown.items() if path not in set(where.values())]
    look_elsewhere(audit)
    return audit.tally.verdict(mailbox.id, mailbox.source, mailbox.target)


def _believe(audit: Audit, listed: Sequence[Folder]) -> None:
    known = sum(row.counts.seen - row.counts.gone for row in rows(audit))
    shown = sum(folder.count for folder in listed)
    guards.believe_count(audit.mailbox.source, "source", known=known, shown=shown, accepted=frozenset())


def _where(audit: Audit, wanted: Sequence[Folder], shown: dict[Path, Folder]) -> dict[Path, Path]:
    """Where each folder's items have to be: the frozen name, else what the plan's map says today."""
    frozen = {row.path: row.target_path for row in rows(audit) if row.target_path is not None}
    new = [folder for folder in wanted if folder.path not in frozen]
    rules = Rules.of(audit.features, audit.scope.rename, audit.mailbox.into_path)
    return {**frozen, **place_folders(new, rules, frozen=frozen, target=shown.values())}
