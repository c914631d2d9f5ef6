"""Copies pending items in ranges: intent, write, closing listing, outcomes, in this order and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import ceil

from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Intent, Refused, Stored, Writer
from xdmigrate.engine.closing import Range, close, octets, quarantined
from xdmigrate.engine.elsewhere import Unkept, settle_moved
from xdmigrate.engine.fingerprints import HashedBody, Print
from xdmigrate.engine.lanes import MOST_LANES, share
from xdmigrate.engine.objects import Held, loads
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.reading import Unreadable, read_each
from xdmigrate.engine.updating import let_go, outdated
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import ItemRefused, Retriable, TooManyFailures
from xdmigrate.model import Item, Kind
from xdmigrate_state import failures, folders, intents, ledger
from xdmigrate_state.rows import ItemRow

RANGE_ITEMS = 1000
RANGE_OCTETS = 64_000_000
"""A range is at most this many items, and as many bytes unless one item alone is larger."""

FEWEST_ITEMS = 200
"""Several lanes share the rest in ranges of at least so many items, one full MULTIAPPEND."""

NOT_KEPT = "not-kept"
"""Quarantine code: the target said yes twice and does not show the item."""

UNCERTAIN = frozenset({CHANGED_THERE, UID_TAKEN})
"""Refusals that our own earlier write may have caused, if its end is unknown."""


def copy(work: Work, pairs: Sequence[Pair]) -> Iterator[None]:
    """Send everything pending in these folders. Yields after each range of the first lane; raises TooManyFailures."""
    placed = [pair for pair in pairs if pair.place is not None and pair.target is not None]
    wanted = [(pair, count) for pair in placed if (count := _pending(work, pair))]
    unkept: list[Unkept] = []

    def once(lane: Work, span: Range) -> None:
        unkept.extend(_copy_range(lane, span))

    yield from share(work, _ranges(work, wanted), once)
    for pair, _ in wanted:
        yield from _copy_again(work, pair, [item for item in unkept if item.pair is pair])


def _copy_again(work: Work, pair: Pair, unkept: Sequence[Unkept]) -> Iterator[None]:
    """A second and last attempt for what the target accepted and does not hold; then it is quarantined.

    An attempt that was refused, because an earlier copy of the item is there, is none: it is followed by an update.
    """
    left = settle_moved(work, unkept)
    for start in range(0, len(left), RANGE_ITEMS):
        part = left[start : start + RANGE_ITEMS]
        lost = _attempt(work, pair, part)
        linked = {item.sent.source_id for item in [*part, *lost] if item.linked}
        updates = [item for item in lost if item.sent.source_id in linked]
        lost = [item for item in lost if item.sent.source_id not in linked] + _attempt(work, pair, updates)
        _quarantine_unkept(work, pair, [item.sent.source_id for item in lost])
        yield


def _attempt(work: Work, pair: Pair, unkept: Sequence[Unkept]) -> list[Unkept]:
    """Send these once more; returns what the target does not hold even then."""
    refs = [item.sent.source_id for item in unkept]
    known = work.read(partial(ledger.by_refs, folder=pair.row, refs=refs)) if refs else {}
    return settle_moved(work, _copy_range(work, _range(pair, list(known.values())))) if known else []


def _pending(work: Work, pair: Pair) -> int:
    """By the folder's counters: a folder that did not change costs one look-up, whatever its size."""
    if not pair.surveyed:
        return pair.row.counts.pending
    return work.read(partial(folders.get, folder_id=pair.row.id)).counts.pending


