"""What a source folder holds now against what the ledger knows: decides per item, commits in pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection

from xdmigrate.engine.flags import difference
from xdmigrate.engine.listing import PAGE, merged, rows_of
from xdmigrate.engine.scope import Scope
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import Changes, FlagChange, Folder, Head, Outcome
from xdmigrate_state import ledger
from xdmigrate_state.rows import FolderRow, ItemRow, NewItem

LINKED = (Outcome.COPIED, Outcome.PRESENT)
Seen = tuple[Head | None, ItemRow | None]


@dataclass(slots=True)
class Findings:
    """What one page of a listing asks for. Filled by `judge`, carried out by the doer."""

    new: list[NewItem] = field(default_factory=list)
    reopened: list[bytes] = field(default_factory=list)  # filtered before, wanted now
    refiltered: list[bytes] = field(default_factory=list)  # not wanted (any more), never copied
    back: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    withdrawn: list[bytes] = field(default_factory=list)  # vanished before they were copied
    flags: list[FlagChange] = field(default_factory=list)  # by target id
    rebased: list[tuple[bytes, frozenset[str]]] = field(default_factory=list)


def judge(seen: Iterable[Seen], scope: Scope, folder: Folder) -> Findings:
    """Pure: what became of these items, and what is to be done about it."""
    findings = Findings()
    for head, row in seen:
        if head is None and row is not None:
            _judge_missing(findings, row)
        elif head is not None and row is None:
            _judge_new(findings, head, wanted=scope.wants(folder, head), mark=scope.mark)
        elif head is not None and row is not None:
            _judge_known(findings, head, row, scope, folder)
    return findings


def _judge_missing(findings: Findings, row: ItemRow) -> None:
    if row.outcome in (Outcome.PENDING, Outcome.FAILED):
        findings.withdrawn.append(row.source_id)
    elif not row.gone:
        findings.gone.append(row.source_id)


def _judge_new(findings: Findings, head: Head, *, wanted: bool, mark: str) -> None:
    outcome = Outcome.PENDING if wanted else Outcome.FILTERED
    findings.new.append(NewItem(head.ref, head.size, outcome, "" if wanted else mark, head.flags, head.version))


def _judge_known(findings: Findings, head: Head, row: ItemRow, scope: Scope, folder: Folder) -> None:
    if row.gone:
        findings.back.append(row.source_id)
    if row.outcome is Outcome.FILTERED and row.note != scope.mark:
        (findings.reopened if scope.wants(folder, head) else findings.refiltered).append(row.source_id)
    elif row.outcome is Outcome.PENDING and not scope.wants(folder, head):
        findings.refiltered.append(row.source_id)
    elif row.outcome in LINKED and row.target_id is not None and head.flags != row.base_flags:
        change = difference(row.target_id, row.base_flags, head.flags, only_gain=row.outcome is Outcome.PRESENT)
        if change is not None:
            findings.flags.append(change)
        findings.rebased.append((row.source_id, head.flags))


def unchanged(pair: Pair, scope: Scope) -> bool:
    """Whether the store itself proves that this folder is as the last completed pass left it."""
    return (
        bool(pair.folder.state)
        and pair.row.state == token(pair.folder, scope)
        and pair.row.counts.pending == 0
        and pair.row.path == pair.folder.path
    )


def token(folder: Folder, scope: Scope) -> bytes:
    """What a completed pass remembers of the folder: the scope it looked with, and the store's change token."""
    return scope.mark.encode() + b":" + folder.state


def known_cursor(row: FolderRow, scope: Scope) -> bytes:
    """The cursor to go on from. Another scope looks at everything again."""
    return row.cursor if row.state.startswith(scope.mark.encode() + b":") else b""


def survey(work: Work, pair: Pair) -> Iterator[None]:
    """Bring the ledger up to date with the source folder. Yields after each committed page."""
    if unchanged(pair, work.policy.scope):
        return
    changes = work.source.changes(pair.folder, known_cursor(pair.row, work.policy.scope))
    pair.cursor = changes.cursor
    seen = _against_ledger(work, pair.row, changes)
    while page := list(islice(seen, PAGE)):
        _carry_out(work, pair, judge(page, work.policy.scope, pair.folder))
        work.tell("survey", "/".join(pair.folder.path), items=len(page))
        yield
    pair.surveyed = True


def _against_ledger(work: Work, row: FolderRow, changes: Changes) -> Iterator[Seen]:
    if changes.complete:
        yield from merged(changes.heads, rows_of(work, row))
        return
    while page := list(islice(changes.heads, PAGE)):
        known = _known(work, row, [head.ref for head in page])
        yield from ((head, known.get(head.ref)) for head in page)
    for start in range(0, len(changes.vanished), PAGE):
        refs = changes.vanished[start : start + PAGE]
        yield from ((None, found) for found in _known(work, row, refs).values())


def _known(work: Work, row: FolderRow, refs: Sequence[bytes]) -> dict[bytes, ItemRow]:
    return work.read(lambda c: ledger.by_refs(c, row, refs))


def _carry_out(work: Work, pair: Pair, findings: Findings) -> None:
    if findings.flags and pair.target is not None:
        work.hold()
        work.target.change_flags(pair.target, findings.flags)

    def commit(c: Connection) -> None:
        row = pair.row
        ledger.add(c, row, findings.new)
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
        "reopened": findings.reopened,
        "refiltered": findings.refiltered,
        "back": findings.back,
        "gone": findings.gone,
        "withdrawn": findings.withdrawn,
        "flags": findings.flags,
    }
