"""Mailboxes from CSV files, as spreadsheets and attackers write them."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.errors import Problem
from xdmigrate_plans import csvfile
from xdmigrate_plans.faults import Faults, Spot
from xdmigrate_plans.loader import csv_passwords
from xdmigrate_plans.plan import Plan

Load = Callable[..., Plan]
Problems = Callable[..., list[Problem]]
Listed = Callable[..., str]


@pytest.fixture
def listed(tmp_path: Path, minimal: str) -> Listed:
    """Write a CSV and give the text of a plan that lists it."""

    def written(content: str | bytes, mode: int = 0o600) -> str:
        path = tmp_path / "boxes.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return minimal.replace("{source: ann@old.example, target: ann@new.example}", "{file: boxes.csv, wave: main}")

    return written


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_rows_become_mailboxes(
    newline: str, delimiter: str, encoding: str, load_text: Load, listed: Listed, tmp_path: Path
) -> None:
    lines = [
        "Source, target ,wave,name,source_user,target_user,type",
        "ann@x,anna@y,pilot,Ännchen,ann-old,ann-new,shared",
        "",
        "bob@x,,,,,,",
        ",,,,,,",
        "carl@x",
    ]
    text = newline.join(lines).replace(",", delimiter)
    plan = load_text(listed(text.encode(encoding)) + "addresses: {x: z}\n")
    ann, bob, carl = plan.mailboxes
    assert (ann.source, ann.target, ann.wave, ann.name) == ("ann@x", "anna@y", "pilot", "Ännchen")
    assert (ann.user("source"), ann.user("target")) == ("ann-old", "ann-new")
    assert (bob.target, bob.wave, bob.source_user) == ("bob@z", "main", None)
    assert [box.line for box in plan.mailboxes] == [2, 4, 6]
    assert ann.file == str(tmp_path / "boxes.csv")
    assert carl.target == "carl@z"


def test_a_quoted_line_break_does_not_shift_the_lines(load_text: Load, listed: Listed) -> None:
    text = 'source,target_password\nann@x,"a\nb"\nbob@x,c\n'
    assert [box.line for box in load_text(listed(text)).mailboxes] == [2, 4]


def test_a_mailbox_that_stands_twice_names_both_lines(problems_of: Problems, listed: Listed, tmp_path: Path) -> None:
    [problem] = problems_of(listed("source\nann@x\nbob@x\nANN@x\n"))
    assert (problem.file, problem.line, problem.where) == (str(tmp_path / "boxes.csv"), 4, "source")
    assert "line 2" in problem.message
    assert "line 4" in problem.message


def test_an_inline_entry_before_the_file_wins(load_text: Load, listed: Listed) -> None:
    text = listed("source,target,target_password\nann@x,ann@y,pw\nbob@x,bob@y,pw\n")
    plan = load_text(text.replace("  - {file", "  - {source: ann@x, target: anna@y}\n  - {file"))
    assert [box.target for box in plan.mailboxes] == ["anna@y", "bob@y"]
    assert list(csv_passwords(plan)) == [("target", "bob@y", "pw")]


def test_two_rows_for_one_target_are_a_problem(problems_of: Problems, listed: Listed) -> None:
    [problem] = problems_of(listed("source,target\nann@x,all@y\nbob@x,all@y\n"))
    assert problem.line == 3
    assert "boxes.csv:2" in problem.message


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", 1, "column 'source' is missing"),
        (b"\n\n", 1, "column 'source' is missing"),
        (b"target\nann@x\n", 1, "column 'source' is missing"),
        (b"source,targt\n", 1, "did you mean 'target'?"),
        (b"source\ttarget\n", 1, "separate the cells by , or ;"),
        (b"source,\n", 1, "unknown column number 2"),
        (b"source,source\n", 1, "stands twice"),
        (b"source\nann@x,bob@x\n", 2, "has 2 values, the header has 1"),
        (b"source,target\n,ann@y\n", 2, "is missing"),
        (b"source\nann@x\nb\0b@x\n", 3, "NUL"),
        (b"source\nann@x\n\xff\xfe\n", 3, "not UTF-8"),
        (b'source\nann@x\n"bob@x\n', 3, "not valid CSV"),
        (b'source\nann@x\n"bob"@x\n', 3, "not valid CSV"),
        (b"source\n" + b"a" * 200_000 + b"\n", 2, "not valid CSV"),
        (b"source\n" + b"a" * 2000 + b"\n", 2, "longer than"),
        (b'source\n"ann\nx"\n', 2, "control character"),
        (b"source,type\nann@x,group\n", 2, "type 'group' is not supported"),
        (b"source,type\nann@x,shard\n", 2, "did you mean 'shared'?"),
        (b"source,wave\nann@x,\x1b[31m\n", 2, "is not accepted"),
    ],
)
def test_faults_have_their_line(
    content: bytes, line: int, words: str, problems_of: Problems, listed: Listed, tmp_path: Path
) -> None:
    problem = problems_of(listed(content))[0]
    assert (problem.file, problem.line) == (str(tmp_path / "boxes.csv"), line)
    assert words in str(problem)
    assert str(problem).isprintable()


def test_all_rows_are_told_at_once(problems_of: Problems, listed: Listed) -> None:
    problems = problems_of(listed("source,type\nann@x,group\n,\nbob@x,contact\n,mailbox\n"))
    assert [problem.line for problem in problems] == [2, 4, 5]


def test_a_flood_of_faults_is_cut(problems_of: Problems, listed: Listed) -> None:
    problems = problems_of(listed("source,type\n" + "ann@x,group\n" * 5000))
    assert len(problems) == 1001
    assert "4000 more" in problems[-1].message


# --- passwords --------------------------------------------------------------------------------------------------

SECRETIVE = "source,source_password,target_password\nann@x, hunter2 ,hunter3\nbob@x,,hunter4\n"


def test_passwords_are_handed_out_once_and_kept_nowhere(load_text: Load, listed: Listed) -> None:
    plan = load_text(listed(SECRETIVE))
    assert list(csv_passwords(plan)) == [
        ("source", "ann@x", " hunter2 "),
        ("target", "ann@x", "hunter3"),
        ("target", "bob@x", "hunter4"),
    ]
    assert "hunter" not in repr(plan) + json.dumps(plan.snapshot())
    assert plan.checksum == load_text(listed(SECRETIVE.replace("hunter", "other"))).checksum


def test_one_address_has_one_password(load_text: Load, listed: Listed) -> None:
    text = listed("source,target,target_password\nann@x,all@y,one\nbob@x,all@y,two\n").replace(
        "  - {file", "  - {source: bob@x, target: all@y, into: Bob}\n  - {file"
    )
    assert list(csv_passwords(load_text(text))) == [("target", "all@y", "one")]


@pytest.mark.parametrize(
    "content",
    [
        "ann@x,ann@y,hunter2\n",
        "ann@x;hunter2\n",
        "source,source_password,wave\nann@x,!,hunter2!\n",
        "source,source_password,type\nann@x,a,hunter2\n",
        "source,source_password,name\nann@x,a, \thunter2\x07\n",
        'source,source_password\nann@x,"hunter2\n',
        "source,source_password\nann@x,a,hunter2\n",
    ],
)
def test_a_password_in_the_wrong_column_is_not_told(content: str, problems_of: Problems, listed: Listed) -> None:
    assert "hunter2" not in "".join(map(str, problems_of(listed(content))))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
def test_passwords_that_everybody_may_read_are_refused(mode: int, problems_of: Problems, listed: Listed) -> None:
    [problem] = problems_of(listed(SECRETIVE, mode))
    assert f"{mode:04o}" in problem.message
    assert problem.remedy.startswith("chmod 600 ")
    assert "hunter" not in str(problem)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_passwords_among_colleagues_are_read(mode: int, load_text: Load, listed: Listed) -> None:
    assert len(list(csv_passwords(load_text(listed(SECRETIVE, mode))))) == 3


def test_without_passwords_anybody_may_read(load_text: Load, listed: Listed) -> None:
    plan = load_text(listed("source,source_password\nann@x,\n", 0o644))
    assert list(csv_passwords(plan)) == []


# --- invariants -------------------------------------------------------------------------------------------------


@given(st.binary() | st.text().map(lambda text: f"source,target\n{text}".encode("utf-8", "replace")))
def test_any_bytes_give_rows_or_faults(content: bytes) -> None:
    faults = Faults()
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.csv")
        path.write_bytes(content)
        rows = csvfile.read(path, faults, Spot("plan.yaml"), "mailboxes.0.file")
    assert all(row.line >= 2 for row in rows)
    if not rows and b"source" not in content:
        assert len(faults)
