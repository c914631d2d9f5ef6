"""One pass under way over one mailbox: its sessions, its lease, and the way to commit a checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy import Connection

from xdmigrate.contract import Source, Target
from xdmigrate.engine.context import COMMAND_TIMEOUT, LEASE_SECONDS, Context, Leg, Policy, Progress
from xdmigrate.engine.objects import Shelf
from xdmigrate.errors import Stopped
from xdmigrate.model import Folder, Kind, Path
from xdmigrate_state import folders, journal, leases, mailboxes, plans
from xdmigrate_state.rows import FolderRow, MailboxRow, PlaceRow

Result = TypeVar("Result")

PAUSE_SECONDS = 1.0
"""How often a lane looks whether a person has paused its mailbox or the plan."""


def paused(context: Context, mailbox_id: int) -> bool:
    """Whether a person has paused the plan or this mailbox."""
    return context.db.read(lambda c: plans.is_paused(c, context.plan_id) or mailboxes.get(c, mailbox_id).paused)


@dataclass(slots=True)
class Pair:
    """A source folder, the target folder it goes to, and their rows in the state."""

    row: FolderRow
    folder: Folder
    place: PlaceRow | None = None  # None: nothing of this folder is wanted on the target
    target: Folder | None = None
    cursor: bytes = b""  # taken before this pass's listing; stored when every item has an outcome
    surveyed: bool = False


@dataclass(slots=True)
class Work:
    """The hands of one pass. `checkpoint` is the only way by which a pass changes the state.

    Used by one thread; a further lane of the same pass has its own (`beside`).
    """

    context: Context
    leg: Leg
    mailbox: MailboxRow
    source: Source
    target: Target
    epoch: int
    lease_until: float
    kinds: frozenset[Kind] = frozenset(Kind)  # what it is about now: folders of other kinds are none of its business
    shown: dict[Path, Folder] = field(default_factory=dict)  # the target's folders as this pass saw them first
    halt: threading.Event = field(default_factory=threading.Event)  # shared: all lanes end at their next checkpoint
    closings: dict[int, threading.Lock] = field(default_factory=dict)  # shared, by place
    looked_at: float = 0.0  # when it was last seen whether a person has paused the mailbox
    refused: set[Path] = field(default_factory=set)  # paths that the target does not take
    shelf: Shelf = field(default_factory=Shelf)  # shared: items that were read and are not copied yet

    def beside(self, source: Source, target: Target) -> Work:
        """The same pass with another pair of sessions."""
        return replace(self, source=source, target=target)

    def turn_to(self, kind: Kind) -> None:
        """Go on with the folders of this kind: paths are unique only among those of one kind."""
        self.kinds = frozenset((kind,))
        self.shown, self.refused, self.shelf = {}, set(), Shelf()

    def here(self) -> list[Folder]:
        """The source's folders of these kinds, as they are listed now."""
        return [folder for folder in self.source.folders() if folder.kind in self.kinds]

    def there(self) -> list[Folder]:
        """The target's folders of these kinds, as they are listed now."""
        return [folder for folder in self.target.folders() if folder.kind in self.kinds]

    def known(self, *, live: bool = True) -> list[FolderRow]:
        """What the state knows of the mailbox's folders of these kinds; with `live`, what is not superseded."""
        rows = self.read(lambda c: folders.of_mailbox(c, self.mailbox.id, live=live))
        return [row for row in rows if row.kind in self.kinds]

    def closing(self, place_id: int) -> threading.Lock:
        """Held from a range's closing listing to its commit: what is listed unclaimed there is claimed by one lane."""
        return self.closings.setdefault(place_id, threading.Lock())

    def halting(self) -> bool:
        """Whether nothing more is to be begun: what was sent is proved and committed, the rest stays pending."""
        if self.halt.is_set() or self.context.stopping():
            return True
        now = self.context.clock.now()
        if now < self.looked_at + PAUSE_SECONDS:
            return False
        self.looked_at = now
        if paused(self.context, self.mailbox.id):
            self.halt.set()  # what was cut short stays so, even when the pause is over in a moment
        return self.halt.is_set()

    def must_go_on(self) -> None:
        """Raises Stopped when work was cut short: then the pass is not complete."""
        if self.halting():
            raise Stopped("stopped on request", remedy="run the same command again to resume")

    def sized(self, kind: Kind | str) -> bool:
        """Whether listed sizes tell items of this kind apart; else all that may be equal is compared by content."""
        exact = self.source.features.exact_sizes and self.target.features.exact_sizes
        return kind == Kind.MAIL and exact

    @property
    def policy(self) -> Policy:
        return self.context.policy

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Look something up in the state."""
        return self.context.db.read(work)

    def checkpoint(self, work: Callable[[Connection], Result]) -> Result:
        """Commit, only while this worker still holds the target mailbox. Raises LeaseLost."""

        def fenced(c: Connection) -> Result:
            leases.check(c, self.mailbox.account_id, self.epoch)
            return work(c)

        return self.context.db.write(fenced)

    def hold(self) -> None:
        """Make sure that the lease outlasts a command that is about to be sent."""
        now = self.context.clock.now()
        if self.lease_until - now > LEASE_SECONDS / 2:
            return
        if self.lease_until - now < COMMAND_TIMEOUT:
            self.checkpoint(lambda _c: None)  # too late to renew silently: prove first that nobody took over
        self.checkpoint(lambda c: leases.renew(c, self.mailbox.account_id, self.epoch, LEASE_SECONDS, now))
        self.lease_until = now + LEASE_SECONDS

    def note(self, c: Connection, event: str, **facts: object) -> None:
        """Append to the mailbox's chain of the journal, inside a checkpoint."""
        journal.append(c, self.context.plan_id, self.mailbox.id, event, facts, self.context.clock.now())

    def progressed(self, c: Connection) -> None:
        """Something was achieved: failed attempts are counted anew."""
        mailboxes.progressed(c, self.mailbox.id)

    def tell(self, phase: str, folder: str = "", items: int = 0, octets: int = 0) -> None:
        """Report progress to whoever watches."""
        self.context.progress(Progress(self.mailbox.id, phase, folder, items, octets, self.leg.endpoints))
