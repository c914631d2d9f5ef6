"""`demo`: a migration before your eyes, killed midway, in about half a minute."""

from __future__ import annotations

from typing import Annotated

import typer

from xdmigrate.cli.call import Call

Messages = Annotated[
    int, typer.Option("--messages", metavar="N", min=10, max=100_000, help="How many messages to move.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the folder with the plan, the state and the logs.")]


def demo(call: Call, *, messages: Messages = 2000, keep: Keep = False) -> int:
    """Move generated mail between two embedded servers, kill the migration midway, resume it, and prove the result."""
    from xdmigrate.cli.showing import show

    return show(call, messages, keep=keep)
