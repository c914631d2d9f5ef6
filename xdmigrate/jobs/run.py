"""What one run has learnt and decided so far. No threads and no state here: the runner feeds it and asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from xdmigrate.engine.advance import Step, Verdict
from xdmigrate.errors import (
    GuardRefused,
    ItemRefused,
    MailboxError,
    Reach,
    SecretUnreadable,
    Stopped,
    XdmigrateError,
    exit_code,
)
from xdmigrate.jobs.due import Situation, Wish
from xdmigrate.jobs.reaching import Reaching
from xdmigrate.report.words import counted_are
from xdmigrate_state.rows import MailboxRow

Endpoints = Callable[[MailboxRow], Sequence[tuple[str, ...]]]
"""The names of the endpoints that a mailbox needs, leg by leg."""

LOOK_AGAIN = 1.0
"""Seconds after which a mailbox that waits for another's probe of the endpoint is looked at again."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: the errors it met and what it left undone, each told once, and its length in seconds."""

    errors: list[XdmigrateError]
    seconds: float

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        return exit_code([error.exit_code for error in self.errors])


@dataclass(slots=True)
class Run:
    """The memory of one run; for one thread."""

    wish: Wish
    endpoints: Endpoints
    running: dict[int, float] = field(default_factory=dict)  # mailbox id: when its slice began
    begun: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    new_secret: set[int] = field(default_factory=set)
    errors: list[XdmigrateError] = field(default_factory=list)
    fatal: bool = False  # nothing more is started
    _own: dict[int, float] = field(default_factory=dict)  # back-off by mailbox
    _without: set[int] = field(default_factory=set)  # their pass leaves out legs whose endpoint was given up
    _met: dict[int, set[str]] = field(
        default_factory=dict
    )  # the endpoints that let a mailbox in, in the pass under way
    _systems: Reaching = field(default_factory=Reaching)
    _boxes: Reaching = field(default_factory=lambda: Reaching(answered=True))

    def situation(self, mailboxes: Iterable[MailboxRow], now: float) -> Situation:
        """What the decision of what is due needs to know."""
        ended, not_before = set(self.ended), dict(self._own)
        names: dict[str, float] = {}
        for box in mailboxes:
            open_legs = self._open_legs(box)
            if not open_legs:
                ended.add(box.id)
            for name in {name for leg in open_legs for name in leg}:
                if name not in names:
                    names[name] = self._free_at(name, now)
                if names[name]:
                    not_before[box.id] = max(not_before.get(box.id, 0.0), names[name])
        return Situation(now, set(self.running), self.begun, ended, self.new_secret, not_before)

    def _open_legs(self, mailbox: MailboxRow) -> list[tuple[str, ...]]:
        """Those of which no endpoint was given up."""
        return [leg for leg in self.endpoints(mailbox) if not any(map(self._systems.given_up, leg))]

    def out_of_reach(self, endpoint: str) -> XdmigrateError | None:
        """Why this endpoint was given up, if it was. May be asked by any thread."""
        return self._systems.why(endpoint)

    def _free_at(self, endpoint: str, now: float) -> float:
        if self._systems.probed(endpoint, self.running.values()):
            return now + LOOK_AGAIN
        return self._systems.not_before(endpoint)

    def started(self, mailbox: MailboxRow, now: float) -> None:
        """A worker has the mailbox."""
        self.running[mailbox.id] = now
        self._own.pop(mailbox.id, None)
        if mailbox.id not in self.begun:
            self._met.pop(mailbox.id, None)
        if len(self._open_legs(mailbox)) < len(self.endpoints(mailbox)):
            self._without.add(mailbox.id)

    def reached(self, mailbox: MailboxRow, endpoints: Iterable[str] = ()) -> None:
        """These endpoints have let the mailbox in; where they are not told, all that it needs."""
        for name in self._meet(mailbox, endpoints):
            self._systems.reached(name)

    def progressed(self, mailbox: MailboxRow, endpoints: Iterable[str] = ()) -> None:
        """Something was achieved in the mailbox, so these endpoints answer."""
        self._boxes.progressed(str(mailbox.id))
        for name in self._meet(mailbox, endpoints):
            self._systems.progressed(name)

    def _meet(self, mailbox: MailboxRow, endpoints: Iterable[str]) -> set[str]:
        """Those that were told, or else all; remembered for the rest of the pass."""
        told = set(endpoints) or {name for leg in self.endpoints(mailbox) for name in leg}
        self._met.setdefault(mailbox.id, set()).update(told)
        return told

    def took(self, mailbox: MailboxRow, step: Step, now: float) -> None:
        """A worker has given the mailbox back."""
        began = self.running.pop(mailbox.id)
        self.begun.discard(mailbox.id)
        if step.error is not None:
            step.error.mailbox = step.error.mailbox or mailbox.source
        match step.verdict:
            case Verdict.CONTINUE:
                self.begun.add(mailbox.id)
                self.progressed(mailbox, self._met.get(mailbox.id, ()))
            case Verdict.DONE:
                self.ended.add(mailbox.id)
                self.progressed(mailbox)
            case Verdict.RETRY_AT:
                self._retry(mailbox, step, began, now)
            case _:
                self._end(mailbox, step, began, now)

    def _retry(self, mailbox: MailboxRow, step: Step, began: float, now: float) -> None:
        """Wait, unless the endpoint or the mailbox has been without progress for too long."""
        self._own[mailbox.id] = step.when
        if step.error is None:
            return
        self._boxes.failed(str(mailbox.id), step.error, began, now, step.when)
        if step.error.reach is Reach.ENDPOINT:  # one mailbox's folder is no fault of its endpoint
            self._systems.failed(step.error.endpoint, step.error, began, now, step.when)
        if self._given_up(mailbox, step.error):
            self._give_up(mailbox, step.error)

    def _given_up(self, mailbox: MailboxRow, error: XdmigrateError) -> bool:
        return self._systems.given_up(error.endpoint) or self._boxes.given_up(str(mailbox.id))

    def _end(self, mailbox: MailboxRow, step: Step, began: float, now: float) -> None:
        """Paused, in need of a person, or failed. One without an error was paused by a person or by the stop."""
        error = step.error
        if error is None:
            return
        if error.reach is Reach.ENDPOINT:
            self._systems.failed(error.endpoint, error, began, now)
        self._give_up(mailbox, error)
        self.fatal = self.fatal or error.reach is Reach.RUN

    def _give_up(self, mailbox: MailboxRow, error: XdmigrateError) -> None:
        """The mailbox has had its turn, unless an endpoint is to blame and there are others that it can still go to."""
        of_all = error.reach is Reach.ENDPOINT and self._systems.given_up(error.endpoint)
        if of_all and mailbox.id not in self._without and self._open_legs(mailbox):
            self._own.pop(mailbox.id, None)
        else:
            self.ended.add(mailbox.id)
        self.tell(error)

    def crashed(self, mailbox: MailboxRow, error: BaseException) -> None:
        """A bug ended this mailbox's pass; the others go on."""
        self.running.pop(mailbox.id)
        self.begun.discard(mailbox.id)
        self.ended.add(mailbox.id)
        message = f"internal error: {type(error).__name__}; the details are in the plan's log"
        self.tell(XdmigrateError(message, remedy="please report it", mailbox=mailbox.source))

    def again(self, mailboxes: Iterable[int]) -> None:
        """A person asked for these: they are due again, whatever happened to them in this run."""
        for mailbox_id in mailboxes:
            self.ended.discard(mailbox_id)
            self._own.pop(mailbox_id, None)
            self._boxes.progressed(str(mailbox_id))

    def tell(self, error: XdmigrateError) -> None:
        """Remember the error once; that of an endpoint which is given up, once for all mailboxes."""
        of_all = error.reach is Reach.ENDPOINT and self._systems.given_up(error.endpoint)
        alike = [known for known in self.errors if (known.code, known.message) == (error.code, error.message)]
        if not any(of_all or known.mailbox == error.mailbox for known in alike):
            self.errors.append(error)


