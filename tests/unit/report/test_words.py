"""Figures and foreign texts as people read them; arithmetic of the pace."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.report.pace import Pace
from xdmigrate.report.words import clock, counted, counted_are, duration, for_plan, octets, printable, zone


@given(st.text())
def test_nothing_moves_the_cursor(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert not any(char in shown for char in "\x00\x07\x08\x1b\x7f\x9b\r\n\u202e\u2066")
    assert printable(shown) == shown


def test_ordinary_names_stay_as_they_are() -> None:
    assert printable("Größe 会議 😀 été") == "Größe 会議 😀 été"


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_400_000, "2.4 MB"), (123_456_789, "123 MB"),
     (5 * 10**15, "5000 TB")],
)  # fmt: skip
def test_octets(count: int, told: str) -> None:
    assert octets(count) == told


@pytest.mark.parametrize(
    ("count", "thing", "told"),
    [(0, "item", "0 items are"), (1, "item", "1 item is"), (1, "mailbox", "1 mailbox is"),
     (2, "mailbox", "2 mailboxes are"), (20_000, "folder", "20,000 folders are")],
)  # fmt: skip
def test_what_is_counted(count: int, thing: str, told: str) -> None:
    assert counted_are(count, thing) == told
    assert counted(count, thing) == told.rpartition(" ")[0]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "–"), (0, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (7500, "2 h 05 min"), (90_000, "1 d 01 h")],
)
def test_duration(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


def test_times_are_told_in_the_customers_zone() -> None:
    assert clock(1_764_000_000, zone("Europe/London")) == "2025-11-24 16:00 GMT"
    assert clock(1_751_000_000, zone("Europe/London")).endswith("BST")
    assert clock(None, UTC) == "–"
    assert zone("Nowhere/Land") is UTC
    assert zone("../etc/passwd") is UTC


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100), st.integers(0, 10_000)), max_size=100))
def test_a_pace_is_never_negative_and_ends_when_nothing_is_left(steps: list[tuple[float, int, int]]) -> None:
    pace, now = Pace(0.0), 0.0
    for wait, items, size in steps:
        now += wait
        pace.note(now, items, size)
    rates = pace.rates(now)
    assert min(rates) >= 0.0
    assert pace.seconds_left(now, 0, 0) == 0.0
    left = pace.seconds_left(now, 10, 10_000)
    assert left is None or left >= 0.0
    assert pace.rates(now + 61.0) == (0.0, 0.0), "a minute without progress is standstill"


def test_a_pace_counts_what_is_slower() -> None:
    pace = Pace(0.0)
    pace.note(10.0, 100, 1000)
    assert pace.rates(10.0) == (10.0, 100.0)
    assert pace.seconds_left(10.0, 100, 100) == 10.0
    assert pace.seconds_left(10.0, 100, 10_000) == 100.0


def test_commands_name_the_plan_that_was_asked_for() -> None:
    told = "look at `xdmigrate quarantine PLAN list`, or `xdmigrate --json verify PLAN`: the PLAN allows 50"
    assert for_plan(told, "") == told
    assert for_plan(told, "contoso") == told.replace("e PLAN", "e contoso").replace("y PLAN", "y contoso").replace(
        "the contoso", "the PLAN"
    )
    assert for_plan("`xdmigrate resume PLAN`", "my plan.yaml") == "`xdmigrate resume 'my plan.yaml'`"
