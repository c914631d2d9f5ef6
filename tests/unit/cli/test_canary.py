"""`canary`, and what becomes of a plan's promise about invitations: in `check`, `sync` and `verify`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.cli.conftest import Office
from xdmigrate import registry
from xdmigrate.contract import Promise
from xdmigrate.engine.canary import trial
from xdmigrate.errors import Unreachable
from xdmigrate.formats import ical
from xdmigrate.model import Endpoint, Login
from xdmigrate.testing.memory import INBOX
from xdmigrate.testing.memory.plugin import MemoryConnector
from xdmigrate_state import locks
from xdmigrate_state.database import Database

ANN, BOB = "ann@x.test", "bob@x.test"
CANARY = ("canary", "PLAN", "--mailbox", ANN, "--to", BOB, "--wait", "1")


class Calendars(MemoryConnector):
    """Memory servers that schedule: they mail at once, and obey or not. `promised` is what the plan says."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.promised, self.obeys, self.mails, self.reachable = Promise.NONE, True, True, True
        self.held: dict[str, dict[str, bytes]] = {}
        self.reached: list[str] = []

    def promise(self, endpoint: Endpoint) -> Promise:
        return self.promised if endpoint.name == "new" else Promise.NONE

    def trial(self, _endpoint: Endpoint, login: Login) -> Desk:
        self.reached.append(login.address)
        return Desk(self, login.address)


class Desk:
    """A `Trial` in one account."""

    server, schedules = "Memory/1", True

    def __init__(self, calendars: Calendars, account: str) -> None:
        self._calendars = calendars
        self._events = calendars.held.setdefault(account, {})

    def _mail(self, data: bytes) -> None:
        silent = b"SCHEDULE-AGENT" in data and self._calendars.obeys
        if self._calendars.mails and not silent:
            self._calendars.office.new.account(BOB).deliver(INBOX, data)

    def invite(self, event: bytes, *, silent: bool) -> None:
        if not self._calendars.reachable:
            raise Unreachable("no answer", endpoint="new")
        data = ical.unscheduled(event) if silent else event
        self._events[ical.outline(data).uid] = data
        self._mail(data)

    def held(self, uids: Sequence[str]) -> dict[str, bytes]:
        return {uid: self._events[uid] for uid in uids if uid in self._events}

    def withdraw(self, uids: Sequence[str]) -> int:
        found = [self._events.pop(uid) for uid in uids if uid in self._events]
        for data in found:
            self._mail(data)
        return len(found)

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def calendars(office: Office, monkeypatch: pytest.MonkeyPatch) -> Calendars:
    made = Calendars(office)
    monkeypatch.setattr(registry, "load", lambda _name: made)
    monkeypatch.setattr(trial, "GRACE", 0.0)
    monkeypatch.setattr(trial, "FIRST_LOOK", 0.01)
    return made


def test_what_it_proves_is_told_and_kept(office: Office, calendars: Calendars) -> None:
    told = office.run(*CANARY)
    assert told.code == 0, told
    assert "writing: the control arrived by mail, the canary did not arrive" in told.stdout
    assert "SILENT: the server invites" in told.stdout
    assert all(not events for events in calendars.held.values())
    calendars.promised = Promise.SILENT
    checked = office.run("check", "PLAN", "--json").json["mailboxes"][0]["sides"]
    (new,) = [side for side in checked if side["side"] == "target"]
    assert [each["names"] for each in new["findings"] if each["topic"] == "invitations"] == [["proved"]]
    synced = office.run("sync", "PLAN", "--json")
    assert (synced.code, synced.json["invitations"][0]["standing"]) == (0, "proved")
    assert synced.json["invitations"][0]["canary"]["server"] == "Memory/1"
    events = {each["event"]: each["facts"] for each in office.run("journal", "PLAN", "show", "--json").json["entries"]}
    assert events["canary-begun"]["invited"] == [BOB]
    assert (events["canary"]["verdict"], events["canary"]["mailed"]) == ("silent", True)
    assert office.run("journal", "PLAN", "verify").code == 0


def test_without_a_proof_a_promise_stops_the_run(office: Office, calendars: Calendars) -> None:
    calendars.promised = Promise.SILENT
    checked = office.run("check", "PLAN")
    assert checked.code == 3
    assert f"xdmigrate canary {office.plan} --endpoint new" in checked.stdout
    for words in (("sync", "PLAN"), ("sync", "PLAN", "--dry-run")):
        refused = office.run(*words)
        assert refused.code == 5
        assert "`scheduling: silent` without a canary's proof; no canary was sent; prove it with" in refused.stderr
    assert office.inbox(ANN) == []
    assert office.run("sync", "PLAN", "--kind", "mail").code == 0, "mail invites nobody"


def test_a_person_may_answer_for_it_and_every_report_says_so(office: Office, calendars: Calendars) -> None:
    calendars.promised = Promise.BY_HAND
    line = "new: only the plan says that no invitations are sent (`scheduling: silent-by-hand`); no canary was sent"
    assert office.run("check", "PLAN").code == 0
    for words in (("sync", "PLAN"), ("verify", "PLAN")):
        told = office.run(*words)
        assert told.code == 0
        assert line in told.stdout
    calendars.obeys = False
    assert office.run(*CANARY).code == 5
    refused = office.run("sync", "PLAN", "--json")
    assert (refused.code, refused.codes) == (5, ["guard-refused"])


