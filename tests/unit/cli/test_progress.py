"""Progress: paces from looks at the counters, and lines that people can read."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from xdmigrate.cli.call import Call, Globals
from xdmigrate.cli.progress import TOTAL, Lines, Watch, ended_line, line, screen, shown
from xdmigrate.model import Kind
from xdmigrate.report.facts import Attention, KindCounts, MailboxStatus, PlanStatus


def status(copied: int, pending: int, **mailbox: object) -> PlanStatus:
    counts = KindCounts(
        source=copied + pending,
        copied=copied,
        pending=pending,
        bytes=1000 * (copied + pending),
        bytes_pending=1000 * pending,
    )
    box = MailboxStatus(1, "ann@x.test", "ann@x.test", stage="seeding", kinds={Kind.MAIL: counts})
    return PlanStatus("office", "seeding", [replace(box, **mailbox)])  # type: ignore[arg-type]  # its fields


def test_the_pace_gives_each_mailbox_its_expected_end() -> None:
    watch = Watch(0.0)
    watch.look(status(0, 100), 0.0)
    seen = watch.look(status(50, 50), 10.0)
    assert watch.rates(TOTAL, 10.0) == (5.0, 5000.0)
    assert seen.mailboxes[0].eta == 20.0
    assert [box.id for box in watch.moving(seen)] == [1]


def test_without_progress_nothing_is_promised() -> None:
    watch = Watch(0.0)
    watch.look(status(0, 100), 0.0)
    seen = watch.look(status(0, 100), 10.0)
    assert seen.mailboxes[0].eta is None
    assert watch.moving(seen) == []
    assert "– left" in line(seen, watch, 10.0)


def test_a_line_says_how_far_how_fast_and_how_long() -> None:
    watch = Watch(0.0)
    watch.look(status(0, 1000), 0.0)
    seen = watch.look(status(500, 500), 10.0)
    assert line(seen, watch, 10.0) == "500 of 1,000 items, 500 kB of 1.0 MB, 50/s, 50.0 kB/s, 10 s left"


def test_the_screen_has_a_bar_for_what_moves() -> None:
    watch = Watch(0.0)
    watch.look(status(0, 10), 0.0)
    seen = watch.look(status(5, 5, source="ann\x1b[2J@x.test"), 1.0)
    console = Console(width=120, record=True, file=StringIO())
    console.print(screen(seen, watch, 1.0))
    told = console.export_text()
    assert "5/10" in told
    assert "\x1b" not in told


def test_lines_are_told_at_a_mailbox_end_and_every_few_seconds() -> None:
    told: list[str] = []
    watch = Watch(0.0)
    lines = Lines(told.append, watch, watch.look(status(0, 10), 0.0))
    lines.show(status(4, 6), 1.0)
    assert told == []
    lines.show(status(8, 2), 11.0)
    assert len(told) == 1
    lines.show(status(10, 0, stage="synced", last_pass=12.0), 12.0)
    assert told[1] == "ann@x.test: synced: 10 copied, 0 present"
    lines.show(status(10, 0, stage="synced", last_pass=12.0), 13.0)
    assert len(told) == 2


def test_an_end_in_need_of_a_person_tells_why() -> None:
    box = status(1, 2, stage="needs-attention", attention=Attention("quota-exceeded", 1.0, "the mailbox is full"))
    assert ended_line(box.mailboxes[0]) == "ann@x.test: needs-attention: the mailbox is full"


def test_with_json_nothing_is_shown() -> None:
    call = Call(Globals(json=True))
    looks = 0

    def look() -> PlanStatus:
        nonlocal looks
        looks += 1
        return status(0, 1)

    with shown(call, look):
        pass
    assert looks == 1
