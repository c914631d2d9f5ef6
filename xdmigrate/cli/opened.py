"""Opens what commands work on: the plan, its state, its log; and finds mailboxes by what people call them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import Home, home_of, peek_name, plan_file
from xdmigrate.errors import StateUnusable, UsageError

if TYPE_CHECKING:
    from xdmigrate_plans.plan import Plan
    from xdmigrate_state.database import Database
    from xdmigrate_state.rows import MailboxRow, PlanRow


@dataclass(frozen=True, slots=True)
class Known:
    """A plan that the state knows: enough for every command that asks or tells about work already begun."""

    home: Home
    db: Database
    row: PlanRow

    @property
    def timezone(self) -> str:
        """The customer's timezone; empty when the plan names none."""
        customer = self.row.snapshot.get("customer")
        return str(customer.get("timezone") or "") if isinstance(customer, dict) else ""


def find_home(call: Call, plan: Path | None) -> Home:
    """Where the state of this invocation is."""
    return home_of(plan, call.options.state, Path.cwd())


def announce(call: Call, home: Home, plan: str) -> None:
    """Tell where the state is, for a command that needs only what lies beside it."""
    place = home.database(plan)
    new = isinstance(place, Path) and not place.exists()
    call.note(f"state: {home.folder if home.url else place}{' (new)' if new else ''}")


@contextmanager
def open_state(call: Call, home: Home, plan: str, *, create: bool) -> Iterator[Database]:
    """The plan's state, announced in one line. Raises StateUnusable when there is none and `create` is False."""
    from xdmigrate_state.database import Database

    with Database.open(home.database(plan), create=create) as db:
        call.note(f"state: {db.path or db.url}{' (new)' if db.new else ''}")
        yield db


@contextmanager
def open_known(call: Call, told: str) -> Iterator[Known]:
    """A plan that has been run before. Works while its file is being edited, as long as its name can be read.

    Raises StateUnusable when nothing was run yet.
    """
    from xdmigrate_state import plans

    file = plan_file(told, Path.cwd())
    home = find_home(call, file)
    name = peek_name(file) or load_plan(file).name
    with open_state(call, home, name, create=False) as db:
        row = db.read(lambda c: plans.find(c, name))
        if row is None:
            raise StateUnusable(f"state: nothing is known of plan {name}", remedy=f"run: xdmigrate sync {told}")
        yield Known(home, db, row)


def load_plan(file: Path) -> Plan:
    """Read a plan file. Raises PlanInvalid with every problem."""
    from xdmigrate import registry
    from xdmigrate_plans import loader

    return loader.load(file, connectors=registry.names(), moves=cache(lambda name: registry.load(name).kinds))


def find_mailboxes(rows: Sequence[MailboxRow], told: str) -> list[MailboxRow]:
    """The mailboxes that a person means by an id, a source address or a target address. Raises UsageError."""
    wanted = told.casefold()
    for match in (
        [box for box in rows if str(box.id) == told],
        [box for box in rows if box.source.casefold() == wanted],
        [box for box in rows if box.target.casefold() == wanted],
    ):
        if match:
            return match
    known = sorted({address for box in rows for address in (box.source, box.target)})
    near = get_close_matches(told, known, n=1)
    raise UsageError(
        f"there is no mailbox {told!r} in this plan",
        remedy=f"did you mean {near[0]!r}?" if near else "`xdmigrate status PLAN` lists them",
    )


def find_one(rows: Sequence[MailboxRow], told: str) -> MailboxRow:
    """The one mailbox that a person means. Raises UsageError when it could be several."""
    found = find_mailboxes(rows, told)
    if len(found) > 1:
        ids = ", ".join(f"{box.id} ({box.source})" for box in found)
        raise UsageError(f"{told!r} is the target of several mailboxes", remedy=f"name one by its id: {ids}")
    return found[0]


def of_wave(rows: Sequence[MailboxRow], wave: str) -> list[MailboxRow]:
    """The mailboxes of a wave. Raises UsageError when it has none."""
    found = [box for box in rows if box.wave == wave]
    if found:
        return found
    waves = sorted({box.wave for box in rows if box.wave})
    remedy = f"waves of this plan: {', '.join(waves)}" if waves else "this plan has no waves"
    raise UsageError(f"no mailbox is in wave {wave!r}", remedy=remedy)
