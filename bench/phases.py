"""What is measured: one function a phase."""

from __future__ import annotations

import imaplib
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bench import corpus, groupware
from bench.contest import Account, Contest, bounds
from bench.corpus import Corpus
from bench.measure import Row, measure
from bench.peers import Tool
from bench.stage import Stage, Storage
from tests.live import reader

ROUND_TRIP = 20.0
"""Milliseconds."""

LARGE = 150_000_000

SLOW = 1_000
"""Messages for a tool that copies one at a time."""

SLOWER = 250
"""The same behind a round trip."""

CHANGES = {"new": 100, "flags": 200, "deleted": 50}
"""A delta in 100,000 messages."""


@dataclass(frozen=True, slots=True)
class Result:
    """A phase's table."""

    phase: str
    title: str
    rows: list[Row]
    update: bool = False  # times count without start-up
    mailboxes: int = 1
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a phase is given."""

    contest: Contest
    stages: Mapping[Storage, Stage]
    scale: float
    chosen: Collection[str] | None = None  # names of tools; None: all

    def scaled(self, chosen: Corpus) -> Corpus:
        """A corpus at the scale of this run."""
        return chosen.scaled(self.scale)

    def samples(self, stage: Stage, messages: int, *names: str) -> dict[str, Account]:
        """For slow tools, never more than everybody else copies."""
        few = Corpus("sample", min(messages, self.scaled(corpus.MID).messages))
        return dict.fromkeys(names, Account.of(stage, few)) if {t.name for t in self.contest.tools} & {*names} else {}


def full(setting: Setting, chosen: Corpus, storage: Storage) -> Result:
    stage, scaled = setting.stages[storage], setting.scaled(chosen)
    account = Account.of(stage, scaled)
    rows = setting.contest.copies(stage, account, samples=setting.samples(stage, SLOW, "naive"))
    rows += bounds(stage, account, scaled, setting.contest.runs)
    title = f"Full copy, {storage} with default fsync, {_what(account)}"
    return Result("tiny" if chosen is corpus.TINY else storage, title, rows)


def small(setting: Setting) -> Result:
    stage = setting.stages["maildir"]
    account = Account.of(stage, *corpus.SMALL)
    rows = setting.contest.copies(stage, account)
    return Result("small", f"{len(account.users)} small mailboxes, Maildir, {_what(account)}", rows)


def small_unchanged(setting: Setting) -> Result:
    stage = setting.stages["maildir"]
    account = Account.of(stage, *corpus.SMALL)
    rows = setting.contest.updates(stage, account, [None] * setting.contest.runs)
    count = len(account.users)
    each = [f"{row.tool} {1000 * row.working / count:.1f} ms" for row in rows]
    title, notes = f"Nothing changed in {count} small mailboxes, Maildir", [f"For each mailbox: {', '.join(each)}."]
    return Result("small-unchanged", title, rows, update=True, mailboxes=count, notes=notes)


def unchanged(setting: Setting) -> Result:
    stage, scaled = setting.stages["mdbox"], setting.scaled(corpus.HUGE)
    account = Account.of(stage, scaled)
    rows = _quick(setting).updates(stage, account, [None] * setting.contest.runs)
    return Result("unchanged", f"Nothing changed, mdbox, {_what(account)}", rows, update=True)


def delta(setting: Setting) -> Result:
    """The source changes, so it is an account of its own."""
    stage, scaled = setting.stages["mdbox"], setting.scaled(corpus.HUGE)
    user = stage.loaded(f"delta-{scaled.messages}", scaled.account())
    account = Account([user], scaled.messages, sum(scaled.sizes()))
    counts = {name: max(1, round(count * setting.scale)) for name, count in CHANGES.items()}
    changes = [partial(_change, stage, user, counts, number) for number in range(setting.contest.runs)]
    rows = _quick(setting).updates(stage, account, changes)
    title = f"Delta, mdbox: {', '.join(f'{n} {word}' for word, n in counts.items())} in {_what(account)}"
    gone = counts["deleted"] * setting.contest.runs
    return Result("delta", title, rows, update=True, notes=[
        f"Additive tools keep the {gone} messages that were deleted at the source: these are extra."])  # fmt: skip


def _quick(setting: Setting) -> Contest:
    """A loop that copies one at a time has no update, and imapsync needs minutes for one."""
    return replace(setting.contest, tools=[tool for tool in setting.contest.tools if tool.name != "naive"])


def _change(stage: Stage, user: str, counts: Mapping[str, int], number: int) -> None:
    chance = random.Random(number)
    with reader.session(*stage.old.access(user)) as client:
        names = sorted(folder.name for folder in reader.folders(client))
        for kind, count in counts.items():
            for name in chance.choices(names, k=min(5, count)):
                _change_folder(client, name, kind, max(1, count // min(5, count)), f"{number}/{name}", chance)
    stage.reread(user)


def _change_folder(client: imaplib.IMAP4, name: str, kind: str, count: int, seed: str, chance: random.Random) -> None:
    maker = corpus.Maker(f"delta/{seed}/{chance.random()}")
    if kind == "new":
        reader.append(client, name, [maker.draft(n, 900) for n in range(count)], multi=True)
        return
    total = int(client.select(reader.quoted(name))[1][0] or 0)
    chosen = ",".join(map(str, sorted(chance.sample(range(1, total + 1), min(count, total)))))
    client.store(chosen, "+FLAGS.SILENT", "(\\Deleted)" if kind == "deleted" else "(\\Flagged \\Answered)")
    if kind == "deleted":
        client.expunge()


def resume(setting: Setting) -> Result:
    """Killed in the middle, then run again: the second run's time, and what then stands on the target."""
    stage = setting.stages["maildir"]
    account = Account.of(stage, setting.scaled(corpus.MID))
    late: list[str] = []
    rows = [_resumed(setting.contest, stage, tool, account, late) for tool in _quick(setting).tools]
    notes = [f"Had ended before it could be killed: {', '.join(late)}."] if late else []
    return Result("resume", f"kill -9 in the middle, then again, Maildir, {_what(account)}", rows, notes=notes)


