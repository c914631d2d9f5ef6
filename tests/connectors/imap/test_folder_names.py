"""Torture names through whole migrations: injective, stable, and what a dry run shows is what happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as FilePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FULL
from tests.connectors.imap.dialect.job import USER, DryRun, Job, mail
from tests.connectors.imap.dialect.server import DialectServer
from tests.connectors.imap.dialect.speech import BASIC, COURIER, CYRUS, DOVECOT, EXCHANGE, YANDEX, Dialect
from tests.connectors.imap.dialect.store import Account
from tests.connectors.imap.test_transcripts import FOLDERS, XLISTS, listed, transcripts
from tests.data.folders import TORTURE
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.project import Project, endpoint, secret_file
from xdmigrate.engine.names import Rules, folded, place_folders
from xdmigrate.model import Endpoint, Folder, Login, Path, Role
from xdmigrate.testing.pymap import PymapServer
from xdmigrate_imap import connector
from xdmigrate_imap.naming import Names, Namespace

ANYTHING = replace(BASIC, separator=b"^")
"""A source that takes every name; none of ours holds its separator."""

SPELT = Names((Namespace(b"", b"^"),))
New = Callable[[Settings], Dovecot]


def fill(account: Account, paths: tuple[Path, ...] = TORTURE) -> int:
    """A mailbox for each path, with one message; how many messages there are."""
    for number, path in enumerate(paths):
        name = SPELT.name(path)
        found = account.find(name) or account.create(name)
        account.add(found, mail(number))
    return len(paths)


def paths_of(server: DialectServer) -> set[Path]:
    """The target's folders, seen by a session of its own."""
    return {each.path for each in connector.source(server.endpoint("new"), server.login(USER)).folders()}


def injective(found: dict[Path, Path | None]) -> bool:
    placed = [folded(target) for target in found.values() if target is not None]
    return len(set(placed)) == len(found)


TELLING = {
    "dovecot": DOVECOT,
    "maildir++": replace(DOVECOT, forbidden=re.compile(rb"^~|[.]|//|[\x00-\x1f\x80-\xff]|^$")),
    "flat": replace(BASIC, separator=b""),
    "yandex": YANDEX,
}
SILENT = {"cyrus": CYRUS, "courier": COURIER, "exchange": EXCHANGE}


def predicted_and_run(folder: FilePath, source: Dialect, target: Dialect, paths: tuple[Path, ...]) -> None:
    """A dry run creates nothing and tells the map; the run then does exactly that, and so does the next one."""
    (folder / "dry").mkdir()
    with DryRun(folder / "dry", source, target) as dry:
        fill(dry.old, paths)
        before = set(dry.new.boxes)
        dry.done()
        predicted, created = dry.map(), set(dry.created)
        assert set(dry.new.boxes) == before
    with Job(folder, source, target) as job:
        count = fill(job.old, paths)
        before_paths = paths_of(job.new_server)
        job.done()
        assert len(set(job.everything())) == count
        assert job.map() == predicted
        assert injective(job.map())
        assert paths_of(job.new_server) - before_paths == created
        job.done()
        assert job.map() == predicted
        assert job.verify().verdict == "pass"


@pytest.mark.parametrize("name", TELLING if FULL else ["maildir++"])
def test_what_a_dry_run_shows_is_what_happens(tmp_path: FilePath, name: str) -> None:
    predicted_and_run(tmp_path, ANYTHING, TELLING[name], TORTURE)


@pytest.mark.parametrize("name", SILENT if FULL else ["exchange"])
def test_a_name_that_is_refused_without_warning_takes_another_shape(tmp_path: FilePath, name: str) -> None:
    with Job(tmp_path, ANYTHING, SILENT[name]) as job:
        count = fill(job.old)
        job.done()
        once = job.map()
        assert injective(once)
        assert len(set(job.everything())) == count
        job.done()
        assert job.map() == once
        assert job.verify().verdict == "pass"


# --- what real servers list -------------------------------------------------------------------------------------


def heard() -> dict[str, list[Folder]]:
    """The folders of every recorded listing, with the uses that LIST or XLIST tells, by transcript."""
    raw = transcripts()
    found = {name: listed(raw[name], separator) for name, (separator, _) in FOLDERS.items()}
    for name, (_, uses) in XLISTS.items():
        found[name] = [Folder(path, role=role) for path, role in uses.items()]
    return found


