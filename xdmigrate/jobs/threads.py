"""The thread runner: one process, a few worker threads, one deciding thread (the caller's).

The deciding thread takes requests, asks `due` what to start, and hears the workers' ends. Workers do nothing but
`Advancer.advance`. A stop is an event that everybody watches: every pass ends at its next checkpoint, and nothing
that was committed is lost, however often and however hard the process is stopped.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from xdmigrate.engine.advance import Advancer, Step, Verdict
from xdmigrate.engine.context import Context, Progress
from xdmigrate.errors import LoginRejected, Retriable
from xdmigrate.jobs.due import Standing, Wish, choose, standing
from xdmigrate.jobs.inbox import Inbox
from xdmigrate.jobs.requests import Ask, Verb
from xdmigrate.jobs.run import Endpoints, Run, RunResult, closing_errors
from xdmigrate.jobs.secrets import Secrets
from xdmigrate_state import failures, mailboxes, plans
from xdmigrate_state.rows import MailboxRow

WORKERS = 4
SLICE_SECONDS = 60.0
POLL_SECONDS = 1.0
"""How often requests are looked for, and the longest that the deciding thread waits for anything."""

ACHIEVED = frozenset({"copy", "move", "adopt", "merge", "remove", "done"})
"""Phases whose progress proves that the endpoints work; listings alone could go round for ever."""

REACHED = frozenset({"settle", "folders"})
"""Phases that begin when both endpoints of a leg have let the mailbox in."""

End = tuple[MailboxRow, Step | BaseException]


class Runner:
    """Gives every mailbox that the wish covers one pass. `run` may be called once."""

    def __init__(
        self,
        context: Context,
        wish: Wish,
        *,
        stop: threading.Event,
        endpoints: Endpoints,
        secrets: Secrets,
        workers: int = WORKERS,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._db, self._plan_id, self._clock = context.db, context.plan_id, context.clock
        self._watch = context.progress
        self._whole = context.whole  # else what stopped the kinds that this run leaves out still needs a person
        self._stop = stop
        self._run = Run(wish, endpoints)
        self._secrets = secrets
        self._inbox = Inbox(context.db, context.plan_id)
        self._workers = max(1, workers)
        self._slice_seconds = slice_seconds
        self._ends: queue.SimpleQueue[End] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self._known: dict[int, MailboxRow] = {}
        self._read_at = 0.0
        self._look_at = 0.0
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("xdmigrate.run")
        self._advancer = Advancer(
            replace(context, progress=self._progress, stopping=stop.is_set, given_up=self._run.out_of_reach)
        )

    def run(self) -> RunResult:
        """Work until nothing is due, everything left has to wait for a person, or the stop event is set."""
        began = self._clock.now()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="mailbox") as pool:
            try:
                while self._round(pool):
                    pass
            except BaseException:
                self._stop.set()  # the workers end at their next checkpoint; the pool waits for them
                raise
            finally:
                self._drop(self._run.begun - set(self._run.running))
        self._close()
        return RunResult(self._run.errors, self._clock.now() - began)

    def _round(self, pool: ThreadPoolExecutor) -> bool:
        """One round of deciding and hearing; False at the end of the run."""
        self._take_requests()
        rows = self._rows()
        idle = self._idle()
        self._let_go(rows, idle=idle)
        wake_at = None if idle else self._start_due(pool, rows)
        if not self._run.running and wake_at is None:
            return False
        self._hear(wake_at)
        return True

    def _rows(self) -> list[MailboxRow]:
        """The mailboxes as they were a second ago at most: reading thousands anew for each slice would be the work."""
        now = self._clock.now()
        if now >= self._read_at + POLL_SECONDS:
            self._read_at = now
            rows = self._db.read(lambda c: mailboxes.all(c, self._plan_id))
            self._known = {box.id: box for box in rows}
            self._run.new_secret = self._secrets.changed(rows)
        return list(self._known.values())

    def _forget_rows(self) -> None:
        """The state has changed in a way that matters for what is due."""
        self._read_at = 0.0

    def _idle(self) -> bool:
        """Whether nothing may be started, though it were due."""
        paused = self._db.read(lambda c: plans.is_paused(c, self._plan_id))
        return paused or self._run.fatal or self._stop.is_set()

    # --- starting -------------------------------------------------------------------------------------------

    def _start_due(self, pool: ThreadPoolExecutor, rows: Sequence[MailboxRow]) -> float | None:
        """Fill the free workers; when one stays free, returns when something will be due."""
        while len(self._run.running) < self._workers:
            now = self._clock.now()
            choice = choose(rows, self._run.wish, self._run.situation(rows, now))
            if choice.mailbox is None:
                return choice.wake_at
            self._run.started(choice.mailbox, now)
            pool.submit(self._work, choice.mailbox, now + self._slice_seconds)
        return None

    def _work(self, mailbox: MailboxRow, deadline: float) -> None:
        """In a worker thread: one slice."""
        try:
            self._ends.put((mailbox, self._advancer.advance(mailbox.id, deadline)))
        except BaseException as error:  # noqa: BLE001 - told by the deciding thread; a worker never dies silently
            self._ends.put((mailbox, error))

    def _let_go(self, rows: Sequence[MailboxRow], *, idle: bool) -> None:
        """Close the sessions of passes between two slices that may not go on now."""
        situation = self._run.situation(rows, self._clock.now())
        resting = self._run.begun - set(self._run.running)
        self._drop(
            box.id
            for box in rows
            if box.id in resting and (idle or standing(box, self._run.wish, situation) is not Standing.DUE)
        )

    def _drop(self, mailbox_ids: Iterable[int]) -> None:
        for mailbox_id in list(mailbox_ids):
            self._run.begun.discard(mailbox_id)
            self._advancer.drop(mailbox_id)

    # --- hearing --------------------------------------------------------------------------------------------

    def _hear(self, wake_at: float | None) -> None:
        """Wait for a worker's end or the time to look again; then take in all that has come."""
        wait = POLL_SECONDS if wake_at is None else min(max(wake_at - self._clock.now(), 0.0), POLL_SECONDS)
        try:
            self._take(self._ends.get(timeout=wait))
            while True:
                self._take(self._ends.get_nowait())
        except queue.Empty:
            self._take_heard()

    def _take(self, end: End) -> None:
        self._take_heard()
        mailbox, told = end
        if isinstance(told, Step):
            self._run.took(mailbox, told, self._clock.now())
            self._record(mailbox, told)
        else:
            self._run.crashed(mailbox, told)
            self._log.error("internal-error", mailbox=mailbox.source, exc_info=told)

    def _record(self, mailbox: MailboxRow, step: Step) -> None:
        """What the state has to remember of a slice's end, beside what the engine wrote."""
        error = step.error
        if step.verdict in {Verdict.PAUSED, Verdict.ATTENTION, Verdict.RETRY_AT}:
            self._forget_rows()
        self._log.info("slice", mailbox=mailbox.source, verdict=step.verdict.value, error=error.code if error else "")
        if step.verdict is Verdict.DONE and mailbox.attention_code and self._whole:
            self._db.write(lambda c: _recovered(c, mailbox.id))
        if isinstance(error, Retriable) and error.delay is not None:
            self._db.write(lambda c: mailboxes.update(c, mailbox.id, retry_at=step.when))
        if isinstance(error, LoginRejected):
            mark = self._secrets.rejected(mailbox)
            self._db.write(lambda c: mailboxes.update(c, mailbox.id, rejected_mark=mark))

    def _progress(self, progress: Progress) -> None:
        """In a worker thread."""
        if progress.phase in ACHIEVED | REACHED:
            self._heard.put(progress)
        self._watch(progress)

    def _take_heard(self) -> None:
        achieved: dict[tuple[int, tuple[str, ...]], bool] = {}
        while not self._heard.empty():
            progress = self._heard.get()
            key = progress.mailbox_id, progress.endpoints
            achieved[key] = achieved.get(key, False) or progress.phase in ACHIEVED
        for (mailbox_id, endpoints), anything in achieved.items():
            mailbox = self._known[mailbox_id]
            if anything:
                self._run.progressed(mailbox, endpoints)
            else:
                self._run.reached(mailbox, endpoints)

    # --- requests -------------------------------------------------------------------------------------------

    def _take_requests(self) -> None:
        now = self._clock.now()
        if now < self._look_at:
            return
        self._look_at = now + POLL_SECONDS
        if self._inbox.waiting():
            self._drop(self._run.begun - set(self._run.running))  # at rest, so that any request can be applied
            for ask in self._inbox.take(set(self._run.running), now):
                self._follow(ask)
            self._forget_rows()
            if self._inbox.waiting():
                self._look_at = now  # one was put back: look before its mailbox is started again

    def _follow(self, ask: Ask) -> None:
        """What a request means for this run."""
        match ask.verb:
            case Verb.STOP:
                self._stop.set()
            case Verb.SECRETS:
                self._secrets.forget()
                self._run.again(box.id for box in self._known.values() if box.attention_code == LoginRejected.code)
            case Verb.SYNC | Verb.RETRY | Verb.RESUME | Verb.UNSKIP | Verb.RESET:
                self._run.again(ask.mailboxes)

    # --- ending ---------------------------------------------------------------------------------------------

    def _close(self) -> None:
        self._forget_rows()
        rows = self._rows()
        covered = [box.id for box in rows if self._run.wish.covers(box)]

        def look(c: Connection) -> tuple[int, bool]:
            return sum(failures.count_open(c, box_id) for box_id in covered), plans.is_paused(c, self._plan_id)

        failed, paused = self._db.read(look)
        closing_errors(self._run, rows, failed=failed, stopped=self._stop.is_set(), paused=paused)


def _recovered(c: Connection, mailbox_id: int) -> None:
    mailboxes.clear_attention(c, mailbox_id)
    mailboxes.update(c, mailbox_id, rejected_mark=None)
