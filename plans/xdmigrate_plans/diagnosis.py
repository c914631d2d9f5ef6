"""Turns what the model says about a plan into faults that a person can act on. No secret is ever quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from xdmigrate_plans.document import Where, named
from xdmigrate_plans.endpoints import SECRET_KEYS
from xdmigrate_plans.faults import suggest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Fault = tuple[Where, str, str]  # where, message, remedy
Show = Callable[[Where, Any], str]

_MAX_SHOWN = 60
_SHOWN_UNDER_AUTH = frozenset(
    ("user", "mechanism", "authorize_as", "flow", "tenant", "client_id", "scope", "subject", "authority")
)
_SECRETIVE = re.compile("password|passwd|secret|token|key", re.IGNORECASE)
_PASSWORD_REMEDY = (
    "passwords stand under `auth` as references, in a CSV, or in the store: `xdmigrate secret PLAN set NAME`"  # noqa: S105
)
_EXPECTED = {
    "string_type": ("is not text", "put it in quotes"),
    "int_type": ("is not a whole number", "write its digits alone"),
    "bool_type": ("is neither true nor false", "write one of them"),
    "list_type": ("is not a list", 'begin every entry with "- "'),
    "tuple_type": ("is not a list", 'begin every entry with "- "'),
    "dict_type": ("is not a mapping", "write it as `key: value`"),
    "model_type": ("is not a mapping", "write it as `key: value`"),
    "model_attributes_type": ("is not a mapping", "write it as `key: value`"),
}

_MISSING: dict[Where, str] = {
    ("version",): "write `version: 1`",
    ("name",): "write `name: NAME`, of a-z, 0-9 and -",
    ("endpoints",): "describe both systems; `xdmigrate init NAME` shows how",
    ("source",): "name the endpoint on which the mailboxes are",
    ("target",): "name the endpoint to which they go",
    ("mailboxes",): "list at least one, as `- {source: ADDRESS}`",
}


def diagnose(
    error: ValidationError, model: type[BaseModel], data: Any, *, known: Iterable[Where] = (), show: Show | None = None
) -> Iterator[Fault]:
    """The faults of `data` that are not already told by a fault at one of the `known` places or above it.

    `show` quotes values; where it is not given, `shown` does.
    """
    told = set(known)
    for details in error.errors(include_url=False):
        where = _place(details, data)
        if not any(where[:length] in told for length in range(1, len(where) + 1)):
            yield _fault(details, where, model, show or shown)


def _place(details: ErrorDetails, data: Any) -> Where:
    """The way to the value, without the marks that the model puts in between (union tags, "[key]")."""
    where: list[int | str] = []
    loc = details["loc"]
    for depth, part in enumerate(loc, 1):
        if isinstance(data, Mapping) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif depth < len(loc) or details["type"] != "missing":
            continue
        where.append(part)
    return tuple(where)


def _fault(details: ErrorDetails, where: Where, model: type[BaseModel], show: Show) -> Fault:
    context = details.get("ctx", {})
    match details["type"]:
        case "fault":
            place, value = _pointed(where, details["input"], context["key"])
            return place, f"{show(place, value)} {context['message']}", context["remedy"]
        case "missing":
            return where, "is missing", _MISSING.get(where, "write it")
        case "extra_forbidden":
            return _unknown_key(where, details["input"], _known_keys(model, details["loc"]))
        case "literal_error":
            return where, f"{show(where, details['input'])} is not accepted here", f"use {context['expected']}"
        case kind:
            message, remedy = _EXPECTED.get(kind, (f"is not accepted: {details['msg'].lower()}", ""))
            return where, f"{show(where, details['input'])} {message}", remedy


def _pointed(where: Where, value: Any, key: str) -> tuple[Where, Any]:
    """The key of a section that a complaint about the whole section means."""
    if not key:
        return where, value
    return (*where, key), value.get(key) if isinstance(value, Mapping) else value


def shown(where: Where, value: Any) -> str:
    """The value as a message may quote it: short, and nothing where a secret may stand."""
    if value is None:
        return "nothing"
    if not isinstance(value, str | int | float) or _may_be_secret(where, value):
        return "the value"
    text = f"'{value}'" if isinstance(value, str) else str(value).lower()
    text = "".join(char if char.isprintable() else "�" for char in text)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…'"


def _may_be_secret(where: Where, value: Any) -> bool:
    keys = [key for key in where if isinstance(key, str)]
    if "auth" in keys and keys[-1] not in _SHOWN_UNDER_AUTH:
        return True
    if keys and (keys[-1].lower() in SECRET_KEYS or _SECRETIVE.search(keys[-1])):
        return True
    return isinstance(value, str) and "://" in value and "@" in value


def hidden(_where: Where, _value: Any) -> str:
    """Quotes nothing: for rows in which a password may have slipped into another column."""
    return "the value"


def _unknown_key(where: Where, value: Any, known: set[str]) -> Fault:
    key = str(where[-1])
    if ":" in key:
        return where, f"unknown key '{named(key)}'", "write a blank after the colon"
    if "auth" in where and value is None:
        return where[:-1], "holds a key without a value", "write it as `key: value`"
    if _SECRETIVE.search(key) and "password" not in known:
        return where, f"unknown key '{key}'", _PASSWORD_REMEDY
    return where, f"unknown key '{key}'", suggest(key, known)


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    """The keys that are known beside an unknown one."""
    models = {model}
    for part in loc[:-1]:
        inner = {found for outer in models if part in outer.model_fields for found in _models(outer, str(part))}
        models = inner or models
    return {name for found in models for name in found.model_fields}


def _models(outer: type[BaseModel], name: str) -> set[type[BaseModel]]:
    return set(_models_in(outer.model_fields[name].annotation))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
