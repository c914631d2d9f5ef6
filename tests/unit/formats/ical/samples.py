"""Objects as programs write them, by hand and by chance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import hypothesis.strategies as st

HEAD = ("VERSION:2.0", "PRODID:-//Example//Test//EN")

BERLIN = (
    "BEGIN:VTIMEZONE",
    "TZID:%s",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "END:VTIMEZONE",
)
"""Clocks of central Europe, as Outlook defines them."""

texts = st.text(st.sampled_from("aB ö€,;:\\\"'\n.1-😀\u3042"), min_size=1, max_size=40).filter(str.strip)
words = st.text(st.sampled_from("abcdeöZ7"), min_size=1, max_size=12)
addresses = st.builds(
    "{}@{}".format, st.text("abcABC1.", min_size=1, max_size=8), st.sampled_from(["a.example", "B.example"])
)
starts = st.datetimes(datetime(1995, 1, 1), datetime(2035, 12, 28)).map(lambda when: when.replace(microsecond=0))


def escaped(text: str) -> str:
    """RFC 5545 section 3.3.11."""
    for char in "\\,;":
        text = text.replace(char, "\\" + char)
    return text.replace("\n", "\\n")


def local(when: datetime) -> str:
    return f"{when:%Y%m%dT%H%M%S}"


def day(when: date) -> str:
    return f"{when:%Y%m%d}"


@dataclass(frozen=True)
class Sample:
    """An object: its components as lists of unfolded lines, none with its own BEGIN and END."""

    components: tuple[tuple[str, ...], ...]
    kind: str = "VEVENT"
    zones: tuple[str, ...] = ()
    head: tuple[str, ...] = HEAD

    def lines(self) -> Iterable[str]:
        yield "BEGIN:VCALENDAR"
        yield from self.head
        yield from self.zones
        for component in self.components:
            yield from (f"BEGIN:{self.kind}", *component, f"END:{self.kind}")
        yield "END:VCALENDAR"

    def octets(self, end: bytes = b"\r\n", width: int = 75) -> bytes:
        return b"".join(folded(line, end, width) for line in self.lines())

    def changed(self, old: str, new: str) -> Sample:
        """With this piece replaced wherever it stands; "" for a whole line removes the line."""
        found = tuple(tuple(line.replace(old, new) for line in each if new or line != old) for each in self.components)
        assert found != self.components, old
        return replace(self, components=found)


def folded(line: str, end: bytes = b"\r\n", width: int = 75) -> bytes:
    """RFC 5545 section 3.1, in characters: no line has more than four times `width` octets."""
    pieces = [line[at : at + width] for at in range(0, len(line), width)]
    return (end + b" ").join(piece.encode() for piece in pieces) + end


@dataclass(frozen=True)
class Plan:
    """What an event by chance is made of."""

    start: datetime
    minutes: int
    form: str  # "date", "floating", "utc" or a TZID
    rule: str
    said: tuple[str, ...] = field(default=())

    def moment(self, name: str, when: datetime) -> str:
        if self.form == "date":
            return f"{name};VALUE=DATE:{day(when)}"
        if self.form == "utc":
            return f"{name}:{local(when)}Z"
        return f"{name}:{local(when)}" if self.form == "floating" else f"{name};TZID={self.form}:{local(when)}"

    def ends(self, *, told: bool) -> str:
        """As DURATION, or as the same moment in DTEND."""
        if self.form == "date":
            days = 1 + self.minutes % 5
            return self.moment("DTEND", self.start + timedelta(days)) if told else f"DURATION:P{days}D"
        return (
            self.moment("DTEND", self.start + timedelta(minutes=self.minutes))
            if told
            else f"DURATION:PT{self.minutes}M"
        )

    def sample(self, *, told: bool = True) -> Sample:
        recurs = (f"RRULE:{self.rule}", self.moment("EXDATE", self.start + timedelta(7))) if self.rule else ()
        head = ("UID:plan@example", "DTSTAMP:20200101T000000Z", *self.said)
        master = (*head, self.moment("DTSTART", self.start), self.ends(told=told), *recurs)
        if not self.rule:
            return Sample((master,))
        moved = self.moment("DTSTART", self.start + timedelta(15))
        occurrence = self.moment("RECURRENCE-ID", self.start + timedelta(14))
        return Sample((master, ("UID:plan@example", "DTSTAMP:20200101T000000Z", occurrence, moved, "SUMMARY:Moved")))


rules = st.sampled_from(
    [
        "",
        "FREQ=DAILY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU",
        "FREQ=MONTHLY;BYDAY=-1FR;COUNT=7",
        "FREQ=YEARLY;BYMONTH=3,10;UNTIL=20400101T000000Z",
    ]
)

said = st.lists(
    st.one_of(
        texts.map(lambda text: f"SUMMARY:{escaped(text)}"),
        texts.map(lambda text: f"DESCRIPTION;LANGUAGE=de:{escaped(text)}"),
        texts.map(lambda text: f"X-ALT-DESC;FMTTYPE=text/html:{escaped(text)}"),
        texts.map(lambda text: f"X-OWN:{escaped(text)}"),
        st.lists(words, min_size=1, max_size=3).map(lambda each: f"CATEGORIES:{','.join(each)}"),
        addresses.map(lambda who: f'ORGANIZER;CN="Doe, J:":mailto:{who}'),
        st.tuples(addresses, st.sampled_from(["ACCEPTED", "NEEDS-ACTION"])).map(
            lambda each: f"ATTENDEE;PARTSTAT={each[1]};RSVP=TRUE:MAILTO:{each[0]}"
        ),
        st.sampled_from(["STATUS:TENTATIVE", "TRANSP:TRANSPARENT", "CLASS:PRIVATE", "PRIORITY:3", "GEO:48.1;11.5"]),
    ),
    max_size=6,
    unique_by=lambda line: line.partition(":")[0].partition(";")[0],
).map(tuple)

plans = st.builds(
    Plan,
    start=starts,
    minutes=st.integers(0, 3000),
    form=st.sampled_from(["date", "floating", "utc", "Europe/Berlin", "America/New_York"]),
    rule=rules,
    said=said,
)

MEETING = Sample(
    (
        (
            "UID:meeting@example",
            "DTSTAMP:20200101T000000Z",
            "DTSTART;TZID=Europe/Berlin:20240108T093000",
            "DTEND;TZID=Europe/Berlin:20240108T103000",
            "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20240601T000000Z",
            "EXDATE;TZID=Europe/Berlin:20240115T093000",
            "RDATE;TZID=Europe/Berlin:20240116T093000",
            "SUMMARY:Board",
            "DESCRIPTION:Quarter\\, plans",
            "LOCATION:Room 1",
            "CATEGORIES:Work,Red",
            "STATUS:TENTATIVE",
            "TRANSP:TRANSPARENT",
            "CLASS:PRIVATE",
            "PRIORITY:2",
            "URL:https://a.example/1",
            "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
            "X-ALT-DESC;FMTTYPE=text/html:<b>plans</b>",
            "ORGANIZER;CN=Ann:mailto:ann@a.example",
            "ATTENDEE;CN=Ann;PARTSTAT=ACCEPTED:mailto:ann@a.example",
            "ATTENDEE;CN=Bob;PARTSTAT=TENTATIVE:mailto:bob@a.example",
            "ATTACH;ENCODING=BASE64;VALUE=BINARY:aGVsbG8=",
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            "DESCRIPTION:Board",
            "TRIGGER:-PT15M",
            "END:VALARM",
        ),
        (
            "UID:meeting@example",
            "DTSTAMP:20200101T000000Z",
            "RECURRENCE-ID;TZID=Europe/Berlin:20240122T093000",
            "DTSTART;TZID=Europe/Berlin:20240122T110000",
            "DTEND;TZID=Europe/Berlin:20240122T120000",
            "SUMMARY:Board at eleven",
        ),
    )
)
"""A series with an override and everything that counts."""
