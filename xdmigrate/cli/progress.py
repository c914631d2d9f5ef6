"""Shows how a run comes along: bars on a terminal, plain lines elsewhere; both from the state's counters alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xdmigrate.errors import XdmigrateError
from xdmigrate.report.facts import KindCounts, MailboxStatus, PlanStatus
from xdmigrate.report.pace import Pace
from xdmigrate.report.words import duration, octets, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from xdmigrate.cli.call import Call

LINE_SECONDS = 10.0
SCREEN_SECONDS = 1.0
SHARE = 10
"""Looking may take a tenth of the time, however many mailboxes there are."""

BARS = 8
"""Mailboxes with a bar of their own: those that moved last."""

TOTAL = 0
"""Stands for all mailboxes together; ids begin at 1."""


@dataclass(slots=True)
class Watch:
    """Turns looks at the counters into paces. Pure, apart from what it remembers."""

    started: float
    _paces: dict[int, Pace] = field(default_factory=dict)
    _settled: dict[int, tuple[int, int]] = field(default_factory=dict)
    _moved_at: dict[int, float] = field(default_factory=dict)

    def look(self, status: PlanStatus, now: float) -> PlanStatus:
        """The same status with each mailbox's expected end."""
        self._note(TOTAL, _settled(status.total), now)
        for mailbox in status.mailboxes:
            self._note(mailbox.id, _settled(mailbox.total), now)
        return replace(status, mailboxes=[replace(box, eta=self._eta(box, now)) for box in status.mailboxes])

    def _note(self, mailbox_id: int, settled: tuple[int, int], now: float) -> None:
        before = self._settled.get(mailbox_id, settled)
        self._settled[mailbox_id] = settled
        pace = self._paces.setdefault(mailbox_id, Pace(now))
        if settled != before:
            self._moved_at[mailbox_id] = now
            pace.note(now, max(0, settled[0] - before[0]), max(0, settled[1] - before[1]))

    def _eta(self, mailbox: MailboxStatus, now: float) -> float | None:
        left = self.seconds_left(mailbox.id, mailbox.total.pending, mailbox.total.bytes_pending, now)
        return now + left if left else None

    def seconds_left(self, mailbox_id: int, items: int, octets: int, now: float) -> float | None:
        """Until one mailbox, or all, are done at their present pace; None while that cannot be told."""
        return self._paces[mailbox_id].seconds_left(now, items, octets)

    def rates(self, mailbox_id: int, now: float) -> tuple[float, float]:
        """Items and bytes per second of one mailbox, or of all."""
        return self._paces[mailbox_id].rates(now)

    def moving(self, status: PlanStatus) -> list[MailboxStatus]:
        """The unfinished mailboxes that moved last."""
        unfinished = [box for box in status.mailboxes if box.total.pending and box.id in self._moved_at]
        return sorted(unfinished, key=lambda box: -self._moved_at[box.id])[:BARS]


def _settled(counts: KindCounts) -> tuple[int, int]:
    return counts.settled, counts.bytes - counts.bytes_pending


def line(status: PlanStatus, watch: Watch, now: float) -> str:
    """All mailboxes in one plain line."""
    total = status.total
    items, rate = watch.rates(TOTAL, now)
    left = watch.seconds_left(TOTAL, total.pending, total.bytes_pending, now)
    return (
        f"{total.settled:,} of {total.source:,} items, {octets(total.bytes - total.bytes_pending)} of"
        f" {octets(total.bytes)}, {items:,.0f}/s, {octets(rate)}/s, {duration(left)} left"
    )


def ended_line(mailbox: MailboxStatus) -> str:
    """One mailbox whose pass has just ended, or that has just come to need a person."""
    total = mailbox.total
    told = mailbox.attention.text if mailbox.attention else f"{total.copied:,} copied, {total.present:,} present"
    failed = f", {total.failed:,} failed" if total.failed else ""
    return printable(f"{mailbox.source}: {mailbox.stage}: {told}{failed}")


def screen(status: PlanStatus, watch: Watch, now: float) -> RenderableType:
    """A bar for all mailboxes, and one for each that moves."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    made = Table.grid(padding=(0, 1))
    for box in watch.moving(status):
        made.add_row(*_bar_row(printable(box.source), box.total, watch.rates(box.id, now), ProgressBar))
    made.add_row(*_bar_row("all mailboxes", status.total, watch.rates(TOTAL, now), ProgressBar))
    total = status.total
    left = watch.seconds_left(TOTAL, total.pending, total.bytes_pending, now)
    done = f"{octets(total.bytes - total.bytes_pending)} of {octets(total.bytes)}"
    made.add_row("", "", f"{done}, {duration(left)} left")
    return made


def _bar_row(
    name: str, counts: KindCounts, rates: tuple[float, float], bar: Callable[..., RenderableType]
) -> list[RenderableType]:
    from rich.text import Text

    told = f"{counts.settled:,}/{counts.source:,}  {rates[0]:,.0f}/s  {octets(rates[1])}/s"
    return [Text(name, overflow="ellipsis"), bar(total=max(1, counts.source), completed=counts.settled, width=20), told]


class Showing:
    """Looks at the counters in a thread of its own until it is stopped; trouble in looking never ends the run."""

    def __init__(self, look: Callable[[], PlanStatus], show: Callable[[PlanStatus, float], None], every: float) -> None:
        self._look = look
        self._show = show
        self._every = every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="progress", daemon=True)

    def _loop(self) -> None:
        pause = self._every
        while not self._end.wait(pause):
            began = time.monotonic()
            with suppress(XdmigrateError):  # the state is busy or full: the run itself tells it
                self._show(self._look(), time.time())
            pause = max(self._every, SHARE * (time.monotonic() - began))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()


class Lines:
    """Plain lines: every mailbox at its end, all of them every few seconds."""

    def __init__(self, tell: Callable[[str], None], watch: Watch, before: PlanStatus) -> None:
        self._tell = tell
        self._watch = watch
        self._ended = {box.id: _mark(box) for box in before.mailboxes}
        self._told_at = watch.started

    def show(self, status: PlanStatus, now: float) -> None:
        """Tell what is new."""
        status = self._watch.look(status, now)
        for box in status.mailboxes:
            if self._ended.get(box.id) != _mark(box):
                self._ended[box.id] = _mark(box)
                self._tell(ended_line(box))
        if now - self._told_at >= LINE_SECONDS:
            self._told_at = now
            self._tell(line(status, self._watch, now))


def _mark(mailbox: MailboxStatus) -> tuple[float | None, str]:
    """Changes when a pass ends or the mailbox comes to need a person."""
    return mailbox.last_pass, mailbox.attention.code if mailbox.attention else ""


@contextmanager
def shown(call: Call, look: Callable[[], PlanStatus]) -> Iterator[None]:
    """Show progress while inside, in the way that suits who is watching."""
    now = time.time()
    watch = Watch(now)
    first = watch.look(look(), now)
    if call.options.json:
        yield
    elif call.on_terminal:
        with _live(watch, look):
            yield
    else:
        lines = Lines(call.note, watch, first)
        with Showing(look, lines.show, SCREEN_SECONDS):
            yield
        lines.show(look(), time.time())


@contextmanager
def _live(watch: Watch, look: Callable[[], PlanStatus]) -> Iterator[None]:
    from rich.live import Live

    with Live(refresh_per_second=2, transient=True) as live:

        def show(status: PlanStatus, now: float) -> None:
            live.update(screen(watch.look(status, now), watch, now))

        with Showing(look, show, SCREEN_SECONDS):
            yield
