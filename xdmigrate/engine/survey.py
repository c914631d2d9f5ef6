"""What a source folder holds now against what the ledger knows: decides per item, commits in pages.

What is there is believed at once. What is missing is held back until the whole of it is known (`absent`): a store that
told too little is asked for everything, and one that suddenly shows next to nothing is refused.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection

from xdmigrate.engine.absent import Absent, believe, find_absent
from xdmigrate.engine.context import Policy
from xdmigrate.engine.flags import difference
from xdmigrate.engine.listing import PAGE, merged, rows_of
from xdmigrate.engine.merging import carry_flags, remember
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import ProtocolError
from xdmigrate.model import Changes, FlagChange, Folder, Head, Outcome
from xdmigrate_state import folders, ledger
from xdmigrate_state.rows import FolderRow, ItemRow, NewItem, Renewal

LINKED = (Outcome.COPIED, Outcome.PRESENT)
Seen = tuple[Head | None, ItemRow | None]


@dataclass(slots=True)
class Findings:
    """What one page of a listing asks for. Filled by `judge`, carried out by the doer."""

    new: list[NewItem] = field(default_factory=list)
    renewed: list[Renewal] = field(default_factory=list)  # changed since: to be copied, or copied again
    reopened: list[bytes] = field(default_factory=list)  # filtered before, wanted now
    refiltered: list[bytes] = field(default_factory=list)  # not wanted (any more), never copied
    back: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    withdrawn: list[bytes] = field(default_factory=list)  # vanished before they were copied
    flags: list[FlagChange] = field(default_factory=list)  # by target id
    rebased: list[tuple[bytes, frozenset[str]]] = field(default_factory=list)
    merged: list[tuple[ItemRow, frozenset[str]]] = field(default_factory=list)  # with other flags than before
    unmeasured: bool = False  # an item has to be judged by its size or date, and they were not told


def judge(seen: Iterable[Seen], scope: Scope, folder: Folder, *, updates: bool = False) -> Findings:
    """Pure: what became of these items, and what is to be done about it. `updates`: copies can be replaced."""
    findings = Findings()
    for head, row in seen:
        if head is None and row is not None:
            _judge_missing(findings, row)
        elif head is not None and row is None:
            _judge_new(findings, head, scope, folder)
        elif head is not None and row is not None:
            if row.gone:
                findings.back.append(row.source_id)
            if _has_changed(head, row) and (updates or row.outcome not in LINKED):
                _judge_changed(findings, head, row, scope, folder)
            else:
                _judge_known(findings, head, row, scope, folder)
    return findings


def _has_changed(head: Head, row: ItemRow) -> bool:
    return head.version != row.base_version and bool(head.version and row.base_version)


def _judge_changed(findings: Findings, head: Head, row: ItemRow, scope: Scope, folder: Folder) -> None:
    """Another version than the one that is known. What has a copy follows, whatever the scope says by now."""
    if not head.measured:
        findings.unmeasured = True
    elif row.target_id is not None or scope.wants(folder, head):
        findings.renewed.append(Renewal(row.source_id, head.size, head.version))
    elif row.outcome is not Outcome.FILTERED or row.note != scope.mark:
        findings.refiltered.append(row.source_id)


def _judge_missing(findings: Findings, row: ItemRow) -> None:
    if row.outcome in (Outcome.PENDING, Outcome.FAILED):
        findings.withdrawn.append(row.source_id)
    elif not row.gone:
        findings.gone.append(row.source_id)


def _judge_new(findings: Findings, head: Head, scope: Scope, folder: Folder) -> None:
    if not head.measured:
        findings.unmeasured = True
        return
    wanted = scope.wants(folder, head)
    outcome, note = (Outcome.PENDING, "") if wanted else (Outcome.FILTERED, scope.mark)
    findings.new.append(NewItem(head.ref, head.size, outcome, note, head.flags, head.version, head.identity))


def _judge_known(findings: Findings, head: Head, row: ItemRow, scope: Scope, folder: Folder) -> None:
    if not head.measured and row.outcome not in (*LINKED, Outcome.MERGED):
        findings.unmeasured |= row.outcome is Outcome.FILTERED and row.note != scope.mark
    elif row.outcome is Outcome.FILTERED and row.note != scope.mark:
        (findings.reopened if scope.wants(folder, head) else findings.refiltered).append(row.source_id)
    elif row.outcome is Outcome.PENDING and row.target_id is None and not scope.wants(folder, head):
        findings.refiltered.append(row.source_id)
    elif row.outcome in LINKED and row.target_id is not None and head.flags != row.base_flags:
        change = difference(row.target_id, row.base_flags, head.flags, only_gain=row.outcome is Outcome.PRESENT)
        if change is not None:
            findings.flags.append(change)
        findings.rebased.append((row.source_id, head.flags))
    elif row.outcome is Outcome.MERGED and head.flags != row.base_flags:
        findings.merged.append((row, head.flags))
        findings.rebased.append((row.source_id, head.flags))


def unchanged(pair: Pair, policy: Policy) -> bool:
    """Whether the store itself proves that this folder is as the last completed pass left it."""
    return (
        bool(pair.folder.state)
        and pair.row.state == token(pair.folder, policy)
        and pair.row.counts.pending == 0
        and pair.row.path == pair.folder.path
    )


def token(folder: Folder, policy: Policy) -> bytes:
    """What a completed pass remembers of the folder: what it looked for, and the store's change token."""
    return policy.scope.mark.encode() + (b":mirror:" if policy.mirror else b"::") + folder.state


