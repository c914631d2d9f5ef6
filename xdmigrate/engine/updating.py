"""Items that changed at the source after they were copied: their copies are replaced, and nobody else's work is.

A copy is replaced only while it is what we wrote: its version is the one that we know, or, where the version is another
or unknown, it still says what the ledger knows, or what an earlier attempt with an unknown end was about to write. The
target checks the version once more (`Writer.put`, `over`). Versions are those of listings: what comes with a body may
be another one (proxies that pack it change its ETag). A copy that somebody changed or removed meanwhile stays as
it is, and the item is quarantined (`CHANGED_THERE`), unless the copy says just what the source does now. Only a person
who asks for the item once more, having removed the copy, gets another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xdmigrate.contract import CHANGED_THERE, Receipt, Refused, Stored
from xdmigrate.engine.altering import as_copied
from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.work import Work
from xdmigrate.model import Folder, Head
from xdmigrate_state import doubts, ledger
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow

CHANGED = "its copy was changed on the target since; delete it there and retry, or accept it"
REMOVED = "its copy was removed from the target since; retry to have it copied again, or accept that"

Read = Mapping[bytes, tuple[Head, Print]]
"""Copies that were read, by their ids."""


@dataclass(slots=True)
class Outdated:
    """The copies of a range's updates, by source id, as they stand on the target."""

    rows: dict[bytes, ItemRow] = field(default_factory=dict)
    over: dict[bytes, Head] = field(default_factory=dict)  # what may be replaced
    touched: dict[bytes, Print | None] = field(default_factory=dict)  # somebody's own now; None: removed
    same: set[bytes] = field(default_factory=set)  # what needs no write: the source has new bytes that say the same

    def wants(self, ref: bytes, content: Print) -> bool:
        """Whether this item, which was read, is to be written: it is new, or says something new to a copy of ours."""
        if ref in self.over and self.rows[ref].fingerprint == content.fingerprint:
            self.same.add(ref)
        return ref not in self.touched and ref not in self.same


@dataclass(slots=True)
class Renewed:
    """What became of a range's updates, by ticket."""

    stored: dict[int, Head] = field(default_factory=dict)
    agreed: set[int] = field(default_factory=set)  # among those: not by us, but the copy says the same
    refused: dict[int, Refused] = field(default_factory=dict)
    unkept: list[int] = field(default_factory=list)


def outdated(work: Work, place: PlaceRow, folder: Folder, rows: Iterable[ItemRow]) -> Outdated:
    """Look at the copies that are to be replaced; those with another version than we know are read."""
    found = Outdated({row.source_id: row for row in rows if row.target_id is not None})
    if not found.rows:
        return found
    here = {ref: row.target_id for ref, row in found.rows.items() if row.target_id and row.place_id == place.id}
    there = {head.ref: head for head in work.target.look_up(folder, list(here.values()))}
    for ref, row in found.rows.items():
        head = there.get(here.get(ref, b""))
        if head is None:
            found.touched[ref] = None
        elif row.target_version and head.version == row.target_version:
            found.over[ref] = head
    unsure = [row for ref, row in found.rows.items() if ref not in found.over and ref not in found.touched]
    if unsure:
        _look_closer(work, folder, found, unsure, there)
    return found


def let_go(work: Work, folder: FolderRow, copies: Outdated) -> dict[bytes, ItemRow]:
    """What a person asked for once more has lost its copy: it is new again. Returns these rows as they are now."""
    lost = [ref for ref, print_ in copies.touched.items() if print_ is None and copies.rows[ref].note == ledger.RETRIED]
    if not lost:
        return {}
    work.checkpoint(lambda c: ledger.reopen(c, folder, lost))
    for ref in lost:
        del copies.rows[ref], copies.touched[ref]
    return work.read(lambda c: ledger.by_refs(c, folder, lost))


def _look_closer(
    work: Work, folder: Folder, found: Outdated, unsure: Sequence[ItemRow], there: Mapping[bytes, Head]
) -> None:
    """Read what was listed just before: `there` holds the versions that a write can rely on."""
    refs = [row.target_id for row in unsure if row.target_id is not None]
    read = dict(prints(work.target, folder, refs))
    ours = {row.source_id: {row.fingerprint} for row in as_copied(work, unsure)}
    for doubt in work.read(lambda c: doubts.of_mailbox(c, work.mailbox.id)):
        if doubt.source_id in ours and doubt.folder_id == found.rows[doubt.source_id].folder_id:
            ours[doubt.source_id].add(doubt.fingerprint)
    for row in unsure:
        copy = read.get(row.target_id or b"")
        if copy is not None and copy.fingerprint in ours[row.source_id]:
            found.over[row.source_id] = there[row.target_id or b""]
        else:
            found.touched[row.source_id] = copy


