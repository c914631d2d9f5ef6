"""The second, repaired attempt at what the target refused, where the plan wishes it (`scope.repair: true`).

The repaired bytes are known before they are sent: their size and fingerprint are committed with the intent, so that
after a crash the copy is recognised by what it is. The item stays in quarantine until its copy is proved. The ledger
keeps the source's size and fingerprint; the alteration says what the copy is and what was altered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import SpooledTemporaryFile, gettempdir
from typing import BinaryIO, cast

from sqlalchemy import Connection

from xdmigrate.contract import BUFFERED_BODY, Intent, Receipt, Stored
from xdmigrate.engine.adopt import gain, send_gains
from xdmigrate.engine.closing import next_id, quarantined, unclaimed
from xdmigrate.engine.copying import NOT_KEPT, limit_failures
from xdmigrate.engine.elsewhere import Unkept, moved_on
from xdmigrate.engine.fingerprints import SPOOL_CHUNK, HashedBody, Print, prints
from xdmigrate.engine.match import pair_equals
from xdmigrate.engine.proof import Proof, Sent, prove
from xdmigrate.engine.reading import read_each
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import ItemRefused, StateFull
from xdmigrate.formats.mending import Unmendable, mend
from xdmigrate.model import Folder, Head, Item, Kind, Outcome
from xdmigrate_state import alterations, failures, intents, ledger, places
from xdmigrate_state.rows import Altered, ItemRow, PlaceRow, Settled

REPAIRED_AT_ONCE = 20
OCTETS_AT_ONCE = 16_000_000
"""A range of repaired items is at most so many, and so many bytes unless one item alone is larger."""

BY_WISH = "the plan says scope.repair: true"
"""Why a repaired copy is accepted."""

IN_VAIN = "nothing in it could be repaired"


class MendedBody:
    """The repaired bytes, as often as they are asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size

    def chunks(self) -> Iterator[memoryview]:
        self._file.seek(0)
        while chunk := self._file.read(SPOOL_CHUNK):
            yield memoryview(chunk)

    def spool(self) -> BinaryIO:
        self._file.seek(0)
        return self._file


@dataclass(frozen=True, slots=True)
class Mended:
    """An item, repaired and not yet sent."""

    head: Head
    source: Print
    copy: Print
    body: MendedBody
    what: str

    def as_altered(self, reason: str, read: Print | None = None) -> Altered:
        """The alteration; a copy that the target altered once more is not what the plan accepts."""
        if read is not None and read != self.copy:
            told = f"{self.what}; then altered by the target"
            return Altered(self.head.ref, reason, told, read.size, read.fingerprint)
        why = BY_WISH if reason == alterations.REPAIRED else ""
        return Altered(self.head.ref, reason, self.what, self.copy.size, self.copy.fingerprint, why)


@dataclass(slots=True)
class Repair:
    """One folder under repair. `free` is what the target holds unclaimed before anything repaired is sent."""

    pair: Pair
    place: PlaceRow
    target: Folder
    free: dict[int, list[bytes]] = field(default_factory=dict)  # ids by size


def repair(work: Work, pair: Pair) -> Iterator[None]:
    """One repaired attempt at everything that was refused in this folder. Yields after each range."""
    if not work.policy.repair or pair.place is None or pair.target is None or pair.folder.kind is not Kind.MAIL:
        return
    refs = work.read(partial(failures.repairable, folder_id=pair.row.id))
    if not refs:
        return
    folder = Repair(pair, pair.place, pair.target)
    _look(work, folder)
    for rows in _ranges(work, pair, refs):
        if work.halting():
            return
        _repair_range(work, folder, rows)
        yield
    limit_failures(work)


def explained(
    c: Connection, folder_id: int, begun: Mapping[bytes, Altered], found: Iterable[bytes], now: float
) -> None:
    """After a crash: what became of the repaired attempts that were under way."""
    copied = set(found) & set(begun)
    done = [replace(begun[ref], reason=alterations.REPAIRED, accepted_why=BY_WISH) for ref in sorted(copied)]
    alterations.record(c, folder_id, done, now)
    alterations.release(c, folder_id, sorted(set(begun) - copied))


def _look(work: Work, folder: Repair) -> None:
    """An earlier state, or the same repair elsewhere, may have put the repaired copy there already."""
    claims = set(work.read(lambda c: ledger.claims(c, folder.place.account_id, folder.place.id)))
    for head in work.target.heads(folder.target):
        if head.ref not in claims:
            folder.free.setdefault(head.size, []).append(head.ref)