def closing_errors(run: Run, mailboxes: Sequence[MailboxRow], *, failed: int, stopped: bool, paused: bool) -> None:
    """Tell what is left undone and was not told yet; `failed` counts quarantined items that nobody has accepted."""
    covered = [box for box in mailboxes if run.wish.covers(box) and box.listed and not box.skipped]
    told = {error.mailbox for error in run.errors}
    for box in covered:
        if box.attention_code and not told & {box.source, box.target}:
            run.tell(_recalled(box))
    if failed:
        remedy = "`xdmigrate quarantine PLAN list` names them"
        run.tell(ItemRefused(f"{counted_are(failed, 'item')} not copied", reason="", remedy=remedy))
    resting = sum(box.paused for box in covered)
    if paused or resting:
        what = "the plan is paused" if paused else f"{counted_are(resting, 'mailbox')} paused"
        run.tell(Stopped(what, remedy="`xdmigrate resume PLAN` lets work go on"))
    if stopped:
        run.tell(Stopped("stopped on request", remedy="run the same command again to resume"))


def _recalled(mailbox: MailboxRow) -> XdmigrateError:
    """The error that the state remembers of a mailbox in need of attention."""
    remembered: tuple[type[XdmigrateError], ...] = (*MailboxError.__subclasses__(), GuardRefused, SecretUnreadable)
    kinds = {kind.code: kind for kind in remembered}
    kind = kinds.get(mailbox.attention_code, MailboxError)
    return kind(mailbox.attention_text, remedy=mailbox.attention_remedy, mailbox=mailbox.source)
