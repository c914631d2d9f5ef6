"""Three mailboxes into one place while both servers fail and processes die: nothing lost, nothing twice.

Users only deliver, so the end is exact: with `dedupe` the place holds the maximum of what each mailbox holds, with
`keep` the sum, whatever went wrong on the way and whoever was copied first.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import reduce
from pathlib import Path as FilePath

import hypothesis.strategies as st
from hypothesis import note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.conftest import FULL
from tests.engine.test_merging import INBOX, A, B, C, Merged
from tests.engine.test_model import Script, contents, powers, scripted, scripts
from xdmigrate.engine.advance import Verdict
from xdmigrate.engine.context import Policy
from xdmigrate.engine.scope import Scope
from xdmigrate.testing.faults import Killed
from xdmigrate.testing.memory.powers import Powers

names = st.sampled_from([A, B, C])


class Merging(RuleBasedStateMachine):
    """Deliveries and passes in any order, some of them cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory(prefix="xdmigrate-merging-")
        self.held: dict[str, Counter[bytes]] = {name: Counter() for name in (A, B, C)}

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.compare()
                self.world.db.close()
        finally:
            self.home.cleanup()

    @initialize(old=powers, new=powers, merge=st.sampled_from(["dedupe", "dedupe", "keep"]))
    def begin(self, old: Powers, new: Powers, merge: str) -> None:
        self.merge = merge
        policy = Policy(Scope(), failures=1000)
        self.world = Merged(FilePath(self.home.name), merge, source=old, target=new, policy=policy)

    @rule(name=names, new=st.lists(contents, min_size=1, max_size=5))
    def deliver(self, name: str, new: list[bytes]) -> None:
        self.world.deliver(name, new)
        self.held[name].update(new)

    @rule(name=names, new=st.lists(contents, max_size=5), on_source=scripts(), on_target=scripts())
    def sync_under_faults(self, name: str, new: list[bytes], on_source: Script, on_target: Script) -> None:
        self.deliver(name, new)
        self.world.source_faults.commit_late()
        self.world.target_faults.commit_late()
        self.world.source_faults, self.world.target_faults = scripted(on_source), scripted(on_target)
        try:
            step = self.world.step(self.world.ids[name])
        except Killed:
            return
        assert step.verdict in {Verdict.DONE, Verdict.RETRY_AT}, step

    @rule(name=names)
    def sync_calmly(self, name: str) -> None:
        self.world.calm()
        self.world.sync_all(name)
        self.world.counts(name)

    @rule()
    def renumber_target(self) -> None:
        self.world.new.change_validity(INBOX)

    def compare(self) -> None:
        self.world.calm()
        self.world.retry_quarantine()
        for _ in range(3):
            self.world.sync_all()
        one = Counter.__or__ if self.merge == "dedupe" else Counter.__add__
        wanted = reduce(one, self.held.values())
        note(f"there={self.world.bodies(INBOX)} held={self.held}")
        assert self.world.bodies(INBOX) == wanted
        for number in self.world.ids.values():
            for kind in self.world.verify(mailbox_id=number).kinds.values():
                # Equal items may have changed places where ids were given anew, and their dates with them.
                assert kind.source == kind.verified + kind.metadata
                assert not kind.unexplained
        assert self.world.writes(self.world.sync_all) == []


TestMerging = Merging.TestCase
TestMerging.settings = settings(max_examples=500 if FULL else 8, stateful_step_count=12)
