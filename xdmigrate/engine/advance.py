"""Slices: advance one mailbox until a deadline. No runner is imported here; every runner calls this.

A pass is a generator that yields where everything done so far is committed. A slice pulls it until the deadline;
dropping it there loses nothing, and the next slice, in this process or another, begins again from the state.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from xdmigrate.engine.context import Context
from xdmigrate.engine.passes import steps
from xdmigrate.engine.work import paused
from xdmigrate.errors import FolderUnusable, Reach, Retriable, Stopped, XdmigrateError
from xdmigrate_state import mailboxes

BACKOFF_SECONDS = (2.0, 5.0, 15.0, 60.0, 300.0)
"""Waits after the 1st, 2nd, … failed attempt in a row, unless the server names one of its own."""

FOLDER_ATTEMPTS = 2
"""A folder that was renamed or renumbered under a pass is paired anew so often before a person is asked."""


class Verdict(Enum):
    """How a slice ended."""

    CONTINUE = "continue"  # the deadline came first
    DONE = "done"  # the pass is complete
    RETRY_AT = "retry-at"  # something passing; try again at `when`
    PAUSED = "paused"  # by a person, or because the run is asked to stop
    ATTENTION = "attention"  # this mailbox needs a person; noted in the state
    FAILED = "failed"  # the endpoint or the run cannot go on


@dataclass(frozen=True, slots=True)
class Step:
    """A slice's end: the verdict, when to try again (RETRY_AT), and the error that caused it."""

    verdict: Verdict
    when: float = 0.0
    error: XdmigrateError | None = None


class Advancer:
    """Holds the passes under way between two slices of this process. Thread-safe for different mailboxes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._passes: dict[int, Iterator[None]] = {}
        self._lock = threading.Lock()

    def advance(self, mailbox_id: int, deadline: float) -> Step:
        """Work on the mailbox until `deadline` (seconds since the epoch), the end of its pass, or an error."""
        try:
            return self._pull(mailbox_id, deadline)
        except XdmigrateError as error:
            self.drop(mailbox_id)
            return self._judge(mailbox_id, error)
        except BaseException:
            self.drop(mailbox_id)
            raise

    def drop(self, mailbox_id: int) -> None:
        """Forget the pass under way and close its sessions; everything committed stays."""
        with self._lock:
            under_way = self._passes.pop(mailbox_id, None)
        if under_way is not None:
            under_way.close()  # type: ignore[attr-defined]  # a generator: runs its finally blocks

    def _pull(self, mailbox_id: int, deadline: float) -> Step:
        with self._lock:
            under_way = self._passes.setdefault(mailbox_id, steps(mailbox_id, self._context))
        while not self._paused(mailbox_id):
            if next(under_way, _END) is _END:
                self.drop(mailbox_id)
                return Step(Verdict.DONE)
            if self._context.clock.now() >= deadline:
                return Step(Verdict.CONTINUE)
        self.drop(mailbox_id)
        return Step(Verdict.PAUSED)

    def _paused(self, mailbox_id: int) -> bool:
        return self._context.stopping() or paused(self._context, mailbox_id)

    def _judge(self, mailbox_id: int, error: XdmigrateError) -> Step:
        context, now = self._context, self._context.clock.now()
        if isinstance(error, Stopped):
            return Step(Verdict.PAUSED, error=error)
        attempts = context.db.write(lambda c: mailboxes.failed_attempt(c, mailbox_id))
        if error.retriable or (isinstance(error, FolderUnusable) and attempts <= FOLDER_ATTEMPTS):
            asked = error.delay if isinstance(error, Retriable) else None
            wait = BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1] if asked is None else asked
            return Step(Verdict.RETRY_AT, now + wait, error)
        if error.reach is Reach.MAILBOX:
            context.db.write(lambda c: mailboxes.attention(c, mailbox_id, error.code, error.message, error.remedy, now))
            return Step(Verdict.ATTENTION, error=error)
        return Step(Verdict.FAILED, error=error)


_END = object()
