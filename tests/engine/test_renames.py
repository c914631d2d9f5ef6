"""Folders that their user renames at the source: the target's copies follow, whatever the order and however often."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path as FilePath

import pytest

from tests.engine.world import FOREVER, USER, World
from xdmigrate.engine.advance import Advancer, Verdict
from xdmigrate.engine.context import Leg, Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.model import Login, Path
from xdmigrate.report.verdicts import Verdict as Judged
from xdmigrate.testing.faults import Fault, Faults, Killed, Mode
from xdmigrate.testing.memory.powers import Powers
from xdmigrate.testing.memory.target import MemoryTarget
from xdmigrate.wrap.dry_run import DryRunTarget
from xdmigrate_state.database import scratch_copy

A, B, C, TEMP = ("A",), ("B",), ("C",), ("temp",)
HELD = (A, (*A, "x"), B, C)
"""Each with messages of its own."""

Step = tuple[Path, Path]
CHAIN = ((C, TEMP), (B, C), (A, B))
EXCHANGED = ((A, TEMP), (B, A), (TEMP, B))
WISHES: dict[str, tuple[tuple[Step, ...], int]] = {
    "last year's folder makes room for this year's": (CHAIN, 3),
    "two exchange their names": (EXCHANGED, 3),
    "three exchange their names": (((A, TEMP), (B, A), (C, B), (TEMP, C)), 4),
    "a child takes the name of its parent": (((A, B + A), ((*B, "A", "x"), A)), 2),
    "below another": ((((*A, "x"), (*B, "y")),), 1),
}
"""What the user does, and how many folders of the target are renamed for it."""


def filled(home: FilePath, policy: Policy | None = None, *, ids: bool = True) -> World:
    world = World(home, source=Powers(folder_ids=ids), policy=policy)
    for number, path in enumerate(HELD):
        world.old.create_folder(path)
        for count in range(number + 2):
            world.old.deliver(path, b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * count))
    world.sync()
    return world


def rename(world: World, steps: tuple[Step, ...]) -> None:
    for path, to in steps:
        world.old.rename_folder(path, to)


def held(world: World, side: str) -> dict[Path, Counter[bytes]]:
    account = getattr(world, side)
    return {box.path: Counter(account.contents(box.path)) for box in account.boxes() if box.selectable}


def predicted(world: World) -> list[Step]:
    """Which folders of the target a dry run would rename."""
    login = Login(USER, USER, "secret-new")
    target = DryRunTarget(MemoryTarget(world.new_server.log_in(login)))
    with scratch_copy(world.db, "contoso") as scratch:
        leg = Leg(world.kinds, world.source, lambda _mailbox: target)
        context = replace(world.context(), db=scratch, legs=(leg,))
        assert Advancer(context).advance(world.mailbox_id, FOREVER).verdict is Verdict.DONE
    return target.prediction.renamed


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("wish", WISHES)
def test_every_copy_has_the_name_of_its_source(tmp_path: FilePath, wish: str, *, ids: bool) -> None:
    steps, renames = WISHES[wish]
    world = filled(tmp_path, ids=ids)
    rename(world, steps)
    assert len(predicted(world)) == renames
    assert world.writes(world.sync) == ["rename-folder"] * renames
    assert held(world, "new") == held(world, "old")
    assert world.verify().verdict is Judged.PASS
    assert world.writes(world.sync) == []


def test_what_the_plan_puts_below_a_folder_goes_along_with_it(tmp_path: FilePath) -> None:
    world = filled(tmp_path, Policy(Scope(rename={"C": "A/put here"})))
    rename(world, ((A, TEMP),))
    assert world.writes(world.sync) == ["rename-folder"]
    assert set(held(world, "new")) == {("INBOX",), TEMP, (*TEMP, "x"), (*TEMP, "put here"), B}
    assert world.verify().verdict is Judged.PASS
    assert world.writes(world.sync) == []


@pytest.mark.parametrize("nth", range(1, 4))
@pytest.mark.parametrize("after", [True, False])
def test_killed_while_folders_are_renamed(tmp_path: FilePath, nth: int, *, after: bool) -> None:
    """Names may then differ, as `verify` allows; messages do not."""
    world = filled(tmp_path)
    rename(world, EXCHANGED)
    fault = Fault(Mode.AFTER if after else Mode.BEFORE, error=Killed)
    world.target_faults = Faults.scripted({("rename-folder", nth): fault})
    with pytest.raises(Killed):
        world.step()
    world.calm()
    assert "write" not in world.writes(world.sync)
    everything = [sum(held(world, side).values(), Counter[bytes]()) for side in ("old", "new")]
    assert everything[0] == everything[1]
    assert world.verify().verdict is Judged.PASS