def known_cursor(row: FolderRow, scope: Scope) -> bytes:
    """The cursor to go on from. Another scope looks at everything again."""
    return row.cursor if row.state.startswith(scope.mark.encode() + b":") else b""


def survey(work: Work, pair: Pair) -> Iterator[None]:
    """Bring the ledger up to date with the source folder. Yields after each committed page."""
    scope = work.policy.scope
    if unchanged(pair, work.policy):
        return
    cursor = known_cursor(pair.row, scope)
    if pair.row.cursor and not cursor:
        _forget_cursor(work, pair)
    told = work.source.changes(pair.folder, cursor)
    if not (yield from _bring_up_to_date(work, pair, told)):
        told = work.source.changes(pair.folder)
        if not (yield from _bring_up_to_date(work, pair, told)):
            raise ProtocolError(f"{work.mailbox.source}: a whole listing of {pair.folder.path[-1]!r} tells no sizes")
    pair.cursor = told.cursor
    pair.surveyed = True


def _forget_cursor(work: Work, pair: Pair) -> None:
    """Before rows are judged by another scope: if that stays unfinished, the old cursor would hide them."""
    work.checkpoint(lambda c: folders.set_cursor(c, pair.row.id, b"", b"", pair.row.next_id))


def _bring_up_to_date(work: Work, pair: Pair, told: Changes) -> Generator[None, None, bool]:
    """Judge everything told, what is there first; False when too little was told to know what is there."""
    absent = Absent()
    seen = _against_ledger(work, pair.row, told)
    while page := list(islice(seen, PAGE)):
        absent.take(row for head, row in page if head is None and row is not None)
        there = ((head, row) for head, row in page if head is not None)
        updates = work.target.features.updates
        findings = judge(there, work.policy.scope, pair.folder, updates=updates)
        if findings.unmeasured:
            return False
        _carry_out(work, pair, findings)
        work.tell("survey", "/".join(pair.folder.path), items=len(page))
        yield
    if not find_absent(work, pair, told, absent):
        return False
    believe(work, pair, absent)
    for refs in absent.pages():
        missing = _known(work, pair.row, refs).values()
        _carry_out(work, pair, judge(((None, row) for row in missing), work.policy.scope, pair.folder))
        yield
    return True


def _against_ledger(work: Work, row: FolderRow, told: Changes) -> Iterator[Seen]:
    if told.complete:
        yield from merged(told.heads, rows_of(work, row))
        return
    while page := list(islice(told.heads, PAGE)):
        known = _known(work, row, [head.ref for head in page])
        yield from ((head, known.get(head.ref)) for head in page)


def _known(work: Work, row: FolderRow, refs: Sequence[bytes]) -> dict[bytes, ItemRow]:
    return work.read(lambda c: ledger.by_refs(c, row, refs))


def _carry_out(work: Work, pair: Pair, findings: Findings) -> None:
    if findings == Findings():
        return
    if findings.flags and pair.target is not None:
        work.hold()
        work.target.change_flags(pair.target, findings.flags)
    carry_flags(work, pair.row, findings.merged)

    def commit(c: Connection) -> None:
        row = pair.row
        ledger.add(c, row, findings.new)
        remember(work, c, row, findings.new)
        ledger.renew(c, row, findings.renewed)
        ledger.reopen(c, row, findings.reopened)
        ledger.refilter(c, row, findings.refiltered, work.policy.scope.mark)
        ledger.back(c, row, findings.back)
        ledger.gone(c, row, findings.gone)
        ledger.withdraw(c, row, findings.withdrawn)
        ledger.rebase(c, row, findings.rebased)
        counts = {name: len(refs) for name, refs in _counted(findings).items() if refs}
        if counts:
            work.note(c, "surveyed", folder=row.id, **counts)

    work.checkpoint(commit)


def _counted(findings: Findings) -> dict[str, Sequence[object]]:
    return {
        "new": findings.new,
        "renewed": findings.renewed,
        "reopened": findings.reopened,
        "refiltered": findings.refiltered,
        "back": findings.back,
        "gone": findings.gone,
        "withdrawn": findings.withdrawn,
        "flags": findings.flags,
    }
