"""After a crash, a reset or a timeout: settle, then reconcile. Nothing is sent before the open ranges are explained.

A dead client's commands may still commit on the server after its death (measured: up to 156 ms on Dovecot), so the
target is looked at until it stands still. What the folder then holds beyond the range's lower bound is matched, as a
multiset, against everything that was about to be written there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from xdmigrate.engine.copying import unclaimed
from xdmigrate.engine.fingerprints import Print, prints
from xdmigrate.engine.match import fill_gaps, pair_equals
from xdmigrate.engine.work import Work
from xdmigrate.errors import SettleTimeout
from xdmigrate.model import Folder, Head, Outcome, Path, successor
from xdmigrate_state import doubts, folders, intents, ledger, places
from xdmigrate_state.rows import FolderRow, IntentRow, ItemRow, PlaceRow, Settled

LONGEST_SETTLE = 300.0
"""Seconds after which a target that never stands still needs a person."""

DOUBTFUL_PASSES = 2
"""Late twins are looked for at the end of this pass and of the next."""


@dataclass(slots=True)
class OpenRange:
    """One range that an earlier run left open, and what is learnt about it."""

    intent: IntentRow
    row: FolderRow
    waiting: dict[bytes, ItemRow]  # by source id: what has no outcome yet, in the order of sending
    contents: dict[bytes, Print] = field(default_factory=dict)  # of the source items that had to be read
    found: dict[bytes, bytes] = field(default_factory=dict)  # source id -> target id


@dataclass(slots=True)
class Unexplained:
    """The open ranges of one target folder; `target` is None when the folder is gone or has other ids now."""

    place: PlaceRow
    target: Folder | None
    ranges: list[OpenRange] = field(default_factory=list)
    gained: dict[bytes, Head] = field(default_factory=dict)  # unclaimed, from the lowest lower bound on


def reconcile(work: Work) -> Iterator[None]:
    """Explain every range that an earlier run left open, then close it. Yields after each target folder."""
    left_open = work.read(lambda c: intents.of_mailbox(c, work.mailbox.id))
    if not left_open:
        return
    work.tell("settle", items=sum(len(intent.refs) for intent in left_open))
    shown = {folder.path: folder for folder in work.target.folders()}
    sources = {folder.path: folder for folder in work.source.folders() if folder.selectable}
    for unexplained in _by_place(work, left_open, shown):
        _explain(work, unexplained, sources)
        yield


def _by_place(work: Work, left_open: Sequence[IntentRow], shown: dict[Path, Folder]) -> list[Unexplained]:
    found: dict[int, Unexplained] = {}
    for intent in left_open:
        if intent.place_id not in found:
            place = work.read(partial(places.get, place_id=intent.place_id))
            folder = shown.get(place.path)
            same = folder is not None and folder.validity == place.validity
            found[intent.place_id] = Unexplained(place, folder if same else None)
        found[intent.place_id].ranges.append(_open_range(work, intent))
    return list(found.values())


def _open_range(work: Work, intent: IntentRow) -> OpenRange:
    row = work.read(partial(folders.get, folder_id=intent.folder_id))
    known = work.read(partial(ledger.by_refs, folder=row, refs=intent.refs))
    sent = [known[ref] for ref in intent.refs if ref in known]
    return OpenRange(intent, row, {item.source_id: item for item in sent if item.outcome is Outcome.PENDING})


def settle(work: Work, folder: Folder) -> Folder:
    """Look until the folder's next id and count are unchanged over two looks. Raises SettleTimeout."""
    wait, waited, look = work.context.settle_seconds, 0.0, work.target.status(folder)
    while waited < LONGEST_SETTLE:
        work.context.clock.sleep(wait)
        waited, again = waited + wait, work.target.status(folder)
        if (again.next_id, again.count) == (look.next_id, look.count):
            return again
        wait, look = wait * 2, again
    raise SettleTimeout(
        f"{work.mailbox.target}: the target folder keeps changing, so unfinished writes cannot be told from new mail",
        remedy="hold the mail flow into this mailbox for a minute and run again",
        mailbox=work.mailbox.target,
    )


def _explain(work: Work, unexplained: Unexplained, sources: dict[Path, Folder]) -> None:
    """Match what the folder gained against all open ranges of it, jointly."""
    free: dict[bytes, Print] = {}
    if unexplained.target is not None:
        floor = min(open_range.intent.floor for open_range in unexplained.ranges)
        unexplained.gained = unclaimed(work, unexplained.place, settle(work, unexplained.target), floor)
        sizes = {item.size for open_range in unexplained.ranges for item in open_range.waiting.values()}
        alike = [ref for ref, head in unexplained.gained.items() if head.size in sizes]
        free = dict(prints(work.target, unexplained.target, alike))
    for open_range in unexplained.ranges:
        _find(work, open_range, sources.get(open_range.row.path), free)
        _find_gone(work, open_range, unexplained)
        _close(work, open_range, unexplained)


def _find(work: Work, open_range: OpenRange, source: Folder | None, free: dict[bytes, Print]) -> None:
    """Pair by content; what is paired is no longer free for the other ranges."""
    if source is None or source.validity != open_range.row.validity:
        return
    sizes = {content.size for content in free.values()}
    alike = [ref for ref, item in open_range.waiting.items() if item.size in sizes]
    open_range.contents = dict(prints(work.source, source, alike))
    wanted = [(ref, open_range.contents[ref]) for ref in alike if ref in open_range.contents]
    open_range.found = dict(pair_equals(wanted, sorted(free.items())))
    for ref in open_range.found.values():
        del free[ref]


def _find_gone(work: Work, open_range: OpenRange, unexplained: Unexplained) -> None:
    """Written, then moved or deleted by somebody before we looked: not to be sent again."""
    place, intent = unexplained.place, open_range.intent
    claims = work.read(lambda c: ledger.claims(c, place.account_id, place.id, intent.floor))
    open_range.found |= fill_gaps(intent.refs, open_range.found, sorted({*unexplained.gained, *claims}))


def _close(work: Work, open_range: OpenRange, unexplained: Unexplained) -> None:
    place, intent, row = unexplained.place, open_range.intent, open_range.row
    settled = [_copied(open_range, place, ref) for ref in open_range.found if ref in open_range.waiting]
    doubtful = [ref for ref in open_range.waiting if ref not in open_range.found]
    now, next_id = work.context.clock.now(), max([place.next_id, *map(successor, unexplained.gained)])

    def commit(c: Connection) -> None:
        ledger.settle(c, row, settled, now)
        doubts.add(c, row.id, place.id, doubtful, intent.floor, work.mailbox.passes + DOUBTFUL_PASSES)
        intents.close(c, intent.id)
        places.advance(c, place.id, next_id)
        work.note(c, "reconciled", folder=row.id, found=len(settled), again=len(doubtful))
        if settled:
            work.progressed(c)

    work.checkpoint(commit)
    if settled:  # a line that never lasts for a whole range gets on all the same
        work.tell("copy", "/".join(row.path), len(settled), sum(done.size or 0 for done in settled))


def _copied(open_range: OpenRange, place: PlaceRow, ref: bytes) -> Settled:
    item, content = open_range.waiting[ref], open_range.contents.get(ref)
    return Settled(
        source_id=ref,
        outcome=Outcome.COPIED,
        size=content.size if content else item.size,
        fingerprint=content.fingerprint if content else None,
        place_id=place.id,
        target_id=open_range.found[ref],
        flags=item.base_flags,
    )
