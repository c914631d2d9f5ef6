"""Endpoints that are directories: what a plan may say of them, and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdmigrate.errors import PlanInvalid
from xdmigrate.model import Kind
from xdmigrate_plans.loader import load
from xdmigrate_plans.plan import Plan

MOVED = {"imap": frozenset({Kind.MAIL}), "files": frozenset(Kind)}
PLAN = """\
version: 1
name: contoso
endpoints:
  old: {connector: files, path: %s}
  new: {connector: files, path: %s}
source: old
target: new
mailboxes: [{source: ann@x.example}, {source: bob@x.example}]
"""


def loaded(tmp_path: Path, old: str, new: str) -> Plan:
    (tmp_path / "plan.yaml").write_text(PLAN % (old, new))
    return load(tmp_path / "plan.yaml", connectors=frozenset(MOVED), moves=MOVED.__getitem__)


def test_paths_of_their_own_are_right(tmp_path: Path) -> None:
    plan = loaded(tmp_path, '"old/{address}"', '"new/{domain}/{local}", format: mbox, mbox: mboxrd')
    assert plan.endpoints["new"].described() == {
        "connector": "files", "path": "new/{domain}/{local}", "format": "mbox", "mbox": "mboxrd", "insecure": False,
    }  # fmt: skip


def test_labels_of_a_takeout_may_be_folders(tmp_path: Path) -> None:
    plan = loaded(tmp_path, '"old/{address}", labels: folders', '"new/{address}"')
    assert plan.endpoints["old"].described()["labels"] == "folders"
    with pytest.raises(PlanInvalid, match="'folder' is not accepted here; use 'once' or 'folders'"):
        loaded(tmp_path, '"old/{address}", labels: folder', '"new/{address}"')


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("old", '"new/{address}"', "'old' would be shared by all mailboxes"),
        ('"old/{address}"', "new", "'new' would be shared by all mailboxes"),
        ('"old/{address}"', '"new/{domain}"', "would be shared by ann@x.example and bob@x.example"),
        ('"all/{address}"', '"all/{address}/export"', "lie inside each other"),
        ('"all/x/{address}"', '"./all/../all/x"', "lie inside each other"),
        ('"all/{address}"', '"./all/{address}"', "copied onto itself"),
        ('"all/{adress}"', '"new/{address}"', "unknown field {adress}"),
        ('"old/{address}", host: x', '"new/{address}"', "is no setting of files"),
        ('"old/{address}", auth: {user: x}', '"new/{address}"', "is no setting of files"),
        ('"old/{address}", format: zip', '"new/{address}"', "zip"),
        ('"old/{address}"', '"new/{address}", mbox: mmdf', "mmdf"),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        loaded(tmp_path, old, new)
    assert told in str(refused.value)
