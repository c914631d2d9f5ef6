"""The same job between all the servers, in both directions, and with each of a server's powers hidden in turn.

What has to arrive is found out by an independent client: it puts the same messages into an account of its own on the
target. What it is refused there, and nothing else, may be quarantined; what the target makes of the rest, bytes, flags
and dates, is what the copies must be.
"""

from __future__ import annotations

import imaplib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from itertools import permutations
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.conftest import FULL
from tests.data import corpus
from tests.data.generate import account
from tests.live import reader
from tests.live.cyrus import Cyrus
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import CAPABILITIES, Settings, capabilities_without
from tests.live.project import Project, Server, between, closed
from tests.live.reader import Account, Draft, append, contents, dump, metadata, quoted, session
from xdmigrate.testing.messages import PORTABLE_KINDS
from xdmigrate.testing.pymap import PymapServer

Accounts = Callable[[], str]
Words = tuple[str, frozenset[str], str]
"""A message as `reader.metadata` counts it."""

Held = dict[str, list[Draft]]
"""Messages by native folder name with "/" between the levels, whatever the server calls the folder."""

FOLDERS = (("Entwürfe",), ("日本語", "受信箱"), ("R&D",), ("2024.25", "a.b.c"), ("Old ",), ("  lead",), ("[x] (y)",))
"""Names that all three servers have."""

ODD = [
    Draft(raw)
    for raw in (
        b"Subject: nul\r\n\r\na\0b\r\n",
        b"Subject: lf\n\nline\nline\n",
        b"no header at all\r\n",
        b"Subject: cr\r\n\r\nline\rline\r\r\n",
        b"Subject: caf\xc3\xa9 \xe9\r\n\r\n\xff\xfe raw\r\n",
    )
]
"""Messages that some servers refuse or rewrite."""

IRRELEVANT = frozenset(("IMAP4rev1", "SORT", "IDLE", "LOGIN-REFERRALS", "BINARY", "CHILDREN", "ID"))
MASKS = [name for name in CAPABILITIES if name not in IRRELEVANT]


class Box(NamedTuple):
    """An account on a server."""

    server: Server
    user: str

    @property
    def access(self) -> tuple[str, int, str, str]:
        """What the reader takes first."""
        server = self.server
        return server.access(self.user) if not isinstance(server, PymapServer) else _pymap_access(server, self.user)

    def native(self, name: str) -> str:
        """What the server calls a folder."""
        return self.server.native(name) if isinstance(self.server, Cyrus) else name

    def fill(self, held: Mapping[str, Iterable[Draft]]) -> Counter[str]:
        """Put the messages there one by one; how many were refused in each folder."""
        refused: Counter[str] = Counter()
        for name, drafts in held.items():
            with session(*self.access) as client:
                client.create(quoted(self.native(name)))
                for draft in drafts:
                    refused[name] += not _appended(client, self.native(name), draft)
        return +refused

    def dump(self) -> Account:
        """What is there, by the names of `Held`; folders that hold nothing are left out."""
        found = dump(*self.access)
        return {self._plain(name): messages for name, messages in found.items() if messages}

    def held(self) -> Held:
        """What is there, bodies included."""
        return {self._plain(name): drafts for name, drafts in reader.drafts(*self.access).items()}

    def _plain(self, name: str) -> str:
        return name.removeprefix("INBOX/") if isinstance(self.server, Cyrus) else name


def _pymap_access(server: PymapServer, user: str) -> tuple[str, int, str, str]:
    return server.host, server.port, user, "secret"


def _appended(client: imaplib.IMAP4, name: str, draft: Draft) -> bool:
    """Whether the server took the message; a refusal may end the literal before it was sent."""
    with suppress(AssertionError):
        append(client, name, [draft])
        return True
    client.noop()
    return False


@pytest.fixture
def box(request: pytest.FixtureRequest, new_user: Accounts) -> Callable[[str], Box]:
    """Gives an account on the server of this name."""

    def make(name: str) -> Box:
        user = new_user()
        if name == "pymap":
            return Box(request.getfixturevalue("new_pymap")({user: "secret"}), user)
        if name == "cyrus":
            server = request.getfixturevalue("cyrus_server")
            server.add(user)
            return Box(server, user)
        old, new = request.getfixturevalue("dovecot_pair")
        return Box(new if name == "dovecot-mdbox" else old, user)

    return make


def beside(box: Box, new_user: Accounts, make: Callable[[str], Box]) -> Box:
    """An account on a server of the same kind, for the independent client."""
    return make("pymap") if isinstance(box.server, PymapServer) else Box(box.server, new_user())


# --- all directions ---------------------------------------------------------------------------------------------


DIRECTIONS = [pair for pair in permutations(("dovecot", "cyrus", "pymap"), 2) if FULL or "cyrus" in pair]
"""Between Dovecot and pymap, `test_main_job` goes both ways in every run."""


