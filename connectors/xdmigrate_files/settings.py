"""A files endpoint's settings as the plan gives them. Pure: nothing is looked at on the disk here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from xdmigrate.errors import Problem
from xdmigrate.model import Endpoint, Login

KNOWN = ("connector", "path", "format", "mbox", "labels")
_FIELD = re.compile(r"\{(address|local|domain)\}")
_UNSAFE = re.compile(r"[/\0]|\A\.{0,2}\Z")


class Format(StrEnum):
    """How mail lies on the disk. Calendars and contacts are always one file for each item, below the same path."""

    MAILDIR = "maildir"
    MBOX = "mbox"
    EML = "eml"
    VDIR = "vdir"  # calendars and contacts alone; no mail


class Variant(StrEnum):
    """How an mbox keeps lines that begin with "From " apart from those that begin a message."""

    MBOXO = "mboxo"  # ">From " stands for "From ", and nobody knows what ">From " was
    MBOXRD = "mboxrd"  # one ">" more for every line of ">" and "From "
    MBOXCL = "mboxcl"  # as mboxo, with Content-Length
    MBOXCL2 = "mboxcl2"  # Content-Length alone


@dataclass(frozen=True, slots=True)
class Settings:
    """A valid endpoint for one account: its root, and what was said about what lies there."""

    endpoint: str
    root: str
    format: Format | None = None  # None: recognised
    variant: Variant | None = None  # None: recognised


def parse(endpoint: Endpoint, login: Login) -> Settings:
    """Read settings that `problems` found to be in order. What is filled into the path is one name, never a way."""
    given = endpoint.settings
    local, at, domain = login.address.rpartition("@")
    fields = {"address": login.address, "local": local if at else login.address, "domain": domain if at else ""}
    path = _FIELD.sub(lambda found: _one_name(fields[found[1]]), str(given["path"]))
    wanted, variant = given.get("format"), given.get("mbox")
    return Settings(
        endpoint=endpoint.name,
        root=os.path.abspath(path),
        format=Format(str(wanted)) if wanted else None,
        variant=Variant(str(variant)) if variant else None,
    )


def place(endpoint: Endpoint) -> str:
    """The path as it stands in the plan, made absolute: what names the system behind the endpoint."""
    return os.path.abspath(str(endpoint.settings.get("path", "")))


def problems(endpoint: Endpoint) -> list[Problem]:
    """Every fault of the settings at once."""
    return [
        Problem("", 0, f"endpoints.{endpoint.name}.{key}", fault, remedy)
        for key, fault, remedy in (*_faults(endpoint.settings), *_unknown(endpoint.settings))
    ]


def _faults(given: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    path = given.get("path")
    if not isinstance(path, str) or not path or "\0" in path:
        yield "path", f"{path!r} is not a path", "write a directory or a file, e.g. export/{address}"
    for key, words in (("format", Format), ("mbox", Variant)):
        if given.get(key) is not None and given[key] not in set(words):
            yield key, f"{given[key]!r} is not known", f"write {', '.join(words)}, or leave it out"


def _unknown(given: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    for key in given:
        if key not in KNOWN and given[key] not in (None, False):
            close = get_close_matches(key, KNOWN, 1)
            yield (
                key,
                "is not a setting of files",
                f"did you mean {close[0]}?" if close else f"known: {', '.join(KNOWN)}",
            )


def _one_name(value: str) -> str:
    return _UNSAFE.sub("_", value)
