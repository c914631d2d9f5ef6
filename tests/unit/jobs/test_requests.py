"""Requests: what they do to the state, and that they survive the way through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jobs.office import Office
from xdmigrate.errors import GuardRefused
from xdmigrate.jobs.inbox import Inbox
from xdmigrate.jobs.requests import AT_REST, Ask, Verb, apply
from xdmigrate_state import journal, plans

ASKS = st.builds(
    Ask,
    verb=st.sampled_from(Verb),
    mailboxes=st.lists(st.integers(1, 99)).map(tuple),
    items=st.lists(st.sampled_from(["1.2", "3.x00ff"])).map(tuple),
    text=st.text(max_size=20),
    source=st.text(max_size=20),
    target=st.text(max_size=20),
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    with made.db:
        yield made


def do(office: Office, request: Ask) -> None:
    office.db.write(lambda c: apply(c, office.plan_id, request, 1.0))


@given(ASKS)
def test_a_request_comes_out_as_it_went_in(request: Ask) -> None:
    import json

    facts = json.loads(json.dumps(request.facts()))
    assert Ask.of(request.verb.value, facts) == request


def test_pausing_a_plan_pauses_no_mailbox(office: Office) -> None:
    do(office, Ask(Verb.PAUSE))
    assert office.db.read(lambda c: plans.is_paused(c, office.plan_id))
    assert not any(box.paused for box in office.rows())
    do(office, Ask(Verb.RESUME))
    assert not office.db.read(lambda c: plans.is_paused(c, office.plan_id))


def test_skip_keeps_the_reason_and_can_be_undone(office: Office) -> None:
    do(office, Ask(Verb.SKIP, (2,), text="left the company"))
    assert [box.skipped for box in office.rows()] == ["", "left the company", ""]
    do(office, Ask(Verb.UNSKIP, (2,)))
    assert not any(box.skipped for box in office.rows())


def test_reset_forgets_and_the_target_keeps_everything(office: Office) -> None:
    office.run()
    do(office, Ask(Verb.RESET, (1,)))
    assert office.row(1).stage == "planned"
    assert office.copied(office.row(1).source) == 5
    office.run()
    assert office.copied(office.row(1).source) == 5


def test_rename_keeps_the_id(office: Office) -> None:
    before = office.row(1)
    do(office, Ask(Verb.RENAME, (1,), source="new@x.test", target=before.target))
    assert (office.row(1).id, office.row(1).source) == (before.id, "new@x.test")
    with pytest.raises(GuardRefused):
        do(office, Ask(Verb.RENAME, (1, 2), source="a", target="b"))


def test_every_change_is_on_record(office: Office) -> None:
    do(office, Ask(Verb.PAUSE, (1,)))
    do(office, Ask(Verb.SKIP, (2,), text="left"))
    do(office, Ask(Verb.SYNC, (3,)))
    told = office.db.read(lambda c: journal.show(c, office.plan_id))
    assert [(entry.chain, entry.event) for entry in told] == [(1, "pause"), (2, "skip")]


def test_what_needs_a_mailbox_at_rest_is_put_back_while_it_is_busy(office: Office) -> None:
    inbox = Inbox(office.db, office.plan_id)
    for verb in AT_REST - {Verb.RENAME}:
        office.ask(Ask(verb, (1,)))
        assert inbox.take({1}, 1.0) == []
        assert inbox.waiting()
        assert [ask.verb for ask in inbox.take(set(), 2.0)] == [verb]
        assert not inbox.waiting()


def test_a_refused_request_is_taken_and_does_no_harm(office: Office) -> None:
    inbox = Inbox(office.db, office.plan_id)
    request = office.ask(Ask(Verb.RENAME, (1, 2), source="a", target="b"))
    assert inbox.take(set(), 1.0) == []
    assert office.taken(request)
    assert not inbox.waiting()