def _ranges(work: Work, pair: Pair, refs: Sequence[bytes]) -> Iterator[list[ItemRow]]:
    for start in range(0, len(refs), REPAIRED_AT_ONCE):
        some = refs[start : start + REPAIRED_AT_ONCE]
        known = work.read(partial(ledger.by_refs, folder=pair.row, refs=some))
        rows: list[ItemRow] = []
        for row in known.values():
            if rows and sum(each.size for each in rows) + row.size > OCTETS_AT_ONCE:
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows


def _repair_range(work: Work, folder: Repair, rows: Sequence[ItemRow]) -> None:
    known = {row.source_id: row for row in rows}
    mended: dict[bytes, Mended] = {}
    hopeless: dict[bytes, str] = {}
    for item in read_each(work.source, folder.pair.folder, sorted(known)):
        if isinstance(item, Item):
            try:
                mended[item.head.ref] = _mended(item)
            except (Unmendable, ItemRefused) as reason:
                hopeless[item.head.ref] = str(reason)
    _give_up(work, folder, known, hopeless)
    _adopt(work, folder, known, mended)
    if mended:
        _attempt(work, folder, mended)


# --- the repaired bytes -------------------------------------------------------------------------------------------


def _mended(item: Item) -> Mended:
    """Raises Unmendable, also when there is nothing to repair; ItemRefused when the source cannot give the item."""
    body = HashedBody(item.body)
    with body.spool() as file:
        try:
            out = cast(BinaryIO, SpooledTemporaryFile(max_size=BUFFERED_BODY))  # noqa: SIM115 -- lives as long as Mended
            what = mend(file, out)
        except OSError as error:
            cause = f"cannot hold a repaired message in {gettempdir()}: {error.strerror or error}"
            raise StateFull(cause, remedy="make room there, or name another directory in TMPDIR") from error
    if not what:
        raise Unmendable(IN_VAIN)
    mended = HashedBody(MendedBody(out, out.tell()))
    for _chunk in mended.chunks():
        pass
    copy = Print(mended.passed, mended.fingerprint)
    told = ", ".join(sorted(what))
    return Mended(item.head, Print(body.passed, body.fingerprint), copy, MendedBody(out, copy.size), told)


def _give_up(work: Work, folder: Repair, known: Mapping[bytes, ItemRow], hopeless: Mapping[bytes, str]) -> None:
    """What cannot be repaired stays refused, and is not tried again."""
    now = work.context.clock.now()
    if told := {ref: why for ref, why in hopeless.items() if ref in known}:
        work.checkpoint(lambda c: failures.mended(c, folder.pair.row.id, told, now))


def _adopt(work: Work, folder: Repair, known: Mapping[bytes, ItemRow], mended: dict[bytes, Mended]) -> None:
    """Claim repaired copies that are there already; they leave `mended`."""
    alike = [ref for size in {each.copy.size for each in mended.values()} for ref in folder.free.get(size, [])]
    if not alike:
        return
    wanted = [(ref, each.copy) for ref, each in sorted(mended.items())]
    found = dict(pair_equals(wanted, sorted(prints(work.target, folder.target, sorted(alike)))))
    there = {head.ref: head for head in work.target.heads(folder.target, min(alike)) if head.ref in found.values()}
    send_gains(work, folder.target, [gain(known[ref], there[to]) for ref, to in found.items() if to in there])
    taken = {ref: mended.pop(ref) for ref in found}
    settled = [_settled(folder, each, Outcome.PRESENT, found[ref]) for ref, each in taken.items()]
    now, folder_id = work.context.clock.now(), folder.pair.row.id

    def commit(c: Connection) -> None:
        ledger.settle(c, folder.pair.row, settled, now)
        alterations.record(c, folder_id, [each.as_altered(alterations.REPAIRED) for each in taken.values()], now)
        work.note(c, "repaired-present", folder=folder_id, items=len(settled))

    work.checkpoint(commit)
    for refs in folder.free.values():
        refs[:] = [ref for ref in refs if ref not in found.values()]


def _settled(folder: Repair, mended: Mended, outcome: Outcome, target_id: bytes) -> Settled:
    return Settled(
        source_id=mended.head.ref,
        outcome=outcome,
        size=mended.source.size,
        fingerprint=mended.source.fingerprint,
        place_id=folder.place.id,
        target_id=target_id,
        flags=mended.head.flags,
    )


