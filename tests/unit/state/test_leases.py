"""Fencing: a stale epoch commits nothing."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection

from tests.unit.state.sample import NOW, Pair, counts, fill
from xdmigrate.errors import LeaseLost
from xdmigrate_state import leases
from xdmigrate_state.database import Database


def take(db: Database, pair: Pair, owner: str, now: float = NOW, *, force: bool = False) -> int:
    return db.write(lambda c: leases.take(c, pair.mailbox.account_id, owner, 60, now, force=force))


def test_every_take_gives_a_new_epoch(database: Database, pair: Pair) -> None:
    assert [take(database, pair, "worker 1") for _ in range(3)] == [1, 2, 3]


def test_a_running_lease_is_refused_and_named(database: Database, pair: Pair) -> None:
    take(database, pair, "worker 1")
    with pytest.raises(LeaseLost, match=r"ann@new.example: worker 1 holds it"):
        take(database, pair, "worker 2", NOW + 59)
    assert take(database, pair, "worker 2", NOW + 60) == 2
    assert take(database, pair, "worker 3", NOW + 61, force=True) == 3


def test_a_stale_epoch_commits_nothing(database: Database, pair: Pair) -> None:
    """The zombie: frozen, taken over, resumed."""
    account = pair.mailbox.account_id
    stale = take(database, pair, "worker 1")
    take(database, pair, "worker 2", NOW + 100)

    def checkpoint(c: Connection) -> None:
        fill(c, pair, 3)
        leases.check(c, account, stale)

    for unit in (checkpoint, lambda c: leases.renew(c, account, stale, 60, NOW)):
        with pytest.raises(LeaseLost):
            database.write(unit)
    database.write(lambda c: leases.release(c, account, stale))
    assert counts(database, pair.folder).seen == 0
    with pytest.raises(LeaseLost):
        take(database, pair, "worker 3", NOW + 101)


def test_a_current_epoch_commits_and_renews(database: Database, pair: Pair) -> None:
    account = pair.mailbox.account_id
    epoch = take(database, pair, "worker 1")
    database.write(lambda c: leases.renew(c, account, epoch, 60, NOW + 50))

    def checkpoint(c: Connection) -> None:
        leases.check(c, account, epoch)
        fill(c, pair, 3)

    database.write(checkpoint)
    with pytest.raises(LeaseLost):
        take(database, pair, "worker 2", NOW + 100)
    assert counts(database, pair.folder).seen == 3


def test_a_released_lease_is_free_and_its_epoch_used(database: Database, pair: Pair) -> None:
    epoch = take(database, pair, "worker 1")
    database.write(lambda c: leases.release(c, pair.mailbox.account_id, epoch))
    with pytest.raises(LeaseLost):
        database.write(lambda c: leases.renew(c, pair.mailbox.account_id, epoch, 60, NOW))
    assert take(database, pair, "worker 2") == epoch + 1


def test_a_take_over_waits_for_a_checkpoint_under_way(database: Database, pair: Pair) -> None:
    """Either the checkpoint is committed before the new epoch, or it is refused; never after."""
    account = pair.mailbox.account_id
    epoch = take(database, pair, "worker 1")
    checked, order = threading.Event(), []

    def checkpoint(c: Connection) -> None:
        leases.check(c, account, epoch)
        checked.set()
        threading.Event().wait(0.1)
        fill(c, pair, 1)
        order.append("checkpoint")

    def take_over() -> None:
        checked.wait(30)
        take(database, pair, "worker 2", force=True)
        order.append("taken")

    threads = [threading.Thread(target=database.write, args=[checkpoint]), threading.Thread(target=take_over)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order == ["checkpoint", "taken"]
