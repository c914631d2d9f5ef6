"""One mailbox being verified: both sides as auditors show them, and what was found so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial

from xdmigrate.contract import Auditor, Features
from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.verification.decide import Links
from xdmigrate.errors import ProtocolError
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Folder, Head, Kind
from xdmigrate.report.verdicts import KEPT_DETAILS, Detail, ItemState, Tally
from xdmigrate_state import folders, ledger, places
from xdmigrate_state.database import Database
from xdmigrate_state.rows import Altered, FolderRow, MailboxRow

Altering = Callable[[int, Sequence[Altered]], None]
"""Told of altered copies, by the id of their source folder in the state."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How many bodies are compared per mailbox; ids, sizes, flags and dates always are."""

    full: bool = False
    sample: int = 50
    seed: int = 0


@dataclass(slots=True)
class Half:
    """One folder's items on one side, by id, as far as they are not paired yet."""

    folder: Folder
    items: dict[bytes, Head]


@dataclass(slots=True)
class Audit:
    """One mailbox being verified."""

    db: Database
    mailbox: MailboxRow
    scope: Scope
    source: Auditor
    target: Auditor
    features: Features  # of the target: what it cannot keep is not held against it
    depth: Depth
    altered: Altering
    kinds: frozenset[Kind] = frozenset(Kind)  # paths are unique only among folders of one kind
    explained: int = 0  # changed items that were read once more to say what differs; see `explain`
    tally: Tally = field(default_factory=Tally)
    unpaired: list[tuple[Half, Half | None, Links]] = field(default_factory=list)
    merged: list[tuple[Half, Half, Links]] = field(default_factory=list)  # a folder, and the items of it set aside
    others: list[Folder] = field(default_factory=list)  # of the target, to which nothing of the source goes
    random: random.Random = field(default_factory=random.Random)

    def explain(self, items: int) -> int:
        """How many of so many changed items more may be explained: no more than there are details kept of them."""
        allowed = min(items, KEPT_DETAILS - self.explained)
        self.explained += allowed
        return allowed

    def sized(self, folder: Folder) -> bool:
        """Whether sizes tell items of this folder apart; else all that may be equal is read."""
        return folder.kind is Kind.MAIL and self.features.exact_sizes


def listing(auditor: Auditor, folder: Folder) -> list[Head]:
    """Everything in the folder. A listing that shows nothing of what the folder counts is no listing."""
    heads = list(auditor.heads(folder))
    if folder.count and not heads:
        raise ProtocolError(
            f"folder {'/'.join(folder.path)!r} counts {folder.count} items and lists none",
            remedy="run verify again; if it stays so, the server's index is damaged",
        )
    return heads


def rows(audit: Audit) -> list[FolderRow]:
    """What the state knows of the mailbox's source folders of these kinds."""
    known = audit.db.read(partial(folders.of_mailbox, mailbox_id=audit.mailbox.id))
    return [row for row in known if row.kind in audit.kinds]


def claims(audit: Audit, folder: Folder) -> AbstractSet[bytes]:
    """Copies of other mailboxes that go to the same account."""
    account = audit.mailbox.account_id
    find = partial(places.find, account_id=account, path=folder.path, validity=folder.validity, kind=folder.kind)
    place = audit.db.read(find)
    if place is None:
        return frozenset()
    return frozenset(audit.db.read(partial(ledger.claims, account_id=account, place_id=place.id)))


def inspect(
    auditor: Auditor, folder: Folder, refs: Sequence[bytes], opaque: set[bytes] | None = None
) -> dict[bytes, Print]:
    """What the items hold (of mail: length and fingerprint), as the auditor reads them; gone ones are left out.

    `opaque` learns which of them hold what cannot be interpreted.
    """
    if refs and folder.kind is not Kind.MAIL:
        said = semantics(folder.kind)
        read = {ref: said.digested(data) for ref, data in auditor.whole(folder, refs)}
        if opaque is not None:
            opaque |= {ref for ref, (_, is_opaque) in read.items() if is_opaque}
        return {ref: Print(0, digest) for ref, (digest, _) in read.items()}
    return {one.ref: Print(one.size, one.fingerprint) for one in auditor.inspect(folder, refs)} if refs else {}


def count(audit: Audit, folder: Folder, state: ItemState, head: Head, text: str) -> None:
    """Count an item of a source folder and say in words what is the matter with it."""
    audit.tally.count(folder.kind, state)
    audit.tally.note(Detail(state, folder.path, head.ref.hex(), head.size, head.date, text))


def count_failed(audit: Audit, folder: Folder, head: Head, links: Links) -> None:
    """Count a quarantined item, with its reason and whether a person has accepted it."""
    reason, accepted = links.reasons[head.ref]
    audit.tally.count(folder.kind, ItemState.FAILED, accepted=accepted)
    audit.tally.note(Detail(ItemState.FAILED, folder.path, head.ref.hex(), head.size, head.date, reason))
