"""What a canary proves, and what it makes of a plan's promise."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.contract import Promise
from xdmigrate.report.canary import Act, Observed, Sighting, Standing, Verdict, standing, verdict
from xdmigrate.report.invitations import CanaryFacts, PromiseFacts
from xdmigrate_state.rows import CanaryRow

SEEN = Sighting(mail=True)
WRITTEN = Sighting(calendar=True)
NEVER = Sighting()
sightings = st.builds(Sighting, st.booleans(), st.booleans())
acts = st.builds(Act, sightings, sightings, st.booleans())


def both(writing: tuple[Sighting, Sighting], removal: tuple[Sighting, Sighting]) -> Observed:
    """Canary and control in both acts, each watched to its end."""
    return Observed(Act(*writing, ended=True), Act(*removal, ended=True))


@pytest.mark.parametrize(
    ("observed", "proved"),
    [
        (both((NEVER, SEEN), (NEVER, SEEN)), Verdict.SILENT),
        (both((NEVER, WRITTEN), (NEVER, NEVER)), Verdict.SILENT),
        (both((SEEN, SEEN), (NEVER, NEVER)), Verdict.NOT_SILENT),
        (both((NEVER, SEEN), (SEEN, SEEN)), Verdict.NOT_SILENT),  # silent in writing, and mails cancellations
        (both((WRITTEN, SEEN), (NEVER, NEVER)), Verdict.NOT_SILENT),  # in the colleague's calendar
        (both((NEVER, NEVER), (NEVER, NEVER)), Verdict.NOTHING),
        (both((NEVER, NEVER), (NEVER, SEEN)), Verdict.UNKNOWN),  # what came after the first act came too late for it
        (Observed(Act(NEVER, SEEN, ended=True), Act()), Verdict.UNKNOWN),
        (Observed(), Verdict.UNKNOWN),
    ],
)
def test_what_is_proved(observed: Observed, proved: Verdict) -> None:
    assert verdict(observed) is proved


@given(acts, acts)
def test_silence_is_never_proved_where_the_canary_was_seen_or_the_control_was_not(writing: Act, removal: Act) -> None:
    proved = verdict(Observed(writing, removal))
    assert (proved is Verdict.NOT_SILENT) is bool(writing.canary or removal.canary)
    if proved is Verdict.SILENT:
        assert writing.control
        assert writing.ended
        assert removal.ended


PROMISES = {
    (Promise.OFF, None): Standing.STATED,
    (Promise.OFF, Verdict.NOTHING): Standing.STATED,
    (Promise.SILENT, None): Standing.UNPROVED,
    (Promise.SILENT, Verdict.NOTHING): Standing.UNPROVED,
    (Promise.SILENT, Verdict.SILENT): Standing.PROVED,
    (Promise.SILENT, Verdict.NOT_SILENT): Standing.REFUTED,
    (Promise.BY_HAND, None): Standing.STATED,
    (Promise.BY_HAND, Verdict.NOTHING): Standing.STATED,
    (Promise.BY_HAND, Verdict.SILENT): Standing.PROVED,
    (Promise.BY_HAND, Verdict.NOT_SILENT): Standing.REFUTED,
}


@pytest.mark.parametrize(("asked", "worth"), list(PROMISES.items()), ids=str)
def test_what_a_promise_is_worth(asked: tuple[Promise, Verdict | None], worth: Standing) -> None:
    assert standing(*asked) is worth


def test_a_proof_of_the_contrary_always_wins() -> None:
    for promise, last in product(set(Promise) - {Promise.NONE}, (*Verdict, None)):
        if last is Verdict.NOT_SILENT and promise is not Promise.OFF:
            assert not standing(promise, last).is_safe
    assert standing(Promise.OFF, Verdict.SILENT, mailed=True) is Standing.REFUTED, "it mails, so it is not off"
    assert standing(Promise.OFF, Verdict.NOT_SILENT, mailed=False) is Standing.STATED, (
        "calendars are written all the same"
    )


def test_every_promise_is_told_with_its_remedy() -> None:
    for verdict_, mailed in product(("silent", "not-silent", "nothing"), (True, False)):
        last = CanaryRow("dav://x:443", "new-dav", verdict_, mailed, 1_800_000_000.0, "Cyrus/3.6", "a@x", "b@x")
        for promise in set(Promise) - {Promise.NONE}:
            facts = PromiseFacts("new-dav", promise, last)
            assert "new-dav" in facts.text
            assert f"canary of 2027-01-15T08:00:00+00:00: {verdict_} (server: Cyrus/3.6)" in facts.text
            assert facts.finding.ok is facts.standing.is_safe
            assert bool(facts.remedy) is not facts.standing.is_safe
            assert facts.to_json()["standing"] == facts.standing.value
    unproved = PromiseFacts("new-dav", Promise.SILENT)
    assert "no canary was sent" in unproved.text
    assert "xdmigrate canary PLAN --endpoint new-dav" in unproved.remedy


@given(acts, acts)
def test_every_outcome_is_told(writing: Act, removal: Act) -> None:
    told = CanaryFacts("p", "new-dav", "a@x", "b@x", ("b@x",), ("new",), "", schedules=True)
    told = replace(told, observed=Observed(writing, removal))
    *_, last = told.lines()
    assert last.startswith(told.verdict.value.upper())
    assert "endpoint new-dav" in last
    assert told.to_json()["verdict"] == told.verdict.value
