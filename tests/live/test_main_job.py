"""The main job, as a technician does it: check, sync, verify; every message byte for byte, once, on real servers."""

from __future__ import annotations

import imaplib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.conftest import Pair
from tests.data import corpus
from tests.data.folders import AWKWARD
from tests.data.generate import account
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from tests.live.project import Project, Values, between, closed, deliver, endpoint, secret_file
from tests.live.reader import Account, Draft, append, contents, dump, load, metadata, native, quoted, session
from xdmigrate.testing.messages import MARKER_FOLDER, PORTABLE_KINDS, samples
from xdmigrate.testing.pymap import PymapServer

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]
Pymap = Callable[[dict[str, str]], PymapServer]

WRITING = frozenset(("APPEND", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "SETMETADATA", "EXPUNGE"))
WRITING_UID = frozenset(("UID STORE", "UID EXPUNGE", "UID MOVE", "UID COPY"))

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted")
KEYWORDS = ("$Forwarded", "$MDNSent", "$label1", "NonJunk", "Junk", "a.b-c_d", "X+1", "Project-42")
MOMENTS = (
    datetime(1970, 1, 2, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=11))),
    datetime(2024, 2, 29, 12, 0, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(2038, 1, 20, tzinfo=UTC),
)
"""Dates at which clocks and calendars are known to break."""

NUMBERED = {"archive": "archive (2)", native("Été"): native("Été (2)")}
"""Names of `AWKWARD` that many targets take for "Archive" and for the decomposed "Été": they never fall together."""

TEN = [Draft(b"From: list@example.test\r\nSubject: Newsletter\r\n\r\nHello!\r\n", frozenset(("\\Seen",)))] * 10


def dressed(mails: Iterable[bytes], rng: Random) -> list[Draft]:
    """Mails with flags, keywords and dates of all sorts."""
    drafts = []
    for raw in mails:
        flags = [flag for flag in FLAGS if rng.random() < 0.3] + [flag for flag in KEYWORDS if rng.random() < 0.1]
        drafts.append(Draft(raw, frozenset(flags), rng.choice(MOMENTS)))
    return drafts


def hostile(rng: Random) -> list[Draft]:
    """Bodies that do harm when a server takes them for commands, at every place where a literal may end wrongly."""
    harm = (
        b"X1 DELETE %s\r\nX2 CREATE hacked\r\nX3 STORE 1:* +FLAGS (\\Deleted)\r\nX4 EXPUNGE\r\n"
        % MARKER_FOLDER.encode()
    )
    bodies = [
        harm,
        b"\r\n" + harm,
        b"Subject: x\r\n\r\n" + harm,
        b")\r\n" + harm,
        b"{3+}\r\nabc " + harm + b"X5 LOGOUT",
    ]
    return dressed([*bodies, *(sample.raw for sample in samples(rng.randrange(10**6), 6, ["commands"]))], rng)


def whole(server: Dovecot, user: str) -> Account:
    return dump(*server.access(user))


def changed_nothing(server: Dovecot, user: str, sent: bytes) -> None:
    """The recorded session gave no command that writes."""
    commands = Counter(b" ".join(line.split()[2:4]).decode("ascii", "replace").upper() for line in sent.splitlines())
    assert commands, server.log()[-2000:]
    first = Counter(name.partition(" ")[0] for name in commands.elements())
    assert not WRITING & first.keys()
    assert not WRITING_UID & commands.keys()


# --- the whole job ----------------------------------------------------------------------------------------------


