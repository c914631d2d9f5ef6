"""A command that is forked is what it is when it is started anew."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from tests.live.project import PROGRAM
from tests.live.starting import Forked, anew

TELL = """
import json, os, random, signal, sys, tempfile, threading
told = {
    "words": sys.argv, "environment": dict(os.environ), "folder": os.getcwd(), "tty": os.isatty(0),
    "group": os.getpgrp(), "threads": threading.active_count(), "temporary": tempfile.gettempdir(),
    "signals": [str(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "streams": [(each.fileno(), each.isatty(), each.encoding) for each in (sys.stdin, sys.stdout, sys.stderr)],
}
print(json.dumps(told), file=sys.stderr)
"""
SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    (tmp_path / "own").mkdir()
    return {**os.environ, "HOME": "/nowhere", "TMPDIR": str(tmp_path / "own")}


def test_both_ways_give_the_same_process(environment: Mapping[str, str], tmp_path: Path) -> None:
    told = []
    for way in (Forked, anew):
        started = way([str(PROGRAM), "status", "no.yaml", "--json"], environment, tmp_path, TELL)
        out, err = started.communicate(timeout=60)
        assert started.returncode == 2
        (error,) = json.loads(out)["errors"]
        facts, *rest = err.splitlines()
        told.append((json.loads(facts) | {"words": json.loads(facts)["words"][1:]}, rest, error))
    assert told[0] == told[1]
    assert told[0][0]["folder"] == str(tmp_path)
    assert told[0][0]["temporary"] == environment["TMPDIR"]


def test_each_has_a_process_and_chance_of_its_own(environment: Mapping[str, str], tmp_path: Path) -> None:
    code = "import os, random, sys\nprint(os.getpid(), random.random())\nsys.exit(5)\n"
    begun = [Forked([str(PROGRAM)], environment, tmp_path, code) for _ in range(3)]
    told = [each.communicate(timeout=60)[0].split() for each in begun]
    assert [int(pid) for pid, _ in told] == [each.pid for each in begun]
    assert len({chance for _, chance in told}) == 3
    assert [each.returncode for each in begun] == [5, 5, 5]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_ended_by_a_signal(environment: Mapping[str, str], tmp_path: Path, how: signal.Signals) -> None:
    started = Forked([str(PROGRAM)], environment, tmp_path, SLEEP)
    assert started.poll() is None
    with pytest.raises(TimeoutExpired):
        started.communicate(timeout=0.01)
    started.send_signal(how)
    assert started.communicate(timeout=60)[1] == ""
    assert (started.poll(), started.returncode) == (-how, -how)
    started.send_signal(how)  # of nobody
    with pytest.raises(ValueError, match="closed"):
        started.communicate()


def test_an_interrupt_is_an_exception_in_it(environment: Mapping[str, str], tmp_path: Path) -> None:
    code = (
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept KeyboardInterrupt:\n    os._exit(9)\n"
    )
    started = Forked([str(PROGRAM)], environment, tmp_path, code)
    started.communicate(timeout=60)
    assert started.returncode == 9
