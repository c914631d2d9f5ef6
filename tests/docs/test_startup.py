"""The program starts quickly because it imports what a command needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "sqlalchemy",
    "pydantic",
    "pydantic_core",
    "alembic",
    "imapclient",
    "cryptography",
    "dbos",
    "psycopg",
    "keyring",
)
"""Libraries of commands that work; nobody who asks for help waits for them."""

BY_THE_PARSER = {"pydantic", "pydantic_core"}
"""typer brings its own use of these as soon as it reads a command's parameters."""

OWN = ("xdmigrate_imap", "xdmigrate_state", "xdmigrate_plans", "xdmigrate.engine", "xdmigrate.jobs", "xdmigrate.wrap")

WATCHED = """
import sys
from xdmigrate.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
"""


def imported(folder: Path, *words: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the modules that it had imported at its end."""
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, set(ended.stderr.split())


def heavy(modules: set[str], names: tuple[str, ...] = HEAVY) -> set[str]:
    return {name for name in names if any(module == name or module.startswith(f"{name}.") for module in modules)}


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",)])
def test_help_imports_no_heavy_library(words: tuple[str, ...], tmp_path: Path) -> None:
    code, modules = imported(tmp_path, *words)
    assert code == 0
    assert "xdmigrate.cli.app" in modules, "the list of modules is what it claims to be"
    assert heavy(modules, HEAVY + OWN) == set()


@pytest.mark.parametrize("words", [("sync", "--help"), ("quarantine", "--help"), ("secret", "x", "set", "--help")])
def test_help_of_a_command_imports_nothing_that_the_command_needs(words: tuple[str, ...], tmp_path: Path) -> None:
    code, modules = imported(tmp_path, *words)
    assert code == 0
    assert heavy(modules, HEAVY + OWN) <= BY_THE_PARSER


def test_a_mistyped_command_imports_no_heavy_library(tmp_path: Path) -> None:
    code, modules = imported(tmp_path, "snyc", "plan.yaml")
    assert code == 2
    assert heavy(modules) <= BY_THE_PARSER


def test_a_plan_that_is_not_there_imports_no_database(tmp_path: Path) -> None:
    code, modules = imported(tmp_path, "sync", "nothing.yaml")
    assert code == 2
    assert heavy(modules, ("sqlalchemy", "alembic", "imapclient", "dbos")) == set()


def test_a_faulty_plan_is_refused_without_a_database_or_a_connector(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("version: 1\n")
    code, modules = imported(tmp_path, "sync", "plan.yaml")
    assert code == 2
    assert heavy(modules, ("sqlalchemy", "alembic", "imapclient", "dbos", "psycopg")) == set()
