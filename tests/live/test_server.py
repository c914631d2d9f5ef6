"""The tests' own servers leave nothing behind, also when one does not start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live import process
from tests.live.process import StartFailed
from tests.live.server import Server

WRITING_ON = """
import os, pathlib, sys, time
if os.fork() == 0:
    os.setsid()
    for number in range(30):
        folder = pathlib.Path(sys.argv[1], str(number))
        folder.mkdir()
        (folder / "file").touch()
        time.sleep(0.01)
    os._exit(0)
"""


class Failing(Server):
    """Ends at once; what it has started writes on for a moment, out of reach."""

    def __init__(self, within: Path) -> None:
        super().__init__("failing", within=str(within))

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-c", WRITING_ON, str(self._root)]

    def _answers(self) -> bool:
        return False


def test_one_that_does_not_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ATTEMPTS", 1)
    with pytest.raises(StartFailed), Failing(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_never_started_leaves_nothing(tmp_path: Path) -> None:
    assert Failing(tmp_path).host == "127.0.0.1"
    assert list(tmp_path.iterdir()) == []
