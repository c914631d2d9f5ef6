"""What a dry run would have done to the target beside copying, for machines and for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xdmigrate.errors import ItemRefused, TooManyFailures, XdmigrateError
from xdmigrate.report.words import counted

if TYPE_CHECKING:
    from xdmigrate.wrap.prediction import Prediction
    from xdmigrate_state.rows import MailboxRow


NO_QUARANTINE = "a dry run keeps no quarantine: the lines above tell why"


def foreseen(error: XdmigrateError) -> XdmigrateError:
    """The error as a dry run may tell it: what it would put into quarantine is nowhere to be listed."""
    if isinstance(error, ItemRefused):
        return ItemRefused(error.message, reason=error.reason, remedy=NO_QUARANTINE)
    if isinstance(error, TooManyFailures):
        remedy = f"{NO_QUARANTINE}; if that is right, raise failures.items_per_mailbox"
        return TooManyFailures(error.message, remedy=remedy, mailbox=error.mailbox)
    return error


def facts(predictions: Iterable[tuple[MailboxRow, Prediction]]) -> list[dict[str, object]]:
    """One object for each mailbox, and for each pair of endpoints that serve it; folders as decoded levels."""
    return [_facts(mailbox, told) for mailbox, told in predictions]


def _facts(mailbox: MailboxRow, told: Prediction) -> dict[str, object]:
    return {
        "mailbox": mailbox.id,
        "target": mailbox.target,
        "created": [list(path) for path in told.created],
        "renamed": [{"from": list(old), "to": list(new)} for old, new in told.renamed],
        "subscribed": [list(path) for path in told.subscribed],
        "shared": [
            {"folder": list(path), "grants": dict(more.grants), "notes": sorted(more.notes)}
            for path, more in told.shared
        ],
        "flags": sum(folder.flags for folder in told.folders.values()),
        "updated": sum(folder.updated for folder in told.folders.values()),
        "moved": sum(folder.moved for folder in told.folders.values()),
        "removed": sum(folder.removed for folder in told.folders.values()),
    }


def line(predictions: Iterable[tuple[MailboxRow, Prediction]]) -> str:
    """The same in one line, summed up."""
    told = [prediction for _, prediction in predictions]
    folders = [folder for one in told for folder in one.folders.values()]
    created, renamed = sum(len(one.created) for one in told), sum(len(one.renamed) for one in told)
    shared = sum(len(more.grants) + len(more.notes) for one in told for _, more in one.shared)
    return (
        f"would create {counted(created, 'folder')} and rename {renamed:,},"
        f" change the flags of {sum(folder.flags for folder in folders):,} items,"
        f" replace {sum(folder.updated for folder in folders):,} copies of what changed,"
        f" move {sum(folder.moved for folder in folders):,}"
        f" and remove {sum(folder.removed for folder in folders):,} items;"
        f" would set {shared:,} permissions and notes of folders"
    )
