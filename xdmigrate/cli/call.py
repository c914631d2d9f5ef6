"""One invocation of the program: its global options, what it tells, and how it ends."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xdmigrate.cli import streams
from xdmigrate.errors import Reach, Stopped, XdmigrateError, exit_code

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from xdmigrate.cli.home import Home
    from xdmigrate.cli.log import LogFile

WIDE = 250
"""Columns where nobody looks at a terminal: addresses are never cut off in a file or a pipe."""


@dataclass(frozen=True, slots=True)
class Globals:
    """The options that every command takes."""

    state: str = ""
    json: bool = False
    verbose: bool = False
    yes: bool = False
    plan: str = ""  # told to a group of commands about one plan

    def merged(self, other: Globals) -> Globals:
        """Both, as told before and after the command's name; the later `--state` wins."""
        return replace(
            other,
            state=other.state or self.state,
            plan=other.plan or self.plan,
            json=self.json or other.json,
            verbose=self.verbose or other.verbose,
            yes=self.yes or other.yes,
        )


@dataclass(slots=True)
class Call:
    """What a command is given: the options, and where it puts its facts and its words."""

    options: Globals
    facts: dict[str, object] = field(default_factory=dict)
    errors: list[XdmigrateError] = field(default_factory=list)
    log: LogFile | None = None
    plan: str = ""
    """As told on the command line: remedies name it, so that they can be copied."""

    @property
    def on_terminal(self) -> bool:
        """Whether a person is watching."""
        return not self.options.json and sys.stdout.isatty()

    def open_log(self, home: Home, plan: str, name: str) -> LogFile:
        """Keep a log of this invocation among the plan's logs; closed when the command ends."""
        from xdmigrate.cli.log import LogFile

        self.log = LogFile(home.logs(plan), name, verbose=self.options.verbose)
        return self.log

    def say(self, *told: RenderableType) -> None:
        """Tell people; machines get `facts` instead."""
        if self.options.json:
            return
        console = plain_console()
        for part in told:
            console.print(self.named(part), markup=False, highlight=False)

    def named(self, part: RenderableType) -> RenderableType:
        """What is told, with the plan's name in the commands that it tells."""
        from rich.text import Text

        from xdmigrate.report.words import for_plan

        if isinstance(part, Text):
            return Text(for_plan(part.plain, self.plan), style=part.style)
        return for_plan(part, self.plan) if isinstance(part, str) else part

    def note(self, line: str) -> None:
        """Tell people about the run itself: on stdout, or beside the one JSON object."""
        print(line, file=sys.stderr if self.options.json else sys.stdout, flush=True)

    def add(self, error: XdmigrateError) -> None:
        """Remember an error that did not end the command."""
        self.errors.append(error)

    def code(self, codes: list[int] | None = None) -> int:
        """The exit code of these codes and of all errors."""
        return exit_code([*(codes or []), *(error.exit_code for error in self.errors)])

    def finish(self, code: int) -> int:
        """Tell the errors, and to machines everything, as one object; returns the exit code."""
        from xdmigrate.report.facts import envelope, error_facts
        from xdmigrate.report.words import for_plan, printable

        if self.options.json:
            told = [fact for error in self.errors for fact in error_facts(error)]
            sys.stdout.write(json.dumps(envelope(code, told, self.facts)) + "\n")
        said = [] if self.options.json else self.errors
        if error := streams.lost():
            full = Stopped(
                f"the standard output cannot be written ({error.strerror})", remedy="give it room, run again"
            )
            said, code = [*said, full], exit_code([code, full.exit_code])
        for each in said:
            for line in _named(each).splitlines():
                sys.stderr.write(f"xdmigrate: {printable(for_plan(line, self.plan))}\n")
        return code


def _named(error: XdmigrateError) -> str:
    """The error with the name of what it is about, where its own words do not tell it."""
    about = error.endpoint if error.reach is Reach.ENDPOINT else error.mailbox
    return str(error) if about in error.message else f"{about}: {error}"


def plain_console() -> Console:
    """A console on stdout as it is now; wide where it is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDE)