def test_what_proves_nothing_leaves_the_last_word_as_it_was(office: Office, calendars: Calendars) -> None:
    calendars.obeys = False
    assert office.run(*CANARY, "--json").json["verdict"] == "not-silent"
    calendars.promised, calendars.mails = Promise.OFF, False
    assert office.run("sync", "PLAN").code == 5, "it mailed, so its sending was not off"
    calendars.reachable = False
    assert office.run(*CANARY).code == 4
    assert office.run("sync", "PLAN").code == 5


def test_nothing_that_arrives_is_no_proof_of_silence_but_fits_a_switch(office: Office, calendars: Calendars) -> None:
    calendars.mails = False
    told = office.run(*CANARY, "--json")
    assert (told.code, told.json["verdict"]) == (3, "nothing")
    calendars.promised = Promise.SILENT
    assert office.run("sync", "PLAN").code == 5
    calendars.promised = Promise.OFF
    assert office.run("sync", "PLAN").code == 0


def test_a_dry_run_writes_nothing_anywhere(office: Office, calendars: Calendars) -> None:
    told = office.run(*CANARY, "--dry-run", "--json")
    assert (told.code, told.json["dry_run"], told.json["invited"]) == (0, True, [BOB])
    assert calendars.reached == [ANN, BOB]
    assert not office.state.exists()
    assert office.inbox(BOB) == []


def test_two_mailboxes_of_one_login_prove_nothing(office: Office, calendars: Calendars) -> None:
    office.edit(
        f'{{connector: memory, server: {office.new.name}, auth: {{user: "{{address}}"',
        f"{{connector: memory, server: {office.new.name}, auth: {{user: {ANN}",
    )
    told = office.run(*CANARY)
    assert (told.code, calendars.reached) == (2, [])
    assert f"endpoint new logs in as {ANN} for both" in told.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--mailbox", ANN, "--to", "stranger@y.test"), "'stranger@y.test' is no mailbox of plan office"),
        (("--mailbox", "stranger@y.test", "--to", BOB), "'stranger@y.test' is no mailbox of plan office"),
        (("--mailbox", ANN, "--to", ANN), "are one account"),
        (("--mailbox", ANN, "--to", BOB, "--endpoint", "old"), "'old' is no target of calendars"),
    ],
)
def test_nobody_else_is_ever_invited(office: Office, calendars: Calendars, words: tuple[str, ...], reason: str) -> None:
    told = office.run("canary", "PLAN", *words)
    assert told.code == 2
    assert reason in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert (calendars.reached, calendars.held) == ([], {})


@pytest.mark.parametrize(
    ("kinds", "reason"), [("mail", "moves no calendars"), ("calendar", "moves no mail, so nobody sees what")]
)
def test_a_plan_without_what_it_needs_is_refused(office: Office, calendars: Calendars, kinds: str, reason: str) -> None:
    office.edit("source: old\ntarget: new", f"source: {{{kinds}: old}}\ntarget: {{{kinds}: new}}")
    told = office.run(*CANARY)
    assert told.code == 2
    assert reason in told.stderr
    assert calendars.reached == []


def test_systems_that_invite_nobody_need_no_proof(office: Office) -> None:
    told = office.run(*CANARY)
    assert told.code == 2
    assert "endpoint new (memory) sends no invitations" in told.stderr
    assert "invitations" not in office.run("sync", "PLAN", "--json").json


def test_it_waits_for_no_other_run(office: Office, calendars: Calendars) -> None:
    assert office.run("sync", "PLAN").code == 0
    with Database.open(office.state) as db, locks.for_plan(db, office.state.parent, "office"):
        assert office.run(*CANARY).code == 7
    assert calendars.held == {}


def test_status_tells_the_step_and_its_proof(office: Office, calendars: Calendars) -> None:
    def told() -> tuple[str, dict[str, Any]]:
        (line,) = [each for each in office.run("status", "PLAN").stdout.splitlines() if "invitations" in each]
        one, all_of_them = office.run("status", "PLAN", "--json").json, office.run("status", "--json").json
        assert one["invitations"] == all_of_them["plans"][0]["invitations"]
        (facts,) = one["invitations"]
        return line, facts

    assert office.run("sync", "PLAN").code == 0
    line, facts = told()
    assert line.startswith("invitations: new: step 3 of 3, attendees go into the description")
    assert (facts["step"], facts["standing"], facts["proved"], facts["canary"]) == (3, "none", None, None)
    calendars.promised = Promise.SILENT
    assert "not proved (`scheduling: silent`): sync refuses" in told()[0]
    assert office.run(*CANARY).code == 0
    line, facts = told()
    assert re.fullmatch(
        r"invitations: new: step 2 of 3, events are written with SCHEDULE-AGENT=CLIENT; "
        r"proved by the canary of \d{4}-\d\d-\d\d \d\d:\d\d \w+ \(`scheduling: silent`\)",
        line.strip(),
    )
    assert (facts["step"], facts["standing"], facts["canary"]["at"]) == (2, "proved", facts["proved"])
    calendars.promised = Promise.OFF
    line, facts = told()
    assert (facts["step"], facts["standing"], facts["proved"]) == (1, "refuted", None), "it mailed"
    assert "refuted by the canary of" in line
