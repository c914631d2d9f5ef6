"""YAML becomes plain values with lines; hostile files are refused early."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.errors import PlanInvalid, Problem
from xdmigrate_plans.document import MAX_NODES, Document, parse
from xdmigrate_plans.faults import Faults, Spot


def read(text: str) -> tuple[Document | None, list[Problem]]:
    faults = Faults()
    document = parse(text, "p.yaml", faults)
    try:
        faults.raise_any()
    except PlanInvalid as refusal:
        return document, refusal.problems
    return document, []


def test_values_know_their_lines() -> None:
    document, problems = read("a: 1\nb:\n  - x\n  - {c: true}\n")
    assert document is not None
    assert not problems
    assert document.data == {"a": 1, "b": ["x", {"c": True}]}
    assert document.spot(("b", 1, "c")) == Spot("p.yaml", 4)
    assert document.spot(("b", 7, "nowhere")) == Spot("p.yaml", 2)


def test_a_date_stays_text() -> None:
    document, _ = read("a: 2015-01-31\n")
    assert document is not None
    assert document.data == {"a": "2015-01-31"}


def test_every_duplicate_key_names_both_lines() -> None:
    document, problems = read("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n")
    assert document is not None
    assert [(problem.line, problem.where) for problem in problems] == [(3, "b.c"), (4, "a")]
    assert "first on line 1" in problems[1].message
    assert document.data["a"] == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "is empty"),
        ("- a\n", 1, "not a mapping"),
        ("a: 1\nb: [\n", 3, "not valid YAML"),
        ("a: b: c\n", 1, "not valid YAML"),
        ("a: 1\n\x07", 2, "not valid YAML"),
        ("a: 1\n--- \nb: 2\n", 2, "another document"),
        ("a:\n  " + "- " * 30 + "x\n", 2, "levels deep"),
        ("a: " + "[" * 5000, 1, "levels deep"),
        ("a: " + "{a: " * 5000, 1, "levels deep"),
        ("a:\n" + "- " * 200_000, 2, "levels deep"),
        ("a: !!python/object/apply:os.system [ls]\nb: !x y\n", 2, "YAML tag"),
        ("a: !!int abc\n", 1, "neither text"),
        ("a: 2015-13-45\n", 1, "neither text"),
        ("a: .inf\n", 1, "too large"),
        ("a: .nan\n", 1, "too large"),
        ("a: 0x" + "f" * 5000, 1, "too large"),
        ("a: " + "9" * 5000, 1, "neither text"),
        ("a: &a [*a]\n", 1, "expand"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n", 3, "'<<' is not supported"),
        ("1: a\n", 1, "not text"),
        ("? [a]\n: b\n", 1, "YAML tag"),
        ('"a\\nb": c\n', 1, "not printable"),
    ],
)
def test_what_is_no_plan_is_told_with_its_line(text: str, line: int, words: str) -> None:
    _, problems = read(text)
    assert problems
    assert problems[0].line == line
    assert words in problems[0].message


@pytest.mark.parametrize("text", ["password: *hunter2", "a: &hunter2 1\nb: &hunter2 2", "a: !hunter2 x", "%hunter2 x"])
def test_an_unquoted_password_is_not_quoted_back(text: str) -> None:
    """`*`, `&`, `!` and `%` mean something to YAML, and its parser likes to cite."""
    _, problems = read(text)
    assert "hunter2" not in "".join(map(str, problems))


def test_an_alias_bomb_costs_little() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 15)]
    tracemalloc.start()
    _, problems = read("\n".join(levels))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any("expand" in problem.message for problem in problems)
    assert peak < 300_000_000


def test_too_many_values_are_refused_before_they_are_built() -> None:
    _, problems = read("a:\n" + "- x\n" * (MAX_NODES + 1))
    assert "holds more than" in problems[0].message


def test_honest_aliases_work() -> None:
    document, problems = read("a: &a {x: 1}\nb: *a\n")
    assert document is not None
    assert (document.data["b"], problems) == ({"x": 1}, [])


@given(st.text())
def test_any_text_gives_a_document_or_a_problem(text: str) -> None:
    document, problems = read(text)
    assert document is not None or problems
    assert all(problem.line >= 1 for problem in problems)