def test_every_message_arrives_once(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, rng: Random, seed: int, full: bool
) -> None:
    """Real mail, awkward mail, ten equal ones, awkward folders, harmful bodies; then a second run that does nothing."""
    old, new = dovecot_pair
    real, odd, named = new_user(), new_user(), new_user()
    sources: dict[str, dict[str, list[Draft]]] = {
        real: dealt(dressed((raw for _, raw in corpus.mails(None if full else 300)), rng)),
        odd: {**account(seed, 400 if full else 80), "Ten": TEN, MARKER_FOLDER: hostile(rng)},
        named: {"/".join(map(native, path)): dressed(["/".join(path).encode()], rng) for path in AWKWARD},
    }
    for user, drafts in sources.items():
        load(*old.access(user), drafts)
    before = {user: whole(old, user) for user in sources}
    project = between(old, new, tmp_path, *sources)
    assert project.run("check").exit == 0
    assert not any(new.commands(user)["APPEND"] for user in sources)

    run = project.run("sync")
    assert (run.exit, run.facts["errors"]) == (0, [])
    after = {user: whole(new, user) for user in sources}
    for user in sources:
        wanted = {NUMBERED.get(name, name): messages for name, messages in before[user].items()}
        assert contents(after[user]) == contents(wanted)
        assert metadata(after[user]) == metadata(wanted)
        assert whole(old, user) == before[user]  # reading leaves no mark
    assert len({message.uid for message in after[odd]["Ten"]}) == 10
    assert len(after[odd][MARKER_FOLDER]) == len(sources[odd][MARKER_FOLDER])
    arithmetic(project, before)
    verified(project, sum(map(len, (messages for user in before for messages in before[user].values()))))

    idle(project, new, list(sources))
    assert {user: whole(new, user) for user in sources} == after  # the same UIDs, too


def dealt(drafts: list[Draft]) -> dict[str, list[Draft]]:
    """Dealt out to INBOX and two folders."""
    return {"INBOX": drafts[::3], "Clients": drafts[1::3], "Clients/Ann": drafts[2::3]}


def arithmetic(project: Project, before: Mapping[str, Account]) -> None:
    """`status` closes and equals what the source holds, per mailbox and per folder."""
    status = project.run("status").facts
    for box in status["mailboxes"]:
        counts, held = box["kinds"]["mail"], before[box["source"]]
        messages = [message for folder in held.values() for message in folder]
        assert closed(counts)
        assert counts["source"] == counts["copied"] == len(messages)
        assert counts["bytes"] == sum(message.size for message in messages)
        folders = project.run("mailbox", "show", str(box["id"])).facts["folders"]
        told = {"/".join(map(native, folder["path"])): folder for folder in folders}
        assert {name: folder["source"] for name, folder in told.items()} == {n: len(held[n]) for n in held}
        assert all(closed(folder) for folder in folders)
    totals = status["totals"]["mail"]
    assert totals == dict(sum((Counter(box["kinds"]["mail"]) for box in status["mailboxes"]), Counter())) | {
        name: 0 for name in totals if not totals[name]
    }


def verified(project: Project, items: int) -> None:
    """`verify --full` passes, and has looked at everything."""
    answer = project.run("verify", "--full")
    assert (answer.exit, answer.facts["verdict"]) == (0, "pass"), answer.out
    found: Counter[str] = sum((Counter(box["kinds"].get("mail", {})) for box in answer.facts["mailboxes"]), Counter())
    assert found == {"source": items, "verified": items}  # 0 missing, 0 changed, 0 unexplained, 0 metadata


def idle(project: Project, new: Dovecot, users: Iterable[str]) -> None:
    """One more run writes nothing; the server's own record says so."""
    users = list(users)
    for user in users:
        new.record(user)
    commands = {user: new.commands(user) for user in users}
    again = project.run("sync")
    assert (again.exit, again.facts["errors"]) == (0, [])
    for user in users:
        changed_nothing(new, user, new.recorded(user))
        gained = new.commands(user) - commands[user]
        assert not {
            name for name in gained if set(name.split("_")) & {"APPEND", "STORE", "CREATE", "EXPUNGE", "RENAME"}
        }


# --- what the target refuses --------------------------------------------------------------------------------------


