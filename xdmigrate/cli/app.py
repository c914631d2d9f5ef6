"""The commands and their groups. Importing this imports no connector, no database and no plan model."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from xdmigrate import __version__
from xdmigrate.cli.call import Globals
from xdmigrate.cli.command import Json, State, Verbose, Work, Yes, command, plan_command, plan_group
from xdmigrate.cli.commands import (
    canary,
    check,
    demo,
    diff,
    init,
    journal,
    mailbox,
    pause,
    quarantine,
    secret,
    status,
    sync,
    verify,
)
from xdmigrate.cli.commands import state as state_commands
from xdmigrate.cli.root import Root

app = typer.Typer(
    name="xdmigrate",
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Moves an organisation's mailboxes from one system to another: resumable, verified, nothing lost.",
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"xdmigrate {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    state: State = "",
    json: Json = False,
    verbose: Verbose = False,
    yes: Yes = False,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the global options that stand before the command."""
    context.obj = Globals(state or os.environ.get("XDMIGRATE_STATE", ""), json, verbose, yes)


def _register() -> None:
    command(app, "init")(init.init)
    command(app, "check")(check.check)
    command(app, "canary")(canary.canary)
    command(app, "diff")(diff.diff)
    command(app, "sync")(sync.sync)
    command(app, "status")(status.status)
    command(app, "verify")(verify.verify)
    command(app, "pause")(pause.pause)
    command(app, "resume")(pause.resume)
    command(app, "demo")(demo.demo)
    for group in (*_plan_groups(), _state_group()):
        app.add_typer(group)


def _plan_groups() -> list[typer.Typer]:
    made = []
    for name, help_text, work in PLAN_GROUPS:
        group = plan_group(name, help_text)
        for command_name, function in work.items():
            plan_command(group, command_name)(function)
        made.append(group)
    return made


def _state_group() -> typer.Typer:
    group = typer.Typer(
        name="state", help="Back up, restore and move run state.", no_args_is_help=True, rich_markup_mode=None
    )
    command(group, "backup")(state_commands.backup)
    command(group, "restore")(state_commands.restore)
    command(group, "copy")(state_commands.copy)
    return group


PLAN_GROUPS: tuple[tuple[str, str, dict[str, Work]], ...] = (
    (
        "quarantine",
        "The items that could not be copied.",
        {
            "list": quarantine.show,
            "retry": quarantine.retry,
            "accept": quarantine.accept,
            "export": quarantine.export,
        },
    ),
    (
        "mailbox",
        "One mailbox of a plan.",
        {"show": mailbox.show, "skip": mailbox.skip, "reset": mailbox.reset, "rename": mailbox.rename},
    ),
    (
        "secret",
        "The plan's encrypted store of secrets.",
        {
            "set": secret.set_,
            "import": secret.import_,
            "login": secret.login,
            "status": secret.status,
            "purge": secret.purge,
        },
    ),
    (
        "journal",
        "The record of everything done to an outside system.",
        {"show": journal.show, "verify": journal.verify},
    ),
)

_register()