@pytest.mark.parametrize("delimiter", ["/", ".", "|", "\\", ""])
def test_the_folders_of_every_transcript_have_places(delimiter: str) -> None:
    """Each listing alone, and all of them as one account: injective, in any order, and the same in a later run."""
    rules = Rules(delimiter)
    each = list(heard().values())
    for folders in [*each, list({one.path: one for listing in each for one in listing}.values())]:
        placed = place_folders(folders, rules, frozen={}, target=())
        assert len({folded(path) for path in placed.values()}) == len(folders)
        assert place_folders(folders[::-1], rules, frozen={}, target=()) == placed
        there = [Folder(path) for path in placed.values()]
        for folder in folders:  # the others are frozen
            frozen = {path: place for path, place in placed.items() if path != folder.path}
            assert place_folders([folder], rules, frozen=frozen, target=there) == {folder.path: placed[folder.path]}
        assert place_folders(folders, rules, frozen={}, target=there) == placed


@pytest.mark.parametrize("name", TELLING if FULL else ["dovecot"])
def test_real_listings_go_where_the_dry_run_told(tmp_path: FilePath, name: str) -> None:
    """All that the transcripts list in one account, so that several folders have one use."""
    folders = {one.path: one for listing in heard().values() for one in listing if one.selectable}
    uses = {
        SPELT.name(path): str(one.role).encode() for path, one in folders.items() if one.role not in (None, Role.INBOX)
    }
    source, target = replace(ANYTHING, special=uses), TELLING[name]
    if name != "flat":
        target = replace(target, special={b"Gesendet": rb"\Sent", b"M&APw-ll": rb"\Trash"})
    predicted_and_run(tmp_path, source, target, tuple(folders))


LEVEL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0^\ufffd"), min_size=1, max_size=8)
PATHS = st.lists(st.lists(LEVEL, min_size=1, max_size=3).map(tuple), max_size=6, unique=True)


@settings(max_examples=100 if FULL else 4)
@given(paths=PATHS, target=st.sampled_from([*TELLING.values(), *SILENT.values()]))
def test_any_names_find_their_places(
    tmp_path_factory: pytest.TempPathFactory, paths: list[Path], target: Dialect
) -> None:
    wanted = tuple(path for path in paths if path[0].upper() != "INBOX")
    with Job(tmp_path_factory.mktemp("job"), ANYTHING, target) as job:
        count = fill(job.old, wanted)
        job.done()
        assert injective(job.map())
        assert len(set(job.everything())) == count
        once = job.map()
        job.done()
        assert job.map() == once
        assert job.verify().verdict == "pass"


# --- real servers -------------------------------------------------------------------------------------------------


def predicted_and_done(folder: FilePath, source: DialectServer, target: Dovecot | PymapServer, user: str) -> None:
    """`sync --dry-run` creates nothing, and tells exactly the folders that `sync` then creates."""
    mailbox = {"source": USER, "target": user}
    here = {"connector": "imap", "auth": {"password": f"file:{secret_file(folder, source.password)}"}}
    old = {**here, "host": source.host, "port": source.port, "tls": "none"}
    job = Project(folder, old, endpoint(target, folder), [mailbox])
    count = fill(source.account(USER), TORTURE if FULL else TORTURE[::2])
    login, where = Login(user, user, "secret"), {"host": target.host, "port": target.port, "tls": "none"}
    before = {each.path for each in connector.source(Endpoint("new", "imap", where), login).folders()}
    told = job.run("sync", "--dry-run")
    assert told.exit == 0, told
    assert {each.path for each in connector.source(Endpoint("new", "imap", where), login).folders()} == before
    answer = job.run("sync")
    assert answer.exit == 0, answer
    after = {each.path for each in connector.source(Endpoint("new", "imap", where), login).folders()}
    [prediction] = told.facts["predictions"]
    assert {tuple(path) for path in prediction["created"]} == after - before
    assert job.counts()["copied"] == count


@pytest.mark.parametrize("layout", ["fs", "Maildir++"] if FULL else ["Maildir++"])
def test_dovecot_gets_what_the_dry_run_told(
    tmp_path: FilePath, new_dovecot: New, new_user: Callable[[], str], layout: str
) -> None:
    with DialectServer(ANYTHING) as source:
        predicted_and_done(tmp_path, source, new_dovecot(Settings(layout=layout)), new_user())


def test_pymap_gets_what_the_dry_run_told(
    tmp_path: FilePath, new_pymap: Callable[[dict[str, str]], PymapServer], new_user: Callable[[], str]
) -> None:
    user = new_user()
    with DialectServer(ANYTHING) as source:
        predicted_and_done(tmp_path, source, new_pymap({user: "secret"}), user)
