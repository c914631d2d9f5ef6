"""The embedded server costs nothing until it is wanted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xdmigrate.errors import ExtraMissing
from xdmigrate.testing.pymap import PymapServer


def test_without_pymap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xdmigrate.testing.pymap_backend", None)
    with pytest.raises(ExtraMissing, match=r"needs pymap; install xdmigrate\[demo\]"):
        PymapServer({"ann": "secret"})


def test_importing_it_imports_no_server() -> None:
    code = "import sys, xdmigrate.testing.pymap, xdmigrate.testing.messages; print('pymap' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