def written(
    work: Work, folder: Folder, rows: Mapping[bytes, ItemRow], contents: Mapping[bytes, Print]
) -> dict[bytes, Head]:
    """After a crash: which of these updates (by source id) have replaced their copies, as they were about to."""
    ids = {row.target_id: ref for ref, row in rows.items() if row.target_id is not None}
    there = {head.ref: head for head in work.target.look_up(folder, list(ids))}
    changed = [ref for ref, head in there.items() if head.version != rows[ids[ref]].target_version or not head.version]
    read = prints(work.target, folder, changed)
    return {ids[ref]: there[ref] for ref, print_ in read if print_ == contents.get(ids[ref])}


def prove_updates(
    work: Work, folder: Folder, copies: Outdated, sent: Mapping[int, Sent], receipts: Iterable[Receipt]
) -> Renewed:
    """What the target really holds in the place of the copies.

    `sent`: the updates of the range, those too that no writer got, because their copies are somebody's own now.
    """
    answers = {receipt.ticket: receipt for receipt in receipts if receipt.ticket in sent}
    places = {ticket: _place(copies, item, answers.get(ticket)) for ticket, item in sent.items()}
    there = {head.ref: head for head in work.target.look_up(folder, sorted({*places.values()} - {b""}))}
    renewed, unsure = judge_updates(copies, sent, answers, {t: there.get(ref) for t, ref in places.items()})
    if unsure:
        read = dict(prints(work.target, folder, [places[ticket] for ticket in unsure]))
        for ticket in unsure:
            ref, over = places[ticket], copies.over[sent[ticket].source_id]
            copy = there.get(ref) if ref in read else None
            if copy is not None and read[ref] == sent[ticket].content:
                _judge_equal(renewed, ticket, answers.get(ticket), copy)
            else:
                _judge_different(renewed, ticket, answers.get(ticket), copy, over)
    return renewed


def _place(copies: Outdated, item: Sent, answer: Receipt | None) -> bytes:
    """The id under which the replaced copy has to be; empty: nothing was sent."""
    over = copies.over.get(item.source_id)
    if isinstance(answer, Stored):
        return answer.ref
    return over.ref if over is not None else b""


def judge_updates(
    copies: Outdated, sent: Mapping[int, Sent], answers: Mapping[int, Receipt], there: Mapping[int, Head | None]
) -> tuple[Renewed, list[int]]:
    """Pure: what the answers and a listing tell, and the tickets whose copy has to be read to know."""
    renewed, unsure = Renewed(), []
    for ticket, item in sent.items():
        over, answer, head = copies.over.get(item.source_id), answers.get(ticket), there.get(ticket)
        if over is not None and item.source_id in copies.same:
            renewed.stored[ticket] = Head(over.ref, 0, version=copies.rows[item.source_id].target_version)
        elif over is None:
            _judge_untouched(renewed, ticket, copies, item)
        elif isinstance(answer, Refused) and answer.reason != CHANGED_THERE:
            renewed.refused[ticket] = answer
        elif head is None and not isinstance(answer, Refused):
            renewed.unkept.append(ticket)
        elif head is not None and not isinstance(answer, Refused) and _is_replaced(head, over, answer):
            renewed.stored[ticket] = head
        else:
            unsure.append(ticket)
    return renewed, unsure


def _judge_untouched(renewed: Renewed, ticket: int, copies: Outdated, item: Sent) -> None:
    """A copy that was left alone, because it is somebody's own: the same change may have been made there."""
    copy = copies.touched[item.source_id]
    if copy is not None and copy == item.content:
        row = copies.rows[item.source_id]
        renewed.stored[ticket] = Head(row.target_id or b"", 0)
        renewed.agreed.add(ticket)
    else:
        renewed.refused[ticket] = Refused(ticket, CHANGED_THERE, REMOVED if copy is None else CHANGED)


def _is_replaced(head: Head, over: Head, answer: Receipt | None) -> bool:
    """Whether the listed version proves it: another one than before, and the one that the answer told, if it did."""
    told = answer.version if isinstance(answer, Stored) else b""
    return bool(head.version) and head.version != over.version and told in (b"", head.version)


def _judge_equal(renewed: Renewed, ticket: int, answer: Receipt | None, copy: Head) -> None:
    """The copy was read and says what was sent, whoever wrote it."""
    renewed.stored[ticket] = copy
    if isinstance(answer, Refused):
        renewed.agreed.add(ticket)


def _judge_different(renewed: Renewed, ticket: int, answer: Receipt | None, copy: Head | None, over: Head) -> None:
    """The copy was read and says something else, or is gone."""
    if isinstance(answer, Refused):
        renewed.refused[ticket] = Refused(ticket, CHANGED_THERE, CHANGED if copy is not None else REMOVED)
    elif copy is not None and copy.version not in (b"", over.version):
        renewed.stored[ticket] = Head(copy.ref, 0)  # replaced, and then changed by the store or by somebody
    else:
        renewed.unkept.append(ticket)
