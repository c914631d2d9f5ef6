"""The facts as tables for people. Foreign texts are made harmless; nothing here decides anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import tzinfo

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from xdmigrate.report.facts import (
    Attention,
    CheckFacts,
    EndpointCost,
    KindCounts,
    MailboxCheck,
    MailboxStatus,
    PlanStatus,
    SideCheck,
    SyncFacts,
)
from xdmigrate.report.invitations import PromiseFacts
from xdmigrate.report.verdicts import Verdict
from xdmigrate.report.words import clock, counted, counted_are, duration, for_plan, local, octets, printable

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


NARROWEST = 10
"""Columns that an address or a folder's name gets at least: what is folded to two letters a line nobody reads."""


class Fitted(Table):
    """A table that keeps words whole where the terminal has room for it, and folds them where it has none."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = [
            self._measure_column(console, options, column).maximum if column.no_wrap else column.min_width or 1
            for column in self.columns
        ]
        if sum(needed) + len(needed) > options.max_width:
            for column in self.columns:
                column.min_width, column.no_wrap = None, column.no_wrap and column.justify == "right"
        yield from super().__rich_console__(console, options)


def table(*columns: str, numbers: int = 0, title: str = "", whole: Collection[str] = ()) -> Table:
    """A plain table whose last `numbers` columns are figures.

    Cells are folded, never cut; figures are not, and those of the columns `whole` only on a narrow terminal.
    """
    made = Fitted(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", padding=0, pad_edge=False, show_edge=False
    )
    for place, column in enumerate(columns):
        figure = place >= len(columns) - numbers
        kept = figure or column in whole
        made.add_column(
            column,
            justify="right" if figure else "left",
            no_wrap=kept,
            overflow="fold",
            min_width=None if kept else min(NARROWEST, 2 * len(column)),
        )
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
    columns = count_columns([mailbox.total for mailbox in status.mailboxes])
    made = table(
        "mailbox", "stage", "last pass", *columns, numbers=len(columns), title=_headline(status, zone), whole=("stage",)
    )
    for mailbox in status.mailboxes:
        place = local(mailbox.last_pass, zone)
        name = both_names(mailbox.source, mailbox.target)
        made.add_row(cell(name), word(mailbox.stage), place, *count_cells(mailbox.total, columns))
    if len(status.mailboxes) > 1:
        made.add_section()
        made.add_row("total", "", "", *count_cells(status.total, columns), style="bold")
    return made


def both_names(source: str, target: str) -> str:
    """What a mailbox is called, on both sides where the names differ."""
    return source if source == target else f"{source} → {target}"


COUNT_COLUMNS = ("items", "copied", "present", "filtered", "failed", "pending", "size")
RARE = frozenset({"present", "filtered"})
"""Outcomes that many plans do not know: without a column where no mailbox has any, so that the others find room."""


def count_columns(counts: Sequence[KindCounts]) -> list[str]:
    """The columns of a table over these counts."""
    none = {name for name in RARE if not any(_count(each, name) for each in counts)}
    return [name for name in COUNT_COLUMNS if name not in none]


def _headline(status: PlanStatus, zone: tzinfo) -> str:
    return f"plan {status.plan}: {status.stage}{', paused' if status.paused else ''} (times: {zone})"


def count_cells(counts: KindCounts, columns: Sequence[str]) -> list[str]:
    """The counts of these columns."""
    return [octets(counts.bytes) if name == "size" else f"{_count(counts, name):,}" for name in columns]


def _count(counts: KindCounts, name: str) -> int:
    """One outcome; what is merged is present, too."""
    merged = counts.merged if name == "present" else 0
    return int(getattr(counts, "source" if name == "items" else name)) + merged


def attention_lines(mailboxes: Iterable[MailboxStatus], zone: tzinfo) -> list[Text]:
    """What needs a person, one line a mailbox: what, since when, and the remedy."""
    return [_attention_line(mailbox.source, told, zone) for mailbox in mailboxes if (told := mailbox.attention)]


def _attention_line(address: str, told: Attention, zone: tzinfo) -> Text:
    remedy = f"; {told.remedy}" if told.remedy else ""
    what = (told.text or told.code).removeprefix(f"{address}: ")
    return cell(f"{address}: {what} (since {clock(told.since, zone)}){remedy}", "red")


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


def altered_lines(status: PlanStatus) -> list[Text]:
    """That some copies have other bytes than their source; nothing when none has."""
    found = status.altered
    if not found.items:
        return []
    told = f"{found.items:,} copies have other bytes than their source, {found.accepted:,} of them accepted"
    return [cell(f"{told}: see `xdmigrate quarantine PLAN list`", "yellow" if found.accepted < found.items else "")]


LEFT_SHOWN = 20
"""Lines about what is to be done by hand; `--json` tells all of it."""

LEFT_WORDS = {"grant": "permission of", "note": "note", "unreadable": "permissions and notes:"}


def left_lines(status: PlanStatus) -> list[Text]:
    """What folders carry at the source and did not get on the target, one line each."""
    found = [(box.source, left) for box in status.mailboxes for left in box.left]
    lines = [
        cell(
            f"{address}: {'/'.join(left.folder)}: not copied: {LEFT_WORDS.get(left.what, left.what)}"
            f" {left.name} ({left.detail})",
            "yellow",
        )
        for address, left in found[:LEFT_SHOWN]
    ]
    if more := len(found) - len(lines):
        lines.append(cell(f"and {more:,} more that were not copied: see `xdmigrate --json status PLAN`"))
    return lines


def invitation_lines(promises: Sequence[PromiseFacts], zone: tzinfo) -> list[Text]:
    """In one line, what keeps the targets of calendars from inviting people again, and by whose word."""
    told = "; ".join(facts.brief(zone) for facts in promises)
    safe = all(facts.standing.is_safe for facts in promises)
    return [cell(f"invitations: {told}", "" if safe else "red")] if promises else []


OUTCOMES = ("copied", "present", "merged", "filtered", "failed", "pending")


def sync_headline(status: PlanStatus, seconds: float, *, dry_run: bool) -> str:
    """The run in one line; the sum is closed."""
    total = status.total
    took = f"dry run, {duration(seconds)}; nothing was changed" if dry_run else duration(seconds)
    return f"{counted(total.source, 'item')} at the source = {_sum(total)} ({octets(total.bytes)}, {took})"


def kind_lines(status: PlanStatus) -> list[str]:
    """The same sum for each kind of data, one line each; nothing where there is only one."""
    totals = status.totals if len(status.totals) > 1 else {}
    return [f"{kind}: {counts.source:,} = {_sum(counts)}" for kind, counts in totals.items()]


def _sum(counts: KindCounts) -> str:
    return " + ".join(f"{getattr(counts, name):,} {name}" for name in OUTCOMES)


def cost_line(facts: SyncFacts) -> str:
    """What the run cost the endpoints, and which one it waited for."""
    total = sum(cost.seconds for cost in facts.costs)
    told = [_cost(cost, total) for cost in facts.costs if cost.calls]
    return "; ".join(told) or "no endpoint was asked"


def _cost(cost: EndpointCost, total: float) -> str:
    share = f"{cost.seconds / total:.0%} of the time, " if total else ""
    retries = f", {cost.retries:,} retries" if cost.retries else ""
    return f"{cost.name}: {share}{cost.commands or cost.calls:,} {'commands' if cost.commands else 'calls'}{retries}"


def prediction_line(before: PlanStatus, after: PlanStatus) -> str:
    """What a dry run would have changed."""
    was, now = before.total, after.total
    return (
        f"would copy {counted(now.copied - was.copied, 'item')}"
        f" and adopt {now.present - was.present:,} that are there already;"
        f" would fail {now.failed - was.failed:,}, and what the target refuses when it is asked"
    )


REASONS_SHOWN = 8
"""Reasons in the summary of a run; the quarantine tells the rest."""


def reason_lines(reasons: Counter[tuple[str, str]], *, dry_run: bool) -> list[Text]:
    """Why items are not copied, the most frequent reasons first, one line each."""
    said = "would not be copied" if dry_run else "not copied"
    shown = reasons.most_common(REASONS_SHOWN)
    lines = [cell(f"{said}: {count:,} {code}: {detail}".rstrip(": ")) for (code, detail), count in shown]
    more = reasons.total() - sum(count for _, count in shown)
    return [*lines, cell(f"{said}: {more:,} for other reasons")] if more else lines


EMPTY_SHOWN = 5
"""Mailboxes without items that are named."""


def empty_lines(status: PlanStatus) -> list[Text]:
    """That mailboxes hold nothing at the source, which is more often a wrong setting than the truth."""
    empty = [box.source for box in status.mailboxes if box.last_pass and not box.total.source and not box.attention]
    if not empty:
        return []
    named = ", ".join(empty[:EMPTY_SHOWN]) + (f" and {len(empty) - EMPTY_SHOWN:,} more" * (len(empty) > EMPTY_SHOWN))
    return [
        cell(f"nothing was found at the source of {named}: `xdmigrate check PLAN` tells what it sees there", "yellow")
    ]


# --- check ------------------------------------------------------------------------------------------------------


def check_table(facts: CheckFacts, plan: str = "") -> Table:
    """One line for each mailbox, and one more for each thing that is wrong or worth knowing; remedies name the plan."""
    made = table("mailbox", "result", "what to do")
    for mailbox in facts.mailboxes:
        name = both_names(mailbox.source, mailbox.target)
        for style, told, remedy in _check_lines(mailbox):
            made.add_row(cell(name), cell(told, style), cell(for_plan(remedy, plan)))
            name = ""
    return made


def _check_lines(mailbox: MailboxCheck) -> list[tuple[str, str, str]]:
    found = [*((side, each) for side in mailbox.sides for each in side.findings)]
    told = [*(_side_line(side) for side in mailbox.sides if side.error or not side.tried)]
    told += [("red", f"{_at(side)}: {each.text}", each.remedy) for side, each in found if not each.ok]
    told += [("red", each.text, each.remedy) for each in mailbox.together if not each.ok]
    worth = [(side, each) for side, each in found if each.ok and each.remedy and each.topic != INVITATIONS]
    notes = [("yellow", f"{_at(side)}: {each.text}", each.remedy) for side, each in worth]
    notes += [("yellow", each.text, each.remedy) for each in mailbox.together if each.ok and each.remedy]
    room = [each.text for each in mailbox.together if each.topic == "room" and not each.remedy]
    there = [each.text for side, each in found if side.side == "source" and each.topic == CONTENTS and not each.remedy]
    ready = [("green", ", ".join(["ready", *there, *room]), "")] if mailbox.ok else []
    return [*ready, *told, *notes]


INVITATIONS, CONTENTS = "invitations", "collections"
"""Topics of findings that have a place of their own: below the table, and beside "ready"."""


def _side_line(side: SideCheck) -> tuple[str, str, str]:
    if side.error:
        return "red", f"{_at(side)}: {side.error.message}", side.error.remedy
    return "yellow", f"{_at(side)}: not tried, this endpoint was given up", ""


def _at(side: SideCheck) -> str:
    return f"{side.side} {side.endpoint}"


def way_lines(facts: CheckFacts) -> list[Text]:
    """How messages will go from endpoint to endpoint: one line, or one for each way where mailboxes differ."""
    ways: dict[tuple[str, str], int] = {}
    for mailbox in facts.mailboxes:
        for way, found in mailbox.of_ways:
            names = " → ".join(way)
            if found.topic == "capabilities":
                ways[names, found.text] = ways.get((names, found.text), 0) + 1
    totals: dict[str, int] = {}
    for (names, _told), count in ways.items():
        totals[names] = totals.get(names, 0) + count
    return [
        cell(f"{names}{'' if count == totals[names] else f' ({count} of {totals[names]} mailboxes)'}: {told}")
        for (names, told), count in ways.items()
    ]


def step_lines(facts: CheckFacts) -> list[Text]:
    """What becomes of the people in events, by target: one line, or one for each way where mailboxes differ."""
    found: Counter[tuple[str, str]] = Counter()
    for mailbox in facts.mailboxes:
        for side in mailbox.sides:
            told = (each for each in side.findings if each.ok and each.topic == INVITATIONS)
            found.update((side.endpoint, "; ".join(filter(None, (each.text, each.remedy)))) for each in told)
    boxes = len(facts.mailboxes)
    return [
        cell(f"{endpoint}{f' ({count} of {boxes} mailboxes)' if count < boxes else ''}: {told}")
        for (endpoint, told), count in found.items()
    ]


def check_headline(mailboxes: Sequence[MailboxCheck]) -> str:
    """How many mailboxes are ready."""
    ready = sum(mailbox.ok for mailbox in mailboxes)
    return f"{ready} of {counted_are(len(mailboxes), 'mailbox')} ready; nothing was changed"
