"""The facts as tables for people. Foreign texts are made harmless; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from rich import box
from rich.table import Table
from rich.text import Text

from xdmigrate.report.facts import Attention, CheckFacts, KindCounts, MailboxCheck, MailboxStatus, PlanStatus, SideCheck
from xdmigrate.report.verdicts import KindVerdict, MailboxVerdict, PlanVerdict, Verdict
from xdmigrate.report.words import clock, duration, local, octets, printable

COLOURS = {
    "synced": "green",
    "verified": "green",
    "needs-attention": "red",
    "paused": "yellow",
    "skipped": "dim",
    Verdict.PASS.value: "green",
    Verdict.EXCEPTIONS.value: "yellow",
    Verdict.FAIL.value: "red",
}


def table(*columns: str, numbers: int = 0, title: str = "") -> Table:
    """A plain table whose last `numbers` columns are figures. Cells are folded, never cut."""
    made = Table(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", padding=0, pad_edge=False, show_edge=False
    )
    for place, column in enumerate(columns):
        figure = place >= len(columns) - numbers
        made.add_column(column, justify="right" if figure else "left", no_wrap=figure, overflow="fold")
    return made


def cell(text: str, style: str = "") -> Text:
    """A text from outside as one harmless cell."""
    return Text(printable(text), style=style)


def word(text: str) -> Text:
    """A stage or verdict in its colour."""
    return Text(text, style=COLOURS.get(text, ""))


def figures(values: Iterable[int]) -> list[str]:
    """Counts with thousands separators."""
    return [f"{value:,}" for value in values]


# --- status and sync --------------------------------------------------------------------------------------------


def status_table(status: PlanStatus, zone: tzinfo) -> Table:
    """One line a mailbox and the totals: every line's outcomes add up to its items."""
    renamed = any(mailbox.source != mailbox.target for mailbox in status.mailboxes)
    names = ("mailbox", "to") if renamed else ("mailbox",)
    made = table(
        *names, "stage", "last pass", *COUNT_COLUMNS, numbers=len(COUNT_COLUMNS), title=_headline(status, zone)
    )
    for mailbox in status.mailboxes:
        addresses = [cell(mailbox.source), cell(mailbox.target)][: len(names)]
        place = local(mailbox.last_pass, zone)
        made.add_row(*addresses, word(mailbox.stage), place, *count_cells(mailbox.total))
    if len(status.mailboxes) > 1:
        made.add_section()
        blank = [""] * (len(names) + 1)
        made.add_row("total", *blank, *count_cells(status.total), style="bold")
    return made


COUNT_COLUMNS = ("items", "copied", "present", "filtered", "failed", "pending", "size")


def _headline(status: PlanStatus, zone: tzinfo) -> str:
    return f"plan {status.plan}: {status.stage}{', paused' if status.paused else ''} (times: {zone})"


def count_cells(counts: KindCounts) -> list[str]:
    """Items, copied, present or merged, filtered, failed, pending, size."""
    present = counts.present + counts.merged
    shown = (counts.source, counts.copied, present, counts.filtered, counts.failed, counts.pending)
    return [*figures(shown), octets(counts.bytes)]


def attention_lines(mailboxes: Iterable[MailboxStatus], zone: tzinfo) -> list[Text]:
    """What needs a person, one line a mailbox: what, since when, and the remedy."""
    return [_attention_line(mailbox.source, told, zone) for mailbox in mailboxes if (told := mailbox.attention)]


def _attention_line(address: str, told: Attention, zone: tzinfo) -> Text:
    remedy = f"; {told.remedy}" if told.remedy else ""
    return cell(f"{address}: {told.text or told.code} (since {clock(told.since, zone)}){remedy}", "red")


def plans_table(plans: Sequence[PlanStatus]) -> Table:
    """Every plan on one screen."""
    made = table("plan", "stage", "mailboxes", "attention", "items", "failed", "pending", "size", numbers=6)
    for plan in plans:
        attention = sum(mailbox.attention is not None for mailbox in plan.mailboxes)
        total = plan.total
        stage = Text("paused", style="yellow") if plan.paused else word(plan.stage)
        counted = figures((len(plan.mailboxes), attention, total.source, total.failed, total.pending))
        made.add_row(cell(plan.plan), stage, *counted, octets(total.bytes))
    return made


