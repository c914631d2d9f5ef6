"""What of a plan reaches the engine and the state: how places are shared, and what becomes of labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdmigrate.cli.applying import apply_plan, policy
from xdmigrate.engine.labels import Labels
from xdmigrate_plans.loader import load
from xdmigrate_plans.plan import Plan
from xdmigrate_state import mailboxes
from xdmigrate_state.database import Database

PLAN = """
version: 1
name: contoso
endpoints:
  old: {{connector: {old}}}
  new: {{connector: imap, host: imap.new.example}}
source: old
target: new
mailboxes:
  - {{source: ann@old.example, target: ann@new.example}}
  - {{source: bob@old.example, target: ann@new.example, merge: {merge}}}
  - {{source: cid@old.example, target: cid@new.example}}
"""


def planned(folder: Path, old: str = "imap, host: imap.old.example", merge: str = "dedupe") -> Plan:
    path = folder / "contoso.yaml"
    path.write_text(PLAN.format(old=old, merge=merge), "utf-8")
    return load(path, connectors=frozenset({"imap", "memory"}))


@pytest.mark.parametrize(
    ("old", "wish"),
    [
        ("imap, host: imap.old.example", Labels.ONCE),
        ("imap, host: imap.old.example, labels: once", Labels.ONCE),
        ("imap, host: imap.old.example, labels: folders", Labels.FOLDERS),
        ("memory, server: old, labels: folders", Labels.FOLDERS),
        ("memory, server: old, labels: [what, ever]", Labels.ONCE),
    ],
)
def test_the_sources_labels(tmp_path: Path, old: str, wish: Labels) -> None:
    assert policy(planned(tmp_path, old), []).labels is wish


def test_how_a_place_is_shared_may_change(tmp_path: Path) -> None:
    with Database.open(tmp_path / "state.db") as db:
        for merge in ("dedupe", "keep"):
            row = db.write(lambda c, m=merge: apply_plan(c, planned(tmp_path, merge=m), "imap://new", [], 1.0))  # type: ignore[misc]
            told = db.read(lambda c, plan=row.id: mailboxes.all(c, plan))  # type: ignore[misc]
            assert [box.merge for box in told] == [merge, merge, ""]
            assert len({box.account_id for box in told}) == 2
