"""Calendars that nobody in this project wrote: each is read, taken apart and stored, or refused with a reason."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from icalendar import Calendar

from tests.conftest import FULL
from tests.data import corpus
from xdmigrate.formats.ical import (
    differences,
    digest,
    outline,
    readdressed,
    split,
    storable,
    unscheduled,
    without_people,
)
from xdmigrate.formats.refusal import Unreadable, Unstorable

OBJECTS = 10_000 if FULL else 4
"""How many objects of each file are looked at."""

Record = Callable[[str, object], None]


def files() -> list[Path]:
    found = sorted(path for path in (corpus.require() / "ics").glob("**/*") if path.is_file())
    assert len(found) > 400
    return found


class Part(NamedTuple):
    """An object of a file, and what is stored of it or why nothing is."""

    name: str
    data: bytes
    stored: bytes
    refused: str


def part(name: str, data: bytes) -> Part:
    try:
        return Part(name, data, storable(data, name.encode()), "")
    except Unstorable as refusal:
        return Part(name, data, b"", refusal.reason)
    except Unreadable as refusal:
        return Part(name, data, b"", str(refusal))


@cache
def parts() -> list[Part]:
    """Objects of all files that can be read."""
    found: list[Part] = []
    for path in files():
        with contextlib.suppress(Unreadable):
            found += [part(path.name, data) for data in split(path.read_bytes())[:OBJECTS]]
    return found


def stored() -> list[Part]:
    return [each for each in parts() if each.stored]


def words(what: str, told: Counter[str]) -> str:
    return f"{what}: " + ", ".join(f"{count} {reason}" for reason, count in told.most_common())


def test_every_object_is_stored_or_refused_with_a_reason(record_property: Record) -> None:
    told = Counter(each.refused or "stored" for each in parts())
    record_property("told", words("calendar objects", told))
    assert told["stored"] >= (0.98 if FULL else 0.85) * told.total(), told


def test_what_is_stored_means_the_same_and_is_stable() -> None:
    for name, data, kept, _ in stored():
        assert digest(kept) == digest(data), (name, differences(data, kept))
        assert storable(kept) == kept, name
        assert split(kept) == [kept], name
        assert outline(kept).components in (("VEVENT",), ("VTODO",), ("VJOURNAL",))


def test_every_file_is_read_or_refused(record_property: Record) -> None:
    """Whole, as it stands there; in the quick run only what is small."""
    told: Counter[str] = Counter()
    for path in files():
        data = path.read_bytes()
        if len(data) > 20_000 and not FULL:
            continue
        try:
            digest(data)
            assert bool(split(data)) == bool(outline(data).components)
        except Unreadable as refusal:
            told[str(refusal)] += 1
    record_property("told", words("calendar files that cannot be read", told))
    assert told.total() <= 12, told


def test_people_are_renamed_silenced_and_told_everywhere() -> None:
    invited = 0
    for name, data, _, _ in stored():
        before = outline(data)
        there = readdressed(data, lambda address: f"new-{address}")
        renamed = {who if "@" not in who else f"new-{who}" for who in before.attendees}
        assert {who.replace(" ", "") for who in outline(there).attendees} == {
            who.replace(" ", "") for who in renamed
        }, name
        assert digest(unscheduled(data)) == digest(data), name
        assert not outline(without_people(data)).attendees
        invited += bool(before.attendees)
    assert invited > 50


def test_icalendar_reads_what_is_stored_as_we_do() -> None:
    """An independent parser finds the same components, and nothing wrong but what came in wrong."""
    wrong = 0
    for name, _, data, _ in stored():
        try:
            calendar = Calendar.from_ical(data)
        except ValueError:  # outside of events it does not forgive a value that cannot be read
            wrong += 1
            continue
        found = outline(data)
        components = [each for each in calendar.subcomponents if each.name != "VTIMEZONE"]
        assert {each.name for each in components} == set(found.components), name
        assert {str(each.get("UID")).strip() for each in components} == {found.uid}, name
        wrong += any(each.errors for each in calendar.walk())
    assert wrong <= 20


def test_the_library_behind_radicale_changes_nothing_that_counts(record_property: Record) -> None:
    vobject = pytest.importorskip("vobject", reason="vobject is not installed (Radicale brings it)")
    told: Counter[str] = Counter()
    for _, _, data, _ in stored():
        try:
            rewritten = vobject.readOne(data.decode()).serialize().encode()
        except Exception as error:  # noqa: BLE001 -- it raises whatever comes
            told[f"refused: {type(error).__name__}"] += 1
            continue
        told["; ".join(differences(data, rewritten)) or "equal"] += 1
    record_property("told", words("calendar objects through vobject", told))
    refused = sum(count for words, count in told.items() if words.startswith("refused"))
    assert told["equal"] >= told.total() - refused - 8, told
    assert refused <= 50, told
