"""What a run concludes from the ends of slices."""

from __future__ import annotations

from collections.abc import Sequence

from tests.unit.jobs.rows import row
from xdmigrate.engine.advance import Step, Verdict
from xdmigrate.errors import (
    CertificateRejected,
    ConnectionLost,
    FolderUnusable,
    GuardRefused,
    LeaseLost,
    LoginRejected,
    QuotaExceeded,
    StateFull,
    Unreachable,
    exit_code,
)
from xdmigrate.jobs.due import Wish, choose
from xdmigrate.jobs.run import Run, RunResult, closing_errors
from xdmigrate_state.rows import MailboxRow


def new_run(wish: Wish | None = None, legs: Sequence[tuple[str, ...]] = ()) -> Run:
    return Run(wish or Wish(), lambda _mailbox: legs or [("old", "new")])


def end(run: Run, mailbox: MailboxRow, step: Step, began: float = 0.0, now: float = 1.0) -> None:
    run.started(mailbox, began)
    run.took(mailbox, step, now)


def closed(
    run: Run, boxes: Sequence[MailboxRow], *, failed: int = 0, stopped: bool = False, paused: bool = False
) -> int:
    closing_errors(run, boxes, failed=failed, stopped=stopped, paused=paused)
    return RunResult(run.errors, 0.0).exit_code


def test_a_done_mailbox_has_had_its_pass() -> None:
    run, box = new_run(), row(1)
    end(run, box, Step(Verdict.DONE))
    assert choose([box], run.wish, run.situation([box], 2.0)).mailbox is None
    assert closed(run, [box]) == 0


def test_a_slice_that_ended_early_goes_on_before_others_begin() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    end(run, boxes[1], Step(Verdict.CONTINUE))
    chosen = choose(boxes, run.wish, run.situation(boxes, 2.0)).mailbox
    assert chosen == boxes[1]


def test_back_off_is_kept_and_told_as_the_time_to_wake() -> None:
    run, box = new_run(), row(1)
    run.progressed(box)
    end(run, box, Step(Verdict.RETRY_AT, 31.0, ConnectionLost("gone", endpoint="old")), now=1.0)
    assert choose([box], run.wish, run.situation([box], 2.0)).wake_at == 31.0
    assert choose([box], run.wish, run.situation([box], 31.0)).mailbox == box


def test_an_endpoint_in_trouble_is_tried_by_one_mailbox_at_a_time() -> None:
    run, boxes = new_run(), [row(1), row(2), row(3)]
    end(run, boxes[0], Step(Verdict.RETRY_AT, 3.0, ConnectionLost("gone", endpoint="old")), now=1.0)
    assert choose(boxes, run.wish, run.situation(boxes, 2.0)).mailbox is None, "the others wait too"
    first = choose(boxes, run.wish, run.situation(boxes, 10.0)).mailbox
    assert first is not None
    run.started(first, 10.0)
    assert choose(boxes, run.wish, run.situation(boxes, 10.0)).mailbox is None
    run.progressed(first)
    assert choose(boxes, run.wish, run.situation(boxes, 10.0)).mailbox is not None


def test_an_unreachable_endpoint_ends_the_run_for_all_its_mailboxes() -> None:
    run, boxes, now = new_run(), [row(number) for number in range(1, 50)], 0.0
    attempts = 0
    while True:
        choice = choose(boxes, run.wish, run.situation(boxes, now))
        if choice.mailbox is None and choice.wake_at is None:
            break
        if choice.mailbox is None:
            now = choice.wake_at or now
            continue
        attempts += 1
        error = Unreachable("no answer", endpoint="old")
        end(run, choice.mailbox, Step(Verdict.RETRY_AT, now + 2.0, error), began=now, now=now)
    assert attempts == 3
    assert now <= 10
    assert closed(run, boxes) == 4


def test_a_certificate_that_is_wrong_for_one_is_wrong_for_all() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    end(run, boxes[0], Step(Verdict.FAILED, error=CertificateRejected("wrong name", endpoint="new")))
    assert choose(boxes, run.wish, run.situation(boxes, 100.0)).mailbox is None
    assert closed(run, boxes) == 4


LEGS = [("old", "new"), ("old-dav", "new-dav")]


def test_a_leg_whose_endpoint_is_given_up_does_not_hold_up_the_others() -> None:
    """Every mailbox gets one turn without it, also the one that found out; then all is told once."""
    run, boxes = new_run(legs=LEGS), [row(1), row(2)]
    error = CertificateRejected("wrong name", endpoint="old-dav")
    turns: list[int] = []
    while (box := choose(boxes, run.wish, run.situation(boxes, 100.0)).mailbox) is not None:
        turns.append(box.id)
        end(run, box, Step(Verdict.FAILED, error=error), began=99.0, now=100.0)
        assert run.out_of_reach("old-dav") is error
    assert turns == [1, 1, 2]
    assert run.out_of_reach("old") is None
    assert [told.endpoint for told in run.errors] == ["old-dav"]
    assert closed(run, boxes) == 4


