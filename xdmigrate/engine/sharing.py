"""Copies what folders carry beside their items: who else may use them, their comments and colours.

Rights are added and never taken away, and never to anybody of whom the plan does not prove who it is on the target.
What cannot be copied is recorded, so that a person can do it by hand. A folder is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from xdmigrate.contract import Declined, Features
from xdmigrate.engine.people import People, is_person
from xdmigrate.engine.work import Pair, Work
from xdmigrate.errors import MailboxError
from xdmigrate.model import Sharing
from xdmigrate_state import leftovers
from xdmigrate_state.leftovers import Leftover

GRANTS, NOTES = "grants", "notes"
GRANT, NOTE, UNKNOWN = "grant", "note", "unreadable"

# --- deciding -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What the target is to get, and what it cannot get."""

    more: Sharing
    left: tuple[Leftover, ...] = ()


def decide(here: Sharing, there: Sharing, target: Features, people: People, own: frozenset[str]) -> Decision:
    """Compare a source folder with its target; `own` are the names of the mailbox itself, case-folded."""
    others = {name: rights for name, rights in here.grants.items() if name.casefold() not in own}
    grants, left = _grants(others, there.grants, people) if target.grants else _none(others)
    notes, unset = _notes(here.notes, there.notes, possible=target.notes)
    return Decision(Sharing(grants, notes), (*left, *unset))


def _none(others: Mapping[str, str]) -> tuple[dict[str, str], list[Leftover]]:
    return {}, [_grant(name, rights, "the target has no permissions") for name, rights in others.items()]


def _notes(
    here: Mapping[str, bytes], there: Mapping[str, bytes], *, possible: bool
) -> tuple[dict[str, bytes], list[Leftover]]:
    """Those to be set; one that the target has already is its user's."""
    new = {entry: value for entry, value in here.items() if there.get(entry) != value}
    if not possible:
        return {}, [Leftover(NOTE, entry, "the target keeps no comments and colours") for entry in new]
    left = [Leftover(NOTE, entry, "the target has another one already") for entry in new if entry in there]
    return {entry: value for entry, value in new.items() if entry not in there}, left


def _grants(here: Mapping[str, str], there: Mapping[str, str], people: People) -> tuple[dict[str, str], list[Leftover]]:
    """Rights that are missing there, by the target's names; nobody gets more than at the source."""
    taken = {name[1:]: frozenset(rights) for name, rights in here.items() if name.startswith("-")}
    from_many = frozenset[str]().union(*(rights for name, rights in taken.items() if not is_person(name)))
    more: dict[str, str] = {}
    left: list[Leftover] = []
    for name, rights in here.items():
        person = people.find(name)
        known = person or (name if name in there and not name.startswith("-") and not taken else None)
        if known is None:
            left.append(_grant(name, rights, _why(name)))
        elif missing := frozenset(rights) - taken.get(name, frozenset()) - from_many - frozenset(there.get(known, "")):
            more[known] = "".join(sorted(missing | frozenset(more.get(known, ""))))
    return more, left


def _why(name: str) -> str:
    if name.startswith("-"):
        return "rights that are taken away are set by hand"
    return "the plan does not say who this is on the target"


def _grant(name: str, rights: str, why: str) -> Leftover:
    return Leftover(GRANT, name, f"{rights}: {why}" if rights else why)


# --- doing --------------------------------------------------------------------------------------------------------


def share(work: Work, pairs: Sequence[Pair]) -> Iterator[None]:
    """Look at every folder that was not looked at yet; costs nothing where all were."""
    aspects = _aspects(work)
    done = work.read(lambda c: leftovers.looked_at(c, work.mailbox.id)) if aspects else {}
    for pair in pairs:
        if aspects and pair.target is not None and not aspects <= done.get(pair.row.id, frozenset()):
            _share(work, pair, aspects)
            yield


def _aspects(work: Work) -> frozenset[str]:
    """What the source tells and the plan wants."""
    features = work.source.features
    grants = GRANTS if features.grants and work.policy.permissions else ""
    return frozenset(filter(None, (grants, NOTES if features.notes else "")))


def _share(work: Work, pair: Pair, aspects: frozenset[str]) -> None:
    more = Sharing()
    try:
        decision = _compared(work, pair, aspects)
        more, left = decision.more, decision.left
        declined = _given(work, pair, more)
        left += tuple(_refused(one, more) for one in declined)
    except MailboxError as error:  # the mail goes on; a person is told
        more, declined, left = Sharing(), [], (Leftover(UNKNOWN, error.code, error.message),)
    refused = sorted(one.name for one in declined)

    def commit(c: Connection) -> None:
        leftovers.record(c, pair.row.id, aspects, left)
        if more or left:
            work.note(c, "shared", path=list(pair.folder.path), left=len(left), **_told(more), declined=refused)

    work.checkpoint(commit)


def _told(more: Sharing) -> dict[str, object]:
    """For the journal: who got which rights; of notes the names alone."""
    return {"granted": dict(more.grants), "notes": sorted(more.notes)}


def _compared(work: Work, pair: Pair, aspects: frozenset[str]) -> Decision:
    """What is to be done with one folder. Raises MailboxError where either side does not tell."""
    target, features = pair.target, work.target.features
    here = _of(work.source.sharing(pair.folder), aspects)
    there = work.target.sharing(target) if target and here and (features.grants or features.notes) else Sharing()
    mailbox = work.mailbox
    people = work.policy.people
    own = {mailbox.source, "owner", *(name for name in here.grants if people.find(name) == _target_name(work))}
    return decide(here, there, features, people, frozenset(name.casefold() for name in own))


def _target_name(work: Work) -> str | None:
    return work.policy.people.find(work.mailbox.source) or work.mailbox.target


def _of(told: Sharing, aspects: frozenset[str]) -> Sharing:
    """Only what is wanted."""
    return Sharing(told.grants if GRANTS in aspects else {}, told.notes if NOTES in aspects else {})


def _given(work: Work, pair: Pair, more: Sharing) -> list[Declined]:
    if not more or pair.target is None:
        return []
    work.hold()
    return work.target.share(pair.target, more)


def _refused(one: Declined, more: Sharing) -> Leftover:
    """What the target did not take, under its own name there."""
    if one.name in more.grants:
        return _grant(one.name, more.grants[one.name], one.detail)
    return Leftover(NOTE, one.name, one.detail)
