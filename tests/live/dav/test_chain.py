"""All calendars and contacts from server to server: nothing is lost, and what is refused nobody can store there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.connectors.dav.scripted import card, event, todo
from tests.data import corpus, objects
from tests.live.dav.chain import SERVICES, SHARE, USER, Directory, Hop, Place, Service, hop, serving
from tests.live.dav.radicale import Radicale

pytestmark = pytest.mark.live

Record = Callable[[str, object], None]

TOGETHER = 200
"""Items of one collection: servers look through all of it for each new item."""

ALARM = "BEGIN:VALARM\r\nACTION:%s\r\nTRIGGER:-PT15M\r\n%sEND:VALARM\r\n"

MADE = {
    "ics": [
        event("plain", "Grüße\\, alle"),
        event("point").replace(b"DTEND:20370102T110000Z\r\n", b""),
        event("floating").replace(b"00Z\r\nDTEND:20370102T110000Z", b"00\r\nDTEND:20370102T110000"),
        event("hours", more="RDATE;VALUE=PERIOD:20370103T100000Z/PT1H\r\n"),
        event("quoted", '"All of it"', 'COMMENT:say \\"hi\\"\r\n'),
        event("again and again", more=ALARM % ("DISPLAY", "DESCRIPTION:Lunch\r\nREPEAT:3\r\nDURATION:PT5M\r\n")),
        event("by mail", more=ALARM % ("EMAIL", "SUMMARY:s\r\nDESCRIPTION:d\r\nATTENDEE:mailto:ann@a.example\r\n")),
        todo("task"),
    ],
    "vcf": [
        card("one"),
        card("four", more="ORG:;Sales;;Europe\r\nNOTE:Data: 1, 2, 3\r\n"),
        card("two", version="4.0", more="BDAY:--0203\r\n"),
        card("three", version="2.1"),
    ],
}
"""What servers are known to take in different ways."""

FEW = {
    "ics": [
        *("calcard/007.ics#0", "calcard/025.ics#3", "calcard/034.ics#3", "evolution/event-8.ics#0"),
        *(f"ical4j/samples__valid__{name}.ics#0" for name in ("calconnect2", "google_aus_holidays", "Earth32Seasons")),
        *(f"ical4j/samples__valid__{name}.ics#1" for name in ("Misc.History", "sunbird_sample", "japan_west")),
        *("collective-icalendar/calendars__example.ics#0", "collective-icalendar/calendars__rfc_7986_image.ics#4"),
        "collective-icalendar/calendars__issue_156_RDATE_with_PERIOD_TZID_khal_2.ics#0",
    ],
    "vcf": ["kcontacts/", "calcard/", "ical4j-vcard/", "misc/"],
}
"""Some of the corpus, by the beginnings of their names: one of each class that needed another form."""


def few() -> dict[str, list[bytes]]:
    """What was made up, and some of the corpus where it is."""
    found = {ending: list(items) for ending, items in MADE.items()}
    if corpus.root() is None:
        return found
    for ending, items in (("ics", objects.calendars()), ("vcf", objects.contacts())):
        chosen = tuple(f"{ending}/{name}" for name in FEW[ending])
        found[ending] += [data for name, data in items if name.startswith(chosen)][: 2 * len(chosen)]
    return found


def spread(folder: Path, ending: str, items: Iterable[bytes]) -> None:
    """Each item in a file, in directories of moderate size."""
    for number, data in enumerate(items):
        path = folder / f"{ending} {number // TOGETHER + 1:02}" / f"{number:05}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def servers() -> Iterator[list[Service]]:
    """Those that are here, in their order; none of them sends invitations."""
    with ExitStack() as running:
        yield [start(running) for missing, start in SERVICES.values() if not missing()]


def chained(folder: Path, first: Place, servers: list[Service], record: Record) -> list[Hop]:
    """Through all servers, to files, and back to one of them."""
    absent = SERVICES.keys() - {each.name for each in servers}
    record("told", f"left out of the chain: {', '.join(sorted(absent)) or 'no server'}")
    hops: list[Hop] = []
    places: list[Place] = [first, *servers, Directory("export", folder / "export")]
    places += _again(servers)
    for number, (old, new) in enumerate(pairwise(places)):
        done = hop(folder / f"hop-{number}", old, new)
        record("told", done.words)
        assert not done.storable, done.storable
        hops.append(done)
    return hops


def _again(servers: list[Service]) -> Iterator[Service]:
    """Another account of the same server."""
    for each in servers:
        if isinstance(each.server, Radicale):
            other = f"again-{USER}"
            each.server.add(other)
            yield Service("Radicale again", each.server, (f"{other}/", f"{other}/"), other)


def test_what_servers_take_in_different_ways_is_stored_by_the_strictest(
    tmp_path: Path, record_property: Record
) -> None:
    for ending, items in MADE.items():
        spread(tmp_path / "made", ending, items)
    with serving("Cyrus") as service:
        done = hop(tmp_path / "hop", Directory("made", tmp_path / "made"), service)
    record_property("told", done.words)
    assert done.copied == done.seen == sum(map(len, MADE.values()))
    assert not done.altered


@pytest.mark.full
def test_a_few_items_of_every_class_go_through_all_servers(
    tmp_path: Path, servers: list[Service], record_property: Record
) -> None:
    for ending, items in few().items():
        spread(tmp_path / "corpus", ending, items)
    for done in chained(tmp_path, Directory("corpus", tmp_path / "corpus"), servers, record_property):
        assert len(done.failed) <= 1, done.words


@pytest.mark.full
def test_the_corpus_goes_through_all_servers(tmp_path: Path, servers: list[Service], record_property: Record) -> None:
    spread(tmp_path / "corpus", "ics", (data for _, data in objects.calendars()))
    spread(tmp_path / "corpus", "vcf", (data for _, data in objects.contacts()))
    for done in chained(tmp_path, Directory("corpus", tmp_path / "corpus"), servers, record_property):
        assert len(done.failed) <= SHARE * done.seen, done.words
