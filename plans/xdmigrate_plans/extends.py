"""`extends`: a plan takes over another file's values. Mappings are merged deeply, everything else is replaced."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Any

from xdmigrate_plans import textfile
from xdmigrate_plans.document import Document, parse
from xdmigrate_plans.faults import Faults, Spot

MAX_CHAIN = 8
PATH_KEYS = frozenset(("ca", "file"))


def read_chain(path: Path, faults: Faults) -> Document | None:
    """The document of the plan with everything that it extends, or None when one of the files cannot be used."""
    return _read(path, Spot(str(path)), "plan", faults, [])


def _read(path: Path, asked: Spot, where: str, faults: Faults, above: list[Path]) -> Document | None:
    try:
        text, _mode = textfile.read(path)
    except textfile.Unusable as error:
        faults.add(Spot(str(path), error.line) if error.line else asked, where, f"'{path}' {error.message}")
        return None
    document = parse(text, str(path), faults)
    return document and _extended(document, path, faults, [*above, path.resolve()])


def _extended(document: Document, path: Path, faults: Faults, above: list[Path]) -> Document | None:
    name = document.data.get("extends")
    if not isinstance(name, str):
        return document
    spot = document.spot(("extends",))
    if textfile.unprintable(name):
        faults.add(spot, "extends", "holds a control character", "name a plan file")
        return None
    base_path = textfile.located(name, path.parent)
    if len(above) >= MAX_CHAIN or _resolved(base_path) in above:
        cause = "extends itself" if len(above) < MAX_CHAIN else f"is one of more than {MAX_CHAIN} files in a row"
        faults.add(spot, "extends", f"'{name}' {cause}", "remove it")
        return None
    base = _read(base_path, spot, "extends", faults, above)
    return base and _merged(base, document, os.path.dirname(name))  # noqa: PTH120 - the text as written


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _merged(base: Document, over: Document, directory: str) -> Document:
    data = _merge(_rebased(base.data, directory), over.data)
    unreadable = [*base.unreadable, *over.unreadable]
    return Document(over.file, data, {**base.spots, **over.spots}, unreadable)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _rebased(value: Any, directory: str, key: str = "") -> Any:
    """The base's values with its relative paths as the extending plan would write them."""
    if isinstance(value, dict):
        return {inner: _rebased(below, directory, inner) for inner, below in value.items()}
    if isinstance(value, list):
        return [_rebased(below, directory, key) for below in value]
    if not directory or not isinstance(value, str):
        return value
    if value.startswith("file:"):
        return f"file:{_joined(directory, value.removeprefix('file:'))}"
    return _joined(directory, value) if key in PATH_KEYS else value


def _joined(directory: str, path: str) -> str:
    return path if not path or path.startswith("~") else os.path.join(directory, path)  # noqa: PTH118
