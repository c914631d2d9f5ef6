"""`diff`: what applying an edited plan would change."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import find_home, load_plan, open_state
from xdmigrate.cli.options import PlanArgument
from xdmigrate.errors import GuardRefused


def diff(call: Call, plan: PlanArgument) -> None:
    """Tell what an edited plan would change. Exits 5 when something would be refused."""
    from xdmigrate.cli.applying import changes
    from xdmigrate_plans import edit

    file = plan_file(plan, Path.cwd())
    loaded, home = load_plan(file), find_home(call, file)
    with open_state(call, home, loaded.name, create=False) as db:
        found = db.read(lambda c: changes(c, loaded))
    checksum = edit.refusal_checksum(found)
    call.facts = {"plan": loaded.name, "changes": [asdict(change) for change in found], "checksum": checksum}
    if not found:
        call.say("nothing has changed since the plan was last applied")
    for change in found:
        call.say(f"{change.kind}: {change}")
    if checksum:
        raise GuardRefused(
            f"plan {loaded.name}: {len(edit.refused(found))} changes would be refused", checksum=checksum
        )
