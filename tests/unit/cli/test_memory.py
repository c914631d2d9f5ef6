"""The collector's thresholds, and what is loaded before a run being left alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from xdmigrate.cli import memory


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_the_collector_looks_less_often() -> None:
    memory.prepare()
    assert gc.get_threshold() == memory.COLLECTED


def test_what_is_loaded_is_not_looked_at_again_and_cycles_still_go() -> None:
    memory.settle()
    frozen = gc.get_freeze_count()
    assert frozen > 0
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() > 0
    assert gc.get_freeze_count() == frozen
