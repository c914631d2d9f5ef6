"""Several pairs of sessions at work on one mailbox. Ranges are dealt out one by one, so that all lanes end together.

The pass's own pair is the first lane and works in the pass's own thread; the others are borrowed while nobody else
needs the connections, each with a thread of its own. Whatever fails in one lane ends them all at their next
checkpoint: every other range under way is still proved and committed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, Self, TypeVar

from xdmigrate.engine.work import Work
from xdmigrate.errors import XdmigrateError

MOST_LANES = 4
"""Pairs of sessions for one mailbox: more gained nothing (measured on Dovecot), and servers count a user's logins."""

AGAIN_SECONDS = 60.0
"""A server that turned a lane away is not asked sooner."""

Job = TypeVar("Job")

_log = logging.getLogger(__name__)


def share(work: Work, jobs: Iterator[Job], do: Callable[[Work, Job], None]) -> Iterator[None]:
    """Do all jobs, in as many lanes as can be borrowed. Yields after each one of the first lane.

    `jobs` is advanced by one lane at a time. Raises what a lane raised; then jobs may be left.
    """
    with Lanes(work, jobs, do) as lanes:
        for job in lanes.deal():
            lanes.check()
            lanes.borrow()
            do(work, job)
            yield
        lanes.finish()


class Lanes(Generic[Job]):
    """The borrowed lanes, and the jobs that they share with the first one."""

    def __init__(self, work: Work, jobs: Iterator[Job], do: Callable[[Work, Job], None]) -> None:
        self._work = work
        self._jobs = jobs
        self._do = do
        self._dealing, self._borrowing = threading.Lock(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._not_before = 0.0  # when a lane may be asked for again, after one was turned away
        self._ready = next(jobs, None)  # the job that is dealt next

    def borrow(self) -> None:
        """Open another lane where there is a job and room for one. Any lane does so when it has got a job itself."""
        lender, now = self._work.leg.lender, self._work.context.clock.now()
        if lender is None or self._ready is None or now < self._not_before or self._work.halt.is_set():
            return
        if not self._work.target.features.ids_returned:
            return  # several writers in one folder could not be told apart
        with self._borrowing:
            at_work = sum(thread.is_alive() for thread in self._threads)
            if at_work + 1 < MOST_LANES and lender.lends():
                thread = threading.Thread(target=self._run, name=f"lane-{self._work.mailbox.id}", daemon=True)
                thread.start()
                self._threads.append(thread)

    def deal(self) -> Iterator[Job]:
        """Jobs for one lane, until there are none or the lanes are to end."""
        while not self._work.halting():
            with self._dealing:
                job = self._ready
                self._ready = None if job is None else next(self._jobs, None)
            if job is None:
                return
            yield job

    def finish(self) -> None:
        """Wait for the borrowed lanes. Raises what one of them raised, and Stopped when they left jobs undone."""
        self._join()
        self.check()
        self._work.must_go_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._work.halt.set()
        self._join()
        self._work.halt.clear()

    def _run(self) -> None:
        """In a thread of its own: one borrowed lane."""
        try:
            with ExitStack() as held:
                lane = self._open(held)
                if lane is not None:
                    self._work_in(lane)
        except BaseException as error:  # noqa: BLE001 - raised again in the pass's own thread
            self._errors.append(error)
            self._work.halt.set()

    def _work_in(self, lane: Work) -> None:
        for job in self.deal():
            self.borrow()
            self._do(lane, job)
            if self._wanted():
                return

    def _open(self, held: ExitStack) -> Work | None:
        """Log in. A lane that cannot be had is no harm: the first one goes on, and meets what is really wrong."""
        lender, mailbox = self._work.leg.lender, self._work.mailbox
        if lender is None:
            return None
        try:
            source = lender.source(mailbox)
            held.callback(source.close)
            target = lender.target(mailbox)
            held.callback(target.close)
        except XdmigrateError as error:
            self._not_before = self._work.context.clock.now() + AGAIN_SECONDS
            _log.info("%s: no further connection: %s", mailbox.source, error.message)
            return None
        return self._work.beside(source, target)

    def _wanted(self) -> bool:
        lender = self._work.leg.lender
        return lender is not None and lender.wanted()

    def check(self) -> None:
        """Raise what a lane raised."""
        if self._errors:
            raise self._errors[0]

    def _join(self) -> None:
        """Wait for all lanes, those that one of them opens meanwhile among them."""
        while self._threads:
            self._threads.pop().join()