def test_quarantine_holds_only_what_anybody_would_be_refused(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, seed: int
) -> None:
    old, new = dovecot_pair
    user, other = new_user(), new_user()
    load(*old.access(user), account(seed, 40))
    deliver(old, user, b"", "empty")
    deliver(old, user, b"Subject: nul\r\n\r\nbefore\0after\r\n", "nul")
    before = whole(old, user)
    project = between(old, new, tmp_path, user)
    run = project.run("sync")
    assert (run.exit, run.codes) == (3, ["item-refused"])
    items = project.run("quarantine", "list").facts["items"]
    assert [(item["folder"], item["size"]) for item in items] == [(["INBOX"], 0)]
    for item in items:
        raw = source_bytes(old, user, "/".join(map(native, item["folder"])), int(item["id"].partition(".")[2], 16))
        with session(*new.access(other)) as client, pytest.raises(AssertionError, match="NO "):
            append(client, "INBOX", [Draft(raw)], multi=True)
    lost = contents(before)["INBOX"] - contents(whole(new, user))["INBOX"]
    assert lost == Counter({(sha256(b"").hexdigest(), 0): 1})
    counts = project.counts()
    assert closed(counts)
    assert (counts["source"], counts["failed"]) == (sum(map(len, before.values())), 1)

    verdict = project.run("verify", "--full")
    assert (verdict.exit, verdict.facts["verdict"]) == (3, "fail")
    assert project.run("quarantine", "accept", "--all", "--reason", "empty messages hold nothing").exit == 0
    verdict = project.run("verify", "--full")
    assert (verdict.exit, verdict.facts["verdict"]) == (0, "pass-with-exceptions")
    assert project.run("sync").exit == 0


