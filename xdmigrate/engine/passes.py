"""One pass over a mailbox, seed and delta alike, as a generator that yields where everything is committed.

A pass goes over one leg after another, each a pair of systems with the kinds of data that go from one to the other, and
within a leg over one kind after another. What stops one leg for want of a person does not stop the others, and a leg
whose endpoint the run has given up is left out.

The order within a kind is the safety: explain what an earlier run left open; pair the folders; bring the ledger up to
date for all folders; move what was moved; folder by folder, merge what needs no copy, adopt what is there, copy; remove
(mirror mode); share; look for late twins. In the end the cursors are moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

from sqlalchemy import Connection

from xdmigrate.contract import Source, Target
from xdmigrate.engine.adopt import adopt
from xdmigrate.engine.context import LEASE_SECONDS, Context, Leg, Progress
from xdmigrate.engine.copying import copy
from xdmigrate.engine.merging import copied_together, merge
from xdmigrate.engine.moving import follow_moves
from xdmigrate.engine.pairing import align
from xdmigrate.engine.removal import mirror_deletions
from xdmigrate.engine.repairing import repair
from xdmigrate.engine.settling import reconcile
from xdmigrate.engine.sharing import share
from xdmigrate.engine.survey import survey, token
from xdmigrate.engine.twins import forget_doubts, remove_late_twins
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import FolderUnusable, Reach, Stopped, XdmigrateError
from xdmigrate.model import Kind
from xdmigrate_state import folders, journal, leases, mailboxes
from xdmigrate_state.rows import MailboxRow

Session = TypeVar("Session", bound=Source)

BEFORE_SEED = ("planned", "provisioned")
BEFORE_SYNCED = (*BEFORE_SEED, "seeding")


def steps(mailbox_id: int, context: Context) -> Iterator[None]:
    """Run one pass. Closing the generator ends the sessions; nothing committed is lost.

    Raises what stopped a leg; the first such error, when it was the mailbox's own, or known before, and the other legs
    went on.
    """
    stopped: XdmigrateError | None = None
    for leg in context.legs:
        if out_of_reach := next(filter(None, map(context.given_up, leg.endpoints)), None):
            stopped = stopped or out_of_reach
            continue
        ends = leg is context.legs[-1] and stopped is None
        try:
            yield from _go(mailbox_id, context, leg, ends=ends)
        except XdmigrateError as error:
            if error.reach is not Reach.MAILBOX or isinstance(error, Stopped):
                raise
            stopped = stopped or error
    if stopped is not None:
        raise stopped.with_traceback(None)


def _go(mailbox_id: int, context: Context, leg: Leg, *, ends: bool) -> Iterator[None]:
    """One leg, over all its kinds; `ends`: with it the pass is complete."""
    with ExitStack() as held:
        work = _begin(mailbox_id, context, leg, held)
        pairs: list[Pair] = []
        for kind in _kinds(work):
            work.turn_to(kind)
            yield from _copy_kind(work, pairs)
        _complete(work, pairs, ends=ends and context.whole)


def _kinds(work: Work) -> list[Kind]:
    """The kinds of the leg, as far as there are folders of them or were."""
    wanted = work.leg.kinds
    if len(wanted) > 1:
        work.kinds = wanted
        wanted &= {*(folder.kind for folder in work.here()), *(Kind(row.kind) for row in work.known())}
    return [kind for kind in Kind if kind in wanted]


def _copy_kind(work: Work, done: list[Pair]) -> Iterator[None]:
    """Everything of one kind; what was paired is added to `done`."""
    yield from reconcile(work)
    work.tell("folders")
    pairs = align(work)
    yield
    for pair in pairs:
        yield from _survey(work, pair)
    yield from follow_moves(work, pairs)
    for group in copied_together(work, pairs):
        for pair in group:
            yield from merge(work, pair)
        for pair in group:
            yield from adopt(work, pair)
        yield from copy(work, group)
        for pair in group:
            yield from repair(work, pair)
    for pair in pairs:
        yield from mirror_deletions(work, pair)
    yield from share(work, pairs)
    yield from remove_late_twins(work)
    work.must_go_on()
    done += pairs


def _survey(work: Work, pair: Pair) -> Iterator[None]:
    """A folder of which the plan wants nothing need not be readable: to exclude it is what a person can do about it."""
    try:
        yield from survey(work, pair)
    except FolderUnusable as error:
        if work.policy.scope.wants_folder(pair.folder):
            raise
        facts = {"folder": pair.row.id, "code": error.code, "why": error.message}
        work.checkpoint(lambda c: work.note(c, "unread", **facts))


def _begin(mailbox_id: int, context: Context, leg: Leg, held: ExitStack) -> Work:
    mailbox = context.db.read(lambda c: mailboxes.get(c, mailbox_id))
    context.progress(Progress(mailbox_id, "connect", endpoints=leg.endpoints))
    source, target = _connect(leg, mailbox, held)
    now = context.clock.now()

    def take(c: Connection) -> int:
        epoch = leases.take(c, mailbox.account_id, context.owner, LEASE_SECONDS, now, force=True)
        if mailbox.stage in BEFORE_SEED:
            mailboxes.update(c, mailbox_id, stage="seeding")
            journal.append(c, context.plan_id, mailbox_id, "seeding", {}, now)
        return epoch

    epoch = context.db.write(take)
    held.callback(lambda: context.db.submit(lambda c: leases.release(c, mailbox.account_id, epoch)))
    return Work(context, leg, mailbox, source, target, epoch, now + LEASE_SECONDS)


def _connect(leg: Leg, mailbox: MailboxRow, held: ExitStack) -> tuple[Source, Target]:
    """Both sides at once: a login takes several round trips. Raises what the source raised, else the target."""
    with ThreadPoolExecutor(1, thread_name_prefix="connect") as pool:
        opening = pool.submit(_opened, leg.target, mailbox, held)
        source = _opened(leg.source, mailbox, held)
        return source, opening.result()


def _opened(connect: Callable[[MailboxRow], Session], mailbox: MailboxRow, held: ExitStack) -> Session:
    session = connect(mailbox)
    held.callback(session.close)
    return session


def _complete(work: Work, pairs: list[Pair], *, ends: bool) -> None:
    """Move the cursors of every folder without pending items; when it `ends`, end the pass in the state."""
    now = work.context.clock.now()

    def commit(c: Connection) -> None:
        for pair in pairs:
            if pair.surveyed and not folders.get(c, pair.row.id).counts.pending:
                state = token(pair.folder, work.policy)
                folders.set_cursor(c, pair.row.id, pair.cursor, state, pair.folder.next_id)
        if ends:
            _end(work, c, now)

    work.checkpoint(commit)
    work.tell("done")


def _end(work: Work, c: Connection, now: float) -> None:
    """Every leg has been gone over."""
    forget_doubts(work, c)
    if work.mailbox.stage in BEFORE_SYNCED:
        mailboxes.update(c, work.mailbox.id, stage="synced")
        work.note(c, "synced")
    mailboxes.completed_pass(c, work.mailbox.id, now)
