"""No invitation is ever sent again: which of three steps a target gets, and what it does to an item. Pure.

A server that schedules (RFC 6638) mails the people in an event when it is written, and cancels when it is removed. So:
(1) where its switch is off, nothing has to be done; (2) where an event to an address of our own (a canary)
proved that `SCHEDULE-AGENT=CLIENT` keeps it silent, that is written; (3) everywhere else the people go into the
description.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from xdmigrate.contract import Promise
from xdmigrate.formats.refusal import Unreadable
from xdmigrate_dav.settings import Scheduling

if TYPE_CHECKING:
    from xdmigrate.formats.ical import Outline

SCHEDULES = frozenset(("calendar-auto-schedule", "calendar-schedule"))
"""Words of the `DAV` header by which a server says so (RFC 6638 section 2; the second is from its drafts)."""

CALENDARS = "calendar-access"
"""What every server of calendars says there (RFC 4791 section 5.1)."""

PROMISES = {
    Scheduling.UNKNOWN: Promise.NONE,
    Scheduling.OFF: Promise.OFF,
    Scheduling.SILENT: Promise.SILENT,
    Scheduling.BY_HAND: Promise.BY_HAND,
}
"""What a plan's word about a server promises."""

PAST = timedelta(days=2)
"""So long after its last moment no server mails about an event, in any time zone."""


class Step(StrEnum):
    """What is done so that the target sends nothing."""

    NOTHING = "nothing"  # the server does not schedule
    OFF = "off"  # the plan says that its switch is off
    CLIENT = "client"  # SCHEDULE-AGENT=CLIENT, which the plan says was proved
    STRIP = "strip"  # the people go into the description
    STRIP_ALL = "strip-all"  # those of past events, too

    @property
    def is_silent(self) -> bool:
        """Whether the server sends nothing whatever is written."""
        return self in (Step.NOTHING, Step.OFF)

    @property
    def strips(self) -> bool:
        """Whether people are taken out of items."""
        return self in (Step.STRIP, Step.STRIP_ALL)


WORDS = {
    Step.NOTHING: "the server sends no invitations: organiser and attendees are kept as they are",
    Step.OFF: "the plan says that the server's sending is switched off: organiser and attendees are kept as they are",
    Step.CLIENT: "events are written with SCHEDULE-AGENT=CLIENT, to keep the server silent: organiser and attendees "
    "are kept, and later changes to these events are not sent by the server either",
    Step.STRIP: "the server may send invitations: attendees of events to come go into the description",
    Step.STRIP_ALL: "SOGo writes into the calendars of the people in an event even where its sending is switched off: "
    "attendees go into the description, those of past events, too",
}


def schedules(powers: frozenset[str]) -> bool:
    """Whether a server may send invitations: it says so, or does not speak for itself.

    Proxies answer OPTIONS in the place of a server, or forbid it: no word then tells what the server does.
    """
    return bool(powers & SCHEDULES) or CALENDARS not in powers


def step(powers: frozenset[str], scheduling: Scheduling, *, delivers: bool = False) -> Step:
    """The step for a target, from what its server tells (the words of its `DAV` header) and what the plan says.

    `delivers`: it writes into colleagues' calendars whatever its switches and SCHEDULE-AGENT say, for past events too.
    """
    if not schedules(powers):
        return Step.NOTHING
    if delivers:
        return Step.STRIP_ALL
    if scheduling is Scheduling.OFF:
        return Step.OFF
    return Step.CLIENT if scheduling in (Scheduling.SILENT, Scheduling.BY_HAND) else Step.STRIP


def would_send(found: Outline, chosen: Step, now: datetime) -> bool:
    """Whether something may go out about such an item: it names people, and is not over where that matters."""
    if chosen.is_silent or not (found.organizer or found.attendees):
        return False
    return chosen is Step.STRIP_ALL or found.recurring or found.times is None or found.times[1] > now - PAST


def silenced(data: bytes, found: Outline, chosen: Step, now: datetime) -> bytes:
    """What is written. Raises Unreadable."""
    if not would_send(found, chosen, now):
        return data
    from xdmigrate.formats.ical import unscheduled, without_people

    return unscheduled(data) if chosen is Step.CLIENT else without_people(data)


def would_cancel(data: bytes, chosen: Step, now: datetime) -> bool:
    """Whether the server may tell the people in an item of its own that it is gone, or that they are."""
    from xdmigrate.formats.ical import outline, unscheduled

    try:
        return would_send(outline(data), chosen, now) and (chosen is Step.STRIP_ALL or unscheduled(data) != data)
    except Unreadable:
        return False
