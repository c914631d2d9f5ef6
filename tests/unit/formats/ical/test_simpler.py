"""Rules that add nothing, and values with a letter at the wrong place."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import Plan, plans
from tests.unit.formats.ical.test_strict import EVENT, one, stored
from xdmigrate.formats.ical import digest, simplified
from xdmigrate.formats.ical.times import read, spelled

OVER = "RRULE:FREQ=DAILY;UNTIL=20231231T100000Z"


def test_a_rule_that_ends_before_its_series_starts_adds_nothing() -> None:
    data = one(*EVENT, OVER)
    assert simplified(data) == one(*EVENT)
    assert digest(data) == digest(one(*EVENT))
    assert OVER in stored(data)  # as long as nobody refuses it


@pytest.mark.parametrize("rule", ["UNTIL=20240101T100000Z", "UNTIL=20240105T100000Z", "COUNT=3"])
def test_any_other_rule_stays(rule: str) -> None:
    data = one(*EVENT, f"RRULE:FREQ=DAILY;{rule}")
    assert simplified(data) == data
    assert digest(data) != digest(one(*EVENT))


@given(plan=plans)
def test_the_simpler_form_means_the_same(plan: Plan) -> None:
    data = plan.sample(told=False).octets()
    assert digest(simplified(data)) == digest(data)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("DURATION:PT1W", "DURATION:P7D"),
        ("DURATION:PT1W1D2H3M4S", "DURATION:P8DT2H3M4S"),
        ("RDATE:20240110Z", "RDATE;VALUE=DATE:20240110"),
        ("EXDATE:20240110Z,20240111Z", "EXDATE;VALUE=DATE:20240110,20240111"),
    ],
)
def test_a_letter_at_the_wrong_place_is_put_right(line: str, wanted: str) -> None:
    assert f"\r\n{wanted}\r\n" in stored(one(*EVENT[:3], line))


@given(
    sign=st.sampled_from(["", "-", "+"]), weeks=st.integers(0, 99), days=st.integers(0, 99), hours=st.integers(0, 99)
)
def test_durations_are_what_they_say(sign: str, weeks: int, days: int, hours: int) -> None:
    said = read(f"{sign}PT{weeks}W{days}D{hours}H")
    assert said == read(f"{sign}P{7 * weeks + days}DT{hours}H")
    assert said is not None


@given(value=st.text("PTWDHMSZ0123456789+-", max_size=20))
def test_what_is_spelled_well_stays(value: str) -> None:
    assert spelled(spelled(value)) == spelled(value)
    if spelled(value) != value:
        assert value.endswith("Z") or value.lstrip("+-").startswith("PT")
