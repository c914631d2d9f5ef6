"""Collects every fault of a plan before any of them is told."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from xdmigrate.errors import PlanInvalid, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PROBLEMS = 1000
"""More than this nobody reads; a hostile file must not fill the memory with faults."""


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in a file; lines count from 1."""

    file: str
    line: int = 1


class Faults:
    """The faults found so far."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._left_out = 0

    def __len__(self) -> int:
        return len(self._problems)

    def add(self, spot: Spot, where: str, message: str, remedy: str = "") -> None:
        """Note one fault; the same fault at the same place is told once."""
        problem = Problem(spot.file, spot.line, where, message, remedy)
        if len(self._problems) >= MAX_PROBLEMS:
            self._left_out += 1
        elif problem not in self._problems[-20:]:
            self._problems.append(problem)

    def raise_any(self) -> None:
        """Raise PlanInvalid with all faults, in the order of the files' lines; does nothing when there is none."""
        if not self._problems:
            return
        files = list(dict.fromkeys(problem.file for problem in self._problems))
        told = sorted(self._problems, key=lambda problem: (files.index(problem.file), problem.line))
        if self._left_out:
            told.append(Problem(files[0], 1, "plan", f"{self._left_out} more problems are not shown"))
        raise PlanInvalid(told)


def suggest(word: str, known: Iterable[str]) -> str:
    """What a person who wrote `word` probably meant: the nearest known word, else all of them."""
    words = sorted(known)
    if near := get_close_matches(word, words, n=1, cutoff=0.6):
        return f"did you mean '{near[0]}'?"
    return f"known here: {', '.join(words)}" if words else ""
