"""What a canary proves, and what follows for a plan. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from xdmigrate.contract import Promise


class Verdict(StrEnum):
    """What the server does for an event with people in it."""

    SILENT = "silent"  # it invites, and can be kept from it
    NOT_SILENT = "not-silent"  # it invites whatever is written
    NOTHING = "nothing"  # nothing arrived, so nothing is proved
    UNKNOWN = "unknown"  # the canary did not come to its end, or what arrived came too late

    @property
    def is_told(self) -> bool:
        """Whether it says something about the server, which is kept until another one does."""
        return self is not Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where an event of ours turned up."""

    mail: bool = False
    calendar: bool = False

    def __bool__(self) -> bool:
        return self.mail or self.calendar

    def __or__(self, other: Sighting) -> Sighting:
        return Sighting(self.mail or other.mail, self.calendar or other.calendar)


@dataclass(frozen=True, slots=True)
class Act:
    """What turned up with the colleague after both events were written, or removed; `ended`: it was watched enough."""

    canary: Sighting = field(default_factory=Sighting)
    control: Sighting = field(default_factory=Sighting)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """Both acts of a canary."""

    writing: Act = field(default_factory=Act)
    removal: Act = field(default_factory=Act)

    @property
    def mailed(self) -> bool:
        """Whether the server sent any mail."""
        acts = (self.writing, self.removal)
        return any(each.mail for act in acts for each in (act.canary, act.control))


def verdict(observed: Observed) -> Verdict:
    """A canary that turned up anywhere is never excused; silence proves something only where the control arrived."""
    writing, removal = observed.writing, observed.removal
    if writing.canary or removal.canary:
        return Verdict.NOT_SILENT
    if not writing.ended or not removal.ended:
        return Verdict.UNKNOWN
    if writing.control:
        return Verdict.SILENT
    return Verdict.UNKNOWN if removal.control else Verdict.NOTHING


class Standing(StrEnum):
    """What a plan's promise about an endpoint is worth."""

    NONE = "none"  # nothing is promised: people in events to come go into the description
    STATED = "stated"  # nobody but the plan says so
    PROVED = "proved"  # by a canary
    UNPROVED = "unproved"  # it needs a canary's proof, and there is none
    REFUTED = "refuted"  # a canary proved the contrary

    @property
    def is_safe(self) -> bool:
        """Whether a run may write events there as the plan wishes."""
        return self not in (Standing.UNPROVED, Standing.REFUTED)


STEPS = {Promise.OFF: 1, Promise.SILENT: 2, Promise.BY_HAND: 2, Promise.NONE: 3}
"""Of the three steps that keep a server from inviting again: its switch, a word in each event, or no people in it."""


def standing(promise: Promise, last: Verdict | None, *, mailed: bool = False) -> Standing:
    """What a canary's last word, if there is one, makes of the plan's promise.

    `mailed`: that canary saw a mail. With the sending off, a server may still write into colleagues' calendars.
    """
    if promise is Promise.NONE:
        return Standing.NONE
    if promise is Promise.OFF:
        return Standing.REFUTED if mailed else Standing.STATED
    if last is Verdict.NOT_SILENT:
        return Standing.REFUTED
    if last is Verdict.SILENT:
        return Standing.PROVED
    return Standing.STATED if promise is Promise.BY_HAND else Standing.UNPROVED
