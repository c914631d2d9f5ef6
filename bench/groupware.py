"""Calendars and address books from one Radicale to another, by xdmigrate and by vdirsyncer."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Collection as Names
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import agenda
from bench.agenda import Collection
from bench.compare import Difference
from bench.measure import Row, measure
from tests.live.dav import radicale
from tests.live.dav.radicale import Radicale
from tests.live.project import PROGRAM, Project, secret_file

COLLECTIONS, ITEMS = 20, 250
"""Calendars, as many address books, and what each of them holds. Every PUT of a new item makes Radicale look at every
item of the collection, so that fewer and larger ones take hours with any tool."""

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"
"""Where the servers keep everything: Radicale waits for the disk several times for each item."""

SOURCE = "ann"
VDIRSYNCER = Path(sys.executable).with_name("vdirsyncer")


@dataclass(frozen=True, slots=True)
class Job:
    """What a tool is to do: the source's account into one that has nothing yet."""

    old: Radicale
    new: Radicale
    user: str  # on the target
    folder: Path


class Ours:
    """The real command line with a plan file."""

    name = "xdmigrate"
    missing = radicale.missing()

    def commands(self, job: Job) -> list[list[str]]:
        project = self._project(job)
        return [[str(PROGRAM), "--state", project.state, "--json", "sync", str(project.file)]]

    def environment(self, job: Job) -> Mapping[str, str]:
        return self._project(job).environment()

    def _project(self, job: Job) -> Project:
        password = f"file:{secret_file(job.folder, Radicale.password)}"
        old, new = ({"connector": "dav", "url": server.url, "auth": {"user": "{address}", "password": password}}
                    for server in (job.old, job.new))  # fmt: skip
        return Project(job.folder, old, new, [{"source": SOURCE, "target": job.user}])


class Vdirsyncer:
    """The usual tool for keeping two such accounts alike."""

    name = "vdirsyncer"
    missing = radicale.missing() or ("" if VDIRSYNCER.exists() else "vdirsyncer is not installed (Python package)")

    def commands(self, job: Job) -> list[list[str]]:
        config = job.folder / "config"
        pairs = "\n".join(_vdirsyncer_pair(job, kind) for kind in ("caldav", "carddav"))
        config.write_text(f'[general]\nstatus_path = "{job.folder}/status/"\n{pairs}')
        return [[str(VDIRSYNCER), "--config", str(config), word] for word in ("discover", "sync")]

    def environment(self, job: Job) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(job.folder)}


def _vdirsyncer_pair(job: Job, kind: str) -> str:
    sides = [(f"{kind}_old", job.old, SOURCE), (f"{kind}_new", job.new, job.user)]
    stores = [
        f'[storage {name}]\ntype = "{kind}"\nurl = "{server.url}"\nusername = "{user}"\npassword = "{server.password}"'
        for name, server, user in sides
    ]
    ends = f'a = "{kind}_old"\nb = "{kind}_new"\ncollections = ["from a"]\nimplicit = "create"'
    return "\n".join([f"[pair {kind}]\n{ends}", *stores])


TOOLS: Sequence[Ours | Vdirsyncer] = (Ours(), Vdirsyncer())


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of each tool."""

    what: str
    rows: list[Row] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of processor time that the target's server took for each

    def add(self, row: Row, seconds: float) -> None:
        """Another tool's run."""
        self.rows.append(row)
        self.seconds.append(seconds)

    @property
    def busy(self) -> str:
        """The share of the server, in words."""
        told = zip(self.rows, self.seconds, strict=True)
        return ", ".join(f"{seconds:.0f} of {row.tool}'s {row.seconds:.0f} s" for row, seconds in told)


