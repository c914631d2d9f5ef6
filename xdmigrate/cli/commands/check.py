"""`check`: the plan, every secret and every login on both sides; changes nothing."""

from __future__ import annotations

from pathlib import Path

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import announce, find_home, load_plan
from xdmigrate.cli.options import PlanArgument
from xdmigrate.errors import MailboxError


def check(call: Call, plan: PlanArgument) -> int:
    """Check the plan, its secrets, and every mailbox's login on both sides. Changes nothing.

    Stops at five rejected logins in a row on an endpoint, so that nobody is locked out.
    """
    from xdmigrate.cli.applying import import_csv_passwords
    from xdmigrate.cli.checking import check_all
    from xdmigrate.cli.compose import Systems
    from xdmigrate.cli.promising import promised, told_so_far
    from xdmigrate.report import text

    file = plan_file(plan, Path.cwd())
    home, loaded = find_home(call, file), load_plan(file)
    announce(call, home, loaded.name)
    log = call.open_log(home, loaded.name, "check")
    systems = Systems(loaded, home.folder, hide=log.redactor.add)
    import_csv_passwords(loaded, systems.vault)
    promises = promised(systems, told_so_far(home, loaded.name))
    facts = check_all(systems, tell=call.add, workers=systems.workers(), promises=promises)
    call.facts = facts.to_json()
    call.say(
        text.check_table(facts, call.plan),
        *text.way_lines(facts),
        *text.step_lines(facts),
        text.check_headline(facts.mailboxes),
    )
    ready = all(box.ok for box in facts.mailboxes)
    return call.code([] if ready else [MailboxError.exit_code])
