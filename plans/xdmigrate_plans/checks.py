"""What must fit together between the sections of a plan. Pure, except for looking whether a named file exists."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Any

from xdmigrate.model import Kind
from xdmigrate_plans.addresses import same_account
from xdmigrate_plans.diagnosis import Fault, shown
from xdmigrate_plans.document import Document
from xdmigrate_plans.endpoints import Endpoint
from xdmigrate_plans.faults import suggest
from xdmigrate_plans.plan import SIDES, Plan, PlannedMailbox, Side, Way
from xdmigrate_plans.templates import Fields, expand, has_fields
from xdmigrate_plans.textfile import located

IDENTITY = ("connector", "host", "port", "url", "domain", "server", "path")
"""Settings that tell one system from another."""


def names_fit(document: Document, connectors: frozenset[str]) -> Iterator[Fault]:
    """Connectors that are not installed, and endpoints that are named but not described.

    Works on the raw data, so that it can speak while other parts of the plan are still wrong.
    """
    data = document.data
    endpoints = data.get("endpoints")
    described = endpoints if isinstance(endpoints, dict) else {}
    for name, endpoint in described.items():
        connector = endpoint.get("connector") if isinstance(endpoint, dict) else None
        if isinstance(connector, str) and connector not in connectors:
            yield (
                ("endpoints", name, "connector"),
                f"{shown((), connector)} is not installed",
                _about_connector(connector, connectors),
            )
    for side in SIDES:
        yield from _about_names((side,), data.get(side), described)
    limits = data.get("limits")
    for name in limits if isinstance(limits, dict) else ():
        if name not in described:
            yield ("limits", name), f"'{name}' is no endpoint", suggest(name, described)


def _about_connector(connector: str, connectors: frozenset[str]) -> str:
    if near := get_close_matches(connector, connectors, n=1):
        return f"did you mean '{near[0]}'?"
    return f"installed: {', '.join(sorted(connectors)) or 'none'}"


def _about_names(where: tuple[str, ...], named: Any, described: dict[str, Any]) -> Iterator[Fault]:
    if isinstance(named, dict):
        for kind in Kind:
            yield from _about_names((*where, kind), named.get(kind), described)
    elif isinstance(named, str) and named not in described:
        yield where, f"{shown(where, named)} is no endpoint", suggest(named, described)


def files_exist(plan: Plan) -> Iterator[Fault]:
    """Certificate files that are not there."""
    for name, endpoint in plan.endpoints.items():
        if endpoint.ca and not os.path.isfile(located(endpoint.ca, plan.directory)):  # noqa: PTH113 - never raises
            yield (
                ("endpoints", name, "ca"),
                f"{shown(('ca',), endpoint.ca)} is not a file",
                "a relative path starts at the plan's folder",
            )


def paths_apart(plan: Plan) -> Iterator[Fault]:
    """Directories that several mailboxes would share, and a target inside its source, which would grow for ever."""
    for way in plan.ways:
        paths = [plan.endpoints[name].described()["path"] for name in _of_files(plan, way)]
        for name, path in zip(_of_files(plan, way), paths, strict=True):
            if len(plan.mailboxes) > 1 and not has_fields(path):
                remedy = "let it differ from mailbox to mailbox, for example by {address}"
                yield ("endpoints", name, "path"), f"{shown((), path)} would be shared by all mailboxes", remedy
            for shared in islice(_meeting(plan, "source" if name == way.source else "target", path), 1):
                who = " and ".join(shared)
                yield ("endpoints", name, "path"), f"{shown((), path)} would be shared by {who}", "use {address}"
        places = [os.path.normpath(located(path, plan.directory)) for path in paths]
        if len(set(places)) == 2 and os.path.commonpath(places) in places:
            message = f"{shown((), paths[1])} and the source's path lie inside each other"
            yield ("endpoints", way.target, "path"), message, "keep them apart"


def _meeting(plan: Plan, side: Side, path: str) -> Iterator[tuple[str, str]]:
    """Different addresses that a template leads to one path; mailboxes that the plan merges have one address."""
    first: dict[str, str] = {}
    for address in (mailbox.address(side) for mailbox in plan.mailboxes) if has_fields(path) else ():
        other = first.setdefault(expand(path, Fields.of(address)), address)
        if other != address:
            yield other, address


def _of_files(plan: Plan, way: Way) -> list[str]:
    return [name for name in (way.source, way.target) if plan.endpoints[name].connector == "files"]


def onto_themselves(plan: Plan) -> Iterator[PlannedMailbox]:
    """Mailboxes whose source and target are one account on one system: a copy would never end."""
    for kind in (way.kinds[0] for way in plan.ways):
        old, new = (plan.endpoints[plan.endpoint_name(side, kind)] for side in SIDES)
        if identity(old.described()) != identity(new.described()):
            continue
        for mailbox in plan.mailboxes:
            one, other = (_acts_as(plan, side, mailbox, kind) for side in SIDES)
            if same_account(one, other):
                yield mailbox


def identity(endpoint: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What tells the system behind an endpoint, described as plain values, from other systems."""
    return tuple((key, endpoint[key]) for key in IDENTITY if endpoint.get(key) is not None)


def _acts_as(plan: Plan, side: Side, mailbox: PlannedMailbox, kind: str) -> str:
    return authorized(plan, side, mailbox, kind) or login_name(plan, side, mailbox, kind)


def authorized(plan: Plan, side: Side, mailbox: PlannedMailbox, kind: str = "") -> str:
    """For whom the login acts, by the endpoint's template; empty when for itself."""
    auth = plan.endpoints[plan.endpoint_name(side, kind)].auth
    return expand(auth.authorize_as, Fields.of(mailbox.address(side))) if auth and auth.authorize_as else ""


def login_name(plan: Plan, side: Side, mailbox: PlannedMailbox, kind: str = "") -> str:
    """Whom the mailbox logs in as: its own user, else the endpoint's template filled in, else its address."""
    endpoint: Endpoint = plan.endpoints[plan.endpoint_name(side, kind)]
    template = endpoint.auth.user if endpoint.auth else "{address}"
    return mailbox.user(side) or expand(template, Fields.of(mailbox.address(side)))


def account_name(plan: Plan, side: Side, mailbox: PlannedMailbox, kind: str = "") -> str:
    """What the account itself is called there, whoever logs in for it; its address where the plan does not say."""
    auth = plan.endpoints[plan.endpoint_name(side, kind)].auth
    if mailbox.user(side):
        return mailbox.user(side) or ""
    plain = "{local}" if auth and "{local}" in (auth.authorize_as or "", auth.user) else "{address}"
    return expand(plain, Fields.of(mailbox.address(side)))
