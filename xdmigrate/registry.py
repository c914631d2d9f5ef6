"""Finds connectors by the entry-point group `xdmigrate.connectors`, and imports one only when it is used."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from xdmigrate.errors import ExtraMissing, UsageError

if TYPE_CHECKING:
    from xdmigrate.contract import Connector

GROUP = "xdmigrate.connectors"


def names() -> frozenset[str]:
    """Every connector that is installed; none of them is imported."""
    return frozenset(entry_points(group=GROUP).names)


def load(name: str) -> Connector:
    """The connector that plans call so. Raises UsageError when there is none, ExtraMissing when it lacks a library."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise UsageError(f"there is no connector called {name!r}", remedy=_suggestion(name, sorted(found)))
    try:
        return cast("Connector", found[name].load())
    except ImportError as error:
        raise _missing(found[name], error) from error


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"installed are: {', '.join(known)}"


def _missing(entry: EntryPoint, error: ImportError) -> ExtraMissing:
    package = entry.dist.name if entry.dist else "xdmigrate"
    lacking = error.name or str(error)
    message = f"connector {entry.name!r} needs {lacking}, which is not installed"
    return ExtraMissing(message, remedy=f"install {package}[{entry.name}]")
