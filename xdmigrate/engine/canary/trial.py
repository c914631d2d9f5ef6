"""Lets a canary fly: writes both events, watches the colleague, removes them again, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from xdmigrate.contract import Trial
from xdmigrate.engine.canary.events import Pair, event
from xdmigrate.engine.canary.watching import MailWatch
from xdmigrate.engine.context import Clock
from xdmigrate.errors import EndpointError, Retriable, XdmigrateError
from xdmigrate.report.canary import Act, Observed, Sighting

GRACE = 3.0
"""Seconds at least that the canary gets when the control, which was written after it, has arrived."""

FIRST_LOOK, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two looks: they grow."""

TOLD_EVERY = 10.0
"""Seconds after which it is told that it still waits."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Who takes part, and the sessions in which it is seen. All of them belong to us."""

    organizer: str
    attendee: str
    invited: tuple[str, ...]  # the attendee's addresses: to the server, an old one may be somebody outside
    calendar: Trial  # the organizer's
    colleague: Trial  # the attendee's, on the same server
    mail: Sequence[MailWatch]  # wherever the attendee's mail may arrive


def clear(stage: Stage, pair: Pair) -> int:
    """Remove both events from both calendars, the canary first; how many there were. Raises when some stay."""
    removed = 0
    for session in (stage.calendar, stage.colleague):
        for uid in pair.uids:
            removed += session.withdraw((uid,))
    if stage.calendar.held(pair.uids) or stage.colleague.held(pair.uids):
        message = f"events of the canary stay in the calendar of {stage.organizer} or {stage.attendee}"
        raise EndpointError(message, remedy="run the same command again, or remove them by hand")
    return removed


class Flight:
    """One canary, from its events to their removal. `wait`: seconds that each of both acts is watched at most."""

    def __init__(self, stage: Stage, pair: Pair, clock: Clock, wait: float, tell: Tell) -> None:
        self._stage = stage
        self._pair = pair
        self._clock = clock
        self._wait = wait
        self._tell = tell
        self._mailed: set[str] = set()  # what arrived by mail in this act

    def fly(self) -> Observed:
        """What was seen. Nothing of ours is left in any calendar when it ends, also by an error or on request."""
        try:
            self._write()
            writing = self._watch("writing", None, Sighting())
            before = self._stage.colleague.held(self._pair.uids).get(self._pair.control_uid)
            for uid in self._pair.uids:
                self._stage.calendar.withdraw((uid,))
            self._tell("both events are removed again")
            removal = Act() if writing.canary.mail else self._watch("removal", before, writing.control)
            return Observed(writing, removal)
        finally:
            self._clear()

    def _clear(self) -> None:
        try:
            clear(self._stage, self._pair)
        except XdmigrateError as error:
            error.remedy = "events of the canary may be left: run the same command again, it removes them"
            raise

    def _write(self) -> None:
        """The canary first: when the control has arrived, it would have, too."""
        pair, now = self._pair, datetime.fromtimestamp(self._clock.now(), UTC)
        people = self._stage.organizer, self._stage.invited
        self._stage.calendar.invite(event(pair.canary_uid, pair.canary_word, *people, now), silent=True)
        self._stage.calendar.invite(event(pair.control_uid, pair.control_word, *people, now), silent=False)
        self._tell(f"both events are written; watching for {self._wait:.0f} seconds at most")

    def _watch(self, act: str, before: bytes | None, wanted: Sighting) -> Act:
        """Until the canary is found out by mail, or some time after the control has arrived in the ways `wanted`.

        Without any such way: by mail. A server that writes into the calendar at once may take its time to mail.
        A look that fails for a passing reason is made up for by the next one; the last one has to succeed.
        """
        self._mailed = set()
        begun = told = self._clock.now()
        deadline, pause, seen, arrived = begun + self._wait, FIRST_LOOK, Act(), False
        while True:
            failed: Retriable | None = None
            try:
                seen = self._looked(seen, act, before, self._clock.now() - begun)
            except Retriable as error:
                failed = error
            now = self._clock.now()
            if not arrived and _covers(seen.control, wanted):
                arrived, deadline = True, now + max(GRACE, now - begun)
            if seen.canary.mail or now >= deadline:
                if failed is not None:
                    raise failed
                return replace(seen, ended=True)
            if now - told >= TOLD_EVERY:
                told = now
                self._tell(f"{act}: watched for {now - begun:.0f} seconds, {deadline - now:.0f} are left")
            self._clock.sleep(min(pause, deadline - now))
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def _looked(self, seen: Act, act: str, before: bytes | None, seconds: float) -> Act:
        """With what has turned up since; what is new is told."""
        pair = self._pair
        marks = {"canary": pair.canary_marks, "control": pair.control_marks}
        for watch in self._stage.mail:  # a mail is looked into once: it counts, even if what follows fails
            self._mailed |= watch.look(marks)
        held = self._stage.colleague.held(pair.uids)
        canary = Sighting("canary" in self._mailed, pair.canary_uid in held)
        control = Sighting("control" in self._mailed, held.get(pair.control_uid) != before)
        now = Act(seen.canary | canary, seen.control | control)
        for what, was, is_now in (("canary", seen.canary, now.canary), ("control", seen.control, now.control)):
            for way in ways(is_now, without=was):
                self._tell(f"{act}: the {what} arrived {way} after {seconds:.0f} seconds")
        return now


def ways(sighting: Sighting, *, without: Sighting = Sighting()) -> list[str]:  # noqa: B008 - frozen
    """In which ways something arrived, in words."""
    told = []
    if sighting.mail and not without.mail:
        told.append("by mail")
    if sighting.calendar and not without.calendar:
        told.append("in the calendar")
    return told


def _covers(seen: Sighting, wanted: Sighting) -> bool:
    if wanted:
        return (seen.mail or not wanted.mail) and (seen.calendar or not wanted.calendar)
    return seen.mail
