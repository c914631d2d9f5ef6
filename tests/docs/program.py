"""What the program really offers: its commands, arguments and options, read from the parser itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from xdmigrate.cli.app import app
from xdmigrate.cli.command import GLOBAL_OPTIONS

ELSEWHERE = frozenset({"help", "context", *GLOBAL_OPTIONS})
"""Parameters that stand in the section on global options."""


@dataclass(frozen=True)
class Command:
    """One command: its words, its arguments as usage shows them, and its options."""

    words: str
    arguments: tuple[str, ...]
    options: tuple[str, ...]


def commands() -> list[Command]:
    """Every command, those of groups included."""
    return list(_below(get_command(app), ()))


def _below(command: Any, words: tuple[str, ...]) -> Iterator[Command]:
    children = getattr(command, "commands", None)
    if children is None:
        yield _described(command, words)
        return
    plan = tuple(_metavar(each) for each in command.params if each.param_type_name == "argument")
    for name, child in children.items():
        yield from _below(child, (*words, *plan, name))


def _described(command: Any, words: tuple[str, ...]) -> Command:
    own = [each for each in command.params if each.name not in ELSEWHERE]
    arguments = tuple(_metavar(each) for each in own if each.param_type_name == "argument")
    options = tuple(name for each in own if each.param_type_name == "option" for name in each.opts)
    return Command(" ".join(words), arguments, options)


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def global_options() -> list[str]:
    """The options that stand before any command."""
    return [name for each in get_command(app).params for name in each.opts]
