"""`python -m bench`: measure, print the tables, and with --write put them into docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import table
from bench.contest import Contest
from bench.measure import startup
from bench.peers import TOOLS, Tool, version
from bench.phases import PHASES, Result, Setting
from bench.stage import Stage, Storage
from tests.live import dovecot

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
STORAGES: Sequence[Storage] = ("maildir", "mdbox")


def main() -> int:
    """Exit code: 0 measured and all copies of xdmigrate are exact, 1 one is not, 2 it cannot be measured."""
    wish = _wish(sys.argv[1:])
    if missing := dovecot.missing():
        print(missing, file=sys.stderr)
        return 2
    tools = _present(wish.tools)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stages:
        place = Path(folder)
        startups = {tool.name: startup(tool.start, place) for tool in tools}
        head = heading(tools, startups, wish)
        print(head, flush=True)
        servers = {storage: stages.enter_context(Stage(storage, place)) for storage in STORAGES}
        setting = Setting(Contest(tools, wish.runs, startups), servers, wish.scale, wish.tools)
        results = list(_measured(setting, wish.only or list(PHASES)))
    return _closed(results, head, write=wish.write)


def _wish(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the messages, e.g. 0.1")
    parser.add_argument("--runs", type=int, default=3, help="runs of each tool; medians are shown (default: 3)")
    parser.add_argument("--only", action="append", choices=PHASES, metavar="PHASE", help=f"one of {', '.join(PHASES)}")
    parser.add_argument("--tools", type=lambda text: text.split(","), help="names with commas between (default: all)")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOCUMENT.name}")
    return parser.parse_args(words)


def _present(names: Sequence[str] | None) -> list[Tool]:
    chosen = [tool for tool in TOOLS if names is None or tool.name in names]
    for tool in chosen:
        if tool.missing:
            print(f"left out: {tool.missing}", file=sys.stderr)
    return [tool for tool in chosen if not tool.missing]


def _measured(setting: Setting, phases: Iterable[str]) -> Iterable[Result]:
    for name in phases:
        result = PHASES[name](setting)
        print(table.render(result), flush=True)
        yield result


def heading(tools: Sequence[Tool], startups: dict[str, float], wish: argparse.Namespace) -> str:
    """When, where, with what."""
    started = ", ".join(f"{tool.name} {startups[tool.name]:.2f} s" for tool in tools)
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores ({_processor()}), "
        f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; scale {wish.scale:g}, median of {wish.runs}; "
        f"{', '.join(version(tool) for tool in tools)}. Client and both servers share the machine. "
        f"Starting and doing nothing: {started}.\n"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _closed(results: Sequence[Result], head: str, *, write: bool) -> int:
    inexact = [result.phase for result in results if not _trustworthy(result)]
    for line in table.missed(results):
        print(f"missed: {line}")
    if inexact:
        print(f"xdmigrate's copies are not what they must be: {', '.join(inexact)}", file=sys.stderr)
        return 1
    if write:
        block = "\n".join([head, *map(table.render, results)])
        DOCUMENT.write_text(table.replaced(DOCUMENT.read_text("utf-8"), block), "utf-8")
    return 0


def _trustworthy(result: Result) -> bool:
    """Our runs ended well and every message is there, once; after deletions at the source the copies stay."""
    own = table.ours(result)
    if own is None or own.difference is None:
        return True
    seen = own.difference
    return all(run.ok for run in own.runs) and (
        seen.exact or (result.phase == "delta" and not (seen.missing or seen.flags))
    )


if __name__ == "__main__":
    raise SystemExit(main())
