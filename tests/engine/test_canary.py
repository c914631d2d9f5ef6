"""A canary's flight over servers that invite in every way, and that fail at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.world import FakeClock
from xdmigrate.engine.canary.events import Pair
from xdmigrate.engine.canary.trial import Flight, Stage, clear
from xdmigrate.engine.canary.watching import MailWatch
from xdmigrate.errors import ConnectionLost, EndpointError, Stopped, XdmigrateError
from xdmigrate.formats import ical
from xdmigrate.model import Login, Role
from xdmigrate.report.canary import Observed, Sighting, Verdict, verdict
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.server import MemoryServer
from xdmigrate.testing.memory.source import MemorySource

ANN, BEA = "ann@x.example", "bea@x.example"
WAIT = 30.0


@dataclass
class Groupware:
    """A server that schedules: whether it obeys, what it does, how long its mail takes, and where it fails."""

    obeys: bool = True
    mails: bool = True
    writes: bool = False  # into the colleague's calendar
    cancels_silently: bool = True  # obeys in removals, too
    seconds: float = 2.0
    folder: str = "INBOX"  # where a rule of the attendee puts the mail
    fails_at: int = 0  # the call that loses its connection, after it was done
    dies: bool = False  # and no later one gets through, as if we had been killed
    ordered: bool = True
    calls: int = 0
    clock: FakeClock = field(default_factory=FakeClock)
    calendars: dict[str, dict[str, bytes]] = field(default_factory=lambda: {ANN: {}, BEA: {}})
    late: list[tuple[float, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        server = MemoryServer(powers=Powers(ordered_ids=self.ordered))
        self.mailbox = server.add_account(BEA, "secret")
        self.mailbox.deliver(("INBOX",), b"Subject: before\r\n\r\n")
        self.session = MemorySource(server.log_in(Login(BEA, BEA, "secret")))
        self.sleep, self.clock.sleep = self.clock.sleep, self.pass_time  # type: ignore[method-assign]

    def pass_time(self, seconds: float) -> None:
        self.sleep(seconds)
        due = [mail for when, mail in self.late if when <= self.clock.time]
        self.late = [(when, mail) for when, mail in self.late if when > self.clock.time]
        for mail in due:
            self.mailbox.create_folder((self.folder,))
            self.mailbox.deliver((self.folder,), mail)

    def called(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at or (self.dies and 0 < self.fails_at < self.calls):
            raise ConnectionLost("cut")

    def tell(self, data: bytes, *, removed: bool) -> None:
        """What the server does when the organizer's event is written or removed."""
        silent = b"SCHEDULE-AGENT=CLIENT" in data and (self.cancels_silently if removed else self.obeys)
        if silent:
            return
        uid = ical.outline(data).uid
        if self.mails:
            self.late.append((self.clock.time + self.seconds, b"To: bea\r\n\r\n" + data))
        if self.writes and removed:
            self.calendars[BEA].pop(uid, None)
        elif self.writes:
            self.calendars[BEA][uid] = data

    def stage(self) -> Stage:
        return Stage(ANN, BEA, (BEA,), Desk(self, ANN), Desk(self, BEA), [MailWatch(self.session, "new")])


class Desk:
    """A `Trial` in one account."""

    server, schedules = "Groupware/1.0", True

    def __init__(self, groupware: Groupware, account: str) -> None:
        self._groupware, self._account = groupware, account

    def invite(self, event: bytes, *, silent: bool) -> None:
        data = ical.unscheduled(event) if silent else event
        self._groupware.calendars[self._account][ical.outline(data).uid] = data
        self._groupware.tell(data, removed=False)
        self._groupware.called()

    def held(self, uids: Sequence[str]) -> dict[str, bytes]:
        self._groupware.called()
        return {uid: data for uid, data in self._groupware.calendars[self._account].items() if uid in uids}

    def withdraw(self, uids: Sequence[str]) -> int:
        found = [uid for uid in uids if uid in self._groupware.calendars[self._account]]
        for uid in found:
            data = self._groupware.calendars[self._account].pop(uid)
            if self._account == ANN:
                self._groupware.tell(data, removed=True)
        self._groupware.called()
        return len(found)

    def close(self) -> None:
        """There is nothing to close."""


def flown(groupware: Groupware, told: list[str] | None = None) -> Observed:
    lines: list[str] = [] if told is None else told
    return Flight(groupware.stage(), Pair.of(ANN), groupware.clock, WAIT, lines.append).fly()


