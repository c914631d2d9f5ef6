"""Copies pending items in ranges: intent, write, closing listing, outcomes, in this order and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from xdmigrate.contract import Intent, Receipt, Refused, Stored, Writer
from xdmigrate.engine.altering import altered
from xdmigrate.engine.elsewhere import Unkept, settle_moved
from xdmigrate.engine.fingerprints import HashedBody, Print, prints
from xdmigrate.engine.lanes import MOST_LANES, share
from xdmigrate.engine.match import LIKENESS, SAME_LOOK
from xdmigrate.engine.proof import Proof, Sent, prove
from xdmigrate.engine.reading import Unreadable, read_each
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import ItemRefused, Retriable, TooManyFailures
from xdmigrate.model import Folder, Head, Item, Outcome, successor
from xdmigrate_state import alterations, doubts, failures, folders, intents, ledger, places
from xdmigrate_state.rows import ItemRow, PlaceRow, Settled

RANGE_ITEMS = 1000
RANGE_OCTETS = 64_000_000
"""A range is at most this many items, and as many bytes unless one item alone is larger."""

FEWEST_ITEMS = 200
"""Several lanes share the rest in ranges of at least so many items, one full MULTIAPPEND."""

DETAIL_CHARS = 300

DOUBTFUL_PASSES = 2
"""Late twins are looked for at the end of this pass and of the next."""

NOT_KEPT = "not-kept"
"""Quarantine code: the target said yes twice and does not show the item."""


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


def copy(work: Work, pairs: Sequence[Pair]) -> Iterator[None]:
    """Send everything pending in these folders. Yields after each range of the first lane; raises TooManyFailures."""
    pending = [_pending(work, pair) if pair.place is not None and pair.target is not None else 0 for pair in pairs]
    wanted = [pair for pair, count in zip(pairs, pending, strict=True) if count]
    unkept: list[Unkept] = []

    def once(lane: Work, span: Range) -> None:
        unkept.extend(_copy_range(lane, span))

    yield from share(work, _ranges(work, wanted, sum(pending)), once)
    for pair in wanted:
        yield from _copy_again(work, pair, [item for item in unkept if item.pair is pair])


def _copy_again(work: Work, pair: Pair, unkept: Sequence[Unkept]) -> Iterator[None]:
    """A second and last attempt for what the target accepted and does not hold; then it is quarantined."""
    left = settle_moved(work, unkept)
    for start in range(0, len(left), RANGE_ITEMS):
        refs = [item.sent.source_id for item in left[start : start + RANGE_ITEMS]]
        known = work.read(partial(ledger.by_refs, folder=pair.row, refs=refs))
        lost = settle_moved(work, _copy_range(work, _range(pair, list(known.values()))))
        _quarantine_unkept(work, pair, [item.sent.source_id for item in lost])
        yield


def _pending(work: Work, pair: Pair) -> int:
    """By the folder's counters: a folder that did not change costs one look-up, whatever its size."""
    if not pair.surveyed:
        return pair.row.counts.pending
    return work.read(partial(folders.get, folder_id=pair.row.id)).counts.pending


def _ranges(work: Work, pairs: Sequence[Pair], pending: int) -> Iterator[Range]:
    """Pending rows of one folder after the other, in the plan's order. Rows that stay pending are not offered again."""
    cut = Cut(pending, lanes=1 if work.context.lender is None else MOST_LANES)
    for pair in pairs:
        for rows in cut.ranges(_pending_rows(work, pair)):
            yield _range(pair, rows)


def _range(pair: Pair, rows: list[ItemRow]) -> Range:
    if pair.place is None or pair.target is None:
        raise ValueError("a folder without a place on the target has nothing to copy")
    return Range(pair, pair.place, pair.target, rows)


