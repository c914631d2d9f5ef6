"""A command, option, exit code, error code or JSON field that is not documented fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from tests.docs.program import Command, commands, global_options
from xdmigrate import errors
from xdmigrate.errors import XdmigrateError
from xdmigrate.report.facts import KindCounts, MailboxStatus
from xdmigrate.report.verdicts import ItemState, Verdict

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("commands.md", "quickstart.md", "exit-codes.md", "json.md", "troubleshooting.md")


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def section(words: str) -> str:
    """The text under the heading of a command."""
    for part in re.split(r"^(?=##+ )", page("commands.md"), flags=re.MULTILINE):
        if re.search(rf"`{re.escape(words)}[ `]", part.splitlines()[0]):
            return part
    raise AssertionError(f"docs/commands.md has no section on `{words}`")


def all_errors(kind: type[XdmigrateError] = XdmigrateError) -> Iterator[type[XdmigrateError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from all_errors(below)


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.words)
def test_every_command_has_a_section_with_its_arguments_and_options(command: Command) -> None:
    told = section(command.words)
    heading = told.splitlines()[0]
    for argument in command.arguments:
        assert argument.strip("[].") in heading, f"{command.words}: {argument}"
    for option in command.options:
        assert re.search(rf"`{re.escape(option)}[ `]", told), f"{command.words}: {option}"


def test_no_section_documents_a_command_that_is_gone() -> None:
    known = {command.words.split(" PLAN")[0] for command in commands()} | {"state"}
    for heading in re.findall(r"^## .*", page("commands.md"), re.MULTILINE):
        for words in re.findall(r"`(\w+)", heading):
            assert words in {name.split()[0] for name in known}, heading


def test_no_documented_option_is_gone() -> None:
    known = {option for command in commands() for option in command.options} | {*global_options(), "--help", "-h"}
    for option in re.findall(r"^\| `(--?[a-z-]+)", page("commands.md"), re.MULTILINE):
        assert option in known, option


@pytest.mark.parametrize("option", global_options())
def test_every_global_option_is_documented(option: str) -> None:
    told = page("commands.md").split("## Global options")[1].split("\n## ")[0]
    assert f"`{option}" in told


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d) \|", page("exit-codes.md"), re.MULTILINE)
    assert rows == [str(code) for code in range(8)]
    assert {kind.exit_code for kind in all_errors()} <= set(range(8))


@pytest.mark.parametrize("code", sorted({kind.code for kind in all_errors() if kind.__module__ == errors.__name__}))
def test_every_error_code_has_an_answer(code: str) -> None:
    assert re.search(rf"^\| `{code}` \| .+ \| .+ \|$", page("troubleshooting.md"), re.MULTILINE)


def test_no_answer_is_about_an_error_that_is_gone() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", page("troubleshooting.md"), re.MULTILINE)
    assert set(told) == {kind.code for kind in all_errors() if kind.__module__ == errors.__name__}


def test_every_field_of_the_json_is_documented() -> None:
    told = page("json.md")
    counts = [field.name for field in fields(KindCounts) if field.name != "bytes_pending"]
    mailbox = [field.name for field in fields(MailboxStatus)]
    for name in (*counts, *mailbox, *ItemState, *Verdict, "schema", "exit", "errors", "seconds", "requests"):
        assert f"`{name}`" in told, name


@pytest.mark.parametrize("name", PAGES)
def test_links_between_pages_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([\w-]+\.md)\)", page(name)):
        assert (DOCS / target).is_file(), f"{name} links to {target}"


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_the_text_exist(name: str) -> None:
    known = {command.words.split()[0] for command in commands()}
    for word in re.findall(r"(?:^\$ |`)xdmigrate ([a-z]+)\b", page(name), re.MULTILINE):
        assert word in known, f"{name}: xdmigrate {word}"
