"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from xdmigrate.errors import UsageError
from xdmigrate.model import Kind

PlanArgument = Annotated[str, typer.Argument(metavar="PLAN", help="The plan file, or the name of one in plans/.")]
Wave = Annotated[str, typer.Option("--wave", metavar="WAVE", help="Only the mailboxes of this wave.")]
Mailbox = Annotated[
    str, typer.Option("--mailbox", metavar="MAILBOX", help="Only this mailbox: its id or one of its addresses.")
]
MailboxArgument = Annotated[str, typer.Argument(metavar="MAILBOX", help="A mailbox: its id or one of its addresses.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")]
KindOption = Annotated[
    str, typer.Option("--kind", metavar="KIND", help="Only this kind of data: mail, calendar, contacts or tasks.")
]


def known_kind(kind: str) -> None:
    """Raises UsageError for a word that names no kind of data."""
    if kind and kind not in set(Kind):
        raise UsageError(f"{kind!r} is no kind of data", remedy=f"kinds: {', '.join(Kind)}")