@dataclass(slots=True)
class Cut:
    """Cuts rows into ranges by count and bytes; smaller ones towards the end, so that several lanes end together."""

    left: int  # items that are still to be cut
    lanes: int = 1

    def ranges(self, rows: Iterable[ItemRow]) -> Iterator[list[ItemRow]]:
        """The rows in their order, none left out."""
        part: list[ItemRow] = []
        octets = 0
        for row in rows:
            if part and (len(part) >= self._most_items() or octets + row.size > RANGE_OCTETS // self.lanes):
                yield self._cut(part)
                part, octets = [], 0
            part.append(row)
            octets += row.size
        if part:
            yield self._cut(part)

    def _most_items(self) -> int:
        return RANGE_ITEMS if self.lanes == 1 else min(RANGE_ITEMS, max(FEWEST_ITEMS, self.left // (2 * self.lanes)))

    def _cut(self, part: list[ItemRow]) -> list[ItemRow]:
        self.left -= len(part)
        return part


def _pending_rows(work: Work, pair: Pair) -> Iterator[ItemRow]:
    newest, edge = work.policy.scope.newest_first, None
    while page := _pending_beyond(work, pair, edge, newest=newest):
        yield from page
        edge = page[-1].source_id


def _pending_beyond(work: Work, pair: Pair, edge: bytes | None, *, newest: bool) -> list[ItemRow]:
    below, above = (edge, None) if newest else (None, edge)
    return work.read(lambda c: ledger.pending(c, pair.row, newest=newest, limit=RANGE_ITEMS, before=below, after=above))


def _copy_range(work: Work, span: Range) -> list[Unkept]:
    """One range from intent to outcome. Returns what the target accepted but does not hold."""
    span.rows.sort(key=lambda row: row.source_id)
    span.place = span.pair.place or span.place  # ranges are cut ahead: what was proved meanwhile is not listed again
    work.hold()
    span.intent = _open(work, span)
    with _keeping_refusals(work, span):
        _send(work, span)
        with work.closing(span.place.id):
            proof = _close(work, span)
    limit_failures(work)
    work.tell("copy", "/".join(span.pair.folder.path), len(proof.stored), _octets(span, proof))
    told = {receipt.ticket: receipt.ref for receipt in span.receipts if isinstance(receipt, Stored)}
    return [Unkept(span.pair, span.place, span.sent[ticket], told.get(ticket)) for ticket in proof.unkept]


def _close(work: Work, span: Range) -> Proof:
    """What the target really holds of the range, committed. One lane at a time in one folder."""
    gained = unclaimed(work, span.place, span.target, span.place.next_id)
    features = work.target.features
    alone = not features.ids_returned  # else another lane's range may be open in this folder, and its copies be gained
    likeness = LIKENESS if alone or not (features.keywords and features.dates) else SAME_LOOK
    reading = partial(prints, work.target, span.target)
    proof = prove(span.sent, span.receipts, gained, reading, alone=alone, likeness=likeness)
    _commit(work, span, proof, gained)
    return proof


def _open(work: Work, span: Range) -> Intent:
    refs = [row.source_id for row in span.rows]
    octets = sum(row.size for row in span.rows)
    now, floor = work.context.clock.now(), span.place.next_id
    number = work.checkpoint(
        lambda c: intents.open(c, span.pair.row.id, span.place.id, work.epoch, floor, refs, octets, now)
    )
    return Intent(number, len(refs), octets)


def _send(work: Work, span: Range) -> None:
    """Asked to stop, nothing more is begun: what was sent is proved as always, the rest stays pending."""
    refs = [row.source_id for row in span.rows]
    with work.target.writer(span.target, span.intent) as writer, _hearing_out(span, writer):
        for ticket, item in enumerate(read_each(work.source, span.pair.folder, refs)):
            if work.halting():
                break
            if isinstance(item, Unreadable):
                span.unreadable.append(item)
            else:
                _put(span, writer, ticket, item)
                span.receipts += writer.poll()
        span.receipts += writer.flush()


@contextmanager
def _hearing_out(span: Range, writer: Writer) -> Iterator[None]:
    """Take the receipts that came before the connection was lost."""
    try:
        yield
    except Retriable:
        with suppress(Retriable):
            span.receipts += writer.poll()
        raise


@contextmanager
def _keeping_refusals(work: Work, span: Range) -> Iterator[None]:
    """What the target refused before it hung up is not offered again: some hang up after a few refusals."""
    try:
        yield
    except Retriable:
        told = [receipt for receipt in span.receipts if isinstance(receipt, Refused) and receipt.ticket in span.sent]
        settled = [quarantined(span.sent[each.ticket].source_id, each.reason, each.detail) for each in told]
        now = work.context.clock.now()
        if settled:
            work.checkpoint(lambda c: ledger.settle(c, span.pair.row, settled, now))
        raise


def _put(span: Range, writer: Writer, ticket: int, item: Item) -> None:
    body = HashedBody(item.body)
    try:
        writer.put(ticket, Item(item.head, body, item.kind))
    except ItemRefused as refused:  # the body broke off; a writer announces nothing that it does not hold
        span.unreadable.append(Unreadable(item.head.ref, refused.reason, refused.message))
        return
    size = body.passed or body.size  # a dry run takes no bytes
    span.sent[ticket] = Sent(item.head.ref, Print(size, body.fingerprint), item.head.flags, item.head.date)


def unclaimed(work: Work, place: PlaceRow, folder: Folder, floor: bytes) -> dict[bytes, Head]:
    """What the target folder holds from `floor` on that neither the ledger nor the baseline knows."""
    claims = set(work.read(lambda c: ledger.claims(c, place.account_id, place.id, floor)))
    if not work.target.features.ordered_ids:
        claims |= work.read(lambda c: places.baseline(c, place.id))
    return {head.ref: head for head in work.target.heads(folder, floor) if head.ref not in claims}


def _commit(work: Work, span: Range, proof: Proof, gained: Mapping[bytes, Head]) -> None:
    settled = [*_copied(span, proof), *_failed(span, proof)]
    changed = altered(work, span.target, span.sent, proof.stored, gained)
    next_id = max([span.place.next_id, *map(successor, gained)])
    doubtful = [span.sent[ticket].source_id for ticket in proof.unkept]
    now = work.context.clock.now()

    def commit(c: Connection) -> PlaceRow:
        ledger.settle(c, span.pair.row, settled, now)
        alterations.record(c, span.pair.row.id, changed, now)
        doubts.add(
            c, span.pair.row.id, span.place.id, doubtful, span.place.next_id, work.mailbox.passes + DOUBTFUL_PASSES
        )
        intents.close(c, span.intent.id)
        places.advance(c, span.place.id, next_id)
        work.note(c, "range", **_facts(span, proof))
        if proof.stored:
            work.progressed(c)
        return places.get(c, span.place.id)

    span.pair.place = work.checkpoint(commit)


def _copied(span: Range, proof: Proof) -> Iterator[Settled]:
    for ticket, ref in proof.stored.items():
        sent = span.sent[ticket]
        yield Settled(
            source_id=sent.source_id,
            outcome=Outcome.COPIED,
            size=sent.content.size,
            fingerprint=sent.content.fingerprint,
            place_id=span.place.id,
            target_id=ref,
            flags=sent.flags,
        )


def _failed(span: Range, proof: Proof) -> Iterator[Settled]:
    for ticket, refusal in proof.refused.items():
        yield quarantined(span.sent[ticket].source_id, refusal.reason, refusal.detail)
    for item in span.unreadable:
        yield quarantined(item.ref, item.reason, item.detail)


def quarantined(ref: bytes, reason: str, detail: str) -> Settled:
    """An item that cannot be copied now, with the reason; the server's words are cut short."""
    return Settled(source_id=ref, outcome=Outcome.FAILED, reason=reason, detail=detail[:DETAIL_CHARS])


def _facts(span: Range, proof: Proof) -> dict[str, object]:
    ids = sorted(proof.stored.values())
    digest = sha256(b"".join(sorted(span.sent[ticket].content.fingerprint for ticket in proof.stored)))
    return {
        "folder": span.pair.row.id,
        "place": span.place.id,
        "copied": len(ids),
        "failed": len(proof.refused) + len(span.unreadable),
        "unkept": len(proof.unkept),
        "octets": _octets(span, proof),
        "first": ids[0].hex() if ids else "",
        "last": ids[-1].hex() if ids else "",
        "digest": digest.hexdigest()[:32],
    }


def _octets(span: Range, proof: Proof) -> int:
    return sum(span.sent[ticket].content.size for ticket in proof.stored)


def _quarantine_unkept(work: Work, pair: Pair, refs: Sequence[bytes]) -> None:
    if not refs:
        return
    detail = "the target accepted it twice and does not hold it"
    settled, now = [quarantined(ref, NOT_KEPT, detail) for ref in refs], work.context.clock.now()
    work.checkpoint(lambda c: ledger.settle(c, pair.row, settled, now))
    limit_failures(work)


def limit_failures(work: Work) -> None:
    """Raise TooManyFailures above the plan's limit; what may yet be repaired does not count."""
    failed = work.read(lambda c: failures.count_open(c, work.mailbox.id, repair=work.policy.repair))
    if failed > work.policy.failures:
        raise TooManyFailures(
            f"{work.mailbox.source}: {failed} items failed, the plan allows {work.policy.failures}",
            remedy="look at `xdmigrate quarantine PLAN list`, then raise failures.items_per_mailbox or accept them",
            mailbox=work.mailbox.source,
        )
