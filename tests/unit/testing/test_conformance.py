"""The suite is worth passing: stores with the faults that real ones have do not pass it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path as FilePath

import pytest

from xdmigrate.contract import Intent, Receipt, Stored
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Changes, Endpoint, FlagChange, Folder, Head, Item, Kind, Login, Path, Role
from xdmigrate.testing.bodies import BytesBody
from xdmigrate.testing.conformance import ConnectorConformance, Profile
from xdmigrate.testing.conformance.kit import Kit
from xdmigrate.testing.memory import MemoryServer, Powers
from xdmigrate.testing.memory.plugin import MemoryConnector
from xdmigrate.testing.memory.server import server
from xdmigrate.testing.memory.target import MemoryTarget, MemoryWriter

NAMES = count(1)
Case = Callable[[ConnectorConformance, Kit], None]


def broken(session: type[MemoryTarget], powers: Powers | None = None) -> Profile:
    """A connector all of whose sessions are of this class, on an account of its own."""
    name = MemoryServer(f"broken-{next(NAMES)}", powers).name
    server(name).add_account("ann", "secret")

    class Broken(MemoryConnector):
        def target(self, endpoint: Endpoint, login: Login) -> MemoryTarget:
            return session(self._log_in(endpoint, login))

        source = target

    return Profile(Broken(), Endpoint("broken", "memory", {"server": name}), Login("ann", "ann", "secret"))


class MarksAsRead(MemoryTarget):
    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        for item in super().read(folder, refs):
            self.change_flags(folder, [FlagChange(item.head.ref, add=frozenset({"\\Seen"}))])
            yield item


class ExpungesAll(MemoryTarget):
    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        marked = [head.ref for head in self.heads(folder) if "\\Deleted" in head.flags]
        super().remove(folder, [*refs, *marked])


class SetsFlags(MemoryTarget):
    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        for head in list(self.heads(folder)):
            for change in changes:
                if change.ref == head.ref:
                    super().change_flags(folder, [replace(change, remove=head.flags - change.add)])


class ListsTheLast(MemoryTarget):
    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        everything = list(super().heads(folder))
        return iter([head for head in everything if head.ref >= floor] or everything[-1:])


class NewItemsOnly(MemoryTarget):
    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        told = super().changes(folder, cursor)
        return told if told.complete else replace(told, heads=(head for head in told.heads if not head.flags))


class ForgetsRemovals(MemoryTarget):
    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        return replace(super().changes(folder, cursor), vanished=())


class Splits(MemoryTarget):
    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        return super().create_folder(tuple(part for level in path for part in level.split("\\")), kind, role=role)


class Strips(MemoryTarget):
    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        return super().create_folder(tuple(level.strip() for level in path), kind, role=role)


class ForgetsFolders(MemoryTarget):
    def status(self, folder: Folder) -> Folder:
        try:
            return super().status(folder)
        except FolderUnusable:
            return folder


class _TwiceWriter(MemoryWriter):
    def flush(self) -> list[Receipt]:
        receipts = super().flush()
        return receipts + receipts[-1:]


class _ShiftedWriter(MemoryWriter):
    def flush(self) -> list[Receipt]:
        stored = [receipt for receipt in super().flush() if isinstance(receipt, Stored)]
        return [replace(one, ref=other.ref) for one, other in zip(stored, stored[1:] + stored[:1], strict=True)]


class _DedupingWriter(MemoryWriter):
    def __init__(self, target: MemoryTarget, folder: Folder, intent: Intent) -> None:
        super().__init__(target, folder, intent)
        self._known: set[bytes] = set()

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        data = item.body.spool().read()
        if data in self._known:
            self._ready.append(Stored(ticket, b"\0\0\0\1"))
            return
        self._known.add(data)
        super().put(ticket, replace(item, body=BytesBody(data)), over)


def writing(writer: type[MemoryWriter]) -> type[MemoryTarget]:
    class Writes(MemoryTarget):
        def batch(self) -> int:
            return 1000

        def writer(self, folder: Folder, intent: Intent) -> MemoryWriter:
            return writer(self, folder, intent)

    return Writes


SUITE = ConnectorConformance


@pytest.mark.parametrize(
    ("session", "case"),
    [
        (MarksAsRead, SUITE.test_reading_leaves_no_mark),
        (ExpungesAll, SUITE.test_only_what_is_named_is_removed),
        (SetsFlags, SUITE.test_flags_change_by_difference),
        (ListsTheLast, SUITE.test_nothing_is_listed_from_the_next_id_on),
        (NewItemsOnly, SUITE.test_every_change_is_seen),
        (NewItemsOnly, SUITE.test_a_change_during_the_listing_is_seen_the_next_time),
        (ForgetsRemovals, SUITE.test_every_change_is_seen),
        (Splits, lambda suite, kit: suite.test_folder_names_survive(kit, "quote and backslash")),
        (Strips, lambda suite, kit: suite.test_folder_names_survive(kit, "spaces at the ends")),
        (Strips, SUITE.test_names_that_differ_stay_apart),
        (writing(_TwiceWriter), SUITE.test_many_small_items),
        (writing(_ShiftedWriter), SUITE.test_ids_address_what_was_written),
        (writing(_DedupingWriter), SUITE.test_duplicates_stay_two),
    ],
)
def test_a_broken_store_does_not_pass(session: type[MemoryTarget], case: Case) -> None:
    good, bad = Kit(broken(MemoryTarget)), Kit(broken(session))
    case(SUITE(), good)
    with pytest.raises(AssertionError):
        case(SUITE(), bad)


def test_a_folder_that_is_gone_must_be_told() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        SUITE().test_a_folder_that_is_gone_is_unusable(Kit(broken(ForgetsFolders)))


@pytest.mark.parametrize("body", ["dot lines", "bare LF", "header only, no empty line", "no line end at the end"])
def test_undeclared_rewrites_do_not_pass(body: str) -> None:
    def tidied(data: bytes) -> bytes:
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        return b"\r\n".join([line.removeprefix(b".") for line in lines if line] + [b""])

    kit = Kit(broken(MemoryTarget, Powers(rewrite=tidied)))
    with pytest.raises(AssertionError):
        SUITE().test_every_byte_is_kept(kit, body)


def test_the_documented_test_file_passes(tmp_path: FilePath) -> None:
    page = (FilePath(__file__).parents[3] / "docs/writing-a-connector.md").read_text()
    (example,) = re.findall(r"^ +```python\n(.*?)^ +```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_example.py").write_text(textwrap.dedent(example))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)
