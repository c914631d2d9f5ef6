"""Copies pending items in ranges: intent, write, closing listing, outcomes, in this order and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from xdmigrate.contract import Intent, Receipt, Writer
from xdmigrate.engine.elsewhere import acknowledged, believe_moved
from xdmigrate.engine.fingerprints import HashedBody, Print, prints
from xdmigrate.engine.proof import Proof, Sent, prove
from xdmigrate.engine.reading import Unreadable, read_each
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import ItemRefused, TooManyFailures
from xdmigrate.model import Folder, Head, Item, Outcome, successor
from xdmigrate_state import failures, folders, intents, ledger, places
from xdmigrate_state.rows import ItemRow, PlaceRow, Settled

RANGE_ITEMS = 1000
RANGE_OCTETS = 64_000_000
"""A range is at most this many items, and as many bytes unless one item alone is larger."""

DETAIL_CHARS = 300

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


def copy(work: Work, pair: Pair) -> Iterator[None]:
    """Send everything pending in this folder. Yields after each range; raises TooManyFailures."""
    if pair.place is None or pair.target is None or not _anything_pending(work, pair):
        return
    unkept: list[bytes] = []
    for rows in _ranges(work, pair):
        unkept += _copy_range(work, Range(pair, pair.place, pair.target, rows))
        yield
    for start in range(0, len(unkept), RANGE_ITEMS):  # a second and last attempt; then it is quarantined
        refs = unkept[start : start + RANGE_ITEMS]
        known = work.read(partial(ledger.by_refs, folder=pair.row, refs=refs))
        lost = _copy_range(work, Range(pair, pair.place, pair.target, list(known.values())))
        _quarantine_unkept(work, pair, lost)
        yield


def _anything_pending(work: Work, pair: Pair) -> bool:
    """By the folder's counters: a folder that did not change costs one look-up, whatever its size."""
    if not pair.surveyed:
        return bool(pair.row.counts.pending)
    return bool(work.read(partial(folders.get, folder_id=pair.row.id)).counts.pending)


def _ranges(work: Work, pair: Pair) -> Iterator[list[ItemRow]]:
    """Pending rows in the plan's order, cut by count and bytes. Rows that stay pending are not offered again."""
    edge: bytes | None = None
    rows: list[ItemRow] = []
    octets = 0
    while page := _pending_beyond(work, pair, edge):
        edge = page[-1].source_id
        for row in page:
            if rows and (len(rows) >= RANGE_ITEMS or octets + row.size > RANGE_OCTETS):
                yield rows
                rows, octets = [], 0
            rows.append(row)
            octets += row.size
    if rows:
        yield rows


def _pending_beyond(work: Work, pair: Pair, edge: bytes | None) -> list[ItemRow]:
    newest = work.policy.scope.newest_first
    below, above = (edge, None) if newest else (None, edge)
    return work.read(lambda c: ledger.pending(c, pair.row, newest=newest, limit=RANGE_ITEMS, before=below, after=above))


def _copy_range(work: Work, span: Range) -> list[bytes]:
    """One range from intent to outcome. Returns the source ids that the target accepted but does not hold."""
    span.rows.sort(key=lambda row: row.source_id)
    work.hold()
    span.intent = _open(work, span)
    _send(work, span)
    gained = unclaimed(work, span.place, span.target, span.place.next_id)
    proof = prove(span.sent, span.receipts, gained, lambda refs: prints(work.target, span.target, refs))
    told = acknowledged(span.receipts, span.place.next_id)
    believe_moved(work, span.target.path, told, span.sent, proof)
    _commit(work, span, proof, gained)
    _limit_failures(work)
    work.tell("copy", "/".join(span.pair.folder.path), len(proof.stored), _octets(span, proof))
    return [span.sent[ticket].source_id for ticket in proof.unkept]


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
    with work.target.writer(span.target, span.intent) as writer:
        for ticket, item in enumerate(read_each(work.source, span.pair.folder, refs)):
            if work.context.stopping():
                break
            if isinstance(item, Unreadable):
                span.unreadable.append(item)
            else:
                _put(span, writer, ticket, item)
                span.receipts += writer.poll()
        span.receipts += writer.flush()


def _put(span: Range, writer: Writer, ticket: int, item: Item) -> None:
    body = HashedBody(item.body)
    try:
        writer.put(ticket, replace(item, body=body))
    except ItemRefused as refused:  # the body broke off; a writer announces nothing that it does not hold
        span.unreadable.append(Unreadable(item.head.ref, refused.reason, refused.message))
        return
    size = body.passed or body.size  # a dry run takes no bytes
    span.sent[ticket] = Sent(item.head.ref, Print(size, body.fingerprint), item.head.flags)


def unclaimed(work: Work, place: PlaceRow, folder: Folder, floor: bytes) -> dict[bytes, Head]:
    """What the target folder holds from `floor` on that neither the ledger nor the baseline knows."""
    claims = set(work.read(lambda c: ledger.claims(c, place.account_id, place.id, floor)))
    if not work.target.features.ordered_ids:
        claims |= work.read(lambda c: places.baseline(c, place.id))
    return {head.ref: head for head in work.target.heads(folder, floor) if head.ref not in claims}


def _commit(work: Work, span: Range, proof: Proof, gained: Iterable[bytes]) -> None:
    settled = [*_copied(span, proof), *_failed(span, proof)]
    next_id = max([span.place.next_id, *map(successor, gained)])
    now = work.context.clock.now()

    def commit(c: Connection) -> PlaceRow:
        ledger.settle(c, span.pair.row, settled, now)
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
    _limit_failures(work)


def _limit_failures(work: Work) -> None:
    failed = work.read(lambda c: failures.count_open(c, work.mailbox.id))
    if failed > work.policy.failures:
        raise TooManyFailures(
            f"{work.mailbox.source}: {failed} items failed, the plan allows {work.policy.failures}",
            remedy="look at `xdmigrate quarantine PLAN list`, then raise failures.items_per_mailbox or accept them",
            mailbox=work.mailbox.source,
        )
