"""Nobody is locked out: the rejections in a row at one endpoint never exceed the limit, whatever the threads do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.cli.checking import REJECTIONS, Admission
from xdmigrate.errors import LoginRejected, Throttled, Unreachable, XdmigrateError


class Endpoint:
    """Rejects the logins that are marked so, and counts."""

    def __init__(self, good: list[bool]) -> None:
        self.good = good
        self.admission = Admission()
        self.tried: list[bool] = []
        self._lock = Lock()

    def attempt(self, number: int) -> None:
        if not self.admission.enter():
            return
        good = self.good[number]
        with self._lock:
            self.tried.append(good)
        self.admission.leave(None if good else LoginRejected("rejected"))


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 8))
def test_rejections_in_a_row_stay_within_the_limit(good: list[bool], workers: int) -> None:
    endpoint = Endpoint(good)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(endpoint.attempt, range(len(good))))
    longest = row = 0
    for accepted in endpoint.tried:
        row = 0 if accepted else row + 1
        longest = max(longest, row)
    assert longest <= REJECTIONS + workers - 1, "only what was under way when a login succeeded may come on top"
    if not any(good):
        assert len(endpoint.tried) == min(len(good), REJECTIONS)
    if all(good):
        assert len(endpoint.tried) == len(good)


def after(error: XdmigrateError) -> bool:
    admission = Admission()
    assert admission.enter()
    admission.leave(error)
    return admission.enter()


def test_an_endpoint_out_of_reach_is_left_alone_at_once() -> None:
    assert not after(Unreachable("no answer"))
    assert not after(Throttled("slow down"))
    assert after(LoginRejected("rejected"))
