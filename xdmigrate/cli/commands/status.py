"""`status`: where a plan stands, or all of them; from counters alone, beside any run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.opened import find_home, open_known
from xdmigrate.errors import StateUnusable, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from xdmigrate.report.facts import PlanStatus
    from xdmigrate.report.invitations import PromiseFacts
    from xdmigrate_state.database import Database

WATCH_SECONDS = 2.0

OptionalPlan = Annotated[
    str,
    typer.Argument(metavar="[PLAN]", help="The plan file; without it, every plan of the state.", show_default=False),
]
WatchOption = Annotated[bool, typer.Option("--watch", help="Keep looking, until interrupted.")]


def status(call: Call, plan: OptionalPlan = "", *, watch: WatchOption = False) -> None:
    """Tell where a plan stands, or every plan. Changes nothing and waits for nobody."""
    if watch and call.options.json:
        raise UsageError("--watch is for people", remedy="leave out --watch or --json")
    if plan:
        _one(call, plan, watch=watch)
    else:
        _all(call, watch=watch)


def _one(call: Call, plan: str, *, watch: bool) -> None:
    from xdmigrate.cli import promising
    from xdmigrate.cli.progress import Watch, line
    from xdmigrate.report import text
    from xdmigrate.report.status import plan_status
    from xdmigrate.report.words import zone

    with open_known(call, plan) as known:
        place = zone(known.timezone)
        pace = Watch(time.time())

        def look() -> list[RenderableType]:
            now = time.time()
            found = pace.look(known.db.read(lambda c: plan_status(c, known.row.name, now)), now)
            promises = promising.standing_of(known.db, known.row)
            call.facts = _facts(found, promises)
            lines: list[RenderableType] = [text.status_table(found, place)]
            lines += [*text.attention_lines(found.mailboxes, place), *text.altered_lines(found)]
            lines += [*text.left_lines(found), *text.invitation_lines(promises, place)]
            return [*lines, text.cell(line(found, pace, now))] if watch else lines

        _show(call, look, watch=watch)


def _all(call: Call, *, watch: bool) -> None:
    from xdmigrate.report import text
    from xdmigrate_state.database import Database

    home = find_home(call, None)
    with ExitStack() as held:
        places = [home.url] if home.url else [home.folder / f"{name}.db" for name in home.plans()]
        if not places:
            raise StateUnusable(
                f"state: there is none at {home.folder}", remedy="name it with --state, or run sync first"
            )
        opened = [held.enter_context(Database.open(place, create=False)) for place in places]
        call.note(f"state: {opened[0].url if home.url else home.folder}")

        def look() -> list[RenderableType]:
            found = [told for db in opened for told in _plans_of(db)]
            call.facts = {"plans": [_facts(*told) for told in found]}
            return [text.plans_table([status for status, _promises in found])]

        _show(call, look, watch=watch)


def _facts(status: PlanStatus, promises: list[PromiseFacts]) -> dict[str, object]:
    """As JSON tells it; nothing about invitations where no target may invite."""
    told = [facts.to_json() for facts in promises]
    return {**status.to_json(), **({"invitations": told} if told else {})}


def _plans_of(db: Database) -> list[tuple[PlanStatus, list[PromiseFacts]]]:
    from xdmigrate.cli import promising
    from xdmigrate.report.status import plan_status
    from xdmigrate_state import plans

    now = time.time()
    found = db.read(lambda c: [(row, plan_status(c, row.name, now)) for row in plans.every(c)])
    return [(status, promising.standing_of(db, row)) for row, status in found]


def _show(call: Call, look: Callable[[], list[RenderableType]], *, watch: bool) -> None:
    if not watch:
        call.say(*look())
        return
    from rich.console import Group
    from rich.live import Live

    def screen() -> Group:
        return Group(*map(call.named, look()))

    with Live(screen(), auto_refresh=False) as live:
        while True:
            time.sleep(WATCH_SECONDS)
            live.update(screen(), refresh=True)
