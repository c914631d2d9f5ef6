"""The facts as tables for people. Foreign texts are made harmless; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from rich import box
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
    return f"{total.source:,} items at the source = {_sum(total)} ({octets(total.bytes)}, {took})"


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
        f"would copy {now.copied - was.copied:,} items and adopt {now.present - was.present:,} that are there already;"
        f" would fail {now.failed - was.failed:,}"
    )


# --- check ------------------------------------------------------------------------------------------------------


def check_table(facts: CheckFacts) -> Table:
    """One line for each mailbox, and one more for each thing that is wrong or worth knowing."""
    made = table("mailbox", "result", "what to do")
    for mailbox in facts.mailboxes:
        name = mailbox.source if mailbox.source == mailbox.target else f"{mailbox.source} → {mailbox.target}"
        for style, told, remedy in _check_lines(mailbox):
            made.add_row(cell(name), cell(told, style), cell(remedy))
            name = ""
    return made


def _check_lines(mailbox: MailboxCheck) -> list[tuple[str, str, str]]:
    found = [*((side, each) for side in mailbox.sides for each in side.findings)]
    told = [*(_side_line(side) for side in mailbox.sides if side.error or not side.tried)]
    told += [("red", f"{_at(side)}: {each.text}", each.remedy) for side, each in found if not each.ok]
    told += [("red", each.text, each.remedy) for each in mailbox.together if not each.ok]
    notes = [("yellow", f"{_at(side)}: {each.text}", each.remedy) for side, each in found if each.ok and each.remedy]
    notes += [("yellow", each.text, each.remedy) for each in mailbox.together if each.ok and each.remedy]
    room = [each.text for each in mailbox.together if each.topic == "room" and not each.remedy]
    ready = [("green", ", ".join(["ready", *room]), "")] if mailbox.ok else []
    return [*ready, *told, *notes]


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
    """One line a mailbox; one for each kind of data where the mailbox has several."""
    several = any(len(mailbox.kinds) > 1 for mailbox in verdict.mailboxes)
    names = ("mailbox", "verdict", "kind") if several else ("mailbox", "verdict")
    made = table(*names, *VERDICT_COLUMNS, numbers=len(VERDICT_COLUMNS))
    for mailbox in verdict.mailboxes:
        parts = list(mailbox.kinds.items()) if several else [("", sum(mailbox.kinds.values(), KindVerdict()))]
        shown = [cell(mailbox.source), word(mailbox.verdict.value)]
        for kind, part in parts or [("", KindVerdict())]:
            counts = figures(getattr(part, column) for column in VERDICT_COLUMNS)
            made.add_row(*shown, *[str(kind)][: len(names) - 2], *counts)
            shown = [cell(""), cell("")]
    return made


def verdict_headline(verdict: PlanVerdict) -> str:
    """The verdict in one line; what is not copied is never left out."""
    total = sum((sum(box.kinds.values(), KindVerdict()) for box in verdict.mailboxes), KindVerdict())
    lost = f"; {verdict.not_copied:,} not copied" if verdict.not_copied else ""
    changed, excused = verdict.changed
    other = f"; {changed:,} with other bytes, {excused:,} of them accepted" if changed else ""
    boxes = len(verdict.mailboxes)
    told = f"{total.verified:,} of {total.source:,} items in {boxes} mailboxes"
    return f"{verdict.verdict.value.upper()}: {told}{lost}{other}"


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
    return [*lines, cell(f"{mailbox.source}: {left:,} more: see `xdmigrate --json verify PLAN`")] if left else lines
