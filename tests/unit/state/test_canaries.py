"""The last word of a canary on each system."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.unit.state.sample import NOW, Pair, new_pair
from xdmigrate_state import canaries
from xdmigrate_state.database import Database, scratch_copy
from xdmigrate_state.rows import CanaryRow

TOLD = CanaryRow("dav://a:443", "new", "silent", True, NOW, "Cyrus 3.6", "ann@new.example", "bea@new.example")


def test_the_last_canary_on_a_system_has_the_last_word(database: Database, pair: Pair) -> None:
    other = replace(TOLD, system="dav://b:443", server="\x1b[1mlong" + "x" * 500)
    later = replace(TOLD, verdict="not-silent", mailed=False, at=NOW + 5)
    for told in (TOLD, other, later):
        database.write(partial(canaries.record, plan_id=pair.plan.id, told=told))
    found = database.read(lambda c: canaries.of_plan(c, pair.plan.id))
    assert found["dav://a:443"] == later
    assert found["dav://b:443"].server.startswith("[1mlong")
    assert len(found["dav://b:443"].server) == canaries.SERVER_LENGTH


def test_each_plan_has_its_own(database: Database, pair: Pair) -> None:
    database.write(lambda c: canaries.record(c, pair.plan.id, TOLD))
    another = new_pair(database, "bob")
    assert database.read(lambda c: canaries.of_plan(c, another.plan.id)) == {}
    with scratch_copy(database, pair.plan.name) as copy:
        assert copy.read(lambda c: canaries.of_plan(c, pair.plan.id)) == {TOLD.system: TOLD}
