"""Places: each row is one incarnation of a target folder, with what was in it before our first write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from xdmigrate.model import Path
from xdmigrate_state.packing import pack, path_levels, path_text, unpack
from xdmigrate_state.rows import PlaceRow
from xdmigrate_state.tables import place

_COLUMNS = [column for column in place.c if column is not place.c.baseline_ids]  # that one may be large

_MINE = place.c.id == bindparam("place")
_ONE = select(*_COLUMNS).where(_MINE)
_ADD = insert(place).returning(place.c.id)
_SET = update(place).where(place.c.id == bindparam("this"))
_FIND = (
    select(*_COLUMNS)
    .where(
        place.c.account_id == bindparam("account"),
        place.c.kind == bindparam("of_kind"),
        place.c.path == bindparam("at_path"),
        place.c.validity == bindparam("under"),
        place.c.superseded.is_(False),
    )
    .order_by(place.c.id.desc())
    .limit(1)
)
_ADVANCE = update(place).where(_MINE, place.c.next_id < bindparam("beyond")).values(next_id=bindparam("beyond"))


def find(c: Connection, account_id: int, path: Path, validity: int, *, kind: str) -> PlaceRow | None:
    """The place of this kind at this path under this validity, unless it was superseded."""
    wanted = {"account": account_id, "of_kind": kind, "at_path": path_text(path), "under": validity}
    row = c.execute(_FIND, wanted).one_or_none()
    return None if row is None else _place(row)


def at(c: Connection, account_id: int, path: Path, *, kind: str) -> PlaceRow | None:
    """The place of this kind at this path that is not superseded, whatever its validity."""
    here = place.c.account_id == account_id, place.c.path == path_text(path), place.c.kind == kind
    row = c.execute(
        select(*_COLUMNS).where(*here, place.c.superseded.is_(False)).order_by(place.c.id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _place(row)


def of_account(c: Connection, account_id: int) -> list[PlaceRow]:
    """The places of a target mailbox that are not superseded, by id."""
    wanted = select(*_COLUMNS).where(place.c.account_id == account_id, place.c.superseded.is_(False))
    return [_place(row) for row in c.execute(wanted.order_by(place.c.id))]


def get(c: Connection, place_id: int) -> PlaceRow:
    """The place. Raises NoResultFound when there is none."""
    return _place(c.execute(_ONE, {"place": place_id}).one())


def add(  # noqa: PLR0917 - a row's columns
    c: Connection,
    account_id: int,
    kind: str,
    path: Path,
    ref: bytes,
    validity: int,
    baseline_next: bytes,
    baseline_ids: Sequence[bytes],
    created: bool,  # noqa: FBT001 - a column like the others
) -> PlaceRow:
    """A target folder before our first write: the ids in it, and the next one it will give."""
    values = {
        "account_id": account_id,
        "kind": kind,
        "path": path_text(path),
        "ref": ref,
        "validity": validity,
        "baseline_next": baseline_next,
        "baseline_ids": pack(baseline_ids),
        "baseline_count": len(baseline_ids),
        "next_id": baseline_next,
        "created": created,
    }
    return get(c, c.execute(_ADD, values).scalar_one())


def baseline(c: Connection, place_id: int) -> frozenset[bytes]:
    """The ids that were there before our first write."""
    return frozenset(unpack(c.execute(select(place.c.baseline_ids).where(place.c.id == place_id)).scalar_one()))


def advance(c: Connection, place_id: int, next_id: bytes) -> None:
    """Raise the lower bound of the next id; a lower one changes nothing."""
    c.execute(_ADVANCE, {"place": place_id, "beyond": next_id})


def unproved(c: Connection, place_id: int, floor: bytes) -> None:
    """Writes from `floor` on were acknowledged without ids: a closing listing is due from the lowest such floor."""
    lower = or_(place.c.unproved_from.is_(None), place.c.unproved_from > floor)
    c.execute(update(place).where(place.c.id == place_id, lower).values(unproved_from=floor))


def proved(c: Connection, place_id: int) -> None:
    """A listing has shown all that was acknowledged."""
    _set(c, place_id, unproved_from=None)


def supersede(c: Connection, place_id: int) -> None:
    """The target folder's validity changed: the rows have been linked to the next incarnation."""
    _set(c, place_id, superseded=True)


def rename(c: Connection, place_id: int, path: Path) -> None:
    """The target folder has another path now."""
    _set(c, place_id, path=path_text(path))


def _set(c: Connection, place_id: int, **values: Any) -> None:
    c.execute(_SET, {"this": place_id, **values})


def _place(row: Row[*tuple[Any, ...]]) -> PlaceRow:
    values = dict(row._mapping)
    values["path"] = path_levels(values["path"])
    return PlaceRow(**values)
