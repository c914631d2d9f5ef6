from __future__ import annotations

import pytest

from bench import table
from bench.compare import Difference
from bench.measure import Row, Usage
from bench.phases import PHASES, Result, spread


def row(tool: str, *seconds: float, startup: float = 0.0, rss: int = 50_000_000) -> Row:
    runs = [Usage(each, 0.1, rss, (0,)) for each in seconds]
    exact = Difference(0, 0, 0, 0)
    return Row(tool, 100, 1_000_000, runs, 10, exact, [startup] * len(runs))


def test_the_ratio_compares_rates_of_medians() -> None:
    result = Result("maildir", "t", [row("xdmigrate", 1.0, 2.0, 90.0), row("mbsync", 6.0)])
    assert table.ratio(result, result.rows[1]) == pytest.approx(3.0)
    assert table.ratio(result, result.rows[0]) is None


def test_a_tool_that_copies_less_is_compared_by_the_message() -> None:
    few = row("naive", 1.0)
    few.messages = 10
    result = Result("maildir", "t", [row("xdmigrate", 1.0), few])
    assert table.ratio(result, few) == pytest.approx(10.0)


def test_updates_are_compared_without_the_start() -> None:
    result = Result("unchanged", "t", [row("xdmigrate", 1.0, startup=0.9), row("mbsync", 0.4)], update=True)
    assert table.ratio(result, result.rows[1]) == pytest.approx(4.0)


@pytest.mark.parametrize(("seconds", "verdict"), [(2.5, "met"), (2.49, "**missed**")])
def test_a_goal_is_met_from_its_figure_on(seconds: float, verdict: str) -> None:
    result = Result("maildir", "t", [row("xdmigrate", 1.0), row("mbsync", seconds)])
    assert table.goals(result)[0].endswith(verdict)
    assert bool(table.missed([result])) == (verdict == "**missed**")


def test_too_much_memory_is_told() -> None:
    result = Result("large", "t", [row("xdmigrate", 1.0, rss=121_000_000)])
    assert table.missed([result]) == ["large: peak memory 121 MB; goal ≤ 120 MB: **missed**"]


@pytest.mark.parametrize(("kept", "verdict"), [(80, "met"), (81, "**missed**")])
def test_the_state_of_many_messages_has_its_size(kept: int, verdict: str) -> None:
    own = row("xdmigrate", 1.0)
    own.messages, own.kept = 100_000, kept * 100_000
    told = [line for line in table.goals(Result("unchanged", "t", [own])) if "state" in line]
    assert told == [f"- state {kept} bytes a message; goal ≤ 80: {verdict}"]
    own.messages = 99_999
    assert not [line for line in table.goals(Result("unchanged", "t", [own])) if "state" in line]


def test_a_mailbox_without_change_has_its_time() -> None:
    result = Result("small-unchanged", "t", [row("xdmigrate", 1.5, startup=0.9)], update=True, mailboxes=20)
    assert table.missed([result]) == ["small-unchanged: 30.0 ms a mailbox; goal ≤ 20 ms: **missed**"]


def test_a_failed_run_and_a_wrong_copy_stand_in_the_table() -> None:
    bad = row("mbsync", 1.0, 1.0)
    bad.runs[1] = Usage(1.0, 0.1, 1, (1,))
    bad.difference = Difference(missing=3, altered=0, extra=0, flags=0)
    text = table.render(Result("tls", "t", [row("xdmigrate", 1.0), bad]))
    assert "| 3 missing (exit 1) |" in text
    assert "| exact |" in text


def test_every_line_of_a_table_has_all_its_columns() -> None:
    limit = Row("limit", 5, 5, [Usage(1.0, 0.1, 0, (0,))])
    text = table.render(Result("maildir", "t", [row("xdmigrate", 1.0), limit]))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {table.HEAD.count("|")}


def test_goals_are_set_for_phases_that_exist() -> None:
    assert set(table.GOALS) <= set(PHASES)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    document = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    once = table.replaced(document, "new\n")
    assert once == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    assert table.replaced(once, "new\n") == once
    with pytest.raises(ValueError, match="not in the document"):
        table.replaced("no marks", "new")


def test_the_document_has_the_marks() -> None:
    from bench.__main__ import DOCUMENT

    assert "x" in table.replaced(DOCUMENT.read_text("utf-8"), "x")


def test_the_spread_is_the_furthest_run() -> None:
    assert spread([row("a", 1.0, 1.0, 1.5), row("b", 2.0)]) == pytest.approx(0.5)
