"""`pause` and `resume`: a plan, a wave or a mailbox; a running process stops at its next checkpoint."""

from __future__ import annotations

from xdmigrate.cli.call import Call
from xdmigrate.cli.opened import Known, find_mailboxes, of_wave, open_known
from xdmigrate.cli.options import Mailbox, PlanArgument, Wave


def pause(call: Call, plan: PlanArgument, *, wave: Wave = "", mailbox: Mailbox = "") -> None:
    """Stop work on a plan, a wave or a mailbox at the next checkpoint, until `resume`."""
    _ask(call, plan, "pause", wave, mailbox)


def resume(call: Call, plan: PlanArgument, *, wave: Wave = "", mailbox: Mailbox = "") -> None:
    """Allow work again. A running process goes on at once; else the next sync does."""
    _ask(call, plan, "resume", wave, mailbox)


def _ask(call: Call, plan: str, verb: str, wave: str, mailbox: str) -> None:
    from xdmigrate.cli.asking import ask
    from xdmigrate.jobs.requests import Ask, Verb

    with open_known(call, plan) as known:
        answer = ask(known, Ask(Verb(verb), _chosen(known, wave, mailbox)))
        call.facts = {"plan": known.row.name, "request": answer.name.lower()}
        call.say(f"{verb} {mailbox or wave or known.row.name}: {answer.value}")


def _chosen(known: Known, wave: str, mailbox: str) -> tuple[int, ...]:
    """The mailboxes that are meant; none: the whole plan."""
    from xdmigrate_state import mailboxes

    if not wave and not mailbox:
        return ()
    rows = known.db.read(lambda c: mailboxes.all(c, known.row.id))
    in_wave = of_wave(rows, wave) if wave else rows
    return tuple(box.id for box in (find_mailboxes(in_wave, mailbox) if mailbox else in_wave))
