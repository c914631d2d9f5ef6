"""Tries every mailbox's login on both sides, a few at a time, without locking anybody out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from xdmigrate.errors import EndpointError, LoginRejected, XdmigrateError
from xdmigrate.report.facts import CheckFacts, MailboxCheck, SideCheck, error_facts

if TYPE_CHECKING:
    from xdmigrate.cli.compose import System, Systems
    from xdmigrate.report.invitations import PromiseFacts
    from xdmigrate_plans.plan import PlannedMailbox

REJECTIONS = 5
"""Rejections in a row after which an endpoint is left alone: the next would serve nobody and may lock everybody out."""


class Admission:
    """Lets attempts at one endpoint begin as long as the rejections in a row, were all of them rejected, stay few."""

    def __init__(self, rejections: int = REJECTIONS) -> None:
        self._changed = threading.Condition()
        self._limit = rejections
        self._rejected = 0
        self._under_way = 0
        self._closed = False

    def enter(self) -> bool:
        """Wait for permission to try; False when the endpoint is to be left alone."""
        with self._changed:
            while not self._ended() and self._rejected + self._under_way >= self._limit:
                self._changed.wait()
            if self._ended():
                return False
            self._under_way += 1
            return True

    def _ended(self) -> bool:
        return self._closed or self._rejected >= self._limit

    def leave(self, error: XdmigrateError | None) -> None:
        """An attempt has ended. An endpoint that cannot be reached at all is left alone."""
        with self._changed:
            self._under_way -= 1
            if isinstance(error, LoginRejected):
                self._rejected += 1
            elif isinstance(error, EndpointError):
                self._closed = True
            elif error is None:
                self._rejected = 0
            self._changed.notify_all()


def check_all(
    systems: Systems, *, tell: Callable[[XdmigrateError], None], workers: int, promises: Sequence[PromiseFacts] = ()
) -> CheckFacts:
    """Every mailbox on every system of both sides; errors are told as they come, from several threads.

    `promises`: what the plan says about the invitations of its targets, told beside what they say themselves.
    """
    boxes = systems.plan.mailboxes
    ways = tuple(route.endpoints for route in systems.routes)
    found = [_check_side(systems, system, boxes, tell, workers) for system in systems.systems]
    for told in promises:
        found = [[_with_promise(side, told) for side in sides] for sides in found]
    checks = [
        MailboxCheck(box.source, box.target, list(sides), ways) for box, *sides in zip(boxes, *found, strict=True)
    ]
    return CheckFacts(systems.plan.name, checks)


def _with_promise(side: SideCheck, told: PromiseFacts) -> SideCheck:
    if (side.side, side.endpoint) != ("target", told.endpoint):
        return side
    return replace(side, findings=[*side.findings, told.finding])


def _check_side(
    systems: Systems,
    system: System,
    boxes: Sequence[PlannedMailbox],
    tell: Callable[[XdmigrateError], None],
    workers: int,
) -> list[SideCheck]:
    admission = Admission()
    told: list[XdmigrateError] = []

    def once(error: XdmigrateError) -> None:
        """What is wrong with the endpoint itself is told once, though several met it at the same time."""
        if not isinstance(error, EndpointError) or not any(isinstance(each, EndpointError) for each in told):
            tell(error)
        told.append(error)

    def one(box: PlannedMailbox) -> SideCheck:
        if not admission.enter():
            return SideCheck(system.side, system.endpoint.name, tried=False, kinds=system.kinds)
        error: XdmigrateError | None = None
        try:
            return _check_login(systems, system, box)
        except XdmigrateError as caught:
            error = caught
            once(error)
            return SideCheck(system.side, system.endpoint.name, error=error_facts(error)[0], kinds=system.kinds)
        finally:
            admission.leave(error)

    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        return list(pool.map(one, boxes))


def _check_login(systems: Systems, system: System, box: PlannedMailbox) -> SideCheck:
    login = systems.login(system, box)
    systems.costs.called(system.endpoint.name, items=0, octets=0, retries=0)
    try:
        findings = system.connector.check(system.endpoint, login, writable=system.side == "target")
    except XdmigrateError as error:
        error.endpoint = error.endpoint or system.endpoint.name
        error.mailbox = error.mailbox or login.address
        raise
    return SideCheck(system.side, system.endpoint.name, findings, kinds=system.kinds)
