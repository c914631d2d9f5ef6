"""Connectors are found by name without being imported, and their absence is told in one line."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from xdmigrate import registry
from xdmigrate.errors import ExtraMissing, UsageError
from xdmigrate.testing.memory import connector


def test_names_import_no_connector() -> None:
    program = (
        "import sys; from xdmigrate import registry; found = registry.names();"
        "assert {'imap', 'memory'} <= found, found;"
        "assert not {'xdmigrate.testing', 'xdmigrate_imap', 'imapclient', 'sqlalchemy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_connector_is_loaded_by_name() -> None:
    assert registry.load("memory") is connector


@pytest.mark.parametrize(("name", "remedy"), [("memry", "did you mean 'memory'?"), ("qqq", "installed are: ")])
def test_an_unknown_name_is_a_usage_error(name: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=f"no connector called '{name}'") as caught:
        registry.load(name)
    assert remedy in caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", ["no_such_library_at_all:connector", "xdmigrate.testing.memory:no_such_name.below"])
def test_a_connector_that_cannot_be_imported_names_the_extra(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints([EntryPoint("ldap", value, registry.GROUP)])
    monkeypatch.setattr(registry, "entry_points", lambda *, group: found)
    if "library" not in value:  # a fault of the connector itself is not disguised as a missing extra
        with pytest.raises(AttributeError):
            registry.load("ldap")
        return
    with pytest.raises(ExtraMissing, match="no_such_library_at_all") as caught:
        registry.load("ldap")
    assert caught.value.remedy == "install xdmigrate[ldap]"
