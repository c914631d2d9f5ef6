"""Mailboxes: the pairs source → target of a plan, and the target accounts under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, or_, select
from sqlalchemy import update as sql_update

from xdmigrate.errors import GuardRefused
from xdmigrate.model import Path
from xdmigrate_state.packing import one_line, path_levels, path_text
from xdmigrate_state.rows import MailboxRow, MailboxSpec
from xdmigrate_state.tables import (
    account,
    alteration,
    doubt,
    failure,
    folder,
    identity,
    intent,
    item,
    leftover,
    mailbox,
    merged_into,
    place,
    shared,
)

PLANNED = "planned"
"""The stage of a mailbox that the plan has just listed for the first time."""


TEXT_LENGTH = 500
"""Characters of an error that are kept with a mailbox."""

_MINE = mailbox.c.id == bindparam("mailbox")
_ROWS = select(mailbox, account.c.system).join(account, account.c.id == mailbox.c.account_id)
_ONE = _ROWS.where(_MINE)
_PROGRESSED = sql_update(mailbox).where(_MINE, mailbox.c.retries != 0).values(retries=0)


class MailboxChange(TypedDict, total=False):
    """What `update` may set; what is not named stays."""

    name: str
    wave: str
    stage: str
    paused: bool
    skipped: str  # the reason; empty: not skipped
    retry_at: float
    retries: int
    rejected_mark: bytes | None


def find_account(c: Connection, plan_id: int, system: str, address: str) -> int:
    """The id of the target account, made where it is new."""
    key = {"plan_id": plan_id, "system": system, "address": address}
    found = c.execute(select(account.c.id).filter_by(**key)).scalar()
    if found is None:
        found = c.execute(insert(account).values(key).returning(account.c.id)).scalar_one()
    return int(found)


def upsert(c: Connection, plan_id: int, planned: Sequence[MailboxSpec]) -> list[MailboxRow]:
    """Record what the plan lists, in its order. Known mailboxes keep their ids; unlisted ones stay, marked so.

    A known mailbox whose `system` differs keeps its account, under the new name: whether the change is allowed was
    decided before.
    """
    known = {(row.source, row.target, row.into_path): row for row in all(c, plan_id)}
    c.execute(sql_update(mailbox).where(mailbox.c.plan_id == plan_id).values(listed=False))
    for spec in sorted(planned, key=lambda spec: _key(spec) not in known):  # first the known ones: they name accounts
        row = known.get(_key(spec))
        if row is None:
            _insert(c, plan_id, spec)
        else:
            _refresh(c, row, spec)
    rows = {(row.source, row.target, row.into_path): row for row in all(c, plan_id)}
    return [rows[_key(spec)] for spec in planned]


def all(c: Connection, plan_id: int) -> list[MailboxRow]:  # noqa: A001 - read as mailboxes.all
    """Every mailbox of the plan, by id; those that the plan no longer lists are not `listed`."""
    return [_mailbox(row) for row in c.execute(_ROWS.where(mailbox.c.plan_id == plan_id).order_by(mailbox.c.id))]


def get(c: Connection, mailbox_id: int) -> MailboxRow:
    """The mailbox. Raises NoResultFound when there is none."""
    return _mailbox(c.execute(_ONE, {"mailbox": mailbox_id}).one())


def update(c: Connection, mailbox_id: int, **columns: Unpack[MailboxChange]) -> None:
    """Set these columns."""
    c.execute(sql_update(mailbox).where(mailbox.c.id == mailbox_id).values(columns))


def attention(  # noqa: PLR0917 - a row's columns
    c: Connection, mailbox_id: int, code: str, text: str, remedy: str, now: float
) -> None:
    """The mailbox needs a person. The time of the same code's first report is kept."""
    same = select(mailbox.c.attention_at).where(mailbox.c.id == mailbox_id, mailbox.c.attention_code == code)
    since = c.execute(same).scalar()
    values = {
        "attention_code": code,
        "attention_text": one_line(text, TEXT_LENGTH),
        "attention_remedy": one_line(remedy, TEXT_LENGTH),
        "attention_at": now if since is None else since,
    }
    c.execute(sql_update(mailbox).where(mailbox.c.id == mailbox_id).values(values))


def clear_attention(c: Connection, mailbox_id: int) -> None:
    """The mailbox needs nobody any more."""
    values = {"attention_code": "", "attention_text": "", "attention_remedy": "", "attention_at": None}
    c.execute(sql_update(mailbox).where(mailbox.c.id == mailbox_id).values(values))


def completed_pass(c: Connection, mailbox_id: int, now: float) -> None:
    """Count a pass that went over every folder; it needs nobody any more."""
    values = {"passes": mailbox.c.passes + 1, "last_pass_at": now, "retry_at": 0.0, "retries": 0}
    c.execute(sql_update(mailbox).where(mailbox.c.id == mailbox_id).values(values))
    clear_attention(c, mailbox_id)