def _resumed(contest: Contest, stage: Stage, tool: Tool, account: Account, late: list[str]) -> Row:
    """`late` gets the name of a tool that was too quick."""
    whole = contest.row(tool, account)
    with stage.job(account.users) as job:
        contest.once(stage, tool, job, whole)
    row = contest.row(tool, account)
    for _ in range(contest.runs):
        with stage.job(account.users) as job:
            moment = whole.startups[0] + 0.5 * whole.working
            killed = measure(tool.commands(job), job.folder, env=tool.environment(job), kill_after=moment)
            late += [tool.name] if killed.ok else []
            contest.once(stage, tool, job, row)
    return row


def latency(setting: Setting) -> Result:
    stage = setting.stages["maildir"]
    account = Account.of(stage, setting.scaled(corpus.MID))
    samples = setting.samples(stage, SLOWER, "naive", "imapsync")
    with stage.far_away(ROUND_TRIP) as ports:
        rows = setting.contest.copies(stage, account, samples=samples, ports=ports)
    title = f"Round trip of {ROUND_TRIP:.0f} ms to both servers, Maildir, {_what(account)}"
    return Result("latency", title, rows, notes=["dsync writes the target's storage itself: one round trip is spared."])


def tls(setting: Setting) -> Result:
    stage = setting.stages["maildir"]
    account = Account.of(stage, setting.scaled(corpus.MID))
    rows = setting.contest.copies(stage, account, samples=setting.samples(stage, SLOW, "naive"), tls=True)
    return Result("tls", f"TLS to both servers, Maildir, {_what(account)}", rows)


def large(setting: Setting) -> Result:
    """Memory: whatever the scale, the message is as large as a message gets."""
    stage = setting.stages["maildir"]
    user = stage.loaded("large", [("INBOX", corpus.large(LARGE))])
    rows = setting.contest.copies(stage, Account([user], 1, LARGE))
    return Result("large", f"One message of {LARGE / 1e6:.0f} MB, Maildir", rows)


def calendars(setting: Setting) -> Result:
    """One run each: Radicale takes minutes for it, whoever asks."""
    found = groupware.copies(setting.scale, setting.chosen)
    notes = [
        f"Items instead of messages, HTTP requests instead of commands. Each tool ran once; {groupware.versions()}.",
        f"The target's server itself was busy for {found.busy}.",
    ]
    return Result("groupware", f"Calendars and contacts, Radicale to Radicale, {found.what}", found.rows, notes=notes)


PHASES: dict[str, Callable[[Setting], Result]] = {
    "maildir": partial(full, chosen=corpus.BIG, storage="maildir"),
    "mdbox": partial(full, chosen=corpus.BIG, storage="mdbox"),
    "tiny": partial(full, chosen=corpus.TINY, storage="maildir"),
    "small": small,
    "small-unchanged": small_unchanged,
    "unchanged": unchanged,
    "delta": delta,
    "resume": resume,
    "latency": latency,
    "tls": tls,
    "large": large,
    "groupware": calendars,
}


def _what(account: Account) -> str:
    return f"{account.messages:,} messages, {account.octets / 1e6:,.0f} MB"


def spread(rows: Sequence[Row]) -> float:
    """The largest distance of any run from its tool's median, as a share of the median."""
    return max((abs(run.seconds / row.seconds - 1) for row in rows for run in row.runs), default=0.0)
