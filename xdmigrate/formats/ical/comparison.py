"""What differs between two objects, told field by field without a word of what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from xdmigrate.formats.ical.meaning import Facts, facts
from xdmigrate.formats.ical.properties import BUSY, HTML, NAMES
from xdmigrate.formats.ical.verbatim import digest

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_COMPONENTS = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY"})
_WORDS = {
    "END": "its end",
    "ZONE": "the clock of its time zone",
    "?": "lines that are not iCalendar",
    "VALARM": "alarms",
    HTML: "the HTML body",
    BUSY: "the busy status",
    "DESCRIPTION;ALTREP": "the HTML body",
}
Key = tuple[str, str, str]
Fields = dict[str, set[str]]


def differences(mine: bytes, theirs: bytes) -> list[str]:
    """What differs between mine ("here") and theirs ("there"), sorted; nothing if their digests are equal.

    Names, counts and dates only, no content. Raises Unreadable.
    """
    here, there = facts(mine), facts(theirs)
    uids = [{each.uid for each in side} for side in (here, there)]
    several = any(len(each) > 1 for each in uids)
    words = ["UID differs"] if uids[0] != uids[1] else []
    ours, others = _keyed(here, several=several), _keyed(there, several=several)
    words += [f"{_label(key)}: only here" for key in ours.keys() - others.keys()]
    words += [f"{_label(key)}: only there" for key in others.keys() - ours.keys()]
    for key in ours.keys() & others.keys():
        words += [f"{_label(key)}: {each}" for each in _compared(ours[key], others[key])]
    return sorted(words) or _repeated(here, there) or _as_they_stand(mine, theirs)


def _as_they_stand(mine: bytes, theirs: bytes) -> list[str]:
    """In what cannot be interpreted, every line counts."""
    return [] if digest(mine) == digest(theirs) else ["lines of an object that cannot be interpreted differ"]


def _repeated(here: list[Facts], there: list[Facts]) -> list[str]:
    """Components that share their name and occurrence have their fields spread differently over them."""
    return [] if set(here) == set(there) else ["components that occur twice differ"]


def _keyed(found: Iterable[Facts], *, several: bool) -> dict[Key, Fields]:
    """Fields by component; the UID tells components apart only where there are several."""
    keyed: dict[Key, Fields] = {}
    for each in found:
        fields = keyed.setdefault((each.kind, each.uid if several else "", each.occurrence), {})
        for name, value in each.fields:
            fields.setdefault(name, set()).add(value)
    return keyed


def _label(key: Key) -> str:
    """The component and, if it is an override, the day of its occurrence."""
    kind, _, occurrence = key
    day = _DATE.match(occurrence)
    name = kind if kind in _COMPONENTS else "a component"
    if not occurrence:
        return name
    return f"{name} of {day[0]}" if day else f"{name} of an unreadable date"


def _compared(ours: Fields, others: Fields) -> Iterator[str]:
    for name in sorted(ours.keys() | others.keys()):
        here, there = ours.get(name, set()), others.get(name, set())
        if here != there:
            yield f"{_word(name)} {_how(len(here), len(there))}"


def _word(name: str) -> str:
    """Names that no standard knows may be pieces of a text."""
    return _WORDS.get(name) or (name if name in NAMES else "another property")


def _how(here: int, there: int) -> str:
    if not there:
        return "only here"
    if not here:
        return "only there"
    return "differs" if here == there else f"differs: {here} here, {there} there"