# --- the attempt --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """One range of repaired items, sent, and what the target really holds of it."""

    mended: Mapping[bytes, Mended]
    sent: Mapping[int, Sent]
    proof: Proof
    gained: Mapping[bytes, Head]
    stored: Mapping[bytes, bytes]  # source id -> target id

    def odd(self) -> list[bytes]:
        """Target ids of copies that are listed with another size than was sent."""
        shown = [(self.gained[to], ref) for ref, to in self.stored.items() if to in self.gained]
        return sorted(head.ref for head, ref in shown if head.size != self.mended[ref].copy.size)

    def repaired(self, read: Mapping[bytes, Print]) -> list[Altered]:
        """The copies; `read` is what was read of the odd ones."""
        return [self.mended[ref].as_altered(alterations.REPAIRED, read.get(to)) for ref, to in self.stored.items()]

    def failed(self) -> list[Settled]:
        """Refused once more, or accepted and not held: there is no third attempt."""
        settled = []
        for ticket, refusal in self.proof.refused.items():
            ref = self.sent[ticket].source_id
            told = f"also when repaired ({self.mended[ref].what}): {refusal.detail}"
            settled.append(quarantined(ref, refusal.reason, told))
        lost = [self.sent[ticket].source_id for ticket in self.proof.unkept]
        told = "the target accepted it repaired and does not hold it"
        return settled + [quarantined(ref, NOT_KEPT, told) for ref in lost if ref not in self.stored]


def _attempt(work: Work, folder: Repair, mended: Mapping[bytes, Mended]) -> None:
    """Intent with the repaired bytes' fingerprints, write, closing listing, outcomes."""
    work.hold()
    intent = _begin(work, folder, mended)
    sent, receipts = _send(work, folder, intent, mended)
    gained = unclaimed(work, folder.place, folder.target, folder.place.next_id)
    alone, sized = work.target.features.ordered_ids, work.sized(Kind.MAIL)
    proof = prove(sent, receipts, gained, partial(prints, work.target, folder.target), alone=alone, sized=sized)
    told = {receipt.ticket: receipt.ref for receipt in receipts if isinstance(receipt, Stored)}
    unkept = [Unkept(folder.pair, folder.place, sent[ticket], told.get(ticket)) for ticket in proof.unkept]
    moved = {ref: item.told for ref, item in moved_on(work, unkept).items() if item.told is not None}
    stored = {sent[ticket].source_id: ref for ticket, ref in proof.stored.items()} | moved
    _commit(work, folder, intent, Attempt(mended, sent, proof, gained, stored))


def _begin(work: Work, folder: Repair, mended: Mapping[bytes, Mended]) -> Intent:
    refs, row, now = sorted(mended), folder.pair.row, work.context.clock.now()
    octets = sum(each.copy.size for each in mended.values())

    def begin(c: Connection) -> int:
        ledger.resize(c, row, [(ref, each.source.size, each.source.fingerprint) for ref, each in mended.items()])
        alterations.record(c, row.id, [each.as_altered(alterations.REPAIRING) for each in mended.values()], now)
        return intents.open(c, row.id, folder.place.id, work.epoch, folder.place.next_id, refs, octets, now)

    return Intent(work.checkpoint(begin), len(refs), octets)


def _send(
    work: Work, folder: Repair, intent: Intent, mended: Mapping[bytes, Mended]
) -> tuple[dict[int, Sent], list[Receipt]]:
    sent: dict[int, Sent] = {}
    with work.target.writer(folder.target, intent) as writer:
        for ticket, (ref, each) in enumerate(sorted(mended.items())):
            writer.put(ticket, Item(replace(each.head, size=each.copy.size), each.body))
            sent[ticket] = Sent(ref, each.copy, each.head.flags, each.head.date)
        return sent, writer.flush()


def _commit(work: Work, folder: Repair, intent: Intent, attempt: Attempt) -> None:
    now, row = work.context.clock.now(), folder.pair.row
    copied = [_settled(folder, attempt.mended[ref], Outcome.COPIED, to) for ref, to in attempt.stored.items()]
    read = dict(prints(work.target, folder.target, attempt.odd()))
    repaired, failed = attempt.repaired(read), attempt.failed()
    beyond = next_id(work, folder.place, attempt.gained)

    def commit(c: Connection) -> PlaceRow:
        ledger.settle(c, row, [*copied, *failed], now)
        alterations.release(c, row.id, [each.source_id for each in failed])
        alterations.record(c, row.id, repaired, now)
        failures.mended(c, row.id, {each.source_id: "" for each in failed}, now)
        intents.close(c, intent.id)
        places.advance(c, folder.place.id, beyond)
        ids = [each.source_id.hex() for each in repaired]
        work.note(c, "repaired", folder=row.id, place=folder.place.id, items=ids, failed=len(failed))
        if repaired:
            work.progressed(c)
        return places.get(c, folder.place.id)

    folder.pair.place = folder.place = work.checkpoint(commit)
    work.tell("copy", "/".join(folder.pair.folder.path), len(repaired), sum(each.size for each in repaired))
