"""Every package of the source roots is shipped and stands under the floors, with no gap in the linter's lists."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
OPEN_TO_CONNECTORS = {"contract", "errors", "model", "formats"}


def _contract(name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["name"] == name]
    return found


def _packages(root: str) -> set[str]:
    return {path.parent.name for path in (ROOT / root).glob("*/__init__.py")}


CONNECTORS = _packages("connectors")
OTHERS = _packages("plans") | _packages("state") | {"xdmigrate"}
MODULES = {path.stem for path in (ROOT / "xdmigrate").glob("*.py") if path.stem != "__init__"} | _packages("xdmigrate")


def test_source_roots_hold_uniquely_named_packages() -> None:
    assert CONNECTORS
    assert all(name.startswith("xdmigrate_") for name in CONNECTORS | OTHERS - {"xdmigrate"})


def test_each_package_is_shipped_and_linted() -> None:
    """A package missing from either list would escape the wheel or the linter."""
    roots = {"connectors": CONNECTORS, "plans": _packages("plans"), "state": _packages("state")}
    paths = {"xdmigrate"} | {f"{root}/{name}" for root, names in roots.items() for name in names}
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == paths
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == CONNECTORS | OTHERS


def test_each_package_stands_on_a_floor() -> None:
    floors = (
        " ".join(_contract("Floors: dependencies point down")["layers"]).replace("|", " ").replace(":", " ").split()
    )
    named = {name.partition(".")[0] for name in floors}
    assert named == CONNECTORS | OTHERS
    assert {name.partition(".")[2] for name in floors if name.startswith("xdmigrate.")} == MODULES
    assert len(floors) == len(set(floors))


def test_no_package_escapes_the_search_for_cycles() -> None:
    assert set(_contract("No import cycles")["ancestors"]) == CONNECTORS | OTHERS


def test_nothing_but_the_registry_reaches_a_connector() -> None:
    contract = _contract("Only the registry finds connectors")
    assert set(contract["source_modules"]) == OTHERS
    assert set(contract["forbidden_modules"]) == CONNECTORS


def test_connectors_know_only_contract_model_formats_and_errors() -> None:
    """A new engine module that is missing here would be open to every connector."""
    contract = _contract("A connector knows only contract, model, formats and errors")
    allowed = {f"xdmigrate.{name}" for name in OPEN_TO_CONNECTORS}
    others = {f"xdmigrate.{name}" for name in MODULES} | OTHERS - {"xdmigrate"}
    assert set(contract["source_modules"]) == CONNECTORS
    assert set(contract["forbidden_modules"]) == others - allowed


def test_connectors_are_independent_of_each_other() -> None:
    assert set(_contract("Connectors do not know each other")["modules"]) == CONNECTORS


def test_each_connector_is_registered() -> None:
    """Through the same entry-point group as a third party's."""
    points = PROJECT["project"]["entry-points"]["xdmigrate.connectors"].values()
    assert {point.partition(":")[0].partition(".")[0] for point in points} >= CONNECTORS


def test_there_is_one_gitignore() -> None:
    """Nested ones end up in the sdist."""
    assert list(ROOT.glob("[!.]*/**/.gitignore")) == []