OUTCOMES = ("copied", "present", "merged", "filtered", "failed", "pending")


def sync_headline(status: PlanStatus, seconds: float, *, dry_run: bool) -> str:
    """The run in one line; the sum is closed."""
    total = status.total
    parts = [f"{getattr(total, name):,} {name}" for name in OUTCOMES]
    took = f"dry run, {duration(seconds)}; nothing was changed" if dry_run else duration(seconds)
    return f"{total.source:,} items at the source = {' + '.join(parts)} ({octets(total.bytes)}, {took})"


def prediction_line(before: PlanStatus, after: PlanStatus) -> str:
    """What a dry run would have changed."""
    was, now = before.total, after.total
    return (
        f"would copy {now.copied - was.copied:,} items and adopt {now.present - was.present:,} that are there already;"
        f" would fail {now.failed - was.failed:,}"
    )


# --- check ------------------------------------------------------------------------------------------------------


def check_table(facts: CheckFacts) -> Table:
    """One line a mailbox and side that is not in order, and what is known of the others in one line."""
    made = table("mailbox", "side", "endpoint", "result", "what to do")
    for mailbox in facts.mailboxes:
        for side in mailbox.sides:
            address = mailbox.source if side.side == "source" else mailbox.target
            for style, told, remedy in _side_lines(side):
                made.add_row(cell(address), side.side, cell(side.endpoint), cell(told, style), cell(remedy))
    return made


def _side_lines(side: SideCheck) -> list[tuple[str, str, str]]:
    if not side.tried:
        return [("yellow", "not tried: this endpoint was given up", "")]
    if side.error:
        return [("red", side.error.message, side.error.remedy)]
    bad = [("red", finding.text, finding.remedy) for finding in side.findings if not finding.ok]
    return bad or [("green", "; ".join(finding.text for finding in side.findings) or "ok", "")]


def check_headline(mailboxes: Sequence[MailboxCheck]) -> str:
    """How many mailboxes are ready."""
    ready = sum(mailbox.ok for mailbox in mailboxes)
    return f"{ready} of {len(mailboxes)} mailboxes are ready; nothing was changed"


# --- verify -----------------------------------------------------------------------------------------------------

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


def verdict_table(verdict: PlanVerdict) -> Table:
    """One line a mailbox."""
    made = table("mailbox", "verdict", *VERDICT_COLUMNS, numbers=len(VERDICT_COLUMNS))
    for mailbox in verdict.mailboxes:
        total = sum(mailbox.kinds.values(), KindVerdict())
        counts = figures(getattr(total, column) for column in VERDICT_COLUMNS)
        made.add_row(cell(mailbox.source), word(mailbox.verdict.value), *counts)
    return made


def verdict_headline(verdict: PlanVerdict) -> str:
    """The verdict in one line; what is not copied is never left out."""
    total = sum((sum(box.kinds.values(), KindVerdict()) for box in verdict.mailboxes), KindVerdict())
    lost = f"; {verdict.not_copied:,} not copied" if verdict.not_copied else ""
    boxes = len(verdict.mailboxes)
    return f"{verdict.verdict.value.upper()}: {total.verified:,} of {total.source:,} items in {boxes} mailboxes{lost}"


def detail_lines(mailbox: MailboxVerdict, limit: int) -> list[Text]:
    """The first details of each state that is not plainly in order."""
    lines: list[Text] = []
    shown: dict[str, int] = {}
    for detail in mailbox.details:
        shown[detail.state.value] = shown.get(detail.state.value, 0) + 1
        if shown[detail.state.value] <= limit:
            place = "/".join(detail.folder)
            told = (
                f"{mailbox.source}: {detail.state.value}: {place} id {detail.ref}, {detail.size:,} bytes {detail.text}"
            )
            lines.append(cell(told.rstrip()))
    left = sum(shown.values()) + sum(mailbox.left_out.values()) - len(lines)
    return [*lines, cell(f"{mailbox.source}: and {left:,} more")] if left else lines
