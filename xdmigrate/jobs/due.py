"""What is due: which mailbox to work on next. Pure; every runner decides by it.

A run gives every mailbox that it is about one pass: a seed, the rest of one, or a delta.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum

from xdmigrate.errors import LoginRejected
from xdmigrate_state.rows import MailboxRow


@dataclass(frozen=True, slots=True)
class Wish:
    """Which mailboxes a run is about: those of a wave, those named by id, or all. `at_once` waits for nothing."""

    wave: str = ""
    mailboxes: frozenset[int] = frozenset()
    at_once: bool = False

    def covers(self, mailbox: MailboxRow) -> bool:
        """Whether the run is about this mailbox."""
        if self.mailboxes:
            return mailbox.id in self.mailboxes
        return not self.wave or mailbox.wave == self.wave


@dataclass(frozen=True, slots=True)
class Situation:
    """What a run knows beside the state."""

    now: float
    running: Set[int] = frozenset()  # a worker has them
    begun: Set[int] = frozenset()  # their pass is under way between two slices, its sessions open
    ended: Set[int] = frozenset()  # had their pass in this run, or cannot go on in it
    new_secret: Set[int] = frozenset()  # a secret of theirs is not the one that was rejected
    not_before: Mapping[int, float] = field(default_factory=dict)  # back-off of this run


class Standing(Enum):
    """Why a mailbox is worked on, or is not."""

    DUE = "due"
    WAITING = "waiting"  # until a time
    RUNNING = "running"
    ENDED = "ended"
    PAUSED = "paused"
    SKIPPED = "skipped"  # by a person, or it no longer stands in the plan
    REJECTED = "rejected"  # its login was rejected and its secret is still the same
    ELSEWHERE = "elsewhere"  # the run is not about it


@dataclass(frozen=True, slots=True)
class Choice:
    """The mailbox to start, or when to look again; both None when nothing is left to start."""

    mailbox: MailboxRow | None = None
    wake_at: float | None = None


def standing(mailbox: MailboxRow, wish: Wish, situation: Situation) -> Standing:
    """Where one mailbox stands in this run: the first of these that holds."""
    rejected = mailbox.attention_code == LoginRejected.code and mailbox.id not in situation.new_secret
    obstacles = (
        (Standing.ELSEWHERE, not wish.covers(mailbox)),
        (Standing.RUNNING, mailbox.id in situation.running),
        (Standing.SKIPPED, bool(mailbox.skipped) or not mailbox.listed),
        (Standing.PAUSED, mailbox.paused),
        (Standing.ENDED, mailbox.id in situation.ended),
        (Standing.REJECTED, rejected),
        (Standing.WAITING, due_at(mailbox, wish, situation) > situation.now),
    )
    return next((found for found, holds in obstacles if holds), Standing.DUE)


def due_at(mailbox: MailboxRow, wish: Wish, situation: Situation) -> float:
    """When the mailbox may be tried, in seconds since the epoch; what a server asked for outlives the run."""
    asked = 0.0 if wish.at_once else mailbox.retry_at
    return max(asked, situation.not_before.get(mailbox.id, 0.0))


def choose(mailboxes: Iterable[MailboxRow], wish: Wish, situation: Situation) -> Choice:
    """The next mailbox: passes under way first, then unfinished seeds, then the one passed longest ago.

    One that failed waits behind the others: a mailbox that its server cannot serve must not keep them from theirs.

    Two mailboxes that go to one target account never run at the same time: it has one lock.
    """
    listed = [box for box in mailboxes if box.id not in situation.ended or box.id in situation.running]
    holders = {box.account_id: box.id for box in listed if box.id in situation.begun or box.id in situation.running}
    found = {box.id: standing(box, wish, situation) for box in listed}
    due = [box for box in listed if found[box.id] is Standing.DUE and holders.get(box.account_id, box.id) == box.id]
    if due:
        return Choice(mailbox=min(due, key=lambda box: _urgency(box, situation)))
    waiting = [box for box in listed if found[box.id] is Standing.WAITING]
    return Choice(wake_at=min((due_at(box, wish, situation) for box in waiting), default=None))


def _urgency(mailbox: MailboxRow, situation: Situation) -> tuple[bool, int, bool, float, int]:
    begun, seeded = mailbox.id in situation.begun, mailbox.passes > 0
    return not begun, mailbox.retries, seeded, mailbox.last_pass_at or 0.0, mailbox.id