CASES = {
    "obeys": (Groupware(), Verdict.SILENT),
    "obeys, and writes calendars": (Groupware(mails=False, writes=True), Verdict.SILENT),
    "obeys, mail takes its time": (Groupware(writes=True, seconds=20), Verdict.SILENT),
    "obeys, into a folder": (Groupware(folder="Invitations"), Verdict.SILENT),
    "obeys, ids without order": (Groupware(folder="Invitations", ordered=False), Verdict.SILENT),
    "ignores": (Groupware(obeys=False), Verdict.NOT_SILENT),
    "ignores, writes calendars at once and mails late": (
        Groupware(obeys=False, writes=True, seconds=20),
        Verdict.NOT_SILENT,
    ),
    "writes calendars whatever it is asked": (Groupware(obeys=False, mails=False, writes=True), Verdict.NOT_SILENT),
    "mails cancellations": (Groupware(cancels_silently=False), Verdict.NOT_SILENT),
    "sends nothing": (Groupware(mails=False), Verdict.NOTHING),
    "mails too late": (Groupware(seconds=45), Verdict.UNKNOWN),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_proves_what_the_server_does(case: str) -> None:
    given_, proved = CASES[case]
    groupware = replace(given_, clock=FakeClock(), calendars={ANN: {}, BEA: {}}, late=[])
    told: list[str] = []
    observed = flown(groupware, told)
    assert verdict(observed) is proved
    assert observed.mailed is groupware.mails
    assert groupware.calendars == {ANN: {}, BEA: {}}
    arrivals = {line.split(": ")[1].rpartition(" after")[0] for line in told if "arrived" in line}
    assert ("the canary arrived by mail" in arrivals) is (observed.writing.canary.mail or observed.removal.canary.mail)


def test_the_canary_gets_as_long_again_as_the_control_took() -> None:
    groupware = Groupware()
    begun = groupware.clock.time
    flown(groupware)
    assert 2 * (2 + 3) <= groupware.clock.time - begun <= 2 * WAIT / 2, "neither at once, nor all the time there is"


def test_what_arrives_late_from_an_earlier_one_proves_nothing() -> None:
    first = Groupware(seconds=10)
    first.fails_at = 2  # the control is written, and its mail is on its way
    with pytest.raises(ConnectionLost):
        flown(first)
    first.fails_at, first.mails = 0, False
    observed = flown(first)
    assert verdict(observed) is Verdict.NOTHING


@given(fails_at=st.integers(1, 40), dies=st.booleans(), obeys=st.booleans(), writes=st.booleans())
def test_whenever_it_fails_the_next_one_leaves_nothing_behind(
    fails_at: int, *, dies: bool, obeys: bool, writes: bool
) -> None:
    groupware = Groupware(obeys=obeys, writes=writes, fails_at=fails_at, dies=dies)
    stage, pair = groupware.stage(), Pair.of(ANN)
    told: list[XdmigrateError] = []
    try:
        observed = Flight(stage, pair, groupware.clock, WAIT, lambda _line: None).fly()
        assert verdict(observed) is (Verdict.SILENT if obeys else Verdict.NOT_SILENT)
    except XdmigrateError as error:
        told.append(error)
    assert groupware.calls >= fails_at or not told
    assert told or not dies or groupware.calls < fails_at
    assert not dies or all("run the same command again" in each.remedy for each in told)
    groupware.fails_at = 0
    assert clear(stage, Pair.of(ANN)) <= 4
    assert groupware.calendars == {ANN: {}, BEA: {}}


def test_one_look_that_fails_is_made_up_for_by_the_next() -> None:
    groupware = Groupware(fails_at=4)  # two events are written, and the colleague is looked at for the second time
    assert verdict(flown(groupware)) is Verdict.SILENT
    assert groupware.calls > 4
    with pytest.raises(ConnectionLost):
        flown(Groupware(fails_at=4, dies=True))


def test_stopping_it_removes_its_events() -> None:
    groupware = Groupware()

    def stop(_seconds: float) -> None:
        assert groupware.calendars[ANN], "it was stopped in between"
        raise Stopped("stopped on request")

    groupware.clock.sleep = stop  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        flown(groupware)
    assert groupware.calendars == {ANN: {}, BEA: {}}


def test_what_cannot_be_removed_is_told() -> None:
    groupware = Groupware()
    stage = groupware.stage()

    class Stubborn(Desk):
        def withdraw(self, uids: Sequence[str]) -> int:
            return len(uids)

    groupware.calendars[ANN][Pair.of(ANN).canary_uid] = b""
    with pytest.raises(EndpointError, match="stay in the calendar"):
        clear(replace(stage, calendar=Stubborn(groupware, ANN)), Pair.of(ANN))


def test_mail_is_looked_into_once_and_large_or_unreadable_mail_not_at_all() -> None:
    groupware, word = Groupware(), "canary0123456789abcdef"
    watch = MailWatch(groupware.session, "new")
    marks = {"canary": (word,)}
    assert watch.look(marks) == set()
    groupware.mailbox.deliver(("INBOX",), f"Subject: {word}\r\n\r\n".encode())
    assert watch.look(marks) == {"canary"}
    assert watch.look(marks) == set()
    groupware.mailbox.deliver(("INBOX",), f"Subject: {word}\r\n\r\n".encode() + b"x" * (1 << 20))
    assert watch.look(marks) == set()
    groupware.mailbox.create_folder(("Junk",), role=Role.JUNK)
    groupware.mailbox.deliver(("Junk",), f"Subject: {word}\r\n\r\n".encode())
    groupware.mailbox.change_validity(("INBOX",))
    assert watch.look(marks) == {"canary"}
    assert watch.look(marks) == set()


def test_sightings_add_up() -> None:
    assert Sighting(mail=True) | Sighting(calendar=True) == Sighting(mail=True, calendar=True)
