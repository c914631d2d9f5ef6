"""One pass over a mailbox, seed and delta alike, as a generator that yields where everything is committed.

The order is the safety: explain what an earlier run left open; pair the folders; bring the ledger up to date for all
folders; move what was moved; folder by folder, merge what needs no copy, adopt what is there, copy; remove (mirror
mode); share; look for late twins; move the cursors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

from sqlalchemy import Connection

from xdmigrate.contract import Source, Target
from xdmigrate.engine.adopt import adopt
from xdmigrate.engine.context import LEASE_SECONDS, Context, Progress
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
from xdmigrate_state import folders, journal, leases, mailboxes
from xdmigrate_state.rows import MailboxRow

Session = TypeVar("Session", bound=Source)

BEFORE_SEED = ("planned", "provisioned")
BEFORE_SYNCED = (*BEFORE_SEED, "seeding")


def steps(mailbox_id: int, context: Context) -> Iterator[None]:
    """Run one pass. Closing the generator ends the sessions; nothing committed is lost."""
    with ExitStack() as held:
        work = _begin(mailbox_id, context, held)
        yield from reconcile(work)
        work.tell("folders")
        pairs = align(work)
        yield
        for pair in pairs:
            yield from survey(work, pair)
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
        _complete(work, pairs)


def _begin(mailbox_id: int, context: Context, held: ExitStack) -> Work:
    mailbox = context.db.read(lambda c: mailboxes.get(c, mailbox_id))
    context.progress(Progress(mailbox_id, "connect"))
    source, target = _connect(context, mailbox, held)
    now = context.clock.now()

    def take(c: Connection) -> int:
        epoch = leases.take(c, mailbox.account_id, context.owner, LEASE_SECONDS, now, force=True)
        if mailbox.stage in BEFORE_SEED:
            mailboxes.update(c, mailbox_id, stage="seeding")
            journal.append(c, context.plan_id, mailbox_id, "seeding", {}, now)
        return epoch

    epoch = context.db.write(take)
    held.callback(lambda: context.db.submit(lambda c: leases.release(c, mailbox.account_id, epoch)))
    return Work(context, mailbox, source, target, epoch, now + LEASE_SECONDS)


def _connect(context: Context, mailbox: MailboxRow, held: ExitStack) -> tuple[Source, Target]:
    """Both sides at once: a login takes several round trips. Raises what the source raised, else the target."""
    with ThreadPoolExecutor(1, thread_name_prefix="connect") as pool:
        opening = pool.submit(_opened, context.target, mailbox, held)
        source = _opened(context.source, mailbox, held)
        return source, opening.result()


def _opened(connect: Callable[[MailboxRow], Session], mailbox: MailboxRow, held: ExitStack) -> Session:
    session = connect(mailbox)
    held.callback(session.close)
    return session


def _complete(work: Work, pairs: list[Pair]) -> None:
    """Move the cursors of every folder without pending items, and end the pass in the state."""
    now = work.context.clock.now()

    def commit(c: Connection) -> None:
        for pair in pairs:
            fresh = folders.get(c, pair.row.id)
            if pair.surveyed and not fresh.counts.pending:
                state = token(pair.folder, work.policy)
                folders.set_cursor(c, pair.row.id, pair.cursor, state, pair.folder.next_id)
        forget_doubts(work, c)
        if work.mailbox.stage in BEFORE_SYNCED:
            mailboxes.update(c, work.mailbox.id, stage="synced")
            work.note(c, "synced")
        mailboxes.completed_pass(c, work.mailbox.id, now)

    work.checkpoint(commit)
    work.tell("done")
