"""The tools: how each is told to bring the same mailboxes from one server to the other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Usage
from tests.live.dovecot import Dovecot
from tests.live.process import program
from tests.live.project import PROGRAM, Project, secret_file


@dataclass(frozen=True, slots=True)
class Side:
    """One server as a tool reaches it."""

    server: Dovecot
    port: int
    tls: bool

    @property
    def host(self) -> str:
        return self.server.host


@dataclass(frozen=True, slots=True)
class Job:
    """Mailboxes to be moved, and a folder of its own for what the tool keeps. The same job run again is an update."""

    old: Side
    new: Side
    users: Sequence[tuple[str, str]]  # source and target
    folder: Path


class Tool(ABC):
    """One program under test."""

    name: str
    start: Sequence[str]
    """A command that only starts."""

    @property
    def missing(self) -> str:
        """What has to be installed, or nothing."""
        return "" if program(self.start[0]) else f"{self.start[0]} is not installed"

    @abstractmethod
    def commands(self, job: Job) -> list[list[str]]:
        """Write what has to be written, and return what is to be run, one after the other."""

    def environment(self, job: Job) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(job.folder)}

    def startup(self, usage: Usage, bare: float) -> float:
        """Seconds of a run in which it only started; `bare` is what `start` takes."""
        return bare * len(usage.exits)

    def kept(self, job: Job) -> int:
        """Bytes of what it keeps for the next run."""
        return sum(path.stat().st_size for path in (job.folder / "state").rglob("*") if path.is_file())


class Xdmigrate(Tool):
    """The real command line with a plan file."""

    name = "xdmigrate"
    start = (str(PROGRAM), "--help")

    def commands(self, job: Job) -> list[list[str]]:
        project = self._project(job)
        return [[str(PROGRAM), "--state", project.state, "--json", "sync", str(project.file)]]

    def environment(self, job: Job) -> Mapping[str, str]:
        return self._project(job).environment()

    def startup(self, usage: Usage, bare: float) -> float:
        """By its own account of how long the pass took."""
        found = [json.loads(output)["seconds"] for output in usage.outputs if output.startswith("{")]
        return usage.seconds - sum(found) if found else bare

    def kept(self, job: Job) -> int:
        return sum(path.stat().st_size for path in (job.folder / "state").glob("*.db*"))

    def _project(self, job: Job) -> Project:
        users = [{"source": source, "target": target} for source, target in job.users]
        return Project(job.folder, _endpoint(job.old, job.folder), _endpoint(job.new, job.folder), users)


def _endpoint(side: Side, folder: Path) -> dict[str, object]:
    secret = next(folder.glob("*.pw"), None) or secret_file(folder, side.server.password)
    tls = {"tls": "implicit", "ca": str(side.server.ca)} if side.tls else {"tls": "none"}
    address = {"connector": "imap", "host": side.host, "port": side.port}
    return {**address, **tls, "auth": {"user": "{address}", "password": f"file:{secret}"}}


class Mbsync(Tool):
    """Debian's isync, one channel a mailbox."""

    name = "mbsync"
    start = ("mbsync", "--version")

    def commands(self, job: Job) -> list[list[str]]:
        (job.folder / "state").mkdir(exist_ok=True)
        config = job.folder / "mbsyncrc"
        config.write_text("\n".join(self._channel(job, source, target) for source, target in job.users))
        return [["mbsync", "--quiet", "--config", str(config), "--all"]]

    def _channel(self, job: Job, source: str, target: str) -> str:
        return f"""\
{_store(job.old, source, "far")}
{_store(job.new, target, "near")}
Channel {target}
Far :{source}-far:
Near :{target}-near:
Patterns *
Create Near
Sync Pull
CopyArrivalDate yes
SyncState {job.folder}/state/{target}-
"""


def _store(side: Side, user: str, role: str) -> str:
    tls = f"SSLType IMAPS\nSystemCertificates no\nCertificateFile {side.server.ca}" if side.tls else "SSLType None"
    host = "localhost" if side.tls else side.host  # it knows only names in certificates, not addresses
    return f"""\
IMAPAccount {user}-{role}
Host {host}
Port {side.port}
User {user}
Pass {side.server.password}
AuthMechs LOGIN
{tls}

IMAPStore {user}-{role}
Account {user}-{role}
UseNamespace no
PathDelimiter /
"""


class Dsync(Tool):
    """Dovecot's own: reads by IMAP and writes the target's storage directly, without its IMAP server."""

    name = "dsync"
    start = ("doveadm", "help")

    def commands(self, job: Job) -> list[list[str]]:
        doveadm = program("doveadm") or "doveadm"
        config = job.new.server.home("x").parent.parent / "dovecot.conf"
        return [[doveadm, "-c", str(config), *_imapc(job.old, source), "backup", "-R", "-u", target, "imapc:"]
                for source, target in job.users]  # fmt: skip


def _imapc(side: Side, user: str) -> list[str]:
    settings = {
        "imapc_host": side.host,
        "imapc_port": str(side.port),
        "imapc_user": user,
        "imapc_password": side.server.password,
        "imapc_features": "rfc822.size fetch-headers",
        "mail_prefetch_count": "20",
    }
    if side.tls:
        settings |= {"imapc_ssl": "imaps", "ssl_client_ca_file": str(side.server.ca)}
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


class Imapsync(Tool):
    """The usual tool of migration technicians, where it is installed."""

    name = "imapsync"
    start = ("imapsync", "--version")

    def commands(self, job: Job) -> list[list[str]]:
        return [
            ["imapsync", "--nolog", "--noreleasecheck", "--tmpdir", str(job.folder),
             *_imapsync(job.old, source, 1), *_imapsync(job.new, target, 2)]
            for source, target in job.users
        ]  # fmt: skip


def _imapsync(side: Side, user: str, number: int) -> list[str]:
    tls = [f"--ssl{number}"] if side.tls else [f"--nossl{number}", f"--notls{number}"]
    named = {"host": side.host, "port": str(side.port), "user": user, "password": side.server.password}
    return [*tls, *(word for name, value in named.items() for word in (f"--{name}{number}", value))]


class Naive(Tool):
    """What one writes first: a loop with IMAPClient that fetches and appends one message at a time."""

    name = "naive"
    start = (sys.executable, "-c", "import imapclient")

    def commands(self, job: Job) -> list[list[str]]:
        script = str(Path(__file__).with_name("naive.py"))
        return [
            [sys.executable, script, *_naive(job.old, source), *_naive(job.new, target)] for source, target in job.users
        ]


def _naive(side: Side, user: str) -> list[str]:
    return [side.host, str(side.port), user, side.server.password, str(side.server.ca) if side.tls else ""]


TOOLS: Sequence[Tool] = (Xdmigrate(), Mbsync(), Dsync(), Imapsync(), Naive())


def version(tool: Tool) -> str:
    """Its name with its version, where it tells one."""
    asked = {"xdmigrate": str(PROGRAM), "mbsync": "mbsync", "dsync": "dovecot", "imapsync": "imapsync"}
    if tool.name not in asked:
        return tool.name
    words = [program(asked[tool.name]) or asked[tool.name], "--version"]
    told = subprocess.run(words, check=False, capture_output=True, text=True).stdout
    found = re.search(r"\d+(\.\d+)+", told)
    return f"{tool.name} {found[0]}" if found else tool.name
