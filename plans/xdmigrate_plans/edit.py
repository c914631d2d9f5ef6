"""What an edited plan means for work that has begun. Pure: a stored snapshot is compared with the plan as it is now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from xdmigrate_plans.checks import IDENTITY, identity
from xdmigrate_plans.plan import SIDES, Plan, Snapshot, checksum

if TYPE_CHECKING:
    from xdmigrate_plans.content import Scope

Kind = Literal["free", "scope-wider", "scope-narrower", "refused"]
Way = tuple[str, ...]

_ELSEWHERE = frozenset(("source", "target", "mailboxes", "scope", "version"))
_FILTERS = ("mail_since", "max_size")
_ORDER_TEXT = "what is not copied yet is copied in this order"
_REPAIR_TEXT = "what is refused, now or later, gets one repaired attempt when it is true; repaired copies stay"
_TEXTS = {
    "name": "the plan has another name",
    "endpoints": "applies from the next connection on",
    "deletions": "applies from the next pass on",
    "limits": "applies at once",
    "failures": "applies at once",
    "include": "applies to what was not looked at yet; what was copied stays",
    "addresses": "applies to mailboxes and addresses that are not fixed yet",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the plan as it was and as it is; `text` says what follows from it."""

    kind: Kind
    where: str
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.before or '(nothing)'} -> {self.after or '(nothing)'}: {self.text}"


def diff(before: Snapshot, plan: Plan, seeded: AbstractSet[str]) -> list[Change]:
    """Every difference between a snapshot and the plan.

    `seeded` are the source addresses of the mailboxes whose copying has begun; only for these is a change refused.
    """
    after = plan.snapshot()
    begun = frozenset(address.casefold() for address in seeded)
    return [
        *_systems(before, after, begun),
        *_settings(before, after),
        *_mailboxes(before, after, begun),
        *_folders(before, after),
        *_filters(before, after),
    ]


def refused(changes: Iterable[Change]) -> list[Change]:
    """The changes that need `--accept-change` with their checksum."""
    return [change for change in changes if change.kind == "refused"]


def refusal_checksum(changes: Iterable[Change]) -> str:
    """Names exactly the refused changes, whatever else was edited; empty when there is none."""
    told = sorted([change.where, change.before, change.after] for change in refused(changes))
    return checksum(told) if told else ""


def scope_hash(scope: Scope) -> str:
    """12 hexadecimal digits that change when the scope may filter other items than before.

    The order of copying, renames and the order in which patterns are written filter nothing.
    """
    told = scope.model_dump(mode="json", include={"folders", *_FILTERS})
    patterns = {key: sorted(set(told["folders"][key])) for key in ("include", "exclude")}
    return checksum([patterns, *(told[key] for key in _FILTERS)])


# --- the systems ------------------------------------------------------------------------------------------------


def _systems(before: Snapshot, after: Snapshot, begun: frozenset[str]) -> Iterator[Change]:
    """Another system behind a side: what is copied there would be missing, and what is there would be taken for it."""
    told = set()
    for side in SIDES:
        for kind in sorted({*before[side], *after[side]}):
            old, new = _behind(before, side, kind), _behind(after, side, kind)
            if not (old[0] and new[0]):
                yield _other_kinds(f"{side}.{kind}", old[0], new[0])
                continue
            if identity(old[1]) == identity(new[1]):
                yield from _other_name(f"{side}.{kind}", old[0], new[0])
                continue
            where = f"endpoints.{new[0]}" if old[0] == new[0] else f"{side}.{kind}"
            if where not in told:
                told.add(where)
                yield _another_system(where, old[1], new[1], begun)


def _behind(snapshot: Snapshot, side: str, kind: str) -> tuple[str, dict[str, Any]]:
    name = snapshot[side].get(kind, "")
    return name, snapshot["endpoints"].get(name, {})


def _other_kinds(where: str, old: str, new: str) -> Change:
    """A kind of data that is moved now, or no longer."""
    text = "copied from the next pass on" if new else "no longer copied; what is on the target stays"
    return Change("free", where, old, new, text)


def _other_name(where: str, old: str, new: str) -> Iterator[Change]:
    if old != new:
        yield Change("free", where, old, new, "the same system by another name")


def _another_system(where: str, old: dict[str, Any], new: dict[str, Any], begun: frozenset[str]) -> Change:
    if begun:
        text = f"{len(begun)} mailboxes are already being copied with the system as it was"
        return Change("refused", where, _system(old), _system(new), text)
    return Change("free", where, _system(old), _system(new), "nothing is copied yet")


def _system(endpoint: dict[str, Any]) -> str:
    return " ".join(str(value) for _, value in identity(endpoint))


# --- settings that change freely --------------------------------------------------------------------------------


