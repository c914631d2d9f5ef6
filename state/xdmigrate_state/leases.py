"""Fencing: the lock and its epoch stand on the target mailbox, and every checkpoint asks for the epoch.

A worker that was frozen or cut off meanwhile finds another epoch, and commits nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, or_, select, update

from xdmigrate.errors import LeaseLost
from xdmigrate_state.tables import account

_MINE = account.c.id == bindparam("account")
_FREE = or_(account.c.lease_until <= bindparam("now"), account.c.owner.in_(("", bindparam("by"))))
_TAKE = (
    update(account)
    .values(epoch=account.c.epoch + 1, owner=bindparam("by"), lease_until=bindparam("until"))
    .returning(account.c.epoch)
)
_TAKE_ANY, _TAKE_FREE = _TAKE.where(_MINE), _TAKE.where(_MINE, _FREE)
_RELEASE = update(account).where(_MINE, account.c.epoch == bindparam("held")).values(owner="", lease_until=0.0)
_EPOCH = select(account.c.epoch).where(account.c.id == bindparam("account")).with_for_update(read=True)


def take(c: Connection, account_id: int, owner: str, seconds: float, now: float, *, force: bool = False) -> int:
    """Take the lease for so many seconds and return the new epoch, one above the old.

    A lease that has run out, or is the owner's own, is taken over; any other only by `force`, else LeaseLost.
    """
    wanted = {"account": account_id, "now": now, "by": owner, "until": now + seconds}
    epoch = c.execute(_TAKE_ANY if force else _TAKE_FREE, wanted).scalar()
    if epoch is None:
        raise _lost(c, account_id)
    return int(epoch)


def renew(c: Connection, account_id: int, epoch: int, seconds: float, now: float) -> None:
    """Keep the lease for so many seconds from now. Raises LeaseLost when the epoch is not current."""
    held = (account.c.id == account_id) & (account.c.epoch == epoch) & (account.c.owner != "")
    if not c.execute(update(account).where(held).values(lease_until=now + seconds)).rowcount:
        raise _lost(c, account_id)


def check(c: Connection, account_id: int, epoch: int) -> None:
    """Make the unit conditional on the epoch: raises LeaseLost when it is not current.

    On PostgreSQL the row is share-locked, so that a take-over waits for this unit's commit or is seen here.
    """
    if c.execute(_EPOCH, {"account": account_id}).scalar() != epoch:
        raise _lost(c, account_id)


def release(c: Connection, account_id: int, epoch: int) -> None:
    """Give the lease up, if it is still held; the epoch stays used."""
    c.execute(_RELEASE, {"account": account_id, "held": epoch})


def _lost(c: Connection, account_id: int) -> LeaseLost:
    row = c.execute(select(account.c.address, account.c.owner).where(account.c.id == account_id)).one_or_none()
    address, owner = (row.address, row.owner) if row else (str(account_id), "")
    return LeaseLost(f"target {address}: {owner or 'another worker'} holds it now", remedy="let that one go on")
