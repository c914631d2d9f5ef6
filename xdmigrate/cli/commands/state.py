"""`state`: backup, restore and copy of run state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.opened import find_home

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backup.")]
Destination = Annotated[
    str, typer.Argument(metavar="DIR_OR_URL", help="A folder, or an empty PostgreSQL database as postgresql://…")
]
OnePlan = Annotated[str, typer.Option("--plan", metavar="NAME", help="Only this plan.")]


def backup(call: Call, folder: Folder) -> None:
    """Write a consistent copy of every plan's state into a folder, while runs go on."""
    from xdmigrate.cli.moving import back_up

    written = back_up(find_home(call, None), folder)
    call.facts = {"files": [str(path) for path in written]}
    for path in written:
        call.say(f"wrote {path}")


def restore(call: Call, folder: Folder) -> None:
    """Bring a backup back. A state that is there is refused; with --yes it is put aside first."""
    from xdmigrate.cli.moving import restore as bring_back

    restored = bring_back(folder, find_home(call, None), replace=call.options.yes)
    call.facts = {"plans": restored}
    call.say(f"restored: {', '.join(restored)}")


def copy(call: Call, destination: Destination, *, plan: OnePlan = "") -> None:
    """Copy run state to a PostgreSQL database, or from one to a folder. Runs continue there with --state."""
    from xdmigrate.cli.moving import move

    copied = move(find_home(call, None), destination, plan)
    call.facts = {"plans": copied}
    call.say(f"copied: {', '.join(copied)}; go on there with --state")
