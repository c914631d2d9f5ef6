"""Copies that somebody moved before we looked: acknowledged where they were put, and shown in another folder.

A user's rules move mail within moments of its arrival. Sending it again would make two of it; believing every
acknowledged id that is not shown would lose what a target said yes to and dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from xdmigrate.contract import Receipt, Stored
from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.proof import Proof, Sent
from xdmigrate.engine.work import Work
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Head, Path
from xdmigrate_state import ledger, places


def acknowledged(receipts: Iterable[Receipt], floor: bytes) -> dict[int, bytes]:
    """The ids that the target told, by ticket; one below `floor`, which it cannot have given now, is left out. Pure."""
    return {each.ticket: each.ref for each in receipts if isinstance(each, Stored) and each.ref >= floor}


def believe_moved(work: Work, here: Path, told: Mapping[int, bytes], sent: Mapping[int, Sent], proof: Proof) -> None:
    """Take acknowledged items that are not shown `here` for stored where their equal has come to another folder."""
    lost = [ticket for ticket in proof.unkept if ticket in told]
    if not lost:
        return
    sizes = {sent[ticket].content.size for ticket in lost}
    found = pair_equals(((ticket, sent[ticket].content) for ticket in lost), _arrived(work, here, sizes))
    taken = set(proof.stored.values())
    for ticket, _elsewhere in found:
        if told[ticket] not in taken:
            taken.add(told[ticket])
            proof.stored[ticket] = told[ticket]
            proof.unkept.remove(ticket)


def _arrived(work: Work, here: Path, sizes: set[int]) -> Iterator[tuple[bytes, Print]]:
    """What came into the target's other folders since this pass looked at them first, and is no copy of ours."""
    for folder in work.target.folders():
        if folder.path == here or not folder.selectable:
            continue
        with suppress(FolderUnusable):  # one that cannot be read shows nothing
            alike = [head.ref for head in _foreign(work, folder) if head.size in sizes]
            yield from prints(work.target, folder, alike)


def _foreign(work: Work, folder: Folder) -> Iterator[Head]:
    before = work.shown.get(folder.path)
    floor = before.next_id if before is not None and before.validity == folder.validity else b""
    if floor and floor == folder.next_id:
        return
    account = work.mailbox.account_id
    place = work.read(partial(places.find, account_id=account, path=folder.path, validity=folder.validity))
    claims = set(work.read(lambda c: ledger.claims(c, account, place.id, floor))) if place is not None else set()
    yield from (head for head in work.target.heads(folder, floor) if head.ref not in claims)
