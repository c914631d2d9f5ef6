"""What is sent for an item: its own bytes as far as a strict server takes them, under a name made of its UID. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.model import Kind
from xdmigrate_dav import invitations
from xdmigrate_dav.invitations import Step

if TYPE_CHECKING:
    from xdmigrate.formats.ical import Outline

OURS = b"xd"
"""How our names begin: those that other programs make of digests have hexadecimal digits alone."""
NAME_DIGITS = 30
_OWN_NAME = re.compile(rb"%s[0-9a-f]{%d}\.(?:ics|vcf)" % (OURS, NAME_DIGITS))

CARD_VERSIONS = frozenset(("3.0", "4.0"))
_COMPONENTS = {"VEVENT": Kind.CALENDAR, "VJOURNAL": Kind.CALENDAR, "VFREEBUSY": Kind.CALENDAR, "VTODO": Kind.TASKS}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one target collection asks for."""

    kind: Kind
    step: Step = Step.NOTHING
    versions: frozenset[str] = frozenset()  # of vCards that the server tells to take
    gives_zones: bool = False  # to times that have none
    gives_starts: bool = False  # to events that have none: the moment at which they are written


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item as it is sent."""

    uid: str
    ref: bytes  # the name that it gets
    media: str
    data: bytes = field(repr=False)
    is_altered: bool = False  # it does not say all that it said before
    doubt: Unstorable | None = None  # why nobody knows what a store makes of it: it has to be read back


def prepared(data: bytes, seed: bytes, rules: Rules, now: datetime) -> Prepared:
    """Raises Unreadable and Unstorable; `seed`: of the UID that an item gets which has none."""
    if rules.kind is Kind.CONTACTS:
        return _contact(data, seed, rules)
    return _object(data, seed, rules, now)


def _object(data: bytes, seed: bytes, rules: Rules, now: datetime) -> Prepared:
    from xdmigrate.formats import ical
    from xdmigrate.formats.ical.faults import NO_START

    try:
        ready = ical.storable(data, seed)
    except Unstorable as error:
        return _as_it_is(error, rules, now)
    found = ical.outline(ready)
    _see_that_it_fits(found, rules)
    if rules.gives_starts and NO_START in ical.faults(ready):
        raise Unstorable("no-start", f"{NO_START}: the server would put it on the day on which it is written")
    if rules.gives_zones:
        ready = ical.marked(ready)
    silent = invitations.silenced(ready, found, rules.step, now)
    return Prepared(found.uid, own_name(found.uid, b".ics"), "text/calendar; charset=utf-8", silent, silent != ready)


def _as_it_is(error: Unstorable, rules: Rules, now: datetime) -> Prepared:
    """What cannot be interpreted is offered unaltered, and only where it could be taken out again without a mail."""
    from xdmigrate.formats import ical

    data = error.as_it_is
    if not data:
        raise error
    found = ical.outline(data)
    _see_that_it_fits(found, rules)
    if invitations.would_send(found, rules.step, now):
        raise error
    return Prepared(found.uid, own_name(found.uid, b".ics"), "text/calendar; charset=utf-8", data, doubt=error)


def _see_that_it_fits(found: Outline, rules: Rules) -> None:
    if any(_COMPONENTS.get(each) is not rules.kind for each in found.components):
        raise Unstorable("wrong-component", f"{', '.join(found.components)} is not for {rules.kind.value}")


def _contact(data: bytes, seed: bytes, rules: Rules) -> Prepared:
    """Version 4 only where the server says that it takes it: Radicale cuts photos off, others refuse the card."""
    from xdmigrate.formats import vcard

    ready = vcard.storable(data, seed)
    found = vcard.outline(ready)
    if found.version == "4.0" and "4.0" not in rules.versions:
        ready = vcard.converted(ready, "3.0")
    return Prepared(found.uid, own_name(found.uid, b".vcf"), "text/vcard; charset=utf-8", ready)


def reshaped(ready: Prepared, kind: Kind) -> Prepared | None:
    """The same item in the form for servers that refused the first one as invalid; None where there is none."""
    if kind is Kind.CONTACTS:
        return None
    from xdmigrate.formats import ical

    data = ical.simplified(ical.stretched(ready.data))
    return replace(ready, data=data) if data != ready.data and is_same(ready.data, data, kind) else None


def faults(ready: Prepared, kind: Kind, taken: frozenset[str]) -> tuple[str, ...]:
    """What may be the reason of a refusal, in words without content; `taken`: the components that a calendar takes."""
    from xdmigrate.formats import ical, vcard

    if kind is Kind.CONTACTS:
        return vcard.faults(ready.data)
    told = ical.faults(ready.data)
    found = set(ical.outline(ready.data).components) - taken
    return (*(f"the calendar takes no {each}" for each in sorted(found)), *told)


def own_name(uid: str, ending: bytes) -> bytes:
    """Names of UIDs are as odd as people make them; ours is plain, and the same in every run."""
    return OURS + sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:NAME_DIGITS].encode() + ending


def is_own_name(ref: bytes) -> bool:
    """Whether the name looks like one that `own_name` makes."""
    return _OWN_NAME.fullmatch(ref) is not None


def is_same(mine: bytes, theirs: bytes, kind: Kind) -> bool:
    """Whether two items mean the same; what cannot be understood is compared byte by byte."""
    from xdmigrate.formats import ical, vcard

    digest = vcard.digest if kind is Kind.CONTACTS else ical.digest
    try:
        return mine == theirs or digest(mine) == digest(theirs)
    except (Unreadable, Unstorable):
        return False
