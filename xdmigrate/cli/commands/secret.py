"""`secret`: the plan's encrypted store. A secret comes from a prompt or stdin, never from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdmigrate.cli.call import Call
from xdmigrate.cli.home import plan_file
from xdmigrate.cli.opened import Known, announce, find_home, load_plan
from xdmigrate.errors import GuardRefused, SecretUnreadable, UsageError

if TYPE_CHECKING:
    from xdmigrate.cli.home import Home
    from xdmigrate_plans.logins import Grant
    from xdmigrate_plans.plan import Plan, Side
    from xdmigrate_plans.vault import Vault

NAMES_SHOWN = 6
LONGEST = 65_536
"""Characters read from stdin at most."""

SecretName = Annotated[
    str, typer.Argument(metavar="NAME", help="What the plan calls it (store:NAME), or SIDE:ADDRESS for one account.")
]
SignInName = Annotated[str, typer.Argument(metavar="SIDE:ADDRESS", help="source:ADDRESS or target:ADDRESS.")]
Csv = Annotated[
    Path, typer.Argument(metavar="CSV", help="Columns source, source_password, target, target_password; mode 0600.")
]


def set_(call: Call, plan: str, name: SecretName) -> None:
    """Keep one secret, read from a prompt, or from stdin's first line."""
    from xdmigrate_plans.logins import secret_names

    loaded, home, vault = _store(call, plan)
    secret = typer.prompt(f"Secret {name}", hide_input=True) if sys.stdin.isatty() else _first_line()
    if not secret:
        raise UsageError("the secret is empty", remedy="type it, or give it on stdin")
    vault.set(name, secret)
    _announce(call, loaded, home)
    call.facts = {"plan": loaded.name, "name": name}
    call.say(f"kept secret {name} of plan {loaded.name}")
    asked = secret_names(loaded)
    if name not in asked:
        call.say(f"nothing in the plan asks for it; it asks for {', '.join(sorted(asked)[:NAMES_SHOWN])} …")


def import_(call: Call, plan: str, csv: Csv) -> None:
    """Keep the passwords of a CSV file; afterwards they can be removed from it."""
    from xdmigrate.cli.applying import passwords_in

    loaded, home, vault = _store(call, plan)
    found = passwords_in(loaded, csv)
    if not found:
        raise UsageError(f"{csv} holds no password of a mailbox of this plan", remedy="see `xdmigrate secret --help`")
    vault.update(found)
    _announce(call, loaded, home)
    call.facts = {"plan": loaded.name, "secrets": len(found)}
    call.say(f"kept {len(found)} secrets of plan {loaded.name}")


def status(call: Call, plan: str) -> int:
    """Tell which secrets the store holds, and which mailboxes have a secret that can be read. Shows none."""
    from xdmigrate.cli.applying import own_names
    from xdmigrate.cli.compose import Systems

    loaded, home, vault = _store(call, plan)
    systems = Systems(loaded, home.folder)
    missing: list[str] = []
    for system in systems.systems:
        for box in loaded.mailboxes:
            try:
                systems.entrance.secret(system.side, system.kinds[0], box)
            except SecretUnreadable as error:
                missing.append(f"{system.side}:{box.address(system.side)}")
                call.add(error)
    names = own_names(vault)
    call.facts = {"plan": loaded.name, "names": names, "missing": missing}
    for name in names:
        call.say(f"kept: {name}")
    logins = len(systems.systems) * len(loaded.mailboxes)
    call.say(f"{len(names)} secrets kept; {len(missing)} of {logins} logins have none that can be read")
    return call.code()


def login(call: Call, plan: str, name: SignInName) -> None:
    """Sign in for one mailbox, where the endpoint's flow is device-code; what comes of it stays in the store."""
    from xdmigrate.access import extra, microsoft
    from xdmigrate_plans import signin

    loaded, home, vault = _store(call, plan)
    grant = _device(loaded, name)
    extra.require(grant.flow)
    asked = microsoft.begin(grant)
    call.note(asked.message)
    found, who = asked.finish()
    signin.keep(vault, grant.endpoint, grant.subject, found)
    _announce(call, loaded, home)
    call.facts = {"plan": loaded.name, "name": name, "signed_in": who}
    call.say(f"{who or 'somebody'} has signed in for {grant.subject} on {grant.endpoint}")


def purge(call: Call, plan: str) -> None:
    """Forget every secret of the plan."""
    loaded, _home, vault = _store(call, plan)
    sure = call.options.yes or (call.on_terminal and typer.confirm(f"Forget all secrets of plan {loaded.name}?"))
    if not sure:
        raise GuardRefused("nothing was forgotten", remedy="confirm it, or write --yes")
    count = vault.purge()
    call.facts = {"plan": loaded.name, "secrets": count}
    call.say(f"forgot {count} secrets of plan {loaded.name}")


def _store(call: Call, plan: str) -> tuple[Plan, Home, Vault]:
    from xdmigrate_plans.vault import Vault

    file = plan_file(plan, Path.cwd())
    loaded, home = load_plan(file), find_home(call, file)
    announce(call, home, loaded.name)
    return loaded, home, Vault(home.folder, loaded.name)


def _device(plan: Plan, name: str) -> Grant:
    """What a person signs in with for SIDE:ADDRESS. Raises UsageError."""
    from xdmigrate_plans.logins import device_grant

    side, _, address = name.partition(":")
    if side not in ("source", "target"):
        raise UsageError(f"{name!r} is no mailbox of one side", remedy="write source:ADDRESS or target:ADDRESS")
    known: Side = "source" if side == "source" else "target"
    listed = {box.address(known).casefold(): box.address(known) for box in plan.mailboxes}
    if address.casefold() not in listed:
        raise UsageError(f"plan {plan.name} has no mailbox {address!r} on its {side}", remedy="list it in the plan")
    names = plan.endpoint_names(known)
    for endpoint in names:
        auth = plan.endpoints[endpoint].auth
        if auth is not None and auth.oauth is not None and auth.oauth.flow == "device-code":
            return device_grant(endpoint, auth.oauth, listed[address.casefold()])
    remedy = "write `auth: {oauth: {flow: device-code, …}}` there; other logins need no person"
    raise UsageError(f"nobody signs in on endpoint {' or '.join(names)}", remedy=remedy)


def _first_line() -> str:
    return sys.stdin.readline(LONGEST).rstrip("\r\n")


def _announce(call: Call, plan: Plan, home: Home) -> None:
    """Let a running process know, so that it tries rejected logins again."""
    from xdmigrate.cli.asking import Answer, ask
    from xdmigrate.jobs.requests import Ask, Verb
    from xdmigrate_state import plans
    from xdmigrate_state.database import Database

    if not home.url and not (home.folder / f"{plan.name}.db").is_file():
        return
    with Database.open(home.database(plan.name), create=False) as db:
        row = db.read(lambda c: plans.find(c, plan.name))
        if row is not None and ask(Known(home, db, row), Ask(Verb.SECRETS)) is not Answer.DONE:
            call.note("the running process has been told")