def _ranges(work: Work, wanted: Sequence[tuple[Pair, int]]) -> Iterator[Range]:
    """Pending rows of one folder after the other, in the plan's order. Rows that stay pending are not offered again."""
    cut = Cut(sum(count for _, count in wanted), lanes=1 if work.leg.lender is None else MOST_LANES)
    for pair, count in wanted:
        for rows in cut.ranges(_pending_rows(work, pair), count):
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

    def ranges(self, rows: Iterable[ItemRow], count: int) -> Iterator[list[ItemRow]]:
        """The rows of one folder in their order, none left out; there are about `count`."""
        part: list[ItemRow] = []
        octets, most = 0, self._items(count)
        for row in rows:
            if part and (len(part) >= most or octets + row.size > RANGE_OCTETS // self.lanes):
                yield self._cut(part)
                count -= len(part)
                part, octets, most = [], 0, self._items(count)
            part.append(row)
            octets += row.size
        if part:
            yield self._cut(part)

    def _items(self, count: int) -> int:
        """How many make the next range of a folder where so many are left, so that the last one is no small rest."""
        most = RANGE_ITEMS if self.lanes == 1 else min(RANGE_ITEMS, max(FEWEST_ITEMS, self.left // (2 * self.lanes)))
        parts = max(1, round(count / most))
        return min(RANGE_ITEMS, max(most // 2, ceil(count / parts)))

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
    if span.pair.folder.kind is Kind.MAIL:
        return _copy_part(work, span)
    return [item for part in _parts(work, span) for item in _copy_part(work, part)]


def _parts(work: Work, span: Range) -> Iterator[Range]:
    """A range of items that are read before the intent, in pieces that fit into memory."""
    rows = {row.source_id: row for row in span.rows}
    read = work.shelf.take(span.pair.row.id, rows)
    known = {held.item.head.ref for held in read.items}
    unread = [ref for ref in rows if ref not in known]
    for load in chain([read] if known else [], loads(work.source, span.pair.folder, unread) if unread else []):
        part = _range(span.pair, [rows[held.item.head.ref] for held in load.items])
        part.load, part.unreadable = load, load.unreadable
        yield part


def _copy_part(work: Work, span: Range) -> list[Unkept]:
    span.place = span.pair.place or span.place  # ranges are cut ahead: what was proved meanwhile is not listed again
    work.hold()
    span.copies = outdated(work, span.place, span.target, span.rows)
    anew = let_go(work, span.pair.row, span.copies)
    span.rows = [anew.get(row.source_id, row) for row in span.rows]
    span.intent = _open(work, span)
    with _keeping_refusals(work, span):
        _send(work, span)
        with work.closing(span.place.id):
            closed = close(work, span)
    proof, linked = closed.proof, closed.linked
    limit_failures(work)
    work.tell("copy", "/".join(span.pair.folder.path), len(proof.stored), octets(span, proof))
    told = {receipt.ticket: receipt.ref for receipt in span.receipts if isinstance(receipt, Stored)}
    sent = ((ticket, span.sent[ticket]) for ticket in proof.unkept)
    return [
        Unkept(span.pair, span.place, item, told.get(ticket), linked=item.source_id in linked) for ticket, item in sent
    ]


def _open(work: Work, span: Range) -> Intent:
    refs = [row.source_id for row in span.rows]
    size = sum(row.size for row in span.rows)
    contents = [held.content.fingerprint for held in span.load.items] if span.load else []
    now, floor, row = work.context.clock.now(), span.place.next_id, span.pair.row
    number = work.checkpoint(
        lambda c: intents.open(c, row.id, span.place.id, work.epoch, floor, refs, size, now, contents=contents)
    )
    return Intent(number, len(refs), size)


def _send(work: Work, span: Range) -> None:
    """Asked to stop, nothing more is begun: what was sent is proved as always, the rest stays pending."""
    with work.target.writer(span.target, span.intent) as writer, _hearing_out(span, writer):
        for ticket, item in enumerate(_items(work, span)):
            if work.halting():
                break
            if isinstance(item, Unreadable):
                span.unreadable.append(item)
            else:
                _put(span, writer, ticket, item)
        span.receipts += writer.flush()


def _items(work: Work, span: Range) -> Iterable[Item | Held | Unreadable]:
    if span.load is not None:
        return span.load.items
    return read_each(work.source, span.pair.folder, [row.source_id for row in span.rows])


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
        certain = [receipt for receipt in told if receipt.reason not in UNCERTAIN]
        settled = [quarantined(span.sent[each.ticket].source_id, each.reason, each.detail) for each in certain]
        now = work.context.clock.now()
        if settled:
            work.checkpoint(lambda c: ledger.settle(c, span.pair.row, settled, now))
        raise


def _put(span: Range, writer: Writer, ticket: int, item: Item | Held) -> None:
    if isinstance(item, Held):
        _put_object(span, writer, ticket, item)
        return
    body = HashedBody(item.body)
    try:
        writer.put(ticket, Item(item.head, body, item.kind))
    except ItemRefused as refused:  # the body broke off; a writer announces nothing that it does not hold
        span.unreadable.append(Unreadable(item.head.ref, refused.reason, refused.message))
        return
    size = body.passed or body.size  # a dry run takes no bytes
    span.sent[ticket] = Sent(item.head.ref, Print(size, body.fingerprint), item.head.flags, item.head.date)


def _put_object(span: Range, writer: Writer, ticket: int, held: Held) -> None:
    """A new item, or in the place of its copy; what needs no write, or must not be written, is judged without it."""
    head = held.item.head
    span.sent[ticket] = Sent(head.ref, held.content, head.flags, octets=held.item.body.size, version=head.version)
    if span.copies.wants(head.ref, held.content):
        writer.put(ticket, held.item, span.copies.over.get(head.ref))


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
