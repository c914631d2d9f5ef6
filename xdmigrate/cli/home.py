"""Where a plan's run state is kept, and how a plan is named on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from xdmigrate.errors import UsageError

_NAME = re.compile(r"^name:\s*[\"']?([a-z0-9-]+)[\"']?\s*(?:#.*)?$", re.MULTILINE)
READ_AT_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Home:
    """A folder for locks, logs and secrets, and in it one SQLite file a plan, unless `url` names a PostgreSQL."""

    folder: Path
    url: str = ""

    def database(self, plan: str) -> str | Path:
        """What `Database.open` is given for this plan."""
        return self.url or self.folder / f"{plan}.db"

    def plans(self) -> list[str]:
        """The names of the plans that have a SQLite file here."""
        return sorted(path.stem for path in self.folder.glob("*.db")) if self.folder.is_dir() else []

    def logs(self, plan: str) -> Path:
        """Where the plan's logs go."""
        return self.folder / "logs" / plan


def home_of(plan: Path | None, state: str, working: Path) -> Home:
    """The home that `--state` names, else the default. Pure.

    The default is `state/var` beside the `plans/` folder that holds the plan, else beside the plan file; without a
    plan, as if one stood in the working folder.
    """
    if "://" in state and not state.startswith("sqlite://"):
        return Home(_default(plan, working), state)
    if state:
        return Home((working / state.removeprefix("sqlite:///")).absolute())
    return Home(_default(plan, working))


def _default(plan: Path | None, working: Path) -> Path:
    start = (working / plan).absolute().parent if plan else working.absolute()
    for folder in (start, *start.parents):
        if folder.name == "plans":
            return folder.parent / "state" / "var"
    return start / "state" / "var"


def plan_file(told: str, working: Path) -> Path:
    """The plan file that a person means: a path, or the name of a plan here or in `plans/`. Raises UsageError."""
    for place in (told, f"plans/{told}.yaml", f"{told}.yaml", f"plans/{told}"):
        if (working / place).is_file():
            return (working / place).resolve()
    raise UsageError(f"there is no plan file {told!r}", remedy="give its path, or write one with `xdmigrate init NAME`")


def peek_name(plan: Path) -> str:
    """The plan's name as it stands in the file; empty when it cannot be told without reading the plan properly."""
    try:
        with plan.open(encoding="utf-8", errors="replace") as file:
            found = _NAME.search(file.read(READ_AT_MOST))
    except OSError:
        return ""
    return found[1] if found else ""
