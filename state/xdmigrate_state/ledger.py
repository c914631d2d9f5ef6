"""The ledger: what became of each source item, and which target item it is. The functions to use, on one page.

Reading is in `ledger_reads`; `ledger_outcomes` changes what became of items, `ledger_links` which ids they have.
Every function that changes rows changes the folder's counters with them.
"""

from xdmigrate_state.counters import recount
from xdmigrate_state.ledger_links import back, gone, hand_over, rebase, relink, resize, transfer
from xdmigrate_state.ledger_outcomes import RETRIED, add, link, refilter, renew, reopen, retire, retry, settle, withdraw
from xdmigrate_state.ledger_reads import (
    by_refs,
    by_targets,
    claims,
    gone_by_size,
    gone_copies,
    gone_sizes,
    pending,
    pending_sizes,
    scan,
    uncopied,
)
from xdmigrate_state.rows import FolderIds, FolderKey, ItemRow, NewItem, Renewal, Settled

__all__ = [
    "RETRIED",
    "FolderIds",
    "FolderKey",
    "ItemRow",
    "NewItem",
    "Renewal",
    "Settled",
    "add",
    "back",
    "by_refs",
    "by_targets",
    "claims",
    "gone",
    "gone_by_size",
    "gone_copies",
    "gone_sizes",
    "hand_over",
    "link",
    "pending",
    "pending_sizes",
    "rebase",
    "recount",
    "refilter",
    "relink",
    "renew",
    "reopen",
    "resize",
    "retire",
    "retry",
    "scan",
    "settle",
    "transfer",
    "uncopied",
    "withdraw",
]
