"""What the engine is given from outside: the state, a clock, the sessions, the plan's wishes.

Everything that a pass needs stands here, so that the engine can be driven by a thread, by a durable worker or by a
test with a clock of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from xdmigrate.contract import Source, Target
from xdmigrate.engine.labels import Labels
from xdmigrate.engine.people import NOBODY, People
from xdmigrate.engine.scope import Scope
from xdmigrate.errors import Stopped, XdmigrateError
from xdmigrate.model import Kind
from xdmigrate_state.database import Database
from xdmigrate_state.rows import MailboxRow

COMMAND_TIMEOUT = 120.0
"""Seconds after which a command that was sent can no longer be under way; a lease must outlast it."""

LEASE_SECONDS = 900.0
"""How long a worker may hold a target mailbox without renewing."""


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises Stopped when the run is asked to end meanwhile."""


class StopClock:
    """The real clock, whose sleep ends at once when the run is asked to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped("stopped on request", remedy="run the same command again to resume")


@dataclass(frozen=True, slots=True)
class Progress:
    """One step forward, told to whoever watches: counts are differences, not totals."""

    mailbox_id: int
    phase: str  # connect, settle, folders, survey, move, merge, adopt, copy, flags, remove, done
    folder: str = ""
    items: int = 0
    octets: int = 0
    endpoints: tuple[str, ...] = ()  # with which it was done, by their names


@dataclass(frozen=True, slots=True)
class Policy:
    """The plan's wishes, as far as the copy engine obeys them."""

    scope: Scope
    mirror: bool = False  # deletions: mirror
    failures: int = 50  # items that may fail in one mailbox before it needs attention
    labels: Labels = Labels.ONCE  # copies of objects that the source shows in several folders
    repair: bool = False  # scope.repair: a second, repaired attempt at what the target refused
    permissions: bool = True  # include.permissions: copy who else may use a folder
    people: People = NOBODY  # who at the source is who on the target
    accepted: frozenset[str] = frozenset()  # checksums of findings that a person accepted


class Lender(Protocol):
    """Further sessions for a mailbox that has a pair already, as long as nobody else needs the connections."""

    def lends(self) -> bool:
        """Whether both systems have room for one more just now."""

    def source(self, mailbox: MailboxRow) -> Source: ...

    def target(self, mailbox: MailboxRow) -> Target: ...

    def wanted(self) -> bool:
        """Whether somebody waits for a connection: a borrowed one is to be given back after the range under way."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A pair of systems and the kinds of data that go from one to the other. A pass goes over one leg after another."""

    kinds: frozenset[Kind]
    source: Callable[[MailboxRow], Source]  # open a session; wrapped as the composition root wishes
    target: Callable[[MailboxRow], Target]
    lender: Lender | None = None  # None: a mailbox gets one pair of sessions
    endpoints: tuple[str, ...] = ()  # what the plan calls them, for progress


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by all mailboxes of one run."""

    db: Database
    plan_id: int
    policy: Policy
    legs: tuple[Leg, ...]  # in the order of a pass; no kind is in two of them
    clock: Clock
    whole: bool = True  # the legs are all of the plan's: having gone over them, a pass is complete
    owner: str = "local"  # names this worker in leases and the journal
    progress: Callable[[Progress], None] = field(default=lambda _progress: None)
    stopping: Callable[[], bool] = field(default=lambda: False)  # the run is asked to end at the next checkpoint
    given_up: Callable[[str], XdmigrateError | None] = field(default=lambda _endpoint: None)  # why it is not tried now
    settle_seconds: float = 2.0  # between two looks after a crash; doubles while the target changes