def failed_attempt(c: Connection, mailbox_id: int) -> int:
    """Count an attempt that ended in try-later; how many there are now in a row."""
    values = {"retries": mailbox.c.retries + 1}
    counted = sql_update(mailbox).where(mailbox.c.id == mailbox_id).values(values).returning(mailbox.c.retries)
    return int(c.execute(counted).scalar_one())


def progressed(c: Connection, mailbox_id: int) -> None:
    """Something was achieved: failed attempts are counted anew."""
    c.execute(_PROGRESSED, {"mailbox": mailbox_id})


def rename(c: Connection, mailbox_id: int, source: str, target: str) -> None:
    """The same mailbox under other addresses. A new target address renames the account, for all mailboxes in it.

    Raises GuardRefused when another mailbox that has begun, or another account, has the new address.
    """
    old = get(c, mailbox_id)
    _make_way(c, old, source, target)
    c.execute(sql_update(mailbox).where(mailbox.c.id == mailbox_id).values(source=source))
    if target != old.target:
        c.execute(sql_update(account).where(account.c.id == old.account_id).values(address=target))
        c.execute(sql_update(mailbox).where(mailbox.c.account_id == old.account_id).values(target=target))


def reset(c: Connection, mailbox_id: int) -> None:
    """Forget what was copied: ledger, folders, and places that no other mailbox uses. The next pass re-adopts."""
    account_id = get(c, mailbox_id).account_id
    mine = select(folder.c.id).where(folder.c.mailbox_id == mailbox_id).scalar_subquery()
    for table in (failure, alteration, doubt, intent, merged_into, identity, shared, leftover):
        c.execute(delete(table).where(table.c.folder_id.in_(mine)))
    c.execute(delete(item).where(item.c.account_id == account_id, item.c.folder_id.in_(mine)))
    c.execute(delete(folder).where(folder.c.mailbox_id == mailbox_id))
    _forget_places(c, account_id)


def _forget_places(c: Connection, account_id: int) -> None:
    used = [exists().where(table.c.place_id == place.c.id) for table in (folder, intent, doubt, merged_into)]
    claimed = exists().where(item.c.account_id == account_id, item.c.place_id == place.c.id)
    c.execute(delete(place).where(place.c.account_id == account_id, ~or_(*used, claimed)))


def _make_way(c: Connection, old: MailboxRow, source: str, target: str) -> None:
    """A mailbox that only an edited plan file has made under the new addresses gives way to the real one."""
    for other in all(c, old.plan_id):
        if other.id == old.id or (other.source, other.target, other.into_path) != (source, target, old.into_path):
            continue
        if c.execute(select(exists().where(folder.c.mailbox_id == other.id))).scalar():
            raise GuardRefused(
                f"mailbox {other.id} is {source} → {target} already, and has begun",
                remedy="skip or reset one of the two",
                mailbox=source,
            )
        c.execute(delete(mailbox).where(mailbox.c.id == other.id))
    if target != old.target:
        _free_address(c, old, target)


def _free_address(c: Connection, old: MailboxRow, target: str) -> None:
    taken = select(account.c.id).filter_by(plan_id=old.plan_id, system=old.system, address=target)
    other = c.execute(taken).scalar()
    if other is None or other == old.account_id:
        return
    if c.execute(select(exists().where(mailbox.c.account_id == other))).scalar():
        raise GuardRefused(
            f"target {target} belongs to another mailbox of this plan",
            remedy="rename that one first",
            mailbox=old.source,
        )
    c.execute(delete(place).where(place.c.account_id == other))
    c.execute(delete(account).where(account.c.id == other))


def _insert(c: Connection, plan_id: int, spec: MailboxSpec) -> None:
    values = {
        "plan_id": plan_id,
        "account_id": find_account(c, plan_id, spec.system, spec.target),
        "source": spec.source,
        "target": spec.target,
        "into_path": path_text(spec.into),
        "name": spec.name,
        "wave": spec.wave,
        "merge": spec.merge,
        "stage": PLANNED,
    }
    c.execute(insert(mailbox), values)


def _refresh(c: Connection, row: MailboxRow, spec: MailboxSpec) -> None:
    if row.system != spec.system:
        c.execute(sql_update(account).where(account.c.id == row.account_id).values(system=spec.system))
    values = {"listed": True, "name": spec.name, "wave": spec.wave, "merge": spec.merge}
    c.execute(sql_update(mailbox).where(mailbox.c.id == row.id).values(values))


def _key(spec: MailboxSpec) -> tuple[str, str, Path]:
    return spec.source, spec.target, spec.into


def _mailbox(row: Row[*tuple[Any, ...]]) -> MailboxRow:
    values = dict(row._mapping)
    values["into_path"] = path_levels(values["into_path"])
    return MailboxRow(**values)
