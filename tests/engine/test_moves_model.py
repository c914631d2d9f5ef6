"""Users who deliver, flag and move, faults around each move, in rounds; after each, both sides hold exactly the same.

Stricter than the model of everything: nobody deletes and nobody works on the target, so that every folder has to be
equal, with flags, and no copy may be left behind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath

import hypothesis.strategies as st
from hypothesis import given, note, settings

from tests.conftest import FULL
from tests.engine.world import World
from xdmigrate.engine.advance import Verdict
from xdmigrate.model import Kind, Path
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import totals

PATHS: list[Path] = [("INBOX",), ("A",), ("B",)]
CONTENTS = [b"\r\nx\r\n", b"\r\ny\r\n", b"Subject: z\r\n\r\nlonger\r\n"]
DATE = datetime(2024, 5, 6, tzinfo=UTC)  # of all, so that equal items are the same to everybody

powers = st.builds(Powers, deltas=st.booleans(), ids_returned=st.booleans(), change_test=st.booleans())
Script = dict[tuple[str, int], Fault]


@dataclass(frozen=True)
class Round:
    """What happens between two times of calm."""

    delivered: list[tuple[Path, bytes]]
    moved: list[tuple[int, Path]]  # which of all messages, to where; perhaps twice, perhaps back
    flagged: list[tuple[int, bool]]
    script: Script


def _fault(mode: Mode, dies: bool) -> Fault:
    return Fault(mode, error=Killed) if dies and mode is not Mode.LYING else Fault(mode)


def scripts() -> st.SearchStrategy[Script]:
    """A fault of a move most of the time, or of what comes before and after one."""
    moves = st.builds(_fault, st.sampled_from([Mode.BEFORE, Mode.AFTER, Mode.HALF]), st.booleans())
    around = st.builds(_fault, st.just(Mode.BEFORE), st.booleans())
    flags = st.builds(_fault, st.sampled_from([Mode.BEFORE, Mode.AFTER]), st.booleans())
    numbers = st.sampled_from([1, 1, 1, 2, 3])
    hits = [
        st.tuples(st.tuples(st.just("move"), numbers), moves),
        st.tuples(st.tuples(st.sampled_from(["look-up", "heads"]), numbers), around),
        st.tuples(st.tuples(st.just("change-flags"), numbers), flags),
    ]
    return st.lists(st.one_of(hits[0], *hits), max_size=3).map(dict)


rounds = st.builds(
    Round,
    delivered=st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(CONTENTS)), max_size=5),
    moved=st.lists(st.tuples(st.integers(0, 50), st.sampled_from(PATHS)), max_size=8),
    flagged=st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=3),
    script=scripts(),
)


@settings(max_examples=500 if FULL else 12)
@given(old=powers, new=powers, all_=st.lists(rounds, min_size=2, max_size=3))
def test_every_copy_follows_its_item(old: Powers, new: Powers, all_: list[Round]) -> None:
    with world_between(old, new) as world:
        for one in all_:
            act(world, one)
            world.target_faults = Faults(lambda operation, one=one: one.script.get((operation.name, operation.nth)))  # type: ignore[misc]
            with suppress(Killed):
                assert world.step().verdict in {Verdict.DONE, Verdict.RETRY_AT}
            world.calm()
            for _ in range(2):  # until nothing is in doubt any more
                world.sync()
            assert_equal(world)


@settings(max_examples=200 if FULL else 8)
@given(new=powers, before=rounds, after=rounds)
def test_a_target_that_lies_about_moves_loses_nothing(new: Powers, before: Round, after: Round) -> None:
    with world_between(Powers(), new) as world:
        act(world, before)
        world.sync()
        act(world, after)
        world.target_faults = Faults.scripted({("move", nth): Fault(Mode.LYING) for nth in range(1, 9)})
        world.sync()
        there = {path: Counter(world.new.contents(path)) for path in listed(world)}
        for path in listed(world):
            assert not Counter(world.old.contents(path)) - there[path]
        assert world.verify().verdict is Judged.PASS


class world_between:  # noqa: N801 - read as a function
    """A world in a folder of its own, gone afterwards."""

    def __init__(self, old: Powers, new: Powers) -> None:
        self._home = FilePath(tempfile.mkdtemp(prefix="xdmigrate-moves-"))
        self._world = World(self._home, source=old, target=new)

    def __enter__(self) -> World:
        for path in PATHS:
            self._world.old.create_folder(path)
        return self._world

    def __exit__(self, *_told: object) -> None:
        self._world.db.close()
        shutil.rmtree(self._home, ignore_errors=True)


def act(world: World, one: Round) -> None:
    for path, data in one.delivered:
        world.old.deliver(path, data, date=DATE)
    for number, flagged in one.flagged:
        for path, ref in there(world, number):
            world.old.flag(path, ref, ["\\Flagged"] if flagged else [], [] if flagged else ["\\Flagged"])
    for number, to in one.moved:
        for path, ref in there(world, number):
            world.old.move(path, ref, to)


def there(world: World, number: int) -> list[tuple[Path, bytes]]:
    """One of all messages at the source; none when there are none."""
    found = [(path, ref) for path in listed(world) for ref in sorted(world.old.box(path).items)]
    return [found[number % len(found)]] if found else []


def listed(world: World) -> list[Path]:
    return [box.path for box in world.old.boxes()]


def assert_equal(world: World) -> None:
    for path in listed(world):
        mine = Counter((kept.data, kept.flags) for kept in world.old.box(path).items.values())
        theirs = Counter((kept.data, kept.flags) for kept in world.new.box(path).items.values())
        note(f"{path}: {mine} {theirs}")
        assert mine == theirs
    counts = world.db.read(lambda c: totals.mailbox_counts(c, world.plan_id)).get(world.mailbox_id, {}).get(Kind.MAIL)
    if counts is not None:
        assert counts.closed
        assert (counts.gone, counts.pending) == (0, 0)
        assert counts.seen == sum(len(world.old.contents(path)) for path in listed(world))
    verdict = world.verify()
    assert verdict.verdict is Judged.PASS, verdict
