"""Plans on disk, and a machine without keyring and key."""

from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from xdmigrate.errors import PlanInvalid, Problem
from xdmigrate_plans.loader import load
from xdmigrate_plans.plan import Plan

CONNECTORS = frozenset({"imap", "memory"})
MINIMAL = """\
version: 1
name: contoso
endpoints:
  old: {connector: imap, host: imap.old.example, auth: {password: "env:OLD"}}
  new: {connector: imap, host: imap.new.example, auth: {password: "env:NEW"}}
source: old
target: new
mailboxes:
  - {source: ann@old.example, target: ann@new.example}
"""

Load = Callable[..., Plan]
Problems = Callable[..., list[Problem]]


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDMIGRATE_KEY", raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def minimal() -> str:
    """A plan that is right; tests add to it or replace parts of it."""
    return MINIMAL


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Write the text as a plan and load it."""

    def loaded(text: str, name: str = "plan.yaml") -> Plan:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return load(path, connectors=CONNECTORS)

    return loaded


@pytest.fixture
def problems_of(load_text: Load) -> Problems:
    """The problems of a plan, which must have some."""

    def found(text: str) -> list[Problem]:
        with pytest.raises(PlanInvalid) as refusal:
            load_text(text)
        return refusal.value.problems

    return found
