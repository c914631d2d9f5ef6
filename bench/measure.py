"""Runs of a program and what they used; medians of several."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.compare import Difference

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Usage:
    """One measured run."""

    seconds: float
    cpu: float  # seconds of the client, user and system
    rss: int  # bytes, at the peak, of the largest process
    exits: tuple[int, ...]
    outputs: tuple[str, ...] = ()  # stdout of each program

    @property
    def ok(self) -> bool:
        """Whether every program ended well."""
        return not any(self.exits)


@dataclass(slots=True)
class Row:
    """A tool's runs of one phase."""

    tool: str
    messages: int
    octets: int
    runs: list[Usage] = field(default_factory=list)
    commands: int | None = None  # IMAP commands that both servers counted in the last run
    difference: Difference | None = None  # of the last run; None: nothing to compare
    startups: list[float] = field(default_factory=list)  # seconds of each run in which nothing was done yet
    kept: int = 0  # bytes kept for the next run

    @property
    def seconds(self) -> float:
        """Median time of a run."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def working(self) -> float:
        """The median without start-up."""
        bare = [run.seconds - start for run, start in zip(self.runs, self.startups, strict=True)]
        return max(0.001, statistics.median(bare))

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu(self) -> float:
        """Median of the client's CPU seconds."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def rss(self) -> int:
        """The highest peak."""
        return max(run.rss for run in self.runs)


def measure(
    argvs: Sequence[Sequence[str]],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    kill_after: float | None = None,
) -> Usage:
    """Run these programs one after the other, earlier writes on the disk; kill -9 the one running at `kill_after`."""
    order = {
        "argvs": [list(argv) for argv in argvs],
        "env": dict(env) if env is not None else dict(os.environ),
        "cwd": str(folder),
        "log": str(folder / "run"),
        "kill_after": kill_after,
    }
    os.sync()
    answer = subprocess.run(
        [sys.executable, "-I", "-S", str(LAUNCHER)], input=json.dumps(order), check=True, capture_output=True, text=True
    )
    told = json.loads(answer.stdout)
    outputs = tuple((folder / f"run.{n}.out").read_text(errors="replace") for n in range(len(told["exits"])))
    return Usage(told["seconds"], told["cpu"], told["rss"], tuple(told["exits"]), outputs)


def startup(argv: Sequence[str], folder: Path, repeats: int = 5) -> float:
    """Median seconds of a command that only starts."""
    return statistics.median(measure([argv], folder).seconds for _ in range(repeats))
