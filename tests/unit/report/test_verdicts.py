"""The verdict: nothing but a person's acceptance excuses anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.model import Kind
from xdmigrate.report.verdicts import (
    FAULTS,
    KEPT_DETAILS,
    Detail,
    ItemState,
    KindVerdict,
    MailboxVerdict,
    Tally,
    Verdict,
    combined,
    judge,
    judge_plan,
)

COUNTS = st.fixed_dictionaries({state.value: st.integers(0, 3) for state in ItemState})


@given(COUNTS, st.integers(0, 3), st.integers(0, 3))
def test_judge(counts: dict[str, int], accepted: int, excused: int) -> None:
    """Only the failed and the changed can be accepted, one by one."""
    accepted, excused = min(accepted, counts["failed"]), min(excused, counts["changed"])
    verdict = judge([KindVerdict(**counts, accepted=accepted, excused=excused)])
    faults = any(counts[state.value] for state in FAULTS if state is not ItemState.CHANGED)
    if faults or accepted < counts["failed"] or excused < counts["changed"]:
        assert verdict is Verdict.FAIL
    else:
        assert verdict is (Verdict.EXCEPTIONS if accepted or excused else Verdict.PASS)


@given(st.lists(st.builds(KindVerdict, **{s.value: st.integers(0, 2) for s in ItemState}), max_size=4))
def test_a_fault_in_any_kind_is_a_fault_of_the_mailbox(kinds: list[KindVerdict]) -> None:
    if any(judge([kind]) is Verdict.FAIL for kind in kinds):
        assert judge(kinds) is Verdict.FAIL


@given(st.lists(st.sampled_from(Verdict), max_size=5))
def test_a_plan_is_as_good_as_its_worst_mailbox(verdicts: list[Verdict]) -> None:
    plan = judge_plan([MailboxVerdict(1, "a", "b", verdict, {}) for verdict in verdicts])
    order = [Verdict.PASS, Verdict.EXCEPTIONS, Verdict.FAIL]
    worst = max(verdicts, key=order.index, default=Verdict.FAIL)
    assert plan.verdict is worst


@given(st.lists(st.sampled_from(ItemState), min_size=1, max_size=len(Kind)))
def test_parts_of_a_mailbox_add_up(states: list[ItemState]) -> None:
    """Each kind is verified for itself: the worst of them is the mailbox's verdict, and nothing is left out."""
    parts = []
    for kind, state in zip(Kind, states, strict=False):
        tally = Tally()
        tally.count(kind, state)
        tally.note(Detail(state, ("Team",), "00"))
        parts.append(tally.verdict(1, "a", "b"))
    whole = combined(parts)
    assert whole.verdict is judge_plan(parts).verdict
    assert [getattr(whole.kinds[kind], state) for kind, state in zip(Kind, states, strict=False)] == [1] * len(states)
    assert [detail.state for detail in whole.details] == states


def test_details_are_bounded_and_the_rest_is_counted() -> None:
    tally = Tally()
    for number in range(KEPT_DETAILS + 7):
        tally.count(Kind.MAIL, ItemState.MISSING)
        tally.note(Detail(ItemState.MISSING, ("INBOX",), f"{number:08x}"))
    tally.note(Detail(ItemState.CHANGED, ("INBOX",), "00"))
    verdict = tally.verdict(1, "a", "b")
    assert len(verdict.details) == KEPT_DETAILS + 1
    assert verdict.left_out == {ItemState.MISSING: 7}
    assert verdict.kinds[Kind.MAIL].missing == KEPT_DETAILS + 7


def test_acceptance_is_no_part_of_the_interface() -> None:
    tally = Tally()
    tally.source(Kind.MAIL, 2)
    tally.count(Kind.MAIL, ItemState.VERIFIED)
    tally.count(Kind.MAIL, ItemState.FAILED, accepted=True)
    verdict = judge_plan([tally.verdict(1, "a", "b")])
    assert verdict.verdict is Verdict.EXCEPTIONS
    assert verdict.not_copied == 1
    kinds = verdict.mailboxes[0].to_json()["kinds"]
    assert isinstance(kinds, dict)
    assert set(kinds["mail"]) == {"source", *(state.value for state in ItemState)}