def source_bytes(server: Dovecot, user: str, folder: str, uid: int) -> bytes:
    with session(*server.access(user)) as client:
        client.select(quoted(folder), readonly=True)
        _, parts = client.uid("FETCH", str(uid), "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), b"")


# --- other servers, other ways in -----------------------------------------------------------------------------------

MASTER: Values = {"auth": {"user": "{address}*master"}, "password": "master-secret"}
ACTS_FOR: Values = {
    "auth": {"user": "master", "authorize_as": "{address}", "mechanism": "plain"},
    "password": "master-secret",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Two servers and how they are reached; None is the shared server of that side."""

    old: Settings | None = None
    new: Settings | None = None
    reach: Values = field(default_factory=dict)  # settings of both endpoints
    names: Mapping[str, str] = field(default_factory=dict)  # native names that are other ones on the target


DOTTED = {
    "2024.25/a.b.c": "INBOX.2024_25.a_b_c",
    "INBOX/Sub": "INBOX.Sub",  # there everything is below INBOX
    "R&-D": "INBOX.R&-D",
    "Entw&APw-rfe": "INBOX.Entw&APw-rfe",
    "Deep/er/still": "INBOX.Deep.er.still",
    "Deep": "INBOX.Deep",
    "Deep/er": "INBOX.Deep.er",
    "2024.25": "INBOX.2024_25",
}

CASES = {
    "mdbox-to-maildir": Case(Settings(storage="mdbox"), Settings()),
    "dots-and-prefix": Case(new=Settings(separator=".", prefix="INBOX.", layout="Maildir++"), names=DOTTED),
    "master-user": Case(reach=MASTER),
    "acts-for-user": Case(reach=ACTS_FOR),
    "implicit-tls": Case(reach={"tls": "implicit"}),
    "starttls": Case(reach={"tls": "starttls"}),
    "no-literal-plus": Case(new=Settings(capabilities=capabilities_without("LITERAL+"))),
    "no-multiappend": Case(new=Settings(capabilities=capabilities_without("MULTIAPPEND"))),
    "no-uidplus": Case(new=Settings(capabilities=capabilities_without("UIDPLUS"))),
    "bare": Case(new=Settings(capabilities=("IMAP4rev1",)), old=Settings(capabilities=("IMAP4rev1",))),
}


@pytest.mark.parametrize("name", CASES)
def test_other_servers_and_other_ways_in(
    name: str, dovecot_pair: Pair, new_dovecot: Server, new_user: Accounts, tmp_path: Path, seed: int, full: bool
) -> None:
    case, user = CASES[name], new_user()
    old = new_dovecot(case.old) if case.old else dovecot_pair.old
    new = new_dovecot(case.new) if case.new else dovecot_pair.new
    load(
        *old.access(user),
        {**account(seed, 600 if full else 70, paths=()), **dict.fromkeys(DOTTED, TEN[:3]), "Ten": TEN},
    )
    before = whole(old, user)
    project = Project(tmp_path, endpoint(old, tmp_path, **case.reach), endpoint(new, tmp_path, **case.reach), [user])
    job(project, sum(map(len, before.values())))
    renamed = {case.names.get(folder, place(folder, case)): messages for folder, messages in before.items()}
    after = {folder: messages for folder, messages in whole(new, user).items() if folder in renamed or messages}
    assert contents(after) == contents(renamed)
    assert metadata(after) == metadata(renamed)
    idle(project, new, [user])


def place(folder: str, case: Case) -> str:
    """Where a folder goes of which the case says nothing."""
    return folder if folder == "INBOX" or case.new is None else case.new.prefix + folder


def job(project: Project, items: int) -> None:
    """check, sync, verify: all pass."""
    checked, copied = project.run("check"), project.run("sync")
    assert (checked.exit, checked.facts["errors"]) == (0, []), checked
    assert (copied.exit, copied.facts["errors"]) == (0, []), copied
    counts = copied.facts["totals"]["mail"]
    assert closed(counts)
    assert counts["source"] == counts["copied"] == items
    verified(project, items)


def test_mailboxes_of_a_csv_with_passwords(
    dovecot_pair: Pair, new_dovecot: Server, new_user: Accounts, tmp_path: Path, seed: int
) -> None:
    """Users and passwords of their own, other addresses on the target; nothing in the plan itself."""
    old, new = dovecot_pair.old, new_dovecot(Settings(password='o,"ther'))
    users = [(new_user(), new_user()) for _ in range(3)]
    rows = ["source,target,source_user,source_password,target_user,target_password"]
    for number, (source, target) in enumerate(users):
        load(*old.access(source), account(seed + number, 20, paths=()))
        rows.append(f'{source}-old,{target}-new,{source},{old.password},{target},"o,""ther"')
    listed = secret_file(tmp_path, "\n".join(rows))
    project = between(old, new, tmp_path, {"file": listed.name})
    for side in project.plan["endpoints"].values():
        del side["auth"]
    project.save()
    job(project, sum(len(messages) for source, _ in users for messages in whole(old, source).values()))
    for source, target in users:
        assert metadata(whole(new, target)) == metadata(whole(old, source))
    listed.write_text(rows[0] + "\n" + "".join(f"{s}-old,{t}-new,{s},,{t},\n" for s, t in users))
    assert project.run("sync").exit == 0  # the passwords are in the store now


def test_state_in_postgresql(
    dovecot_pair: Pair, postgres_url: str, new_user: Accounts, tmp_path: Path, seed: int, full: bool
) -> None:
    (old, new), users = dovecot_pair, [new_user(), new_user()]
    for number, user in enumerate(users):
        load(*old.access(user), {**account(seed + number, 500 if full else 50), "Ten": TEN})
    project = between(old, new, tmp_path, *users)
    project.state = postgres_url
    before = {user: whole(old, user) for user in users}
    job(project, sum(len(messages) for user in users for messages in before[user].values()))
    for user in users:
        assert metadata(whole(new, user)) == metadata(before[user])
    idle(project, new, users)
    assert not list(tmp_path.rglob("*.db"))


# --- another implementation ---------------------------------------------------------------------------------------


def kept_by_pymap(account: Account) -> dict[str, Counter[Any]]:
    """As `metadata`, with the instant for the date, because pymap tells every date in UTC, and without keywords."""
    form = "%d-%b-%Y %H:%M:%S %z"
    return {
        name: Counter(
            (each.sha256, each.flags & set(FLAGS), datetime.strptime(each.date, form).timestamp()) for each in messages
        )
        for name, messages in account.items()
    }


def test_pymap_as_target(dovecot_pair: Pair, new_pymap: Pymap, new_user: Accounts, tmp_path: Path, seed: int) -> None:
    old, user = dovecot_pair.old, new_user()
    new = new_pymap({user: "secret"})
    load(*old.access(user), {**account(seed, 60, kinds=tuple(PORTABLE_KINDS)), "Ten": TEN})
    project = between(old, new, tmp_path, user)
    before = whole(old, user)
    job(project, sum(map(len, before.values())))
    after = dump(new.host, new.port, user, "secret")
    assert contents(after) == contents(before)
    assert kept_by_pymap(after) == kept_by_pymap(before)
    assert project.run("sync").exit == 0
    assert dump(new.host, new.port, user, "secret") == after


def test_pymap_as_source(dovecot_pair: Pair, new_pymap: Pymap, new_user: Accounts, tmp_path: Path, seed: int) -> None:
    new, user = dovecot_pair.new, new_user()
    old = new_pymap({user: "secret"})
    load(old.host, old.port, user, "secret", {**account(seed, 60, kinds=tuple(PORTABLE_KINDS)), "Ten": TEN})
    project = between(old, new, tmp_path, user)
    before = dump(old.host, old.port, user, "secret")
    job(project, sum(map(len, before.values())))
    after = whole(new, user)
    assert contents(after) == contents(before)
    assert kept_by_pymap(after) == kept_by_pymap(before)
    idle(project, new, [user])
    assert dump(old.host, old.port, user, "secret") == before


@pytest.mark.full
def test_pymap_as_source_of_a_large_folder(
    dovecot_pair: Pair, new_pymap: Pymap, new_user: Accounts, tmp_path: Path
) -> None:
    """pymap takes the message numbers of a UID SEARCH for UIDs; above 5,000 messages the listing needs a search."""
    new, user = dovecot_pair.new, new_user()
    old = new_pymap({user: "secret"})
    with session(old.host, old.port, user, "secret") as client:
        append(client, "INBOX", [Draft(b"Subject: %d\r\n\r\nx\r\n" % number) for number in range(5_100)], multi=True)
    job(between(old, new, tmp_path, user), 5_100)
    assert contents(whole(new, user)) == contents(dump(old.host, old.port, user, "secret"))


def test_a_target_that_rewrites_is_found_out(
    dovecot_pair: Pair, new_pymap: Pymap, new_user: Accounts, tmp_path: Path
) -> None:
    """pymap drops the last byte of a message without an empty line: a copy that is not equal never counts as one."""
    old, user = dovecot_pair.old, new_user()
    new = new_pymap({user: "secret"})
    (cut,) = samples(1, 1, ["header-only"])
    load(*old.access(user), {"INBOX": [Draft(cut.raw), *TEN]})
    project = between(old, new, tmp_path, user)
    runs = [project.run("sync"), project.run("sync")]
    verdict = project.run("verify", "--full")
    held = dump(new.host, new.port, user, "secret")["INBOX"]
    assert verdict.exit == 3
    assert verdict.facts["verdict"] == "fail"
    assert sum(message.size == len(TEN[0].body) for message in held) == 10
    assert sum(message.size == len(cut.raw) - 1 for message in held) <= 1, [run.out for run in runs]


def test_nobody_is_needed_between_check_and_verify(
    dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, seed: int
) -> None:
    """People read text: the same job without --json asks nothing and says how it ended."""
    (old, new), user = dovecot_pair, new_user()
    load(*old.access(user), account(seed, 30, paths=()))
    project = between(old, new, tmp_path, user)
    answers = [project.run(*words, text=True) for words in (("check",), ("sync",), ("verify", "--full"), ("status",))]
    assert [(answer.exit, answer.err) for answer in answers] == [(0, "")] * 4
    with session(*new.access(user)) as client:
        count = client.select("INBOX", readonly=True)[1][0]
    assert isinstance(client, imaplib.IMAP4)
    assert count is not None
    assert f"{int(count)} copied" in answers[1].out
