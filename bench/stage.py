"""The servers of a benchmark: sources loaded once, a fresh target account for each run."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from bench import compare
from bench.compare import Access, Account, Difference
from bench.corpus import Corpus
from bench.delay import delayed
from bench.peers import Job, Side
from tests.live import reader
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.reader import Draft

Storage = Literal["maildir", "mdbox"]


class Stage:
    """Two servers of one storage. The target syncs to the disk as Dovecot does by default; the source is only read."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.storage = storage
        self._folder = folder
        self._servers = ExitStack()
        self.old = Dovecot(Settings(storage=storage, fsync="never"))
        self.new = Dovecot(Settings(storage=storage, fsync="optimized"))
        self._loaded: dict[str, Account] = {}
        self._targets = 0

    def __enter__(self) -> Self:
        for server in (self.old, self.new):
            self._servers.enter_context(server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.close()

    # --- sources ------------------------------------------------------------------------------------------------

    def source(self, corpus: Corpus) -> str:
        """The user who has this corpus, loaded when it is first asked for."""
        return self.loaded(f"{corpus.name}-{corpus.messages}", corpus.account())

    def loaded(self, user: str, account: Iterable[tuple[str, Sequence[Draft]]]) -> str:
        """A source user who has these messages by folder."""
        if user not in self._loaded:
            for name, drafts in account:
                reader.load(*self.old.access(user), {name: drafts})
            self.reread(user)
        return user

    def reread(self, user: str) -> None:
        """Look again at what a source holds, after a change."""
        self._loaded[user] = compare.read(self.old.access(user))

    def messages(self, user: str) -> int:
        """How many a source holds."""
        return sum(folder.total() for folder in self._loaded[user].values())

    # --- targets ------------------------------------------------------------------------------------------------

    def target(self) -> Access:
        """Where a user logs in who has nothing yet."""
        self._targets += 1
        return self.new.access(f"target{self._targets}")

    @contextmanager
    def job(self, sources: Sequence[str], *, tls: bool = False, ports: tuple[int, int] | None = None) -> Iterator[Job]:
        """Fresh targets for these sources, and a fresh folder; both go afterwards."""
        users = [(source, self.target()[2]) for source in sources]
        folder = self._folder / users[0][1]
        folder.mkdir()
        old, new = ports or ((self.old.tls_port, self.new.tls_port) if tls else (self.old.port, self.new.port))
        try:
            yield Job(Side(self.old, old, tls), Side(self.new, new, tls), users, folder)
        finally:
            shutil.rmtree(folder)
            self.forget(*(target for _, target in users))

    def forget(self, *targets: str) -> None:
        """Remove what these target users have."""
        for user in targets:
            shutil.rmtree(self.new.home(user), ignore_errors=True)

    @contextmanager
    def far_away(self, milliseconds: float) -> Iterator[tuple[int, int]]:
        """Ports of both servers behind this round trip."""
        with delayed(self.old.port, milliseconds) as old, delayed(self.new.port, milliseconds) as new:
            yield old, new

    # --- judging ------------------------------------------------------------------------------------------------

    def difference(self, job: Job) -> Difference:
        """Of all targets of a job from their sources."""
        sources: dict[str, Counter[compare.Seen]] = {}
        targets: dict[str, Counter[compare.Seen]] = {}
        for source, target in job.users:
            sources |= _under(source, self._loaded[source])
            targets |= _under(source, compare.read(self.new.access(target)))
        return compare.difference(sources, targets)

    def commands(self, job: Job) -> int:
        """What both servers have counted so far for the users of a job."""
        return sum(
            self.old.commands(source).total() + self.new.commands(target).total() for source, target in job.users
        )


def _under(user: str, account: Mapping[str, Counter[compare.Seen]]) -> dict[str, Counter[compare.Seen]]:
    return {f"{user}/{name}": messages for name, messages in account.items()}
