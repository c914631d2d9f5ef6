"""What `verify` found, as tables and lines for people. Foreign texts are made harmless; nothing is decided here."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from xdmigrate.report.text import cell, figures, table, word
from xdmigrate.report.verdicts import ItemState, KindVerdict, MailboxVerdict, PlanVerdict
from xdmigrate.report.words import counted

VERDICT_COLUMNS = (
    "source",
    "verified",
    "missing",
    "moved",
    "changed",
    "metadata",
    "kept",
    "own",
    "unexplained",
    "failed",
)


ALWAYS_TOLD = frozenset({"source", "verified", "missing", "failed"})
"""Columns that are there although no mailbox has any of it."""


def verdict_table(verdict: PlanVerdict) -> Table:
    """One line a mailbox; one for each kind of data where the mailbox has several."""
    several = any(len(mailbox.kinds) > 1 for mailbox in verdict.mailboxes)
    names = ("mailbox", "verdict", "kind") if several else ("mailbox", "verdict")
    total = _sum_of(verdict)
    columns = [name for name in VERDICT_COLUMNS if name in ALWAYS_TOLD or getattr(total, name)]
    made = table(*names, *columns, numbers=len(columns), whole=("verdict", "kind"))
    for mailbox in verdict.mailboxes:
        parts = list(mailbox.kinds.items()) if several else [("", sum(mailbox.kinds.values(), KindVerdict()))]
        shown = [cell(mailbox.source), word(mailbox.verdict.value)]
        for kind, part in parts or [("", KindVerdict())]:
            made.add_row(*shown, *[str(kind)][: len(names) - 2], *figures(getattr(part, name) for name in columns))
            shown = [cell(""), cell("")]
    return made


def _sum_of(verdict: PlanVerdict) -> KindVerdict:
    return sum((sum(box.kinds.values(), KindVerdict()) for box in verdict.mailboxes), KindVerdict())


def verdict_headline(verdict: PlanVerdict) -> str:
    """The verdict in one line; what is not copied is never left out."""
    total = _sum_of(verdict)
    lost = f"; {verdict.not_copied:,} not copied, {total.accepted:,} of them accepted" if verdict.not_copied else ""
    changed, excused = verdict.changed
    other = f"; {changed:,} with other bytes, {excused:,} of them accepted" if changed else ""
    told = f"{total.verified:,} of {counted(total.source, 'item')} in {counted(len(verdict.mailboxes), 'mailbox')}"
    return f"{verdict.verdict.value.upper()}: {told}{lost}{other}"


def detail_lines(mailbox: MailboxVerdict, limit: int) -> list[Text]:
    """The first details of each state that is not plainly in order; of what is not copied the reasons, each counted."""
    lines: list[Text] = []
    shown: Counter[ItemState] = Counter()
    for detail in mailbox.details:
        shown[detail.state] += 1
        if shown[detail.state] <= limit and detail.state not in SUMMED_UP:
            place = "/".join(detail.folder)
            told = f"{detail.state.value}: {place} id {detail.ref}, {detail.size:,} bytes {detail.text}"
            lines.append(cell(f"{mailbox.source}: {told.rstrip()}"))
    shown.update(mailbox.left_out)
    if left := sum(count for state, count in shown.items() if state not in SUMMED_UP) - len(lines):
        lines.append(cell(f"{mailbox.source}: {left:,} more: see `xdmigrate --json verify PLAN`"))
    if opaque := shown[ItemState.VERIFIED]:
        lines.append(cell(f"{mailbox.source}: {_opaque_words(opaque)}: `xdmigrate --json verify PLAN` names them"))
    return [*lines, _failed_line(mailbox)] if shown[ItemState.FAILED] else lines


SUMMED_UP = frozenset({ItemState.FAILED, ItemState.VERIFIED})
"""States whose details are told in one line for each mailbox."""


def _opaque_words(items: int) -> str:
    if items == 1:
        return "1 verified item holds what cannot be interpreted, and was copied as it is"
    return f"{items:,} verified items hold what cannot be interpreted, and were copied as they are"


def _failed_line(mailbox: MailboxVerdict) -> Text:
    reasons = Counter(detail.text for detail in mailbox.details if detail.state is ItemState.FAILED)
    if more := mailbox.left_out.get(ItemState.FAILED, 0):
        reasons["more"] = more
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    return cell(f"{mailbox.source}: not copied: {told}: see `xdmigrate quarantine PLAN list`")