@pytest.mark.parametrize(("old", "new"), DIRECTIONS)
def test_every_direction(
    old: str, new: str, box: Callable[[str], Box], new_user: Accounts, tmp_path: Path, rng: Random, seed: int
) -> None:
    source, target = box(old), box(new)
    source.fill(mail(seed, rng, portable=new == "pymap"))
    before = source.dump()
    oracle = beside(target, new_user, box)
    refused = oracle.fill(source.held())
    project = between(source.server, target.server, tmp_path, {"source": source.user, "target": target.user})
    if FULL or "pymap" not in (old, new):
        assert project.run("check").exit == 0

    run = project.run("sync")
    assert run.exit == (3 if refused else 0), run
    after, wanted = target.dump(), oracle.dump()
    assert contents(after) == contents(wanted)
    assert settled(metadata(after), new) == settled(metadata(wanted), new)
    assert source.dump() == before  # reading leaves no mark
    arithmetic(run.facts["totals"]["mail"], before, refused)
    judged(project, before, wanted, refused)

    if FULL or "pymap" not in (old, new):
        assert project.run("sync").facts["totals"] == run.facts["totals"]
        assert target.dump() == after  # the same UIDs, too


def mail(seed: int, rng: Random, *, portable: bool) -> Held:
    """Generated and real mail, and what servers refuse; `portable` leaves out what pymap rewrites."""
    count = 400 if FULL else 40
    held = account(seed, count, paths=FOLDERS, kinds=tuple(PORTABLE_KINDS) if portable else ())
    if not portable:
        held["Odd"] = ODD
    if corpus.root() is not None:
        real = [raw for raw in real_mail() if not portable or ordinary(raw)]
        held["Real"] = [Draft(raw, frozenset(rng.choice(((), ("\\Seen",), ("\\Flagged", "$Label1"))))) for raw in real]
    return held


@cache
def real_mail() -> list[bytes]:
    """The corpus, or a sample of it."""
    return [raw for _, raw in corpus.mails(None if FULL else 40)]


def ordinary(raw: bytes) -> bool:
    """Whether every server keeps each byte: CRLF and no other line ends, a header, an empty line."""
    bare = raw.replace(b"\r\n", b"")
    return not set(b"\r\n\0") & set(bare) and b"\r\n\r\n" in raw


def arithmetic(counts: Mapping[str, int], before: Account, refused: Mapping[str, int]) -> None:
    """Every message of the source has its outcome, and only what the target refuses from anybody has failed."""
    there, failed = sum(map(len, before.values())), sum(refused.values())
    assert closed(counts)
    assert (counts["source"], counts["failed"], counts["copied"]) == (there, failed, there - failed)


def settled(told: dict[str, Counter[Words]], server: str) -> dict[str, Counter[Words]]:
    """Without keywords for pymap, which says that none are permanent, so that none are sent, and yet keeps them."""
    if server != "pymap":
        return told
    return {name: Counter(map(_system_flags_only, found.elements())) for name, found in told.items()}


def _system_flags_only(told: Words) -> Words:
    return told[0], frozenset(flag for flag in told[1] if flag.startswith("\\")), told[2]


def judged(project: Project, before: Account, wanted: Account, refused: Mapping[str, int]) -> None:
    """`verify --full` has read everything, and tells exactly what the target refuses or rewrites."""
    answer = project.run("verify", "--full")
    (box,) = answer.facts["mailboxes"]
    kept = sum((contents(before)[name] & contents(wanted).get(name, Counter())).total() for name in before)
    there, failed = sum(map(len, before.values())), sum(refused.values())
    told = Counter(source=there, verified=kept, failed=failed, changed=there - failed - kept)
    assert +Counter(box["kinds"]["mail"]) == +told, answer.out
    assert answer.exit == (0 if kept == there else 3)


# --- each power hidden ------------------------------------------------------------------------------------------

CHOSEN = MASKS if FULL else Random(os.environ["XDMIGRATE_SEED"]).sample(MASKS, 1)
"""All of them take a minute; a quick run takes another one every time."""


@pytest.mark.parametrize("name", CHOSEN)
def test_a_hidden_power_loses_nothing_and_doubles_nothing(
    name: str, new_dovecot: Callable[[Settings], Dovecot], new_user: Accounts, tmp_path: Path, rng: Random, seed: int
) -> None:
    """A seed, then new mail, changed flags and a deletion at the source, then a delta."""
    server = new_dovecot(Settings(capabilities=capabilities_without(name)))
    source, target = Box(server, new_user()), Box(server, new_user())
    source.fill(account(seed, 60, paths=FOLDERS))
    project = between(server, server, tmp_path, {"source": source.user, "target": target.user})
    assert project.run("sync").exit == 0
    before = source.dump()
    assert metadata(target.dump()) == metadata(before)

    source.fill({"INBOX": account(seed + 1, 9, paths=())["INBOX"], "New": account(seed + 2, 5, paths=())["INBOX"]})
    with session(*source.access) as client:
        client.select("INBOX")
        client.store("1,3,5", "+FLAGS", "(\\Flagged $Label1)")
        client.store("2", "+FLAGS", "(\\Deleted)")
        client.expunge()
    assert project.run("sync").exit == 0
    now, after = source.dump(), target.dump()
    gone = metadata(before)["INBOX"] - metadata(now)["INBOX"]
    kept = [message for message in gone if all(message[0] != other.sha256 for other in now["INBOX"])]
    assert len(kept) == 1
    assert metadata(after) == metadata(now) | {"INBOX": metadata(now)["INBOX"] + Counter(kept)}
    assert project.run("verify", "--full").facts["verdict"] == "pass"
