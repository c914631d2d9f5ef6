"""The end of a range: what the target really holds of it, by a closing listing, and what became of each item."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from xdmigrate.contract import UID_TAKEN, Intent, Receipt, Stored
from xdmigrate.engine.altering import altered
from xdmigrate.engine.fingerprints import prints
from xdmigrate.engine.match import LIKENESS, SAME_LOOK, pair_equals
from xdmigrate.engine.objects import Load
from xdmigrate.engine.proof import Proof, Sent, prove
from xdmigrate.engine.reading import Unreadable
from xdmigrate.engine.remnants import link_remnants, take_over
from xdmigrate.engine.updating import Outdated, Renewed, prove_updates
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import Folder, Head, Kind, Outcome, successor
from xdmigrate_state import alterations, doubts, intents, ledger, places
from xdmigrate_state.rows import FolderIds, ItemRow, PlaceRow, Settled

DETAIL_CHARS = 300

DOUBTFUL_PASSES = 2
"""Late twins are looked for at the end of this pass and of the next."""


@dataclass(slots=True)
class Range:
    """One range under way: what was sent and what was answered."""

    pair: Pair
    place: PlaceRow
    target: Folder
    rows: list[ItemRow]
    intent: Intent = field(default_factory=lambda: Intent(0, 0, 0))
    sent: dict[int, Sent] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    load: Load | None = None  # of kinds that change: the items, read before the intent
    copies: Outdated = field(default_factory=Outdated)  # what updates among them are to replace

    def updates(self) -> dict[int, Sent]:
        """The sent items that have a copy already."""
        return {ticket: sent for ticket, sent in self.sent.items() if sent.source_id in self.copies.rows}


@dataclass(slots=True)
class Closed:
    """What is learnt by the closing listing. `versions` of copies by ticket, as far as they are ours for sure."""

    proof: Proof
    renewed: Renewed
    gained: Mapping[bytes, Head]
    versions: dict[int, bytes] = field(default_factory=dict)
    remnants: list[Settled] = field(default_factory=list)  # copies of earlier versions, found only now
    heirs: list[tuple[ItemRow, bytes]] = field(default_factory=list)  # whose copy some of them were, and are now

    @property
    def linked(self) -> set[bytes]:
        """Source ids of what has an earlier copy after all: it is still to be sent, as an update."""
        return {each.source_id for each in self.remnants}


def unclaimed(work: Work, place: PlaceRow, folder: Folder, floor: bytes) -> dict[bytes, Head]:
    """What the target folder holds from `floor` on that neither the ledger nor the baseline knows."""
    floor = floor if work.target.features.ordered_ids else b""
    claims = set(work.read(lambda c: ledger.claims(c, place.account_id, place.id, floor)))
    if not work.target.features.ordered_ids:
        claims |= work.read(lambda c: places.baseline(c, place.id))
    return {head.ref: head for head in work.target.heads(folder, floor) if head.ref not in claims}


def next_id(work: Work, place: PlaceRow, gained: Iterable[bytes]) -> bytes:
    """A lower bound of the ids that will be given next; ids without an order have none."""
    return max([place.next_id, *map(successor, gained)]) if work.target.features.ordered_ids else place.next_id


def close(work: Work, span: Range) -> Closed:
    """What the target really holds of the range, committed. One lane at a time in one folder."""
    if span.pair.folder.kind is Kind.MAIL:
        gained = unclaimed(work, span.place, span.target, span.place.next_id)
        closed = Closed(_proof(work, span, span.sent, span.receipts, gained), Renewed(), gained)
    else:
        closed = _close_objects(work, span)
    _commit(work, span, closed)
    return closed


def _proof(
    work: Work, span: Range, sent: Mapping[int, Sent], receipts: Sequence[Receipt], gained: Mapping[bytes, Head]
) -> Proof:
    features = work.target.features
    alone = not features.ids_returned  # else another lane's range may be open in this folder, and its copies be gained
    likeness = LIKENESS if alone or not (features.keywords and features.dates) else SAME_LOOK
    reading, sized = partial(prints, work.target, span.target), work.sized(span.pair.folder.kind)
    in_order = alone and features.ordered_ids
    return prove(sent, receipts, gained, reading, alone=in_order, likeness=likeness, sized=sized)


# --- events, tasks, contacts --------------------------------------------------------------------------------------


def _close_objects(work: Work, span: Range) -> Closed:
    updates = span.updates()
    fresh = {ticket: sent for ticket, sent in span.sent.items() if ticket not in updates}
    gained = unclaimed(work, span.place, span.target, span.place.next_id) if fresh else {}
    receipts = [receipt for receipt in span.receipts if receipt.ticket in fresh]
    proof = _proof(work, span, fresh, receipts, gained)
    remnants, heirs = _late_after_all(work, span, proof, gained), list[tuple[ItemRow, bytes]]()
    if taken := _taken(span, proof):
        inherited = take_over(work, span.place, span.target, _named(span, taken))
        heirs = [(old, each.source_id) for old, each in inherited]
        remnants += (each for _, each in inherited)
        _again(proof, [taken[ref] for _, ref in heirs])
    versions = _versions(work, span, proof, gained)
    renewed = Renewed()
    if updates:
        renewed = prove_updates(work, span.target, span.copies, updates, span.receipts)
        known = {ticket for ticket, sent in updates.items() if span.copies.rows[sent.source_id].target_version}
        versions |= {t: head.version for t, head in renewed.stored.items() if t in known - renewed.agreed}
        proof.stored |= {ticket: head.ref for ticket, head in renewed.stored.items()}
        proof.refused |= renewed.refused
        proof.unkept += renewed.unkept
    return Closed(proof, renewed, gained, versions, remnants, heirs)


def _taken(span: Range, proof: Proof) -> dict[bytes, int]:
    """The tickets of what was refused because its UID is taken, by source id."""
    refused = (ticket for ticket, refusal in proof.refused.items() if refusal.reason == UID_TAKEN)
    return {span.sent[ticket].source_id: ticket for ticket in refused}


def _named(span: Range, refs: Container[bytes]) -> list[tuple[bytes, str]]:
    return [(ref, name) for ref, name in span.load.names() if ref in refs] if span.load else []


def _again(proof: Proof, tickets: Iterable[int]) -> None:
    """These are no longer refused: they get a second attempt, as updates."""
    for ticket in tickets:
        del proof.refused[ticket]
        proof.unkept.append(ticket)


def _late_after_all(work: Work, span: Range, proof: Proof, gained: Mapping[bytes, Head]) -> list[Settled]:
    """What was refused because its UID is taken, by our own earlier write whose end was unknown: it counts after all.

    Returns the copies among them that are of an earlier version; their items are sent once more, as updates.
    """
    taken = _taken(span, proof)
    free = sorted(gained.keys() - set(proof.stored.values()))
    if not taken or not free:
        return []
    wanted = [(ticket, span.sent[ticket].content) for ticket in taken.values()]
    late = dict(pair_equals(wanted, prints(work.target, span.target, free)))
    proof.stored |= late
    proof.refused = {ticket: refusal for ticket, refusal in proof.refused.items() if ticket not in late}
    left = [ref for ref in free if ref not in set(late.values())]
    in_doubt = {doubt.source_id for doubt in work.read(lambda c: doubts.of_mailbox(c, work.mailbox.id))}
    missing = {ref: ticket for ref, ticket in taken.items() if ticket not in late and ref in in_doubt}
    remnants = link_remnants(work, span.place, span.target, _named(span, missing), left)
    _again(proof, [missing[each.source_id] for each in remnants])
    return remnants


def _versions(work: Work, span: Range, proof: Proof, gained: Mapping[bytes, Head]) -> dict[int, bytes]:
    """The versions of the new copies; where another one is listed than was told, the copy must say what was sent."""
    told = {receipt.ticket: receipt.version for receipt in span.receipts if isinstance(receipt, Stored)}
    shown = {ticket: gained[ref] for ticket, ref in proof.stored.items() if ref in gained}
    unsure = {t: head.ref for t, head in shown.items() if told.get(t) and told[t] != head.version}
    versions = {ticket: head.version for ticket, head in shown.items() if ticket not in unsure}
    if unsure:
        read = dict(prints(work.target, span.target, list(unsure.values())))
        same = {ticket for ticket, ref in unsure.items() if read.get(ref) == span.sent[ticket].content}
        versions |= {ticket: shown[ticket].version for ticket in same}
    return versions


# --- the outcomes -------------------------------------------------------------------------------------------------


def _commit(work: Work, span: Range, closed: Closed) -> None:
    proof, row = closed.proof, span.pair.row
    settled = [*_copied(span, closed), *_failed(span, proof)]
    mail = span.pair.folder.kind is Kind.MAIL
    changed = altered(work, span.target, span.sent, proof.stored, closed.gained) if mail else []
    replaced = _replaced(span, closed)
    beyond = next_id(work, span.place, closed.gained)
    doubtful = [span.sent[ticket].source_id for ticket in proof.unkept if ticket not in closed.renewed.unkept]
    now = work.context.clock.now()

    def commit(c: Connection) -> PlaceRow:
        ledger.settle(c, row, settled, now)
        for old, ref in closed.heirs:
            ledger.hand_over(c, FolderIds(old.folder_id, old.account_id), row, [(old.source_id, ref)])
        ledger.link(c, row, closed.remnants)
        alterations.release(c, row.id, replaced)
        alterations.record(c, row.id, changed, now)
        doubts.add(c, row.id, span.place.id, doubtful, span.place.next_id, work.mailbox.passes + DOUBTFUL_PASSES)
        intents.close(c, span.intent.id)
        places.advance(c, span.place.id, beyond)
        work.note(c, "range", **_facts(span, closed))
        if proof.stored:
            work.progressed(c)
        return places.get(c, span.place.id)

    span.pair.place = work.checkpoint(commit)


def _copied(span: Range, closed: Closed) -> Iterator[Settled]:
    for ticket, ref in closed.proof.stored.items():
        sent = span.sent[ticket]
        version = closed.versions.get(ticket, b"")
        ours = version or ticket not in closed.renewed.stored
        yield Settled(
            source_id=sent.source_id,
            outcome=Outcome.COPIED if ours else Outcome.PRESENT,
            size=sent.size,
            fingerprint=sent.content.fingerprint,
            place_id=span.place.id,
            target_id=ref,
            flags=sent.flags,
            version=sent.version or None,
            target_version=version,
        )


def _failed(span: Range, proof: Proof) -> Iterator[Settled]:
    for ticket, refusal in proof.refused.items():
        yield quarantined(span.sent[ticket].source_id, refusal.reason, refusal.detail)
    for item in span.unreadable:
        yield quarantined(item.ref, item.reason, item.detail)


def quarantined(ref: bytes, reason: str, detail: str) -> Settled:
    """An item that cannot be copied now, with the reason; the server's words are cut short."""
    return Settled(source_id=ref, outcome=Outcome.FAILED, reason=reason, detail=detail[:DETAIL_CHARS])


def _facts(span: Range, closed: Closed) -> dict[str, object]:
    proof = closed.proof
    ids = sorted(proof.stored.values())
    digest = sha256(b"".join(sorted(span.sent[ticket].content.fingerprint for ticket in proof.stored)))
    facts: dict[str, object] = {
        "folder": span.pair.row.id,
        "place": span.place.id,
        "copied": len(ids),
        "failed": len(proof.refused) + len(span.unreadable),
        "unkept": len(proof.unkept),
        "octets": octets(span, proof),
        "first": ids[0].hex() if ids else "",
        "last": ids[-1].hex() if ids else "",
        "digest": digest.hexdigest()[:32],
    }
    replaced = _replaced(span, closed)
    return facts | ({"updated": len(replaced)} if replaced else {})


def _replaced(span: Range, closed: Closed) -> list[bytes]:
    """The source ids of the updates that were written."""
    refs = (span.sent[ticket].source_id for ticket in closed.renewed.stored)
    return [ref for ref in refs if ref not in span.copies.same]


def octets(span: Range, proof: Proof) -> int:
    """Bytes of the range that the target holds."""
    return sum(span.sent[ticket].size for ticket in proof.stored)
