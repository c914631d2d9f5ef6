"""Reads a plan file. Every problem of the plan is found before any is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xdmigrate_plans import checks, csvfile, kinds, vocabulary
from xdmigrate_plans.content import Content
from xdmigrate_plans.diagnosis import Fault, diagnose
from xdmigrate_plans.document import Document, Where, dotted
from xdmigrate_plans.extends import read_chain
from xdmigrate_plans.faults import Faults, Spot
from xdmigrate_plans.kinds import Moves, only_mail
from xdmigrate_plans.mailboxes import expand
from xdmigrate_plans.plan import SIDES, Plan, Side


def load(path: Path, *, connectors: frozenset[str], moves: Moves = only_mail) -> Plan:
    """The plan at `path`. `connectors` are the names of the installed ones, `moves` tells what one of them moves.

    Raises PlanInvalid with all problems at once, each with file, line, what stands there and what would be right.
    """
    faults = Faults()
    document = read_chain(path, faults)
    plan = _checked(document, path, connectors, moves, faults) if document else None
    faults.raise_any()
    if plan is None:
        raise AssertionError("a plan was refused without a reason")
    return plan


def _checked(document: Document, path: Path, connectors: frozenset[str], moves: Moves, faults: Faults) -> Plan | None:
    content = _content(document, kinds.spread(document.data, connectors, moves), faults)
    _note(checks.names_fit(document, connectors), document, faults)
    _note(kinds.problems(document.data, connectors, moves), document, faults)
    expansion = expand(document, path.parent, faults)
    if content is None:
        return None
    if not expansion.mailboxes and not faults:
        faults.add(document.spot(("mailboxes",)), "mailboxes", "names no mailbox", "list at least one")
    plan = Plan(path, content, tuple(expansion.mailboxes), tuple(expansion.csv_files))
    _note(checks.files_exist(plan), document, faults)
    if not faults:
        _note(checks.paths_apart(plan), document, faults)
        _check_copies(plan, faults)
    return plan


def _content(document: Document, spread: dict[str, Any], faults: Faults) -> Content | None:
    told: list[Where] = list(document.unreadable)
    for where, message, remedy in vocabulary.refused(document.data):
        told.append(where)
        faults.add(document.spot(where), dotted(where), message, remedy)
    try:
        return Content.model_validate(spread)
    except ValidationError as error:
        _note(diagnose(error, Content, document.data, known=told), document, faults)
        return None


def _note(found: Iterable[Fault], document: Document, faults: Faults) -> None:
    for where, message, remedy in found:
        faults.add(document.spot(where), dotted(where), message, remedy)


def _check_copies(plan: Plan, faults: Faults) -> None:
    for mailbox in dict.fromkeys(checks.onto_themselves(plan)):
        message = f"'{mailbox.source}' would be copied onto itself"
        faults.add(
            Spot(mailbox.file, mailbox.line), "mailboxes", message, "check `target`, and the endpoints' host and user"
        )


def csv_passwords(plan: Plan) -> Iterator[tuple[Side, str, str]]:
    """Side, address and password of every planned mailbox whose CSV row tells one.

    The files are read again: a plan never keeps passwords. An address that comes twice is told once, by its first
    row. Raises PlanInvalid when a file can no longer be used.
    """
    planned = {(mailbox.file, mailbox.line): mailbox for mailbox in plan.mailboxes}
    told: set[tuple[Side, str]] = set()
    for path in plan.csv_files:
        faults = Faults()
        rows = csvfile.read(path, faults, Spot(str(plan.path)), "mailboxes")
        faults.raise_any()
        for row in rows:
            mailbox = planned.get((str(path), row.line))
            for side in SIDES:
                if mailbox and side in row.passwords and (side, mailbox.address(side)) not in told:
                    told.add((side, mailbox.address(side)))
                    yield side, mailbox.address(side), row.passwords[side]