def copies(scale: float, chosen: Names[str] | None) -> Measured:
    """`chosen`: the names of the tools, None for all. Those that are not installed are named and left out."""
    account = agenda.account(COLLECTIONS, max(5, round(ITEMS * scale)))
    named = [tool for tool in TOOLS if chosen is None or tool.name in chosen]
    for tool in named:
        if tool.missing:
            print(f"left out: {tool.missing}", file=sys.stderr)
    tools = [tool for tool in named if not tool.missing]
    count = sum(each.count for each in account)
    measured = Measured(f"{count // 2:,} events and {count // 2:,} contacts in {len(account)} collections")
    if not tools:
        return measured
    with Radicale("info", within=MEMORY) as old, Radicale("info", within=MEMORY) as new:
        octets = fill(old, account)
        for tool in tools:
            row = Row(tool.name, count, octets)
            with TemporaryDirectory(prefix="bench-") as folder:
                before = busy(new)
                _once(tool, Job(old, new, f"from-{tool.name}", Path(folder)), row)
                measured.add(row, busy(new) - before)
    return measured


def versions() -> str:
    """The server and the other tool, as far as they are installed."""
    named = {"radicale": "Radicale", "vdirsyncer": "vdirsyncer"}
    return ", ".join(f"{label} {metadata.version(name)}" for name, label in named.items() if find_spec(name))


def _once(tool: Ours | Vdirsyncer, job: Job, row: Row) -> None:
    job.new.add(job.user)
    before = requests(job.old) + requests(job.new)
    row.runs.append(measure(tool.commands(job), job.folder, env=tool.environment(job)))
    row.commands = requests(job.old) + requests(job.new) - before
    row.difference = difference(read(job.old.store / SOURCE), read(job.new.store / job.user))


# --- the servers ------------------------------------------------------------------------------------------------------


def fill(server: Radicale, account: Sequence[Collection]) -> int:
    """Lay the collections into its storage, and have it look at each. Returns the bytes of all items."""
    server.add(SOURCE)
    octets = 0
    for each in account:
        folder = server.store / SOURCE / each.name
        folder.mkdir(parents=True)
        tag, ending = ("VADDRESSBOOK", "vcf") if each.contacts else ("VCALENDAR", "ics")
        (folder / ".Radicale.props").write_text(json.dumps({"tag": tag, "D:displayname": each.name}))
        for number, data in enumerate(each.items()):
            octets += (folder / f"{number}.{ending}").write_bytes(data)
        _look_at(server, f"/{SOURCE}/{each.name}/")
    return octets


def _look_at(server: Radicale, path: str) -> None:
    """It reads an item anew when it is first asked for it, and remembers: no tool is to pay for that."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=600)
    login = base64.b64encode(f"{SOURCE}:{server.password}".encode()).decode()
    connection.request("PROPFIND", path, headers={"depth": "1", "authorization": f"Basic {login}"})
    answer = connection.getresponse()
    if answer.status != 207 or not answer.read():
        raise RuntimeError(f"PROPFIND {path}: {answer.status}")
    connection.close()


def busy(server: Radicale) -> float:
    """Seconds of processor time that it has taken so far (proc(5): utime and stime)."""
    told = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def requests(server: Radicale) -> int:
    """What its log has counted so far."""
    return len(re.findall(rb"\b[A-Z]+ request for ", server.log.read_bytes()))


# --- judging ----------------------------------------------------------------------------------------------------------


def read(home: Path) -> Counter[bytes]:
    """Every item in the storage of an account with the name of its collection, by a digest of its lines' contents."""
    return Counter(
        sha256(name.encode() + b"\0" + b"\n".join(lines(item.read_bytes()))).digest()
        for folder, name in _collections(home)
        for item in folder.iterdir()
        if not item.name.startswith(".")
    )


def _collections(home: Path) -> Iterator[tuple[Path, str]]:
    for properties in home.glob("*/.Radicale.props"):
        told = json.loads(properties.read_text())
        yield properties.parent, told.get("D:displayname", properties.parent.name)


def lines(item: bytes) -> list[bytes]:
    """Unfolded; Radicale sorts them and folds them its own way."""
    return sorted(filter(None, re.sub(rb"\r?\n[ \t]", b"", item).splitlines()))


def difference(source: Counter[bytes], target: Counter[bytes]) -> Difference:
    """An item that says something else counts as missing and as one too many."""
    return Difference((source - target).total(), 0, (target - source).total(), 0)
