"""The thread runner over memory servers: passes, stops, requests, errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.unit.jobs.office import PASSWORD, Office
from xdmigrate.engine import advance
from xdmigrate.engine.context import Progress
from xdmigrate.errors import Throttled, Unreachable
from xdmigrate.jobs import reaching
from xdmigrate.jobs.due import Wish
from xdmigrate.jobs.requests import Ask, Verb
from xdmigrate.model import Outcome
from xdmigrate.testing.memory import INBOX, Powers
from xdmigrate_state import failures, folders, ledger, requests
from xdmigrate_state.rows import MailboxRow, MailboxSpec


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    with made.db:
        yield made


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off without waiting for it."""
    monkeypatch.setattr(advance, "BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr(reaching, "BACKOFF_SECONDS", (0.01,))


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_every_mailbox_gets_one_pass(office: Office) -> None:
    result = office.run()
    assert (result.exit_code, result.errors) == (0, [])
    assert [box.passes for box in office.rows()] == [1, 1, 1]
    assert [office.copied(name) for name in office.passwords] == [5, 5, 5]
    assert office.old.open_sessions() == office.new.open_sessions() == 0


def test_no_more_mailboxes_at_once_than_workers(tmp_path: Path) -> None:
    office, peak = Office(tmp_path, people=6), 0

    def opened(_mailbox: MailboxRow) -> None:
        nonlocal peak
        peak = max(peak, office.old.open_sessions() + 1)

    office.opened = opened
    with office.db:
        assert office.run(workers=2).exit_code == 0
    assert 1 <= peak <= 2


def test_slices_go_on_where_they_ended(office: Office) -> None:
    assert office.run(slice_seconds=0.0, workers=1).exit_code == 0
    assert [office.copied(name) for name in office.passwords] == [5, 5, 5]
    assert office.old.logins == 3, "a pass keeps its session between two slices"


def test_a_stop_ends_at_a_checkpoint_and_the_next_run_resumes(office: Office) -> None:
    office.progress = lambda progress: office.stop.set() if progress.phase == "copy" else None
    assert office.run(workers=1).exit_code == 6
    assert sum(office.copied(name) for name in office.passwords) < 15
    office.stop.clear()
    office.progress = lambda _progress: None
    assert office.run().exit_code == 0
    assert [office.copied(name) for name in office.passwords] == [5, 5, 5]


def test_the_wish_decides_which(office: Office) -> None:
    office.run(Wish(mailboxes=frozenset({office.row(2).id})))
    assert [box.passes for box in office.rows()] == [0, 1, 0]


def test_two_mailboxes_of_one_target_take_turns(office: Office) -> None:
    names = list(office.passwords)
    office.lists([MailboxSpec(name, names[0], ("from", name), system="memory://new") for name in names])
    result = office.run(workers=3, slice_seconds=0.0)
    assert (result.exit_code, result.errors) == (0, [])
    assert sum(box.passes for box in office.rows() if box.listed) == 3


def test_a_bug_in_one_mailbox_leaves_the_others_alone(office: Office) -> None:
    def opened(mailbox: MailboxRow) -> None:
        if mailbox.id == office.row(2).id:
            raise RuntimeError("a bug")

    office.opened = opened
    result = office.run()
    assert result.exit_code == 1
    assert [box.passes for box in office.rows()] == [1, 0, 1]


# --- endpoints --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_waits")
def test_an_endpoint_that_never_answers_is_tried_three_times_by_all_together(office: Office) -> None:
    tried: list[int] = []

    def opened(mailbox: MailboxRow) -> None:
        tried.append(mailbox.id)
        raise Unreachable("no answer", endpoint="old")

    office.opened = opened
    result = office.run(workers=1)
    assert result.exit_code == 4
    assert len(tried) == 3
    assert [error.code for error in result.errors] == ["unreachable"]


@pytest.mark.usefixtures("no_waits")
def test_a_short_outage_is_outlasted(office: Office) -> None:
    left = 5

    def opened(_mailbox: MailboxRow) -> None:
        nonlocal left
        left -= 1
        if 0 < left < 4:
            raise Unreachable("restarting", endpoint="old")

    office.opened = opened
    assert office.run(workers=1).exit_code == 0
    assert [box.passes for box in office.rows()] == [1, 1, 1]


@pytest.mark.usefixtures("no_waits")
def test_what_a_server_asks_for_outlives_the_run(office: Office) -> None:
    def opened(mailbox: MailboxRow) -> None:
        if mailbox.id == office.row(1).id:
            office.stop.set()
            raise Throttled("slow down", delay=3600.0, endpoint="old")

    office.opened = opened
    office.run(workers=1)
    assert office.row(1).retry_at > time.time() + 3000


# --- logins -----------------------------------------------------------------------------------------------------


def test_a_rejected_login_is_not_tried_again_until_its_secret_changes(office: Office) -> None:
    name = office.row(1).source
    office.passwords[name] = "wrong"
    assert office.run().exit_code == 3
    assert office.row(1).attention_code == "login-rejected"
    office.old.logins = 0
    again = office.run(Wish(mailboxes=frozenset({office.row(1).id})))
    assert again.exit_code == 3
    assert [error.code for error in again.errors] == ["login-rejected"]
    assert office.old.logins == 0
    office.passwords[name] = PASSWORD
    assert office.run().exit_code == 0
    assert office.row(1).attention_code == ""
    assert office.row(1).rejected_mark is None


# --- requests ---------------------------------------------------------------------------------------------------


class Gate:
    """Where the second mailbox waits, so that the run is still on when requests come."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._free = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self._free.wait(30)

    def open(self) -> None:
        self._free.set()


@pytest.fixture
def held(office: Office) -> Iterator[Gate]:
    gate, second = Gate(), office.row(2).id
    office.opened = lambda mailbox: gate.wait() if mailbox.id == second else None
    yield gate
    gate.open()


class Background:
    """A run in another thread."""

    def __init__(self, office: Office, workers: int = 2) -> None:
        self.codes: list[int] = []
        self._thread = threading.Thread(target=lambda: self.codes.append(office.run(workers=workers).exit_code))
        self._thread.start()

    def end(self) -> int:
        self._thread.join(30)
        return self.codes[0]


def test_a_running_process_takes_up_a_request_to_sync_again(office: Office, held: Gate) -> None:
    run = Background(office)
    eventually(lambda: office.row(1).passes == 1)
    office.old.account(office.row(1).source).deliver(INBOX, b"Subject: new\r\n\r\nlate\r\n")
    request = office.ask(Ask(Verb.SYNC, (office.row(1).id,)))
    eventually(lambda: office.row(1).passes == 2)
    assert office.taken(request)
    held.open()
    assert run.end() == 0
    assert office.copied(office.row(1).source) == 6


def test_pause_and_resume_reach_a_running_process(office: Office, held: Gate) -> None:
    run = Background(office, workers=1)
    eventually(lambda: office.row(1).passes == 1)
    office.ask(Ask(Verb.PAUSE, (office.row(3).id,)))
    eventually(lambda: office.row(3).paused)
    held.open()
    assert run.end() == 6
    assert [box.passes for box in office.rows()] == [1, 1, 0]
    office.ask(Ask(Verb.RESUME, (office.row(3).id,)))
    assert office.run().exit_code == 0
    assert office.row(3).passes == 1


def test_a_reset_waits_for_the_end_of_the_slice(office: Office, held: Gate) -> None:
    run = Background(office)
    assert held.reached.wait(30)
    request = office.ask(Ask(Verb.RESET, (office.row(2).id,)))
    eventually(lambda: office.taken(request))
    held.open()
    assert run.end() == 0
    reset = office.row(2)
    assert reset.passes == 2, "reset after its pass, it got another one"
    assert office.copied(reset.source) == 5, "what is there was recognised"


def test_a_request_to_stop_is_a_stop(office: Office) -> None:
    office.ask(Ask(Verb.STOP))
    assert office.run().exit_code == 6


def test_quarantined_items_are_tried_again_on_request(tmp_path: Path) -> None:
    office = Office(tmp_path, people=1, messages=2)
    with office.db:
        office.new.powers = Powers(refuse=lambda data: "refused" if data.startswith(b"Subject: 1") else "")
        assert office.run().exit_code == 3
        failed = office.db.read(lambda c: failures.of_plan(c, office.plan_id))
        assert [row.reason for row in failed] == ["refused"]
        office.new.powers = Powers()
        assert office.run().exit_code == 3, "a failed item is not tried again by itself"
        office.ask(Ask(Verb.RETRY, (office.row().id,), (failed[0].id,)))
        assert office.run().exit_code == 0
        assert office.copied(office.row().source) == 2


def test_a_request_of_another_version_is_left_alone(office: Office) -> None:
    def post(c: Connection) -> int:
        return requests.post(c, office.plan_id, "dance", {"tune": "waltz"}, 0.0)

    office.db.write(post)
    assert office.run().exit_code == 0


def test_progress_is_passed_on(office: Office) -> None:
    seen: list[Progress] = []
    office.progress = seen.append
    office.run()
    assert sum(progress.items for progress in seen if progress.phase == "copy") == 15


def test_the_ledger_is_closed_after_a_run(office: Office) -> None:
    office.run()
    for box in office.rows():
        for folder in office.db.read(partial(folders.of_mailbox, mailbox_id=box.id)):
            rows = office.db.read(partial(ledger.scan, folder=folder))
            assert folder.counts.closed
            assert [row.outcome for row in rows] == [Outcome.COPIED] * folder.counts.seen
