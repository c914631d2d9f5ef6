"""`init`: the first draft of a plan, with comments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.errors import UsageError

Name = Annotated[str, typer.Argument(metavar="NAME", help="The plan's name: a-z, 0-9 and -.")]
From = Annotated[str, typer.Option("--from", metavar="CONNECTOR", help="The kind of system that the mailboxes leave.")]
To = Annotated[str, typer.Option("--to", metavar="CONNECTOR", help="The kind of system that they go to.")]
Ready = Annotated[str, typer.Option("--ready", metavar="PLAN", help="Instead of both: a ready plan, by its name.")]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write it; by default plans/NAME.yaml or NAME.yaml."),
]


def init(
    call: Call, name: Name, *, source: From = "imap", target: To = "imap", ready: Ready = "", output: Output = ""
) -> None:
    """Write the first draft of a plan, to be edited. An existing file is never overwritten."""
    from xdmigrate_plans.init import copy, draft

    text = copy(name, ready) if ready else draft(name, source, target)
    folder = Path("plans") if Path("plans").is_dir() else Path()
    path = Path(output) if output else folder / f"{name}.yaml"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already", remedy="edit it, or name another file with --output") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", remedy="name another file with --output"
        ) from error
    call.facts = {"plan": name, "path": str(path)}
    call.say(f"wrote {path}: edit it, then run: xdmigrate check {path}")