def test_an_endpoint_that_never_answered_is_given_up_though_others_answer() -> None:
    """What was achieved on one leg proves nothing about the endpoints of another."""
    run, box, now = new_run(legs=LEGS), row(1), 0.0
    attempts = 0
    while run.out_of_reach("new-dav") is None:
        choice = choose([box], run.wish, run.situation([box], now))
        if choice.mailbox is None:
            now = choice.wake_at or now
            continue
        run.started(box, now)
        run.progressed(box, LEGS[0])
        run.took(box, Step(Verdict.CONTINUE), now)
        run.started(box, now)
        error = Unreachable("no answer", endpoint="new-dav")
        run.took(box, Step(Verdict.RETRY_AT, now + 2.0, error), now)
        attempts += 1
    assert attempts == 3


def test_one_mailbox_in_trouble_leaves_the_others_alone() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    end(run, boxes[0], Step(Verdict.ATTENTION, error=LoginRejected("rejected", endpoint="old")))
    assert choose(boxes, run.wish, run.situation(boxes, 2.0)).mailbox == boxes[1]
    assert run.errors[0].mailbox == boxes[0].source
    assert closed(run, boxes) == 3


def test_a_folder_in_trouble_is_tried_again_and_is_no_fault_of_the_endpoint() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    end(run, boxes[0], Step(Verdict.RETRY_AT, 3.0, FolderUnusable("no such folder", endpoint="new")))
    assert run.errors == []
    assert choose(boxes, run.wish, run.situation(boxes, 1.0)).mailbox == boxes[1]
    end(run, boxes[1], Step(Verdict.DONE))
    assert choose(boxes, run.wish, run.situation(boxes, 1.0)).wake_at == 3.0
    assert choose(boxes, run.wish, run.situation(boxes, 3.0)).mailbox == boxes[0]


def test_the_fault_of_an_endpoint_is_told_once_for_all_mailboxes() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    for box in boxes:
        run.started(box, 0.0)
    for box in boxes:
        run.took(box, Step(Verdict.FAILED, error=CertificateRejected("wrong name", endpoint="new")), 1.0)
    assert [error.mailbox for error in run.errors] == [boxes[0].source]


def test_exit_codes_of_verdicts() -> None:
    for error, code in (
        (QuotaExceeded("full"), 3),
        (GuardRefused("shrunken", checksum="abc"), 5),
        (LeaseLost("taken"), 6),
        (StateFull("disk full"), 6),
    ):
        run, box = new_run(), row(1)
        end(run, box, Step(Verdict.PAUSED if code == 6 else Verdict.ATTENTION, error=error))
        assert closed(run, [box]) == code


def test_a_full_disk_stops_everything() -> None:
    run = new_run()
    end(run, row(1), Step(Verdict.PAUSED, error=StateFull("disk full")))
    assert run.fatal


def test_a_bug_is_told_and_the_others_go_on() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    run.started(boxes[0], 0.0)
    run.crashed(boxes[0], KeyError("x"))
    assert choose(boxes, run.wish, run.situation(boxes, 2.0)).mailbox == boxes[1]
    assert closed(run, boxes) == 1
    assert "KeyError" in run.errors[0].message


def test_what_is_left_undone_is_told() -> None:
    assert closed(new_run(), [row(1)], failed=2) == 3
    assert closed(new_run(), [row(1)], stopped=True) == 6
    assert closed(new_run(), [row(1)], paused=True) == 6
    assert closed(new_run(), [row(1, paused=True)]) == 6
    assert closed(new_run(), [row(1, skipped="left")], failed=0) == 0


def test_attention_of_an_earlier_run_keeps_its_code() -> None:
    run = new_run()
    box = row(1, attention_code="login-rejected", attention_text="rejected", attention_remedy="mend it")
    assert closed(run, [box]) == 3
    assert [(error.code, error.remedy) for error in run.errors] == [("login-rejected", "mend it")]


def test_only_mailboxes_that_the_run_is_about_count() -> None:
    run = new_run(Wish(mailboxes=frozenset({2})))
    assert closed(run, [row(1, paused=True, attention_code="x", attention_text="x"), row(2)]) == 0


def test_a_person_who_asks_again_is_obeyed() -> None:
    run, box = new_run(), row(1)
    end(run, box, Step(Verdict.DONE))
    run.again([1])
    assert choose([box], run.wish, run.situation([box], 2.0)).mailbox == box


def test_an_error_is_told_once() -> None:
    run, boxes = new_run(), [row(1), row(2)]
    for box in boxes:
        run.started(box, 0.0)
    for box in boxes:
        run.took(box, Step(Verdict.FAILED, error=CertificateRejected("wrong name", endpoint="new", mailbox="x")), 1.0)
    assert len(run.errors) == 1
    assert exit_code([error.exit_code for error in run.errors]) == 4
