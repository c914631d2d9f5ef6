"""Without its libraries the connector says which extra to install; with them it imports none before it is used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from xdmigrate import registry
from xdmigrate.errors import ExtraMissing

HEAVY = ("httpx", "lxml", "icalendar")


@pytest.mark.parametrize("library", HEAVY)
def test_a_missing_library_is_told(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    for name in [name for name in sys.modules if name.partition(".")[0] == "xdmigrate_dav"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == library else find(name, *more))
    with pytest.raises(ExtraMissing) as told:
        registry.load("dav")
    assert library in told.value.message
    assert told.value.remedy == "install xdmigrate[dav]"


def test_importing_it_is_light() -> None:
    asked = f"import sys, xdmigrate_dav; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
