"""Whatever users do, a mirror that follows the memory store's cursors never differs from it."""

from __future__ import annotations

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from xdmigrate.model import Endpoint, Folder, Head, Login
from xdmigrate.testing.memory import INBOX, Account, MemoryServer, Powers, connector

NAMES = count(1)
OTHER = ("Other",)
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "Todo"]))


class Mirror(RuleBasedStateMachine):
    """Follows one folder of an account by its cursors alone."""

    @initialize(deltas=st.booleans(), ordered=st.booleans(), named=st.booleans(), sizes=st.booleans())
    def start(self, deltas: bool, ordered: bool, named: bool, sizes: bool) -> None:
        powers = Powers(deltas=deltas, ordered_ids=ordered, names_vanished=named, known_sizes=sizes)
        server = MemoryServer(f"mirror-{next(NAMES)}", powers)
        self.account: Account = server.add_account("ann")
        self.account.create_folder(OTHER)
        self.source = connector.source(Endpoint("e", "memory", {"server": server.name}), Login("ann", "ann"))
        self.folder: Folder = self._now()
        self.cursor = b""
        self.mirror: dict[bytes, tuple[int, frozenset[str]]] = {}
        self.state = self.folder.state

    def _now(self) -> Folder:
        return self.source.status(Folder(INBOX))

    def _pick(self, number: int) -> bytes | None:
        listed = [head.ref for head in self.source.heads(self._now())]
        return listed[number % len(listed)] if listed else None

    @rule(data=st.binary(max_size=5), flags=FLAGS)
    def deliver(self, data: bytes, flags: frozenset[str]) -> None:
        self.account.deliver(INBOX, data, flags)

    @rule(number=st.integers(0, 9), add=FLAGS, remove=FLAGS)
    def flag(self, number: int, add: frozenset[str], remove: frozenset[str]) -> None:
        if ref := self._pick(number):
            self.account.flag(INBOX, ref, add, remove)

    @rule(number=st.integers(0, 9), move=st.booleans())
    def take_away(self, number: int, move: bool) -> None:
        if ref := self._pick(number):
            if move:
                self.account.move(INBOX, ref, OTHER)
            else:
                self.account.delete(INBOX, ref)

    @rule()
    def expire(self) -> None:
        self.account.expire_cursors()

    @rule()
    def renumber(self) -> None:
        self.account.change_validity(INBOX)

    @rule(half=st.booleans())
    def follow(self, half: bool) -> None:
        now = self._now()
        if now.validity != self.folder.validity:
            self.folder, self.mirror = now, {}
        told = self.source.changes(self.folder, self.cursor)
        if half:
            self.account.deliver(INBOX, b"in between")
        listed = {head.ref: (self._size(head), head.flags) for head in told.heads}
        self.mirror = listed if told.complete else self.mirror | listed
        if told.alive is not None:
            alive = set(told.alive)
            assert half or told.count == len(alive)
            self.mirror = {ref: seen for ref, seen in self.mirror.items() if ref in alive}
        for ref in told.vanished:
            self.mirror.pop(ref, None)
        self.cursor, self.state = told.cursor, now.state

    def _size(self, head: Head) -> int:
        """Only of what was told before may the size be left out."""
        return head.size if head.measured else self.mirror[head.ref][0]

    @invariant()
    def following_once_more_makes_them_equal(self) -> None:
        self.follow(half=False)
        truth = {head.ref: (head.size, head.flags) for head in self.source.heads(self._now())}
        assert self.mirror == truth
        assert self._now().count == len(truth)
        assert self.state == self._now().state


TestMirror = Mirror.TestCase
TestMirror.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
