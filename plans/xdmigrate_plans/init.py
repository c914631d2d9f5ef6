"""Writes the first draft of a plan, from the ready plan for the pair of connectors."""

from __future__ import annotations

import re
from importlib import resources

from xdmigrate.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME_LINE = re.compile(r"^name: \S+", re.MULTILINE)


def ready() -> list[str]:
    """The names of the ready plans, e.g. "imap-to-imap"."""
    files = resources.files("xdmigrate_plans").joinpath("ready").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


CONNECTORS = "a mail server is imap, a CalDAV and CardDAV server dav, whatever lies on the disk files"
"""What a person means who names a product."""


def draft(name: str, source_connector: str, target_connector: str) -> str:
    """The text of a plan called `name` for this pair of connectors, ready to be edited. Raises UsageError."""
    wanted = f"{source_connector}-to-{target_connector}"
    pairs = [plan for plan in ready() if re.fullmatch(r"[a-z0-9]+-to-[a-z0-9]+", plan)]
    if wanted not in pairs:
        message = f"there is no ready plan from '{source_connector}' to '{target_connector}'"
        raise UsageError(message, remedy=f"ready plans: {', '.join(pairs)}; {CONNECTORS}")
    return copy(name, wanted)


def copy(name: str, wanted: str) -> str:
    """The text of the ready plan `wanted`, for a plan called `name`. Raises UsageError."""
    if wanted not in ready():
        raise UsageError(f"there is no ready plan '{wanted[:64]}'", remedy=f"ready plans: {', '.join(ready())}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name[:64]}' cannot name a plan", remedy="use up to 63 of a-z, 0-9 and -")
    text = resources.files("xdmigrate_plans").joinpath("ready", f"{wanted}.yaml").read_text("utf-8")
    return _NAME_LINE.sub(f"name: {name}", text, count=1)
