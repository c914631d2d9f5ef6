"""A peer may be slow, and may think for long, but it may not drip."""

from __future__ import annotations

from xdmigrate_imap.pace import LEAST, Pace


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_byte_now_and_then_is_too_slow() -> None:
    clock = Clock()
    pace = Pace(10.0, clock)
    told = []
    for _ in range(12):
        clock.now += 1
        told.append(pace.passed(1))
    assert told == [True] * 9 + [False, True, True]


def test_a_slow_line_that_moves_is_fast_enough() -> None:
    clock = Clock()
    pace = Pace(10.0, clock)
    for _ in range(100):
        clock.now += 1
        assert pace.passed(LEAST // 9)


def test_thinking_before_the_next_line_is_allowed() -> None:
    clock = Clock()
    pace = Pace(10.0, clock)
    for _ in range(20):
        clock.now += 9
        pace.begin()
        assert pace.passed(30)
