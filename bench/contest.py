"""Lets the tools do the same job in turn, so that a machine that gets slower slows all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench import limits
from bench.corpus import Corpus
from bench.measure import Row, Usage, measure
from bench.peers import Job, Tool
from bench.stage import Stage

FETCH = "limit: FETCH to nowhere"
APPEND = "limit: MULTIAPPEND from memory"


@dataclass(frozen=True, slots=True)
class Account:
    """Source users that a tool copies, with what they hold."""

    users: Sequence[str]
    messages: int
    octets: int

    @classmethod
    def of(cls, stage: Stage, *corpora: Corpus) -> Account:
        """These corpora, one user each."""
        users = [stage.source(corpus) for corpus in corpora]
        return cls(users, sum(map(stage.messages, users)), sum(sum(corpus.sizes()) for corpus in corpora))


@dataclass(frozen=True, slots=True)
class Contest:
    """Who takes part, how often, and how much each tool takes to start."""

    tools: Sequence[Tool]
    runs: int
    startups: dict[str, float]

    def row(self, tool: Tool, account: Account) -> Row:
        """An empty row for this tool."""
        return Row(tool.name, account.messages, account.octets)

    def once(self, stage: Stage, tool: Tool, job: Job, row: Row) -> Usage:
        """One measured run of a job, with everything that is told about it."""
        before = stage.commands(job)
        usage = measure(tool.commands(job), job.folder, env=tool.environment(job))
        row.runs.append(usage)
        row.commands = stage.commands(job) - before
        row.startups.append(tool.startup(usage, self.startups[tool.name]))
        row.difference = stage.difference(job)
        row.kept = tool.kept(job)
        return usage

    def copies(
        self,
        stage: Stage,
        account: Account,
        *,
        samples: dict[str, Account] | None = None,
        tls: bool = False,
        ports: tuple[int, int] | None = None,
    ) -> list[Row]:
        """Full copies. `samples` names the tools that are too slow for all of it, with what they copy instead."""
        chosen = {tool.name: (samples or {}).get(tool.name, account) for tool in self.tools}
        rows = {tool.name: self.row(tool, chosen[tool.name]) for tool in self.tools}
        for number in range(self.runs):
            for tool in turned(self.tools, number):
                with stage.job(chosen[tool.name].users, tls=tls, ports=ports) as job:
                    self.once(stage, tool, job, rows[tool.name])
        return list(rows.values())

    def updates(self, stage: Stage, account: Account, changes: Sequence[object]) -> list[Row]:
        """Copies of everything first, not measured; then after each change (a callable, or None) one measured run."""
        rows = {tool.name: self.row(tool, account) for tool in self.tools}
        with ExitStack() as jobs:
            held = {tool.name: jobs.enter_context(stage.job(account.users)) for tool in self.tools}
            for tool in self.tools:
                job = held[tool.name]
                measure(tool.commands(job), job.folder, env=tool.environment(job))
            for number, change in enumerate(changes):
                if callable(change):
                    change()
                for tool in turned(self.tools, number):
                    self.once(stage, tool, held[tool.name], rows[tool.name])
        return list(rows.values())


def bounds(stage: Stage, account: Account, corpus: Corpus, runs: int) -> list[Row]:
    """What the servers can do by themselves with one connection."""
    payload = limits.Payload(corpus)
    reading = Row(FETCH, account.messages, account.octets)
    writing = Row(APPEND, payload.messages, payload.octets)
    for _ in range(runs):
        reading.runs.append(limits.fetch(stage.old.access(account.users[0])))
        target = stage.target()
        writing.runs.append(limits.append(target, payload))
        stage.forget(target[2])
    return [reading, writing]


def turned(tools: Sequence[Tool], number: int) -> list[Tool]:
    """Another one begins each time."""
    first = number % len(tools)
    return [*tools[first:], *tools[:first]]
