"""Time is counted once, and of the endpoint that really took it."""

from __future__ import annotations

from threading import Thread

from xdmigrate.wrap.cost import Cost, Costs


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_of_two_inside_each_other_the_inner_one_takes_the_time() -> None:
    clock = Clock()
    costs = Costs(clock)
    with costs.at("new"):
        clock.now += 1
        with costs.at("old"):
            clock.now += 10
        clock.now += 2
    clock.now += 100  # nobody's
    with costs.at("old"):
        clock.now += 5
    assert (costs.of("new").seconds, costs.of("old").seconds) == (3, 15)


def test_an_endpoint_inside_itself_is_counted_once() -> None:
    clock = Clock()
    costs = Costs(clock)
    with costs.at("old"):
        clock.now += 1
        with costs.at("old"):
            clock.now += 1
        clock.now += 1
    assert costs.of("old").seconds == 3


def test_threads_do_not_disturb_each_other() -> None:
    costs = Costs(Clock())

    def work() -> None:
        for _ in range(500):
            with costs.at("new"), costs.at("old"):
                costs.called("old", items=2, octets=10, retries=1)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert costs.of("old") == Cost(0.0, calls=2000, items=4000, octets=20_000, retries=2000)
    assert costs.of("new").calls == 0
