"""Asks something of a plan: done here when nobody holds it, else posted to the running process, which takes it up."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING

from xdmigrate.cli.opened import Known
from xdmigrate.errors import PlanHeld

if TYPE_CHECKING:
    from xdmigrate.jobs.requests import Ask

WAIT_SECONDS = 5.0
LOOK_SECONDS = 0.2


class Answer(Enum):
    """What became of a request; its value is how people are told."""

    DONE = "done"
    TAKEN = "the running process has taken it up"
    POSTED = "posted; the running process will take it up as soon as it can"


def ask(known: Known, request: Ask) -> Answer:
    """Do it now if no run holds the plan, else post it and wait until the run has taken it, a few seconds at most.

    Raises what `jobs.requests.apply` raises.
    """
    from xdmigrate.jobs.requests import apply
    from xdmigrate_state import locks

    try:
        with locks.for_plan(known.db, known.home.folder, known.row.name):
            known.db.write(lambda c: apply(c, known.row.id, request, time.time()))
    except PlanHeld:
        return post(known, request)
    return Answer.DONE


def post(known: Known, request: Ask) -> Answer:
    """Leave it to the process that holds the plan."""
    from xdmigrate_state import requests

    posted = known.db.write(lambda c: requests.post(c, known.row.id, request.verb.value, request.facts(), time.time()))
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if known.db.read(lambda c: requests.is_taken(c, posted)):
            return Answer.TAKEN
        time.sleep(LOOK_SECONDS)
    return Answer.POSTED
