"""A plan's stage follows from its mailboxes; every change is journalled and anchored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.jobs.office import Office
from tests.unit.jobs.rows import row
from xdmigrate.jobs.stages import move_on, stage_after
from xdmigrate_state import journal, plans


@pytest.mark.parametrize(
    ("stage", "mailboxes", "after"),
    [
        ("draft", [row(1)], "draft"),
        ("draft", [row(1, stage="seeding")], "seeding"),
        ("draft", [row(1, stage="synced", passes=1)], "synced"),
        ("seeding", [row(1, stage="synced", passes=1), row(2)], "seeding"),
        ("seeding", [row(1, stage="synced", passes=1), row(2, skipped="left")], "synced"),
        ("seeding", [row(1, stage="synced", passes=1), row(2, listed=False)], "synced"),
        ("synced", [row(1, stage="synced", passes=1), row(2)], "synced"),
        ("draining", [row(1)], "draining"),
        ("draft", [], "draft"),
    ],
)
def test_stage_after(stage: str, mailboxes: list[object], after: str) -> None:
    assert stage_after(stage, mailboxes) == after  # type: ignore[arg-type]  # rows of mailboxes


def test_a_change_of_stage_is_on_record(tmp_path: Path) -> None:
    office = Office(tmp_path, people=1)
    with office.db as db:
        office.run()
        for _again in range(2):
            db.write(lambda c: move_on(c, "office", 1.0))
        found = db.read(lambda c: plans.find(c, "office"))
        assert found is not None
        assert found.stage == "synced"
        events = [entry.event for entry in db.read(lambda c: journal.show(c, office.plan_id, 0))]
        assert events == ["synced", "anchor"]
        assert db.read(lambda c: journal.verify(c, office.plan_id)) == []
