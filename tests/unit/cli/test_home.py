"""Where state is kept, and how plans are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdmigrate.cli.home import Home, home_of, peek_name, plan_file
from xdmigrate.errors import UsageError

HERE = Path("/srv/here")


@pytest.mark.parametrize(
    ("plan", "state", "folder"),
    [
        ("/a/plans/contoso.yaml", "", "/a/state/var"),
        ("/a/plans/contoso/plan.yaml", "", "/a/state/var"),
        ("/a/contoso.yaml", "", "/a/state/var"),
        ("contoso.yaml", "", "/srv/here/state/var"),
        (None, "", "/srv/here/state/var"),
        ("/a/plans/contoso.yaml", "/var/lib/x", "/var/lib/x"),
        ("/a/plans/contoso.yaml", "relative", "/srv/here/relative"),
        ("/a/plans/contoso.yaml", "sqlite:////var/lib/x", "/var/lib/x"),
    ],
)
def test_home_of(plan: str | None, state: str, folder: str) -> None:
    assert home_of(Path(plan) if plan else None, state, HERE) == Home(Path(folder))


def test_a_database_keeps_locks_and_logs_beside_the_plan() -> None:
    home = home_of(Path("/a/plans/contoso.yaml"), "postgresql://db/x", HERE)
    assert home == Home(Path("/a/state/var"), "postgresql://db/x")
    assert home.database("contoso") == "postgresql://db/x"
    assert home.logs("contoso") == Path("/a/state/var/logs/contoso")


def test_a_plan_is_a_path_or_a_name(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    path = tmp_path / "plans" / "contoso.yaml"
    path.write_text("name: contoso  # the customer\n")
    for told in ("contoso", "plans/contoso.yaml", "contoso.yaml", str(path)):
        assert plan_file(told, tmp_path) == path
    with pytest.raises(UsageError, match="no plan file"):
        plan_file("fabrikam", tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("version: 1\nname: contoso\n", "contoso"),
        ('name: "contoso-2" # quoted\n', "contoso-2"),
        ("customer: {name: x}\n", ""),
        ("  name: nested\n", ""),
        ("nonsense: [", ""),
    ],
)
def test_peek_name(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    assert peek_name(path) == name


def test_a_plan_that_cannot_be_read_has_no_name(tmp_path: Path) -> None:
    assert peek_name(tmp_path / "absent.yaml") == ""