def _settings(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    used = {snapshot[side][kind] for snapshot in (before, after) for side in SIDES for kind in snapshot[side]}
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in sorted({*old, *new}):
        of_used_system = path[0] == "endpoints" and path[1] in used and path[2] in IDENTITY
        if path[0] not in _ELSEWHERE and not of_used_system and old.get(path) != new.get(path):
            kind: Kind = "refused" if path == ("name",) else "free"
            text = _TEXTS.get(path[0], "shown in reports")
            yield Change(kind, ".".join(path), _shown(old.get(path)), _shown(new.get(path)), text)


def _leaves(value: Any, path: Way = ()) -> Iterator[tuple[Way, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    else:
        yield path, value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- mailboxes --------------------------------------------------------------------------------------------------


def _mailboxes(before: Snapshot, after: Snapshot, begun: frozenset[str]) -> Iterator[Change]:
    old, new = _by_source(before), _by_source(after)
    gone = [old[key]["source"] for key in old if key not in new]
    come = [new[key]["source"] for key in new if key not in old]
    for address in gone:
        yield Change("free", f"mailboxes.{address}", address, "", _farewell(address, come, len(gone)))
    for address in come:
        yield Change("free", f"mailboxes.{address}", "", address, "an additional mailbox")
    for key in old:
        if key in new:
            yield from _mailbox(old[key], new[key], begun=key in begun)


def _by_source(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {mailbox["source"].casefold(): mailbox for mailbox in snapshot["mailboxes"]}


def _farewell(address: str, come: list[str], gone: int) -> str:
    text = "stays as it is, no longer synced"
    if not come:
        return text
    pair = f"{address} {come[0]}" if gone == len(come) == 1 else "OLD NEW"
    return f"{text}; if it only has another address now, use `xdmigrate mailbox PLAN rename {pair}`"


def _mailbox(old: dict[str, Any], new: dict[str, Any], *, begun: bool) -> Iterator[Change]:
    for key, now in new.items():
        if old.get(key) == now:
            continue
        kind: Kind = "free"
        text = "applies from the next pass on"
        if key in ("target", "into"):
            kind = "refused" if begun else "free"
            text = "the mailbox is already being copied to where it was" if begun else "nothing is copied yet"
        where = f"mailboxes.{new['source']}.{key}"
        yield Change(kind, where, _shown(old.get(key)), _shown(now), text)


# --- scope ------------------------------------------------------------------------------------------------------


def _folders(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = _scope(before).get("folders", {}), _scope(after).get("folders", {})
    yield from _patterns("include", old.get("include", ["*"]), new.get("include", ["*"]), more="scope-wider")
    yield from _patterns("exclude", old.get("exclude", []), new.get("exclude", []), more="scope-narrower")
    renamed, renames = old.get("rename", {}), new.get("rename", {})
    for folder in sorted({*renamed, *renames}):
        if renamed.get(folder) != renames.get(folder):
            text = "folders that are already on the target keep their names"
            where = f"scope.folders.rename.{folder}"
            yield Change("free", where, renamed.get(folder, ""), renames.get(folder, ""), text)


def _scope(snapshot: Snapshot) -> dict[str, Any]:
    scope: dict[str, Any] = snapshot.get("scope", {})
    return scope


def _patterns(key: str, old: list[str], new: list[str], *, more: Kind) -> Iterator[Change]:
    """A list of patterns that grew, shrank, or both. Beside "*" no other pattern says anything."""
    less: Kind = "scope-narrower" if more == "scope-wider" else "scope-wider"
    added = sorted(set(new) - set(old)) if "*" not in old else []
    removed = sorted(set(old) - set(new)) if "*" not in new else []
    if added:
        yield _scoped(more, f"scope.folders.{key}", "", ", ".join(added))
    if removed:
        yield _scoped(less, f"scope.folders.{key}", ", ".join(removed), "")


def _filters(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = _scope(before), _scope(after)
    if (change := _limit("mail_since", old, new, wider=lambda was, now: now < was)) is not None:
        yield change
    if (change := _limit("max_size", old, new, wider=lambda was, now: now > was)) is not None:
        yield change
    if "order" in old and old["order"] != new["order"]:
        yield Change("free", "scope.order", old["order"], new["order"], _ORDER_TEXT)
    if bool(old.get("repair")) != bool(new.get("repair")):
        yield Change(
            "free", "scope.repair", _shown(bool(old.get("repair"))), _shown(bool(new.get("repair"))), _REPAIR_TEXT
        )


def _limit(
    key: str, old: Mapping[str, Any], new: Mapping[str, Any], *, wider: Callable[[Any, Any], bool]
) -> Change | None:
    """A bound that moved; without one everything is wanted."""
    was, now = old.get(key), new.get(key)
    if was == now:
        return None
    grew = now is None or (was is not None and wider(was, now))
    return _scoped("scope-wider" if grew else "scope-narrower", f"scope.{key}", _shown(was), _shown(now))


def _scoped(kind: Kind, where: str, before: str, after: str) -> Change:
    wider = "what was filtered becomes pending and is copied in the next pass"
    narrower = "copies that are already on the target stay; nothing more is copied of it"
    return Change(kind, where, before, after, wider if kind == "scope-wider" else narrower)
