"""What is due: a mailbox is started when nothing speaks against it, in an order that people expect."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jobs.rows import row, rows
from xdmigrate.jobs.due import Situation, Standing, Wish, choose, due_at, standing
from xdmigrate_state.rows import MailboxRow

IDS = st.frozensets(st.integers(1, 8), max_size=4)
SITUATIONS = st.builds(
    Situation,
    now=st.sampled_from([0.0, 100.0, 200.0]),
    running=IDS,
    begun=IDS,
    ended=IDS,
    new_secret=IDS,
    not_before=st.dictionaries(st.integers(1, 8), st.sampled_from([0.0, 90.0, 190.0])),
)
WISHES = st.builds(Wish, wave=st.sampled_from(["", "pilot"]), mailboxes=IDS, at_once=st.booleans())


@given(rows(), WISHES, SITUATIONS)
def test_what_is_chosen_may_be_worked_on(boxes: list[MailboxRow], wish: Wish, situation: Situation) -> None:
    chosen = choose(boxes, wish, situation).mailbox
    if chosen is None:
        return
    assert wish.covers(chosen)
    assert chosen.id not in situation.running | situation.ended
    assert not chosen.paused
    assert not chosen.skipped
    assert chosen.listed
    assert chosen.attention_code != "login-rejected" or chosen.id in situation.new_secret
    assert due_at(chosen, wish, situation) <= situation.now


@given(rows(), WISHES, SITUATIONS)
def test_one_account_is_never_worked_on_twice(boxes: list[MailboxRow], wish: Wish, situation: Situation) -> None:
    chosen = choose(boxes, wish, situation).mailbox
    if chosen is not None:
        assert chosen.account_id not in {box.account_id for box in boxes if box.id in situation.running}


@given(rows(), WISHES, SITUATIONS)
def test_nothing_that_is_due_is_overlooked(boxes: list[MailboxRow], wish: Wish, situation: Situation) -> None:
    choice = choose(boxes, wish, situation)
    busy = {box.account_id for box in boxes if box.id in situation.running | situation.begun}
    due = [box for box in boxes if standing(box, wish, situation) is Standing.DUE and box.account_id not in busy]
    if due:
        assert choice.mailbox is not None
    if choice.mailbox is None and choice.wake_at is not None:
        assert choice.wake_at > situation.now


@given(rows(), WISHES, SITUATIONS)
def test_a_run_comes_to_an_end(boxes: list[MailboxRow], wish: Wish, situation: Situation) -> None:
    """Ending whatever is chosen leaves nothing due after as many choices as there are mailboxes."""
    ended = set(situation.ended)
    for _ in boxes:
        now = Situation(300.0, frozenset(), frozenset(), ended, situation.new_secret)
        chosen = choose(boxes, wish, now).mailbox
        if chosen is None:
            return
        ended.add(chosen.id)
    assert choose(boxes, wish, Situation(300.0, ended=ended, new_secret=situation.new_secret)).mailbox is None


def test_order_is_under_way_then_seeds_then_the_longest_ago() -> None:
    boxes = [
        row(1, passes=2, last_pass_at=50.0),
        row(2, passes=2, last_pass_at=10.0),
        row(3, passes=0),
        row(4, passes=1, last_pass_at=99.0),
    ]
    order: list[int] = []
    while chosen := choose(boxes, Wish(), Situation(100.0, begun={4} - set(order), ended=set(order))).mailbox:
        order.append(chosen.id)
    assert order == [4, 3, 2, 1]


def test_one_that_failed_waits_behind_the_others() -> None:
    """A mailbox that its server cannot serve would keep all the others from theirs."""
    boxes = [row(1, retries=2), row(2, retries=1), row(3, passes=5, last_pass_at=50.0), row(4, retries=3)]
    order: list[int] = []
    while chosen := choose(boxes, Wish(), Situation(100.0, ended=set(order))).mailbox:
        order.append(chosen.id)
    assert order == [3, 2, 1, 4]


def test_a_named_mailbox_wins_over_the_wave() -> None:
    wish = Wish(wave="pilot", mailboxes=frozenset({2}))
    boxes = [row(1, wave="pilot"), row(2, wave="main")]
    assert [box.id for box in boxes if wish.covers(box)] == [2]


def test_a_server_that_asked_for_time_gets_it_unless_a_person_insists() -> None:
    box = row(1, retry_at=150.0)
    assert choose([box], Wish(), Situation(100.0)).wake_at == 150.0
    assert choose([box], Wish(at_once=True), Situation(100.0)).mailbox == box


def test_a_rejected_login_waits_for_another_secret_but_other_trouble_is_tried_again() -> None:
    rejected, full = row(1, attention_code="login-rejected"), row(2, attention_code="quota-exceeded")
    assert standing(rejected, Wish(), Situation(0.0)) is Standing.REJECTED
    assert standing(rejected, Wish(), Situation(0.0, new_secret={1})) is Standing.DUE
    assert standing(full, Wish(), Situation(0.0)) is Standing.DUE
