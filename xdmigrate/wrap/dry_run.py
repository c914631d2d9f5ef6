"""A target that nothing reaches: what would be done is recorded, and later listings show it as done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from types import TracebackType
from typing import Self

from xdmigrate.contract import LARGEST_OBJECT, Accepted, Declined, Features, Intent, Receipt, Refused, Stored, Target
from xdmigrate.errors import FolderUnusable
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Changes, FlagChange, Folder, Head, Item, Kind, Path, Role, Sharing
from xdmigrate.wrap.forward import ForwardingSource
from xdmigrate.wrap.prediction import Overlay, Prediction, made_up, made_up_ref

TOO_BIG = "too-big"

Spot = tuple[Kind, Path]
"""Where a folder is: paths are unique only among those of one kind."""


def spot(folder: Folder) -> Spot:
    """Where the folder is."""
    return folder.kind, folder.path


class DryRunTarget(ForwardingSource):
    """A `Target` that reads from `inner` and writes nowhere.

    What it "wrote" is listed under made-up ids, but cannot be read back: bodies are neither taken nor kept.
    """

    inner: Target

    def __init__(self, inner: Target) -> None:
        super().__init__(inner)
        self.prediction = Prediction()
        self._overlays: dict[Spot, Overlay] = {}
        self._real: dict[Spot, Folder] = {}

    # --- reading ---------------------------------------------------------------------------------------------------

    def folders(self) -> list[Folder]:
        self._real = {spot(folder): folder for folder in self.inner.folders()}
        covered = self._covered() | self._overlays.keys()
        plain = [folder for where, folder in self._real.items() if where not in covered]
        return plain + [self._listed(overlay) for overlay in self._overlays.values()]

    def _covered(self) -> set[Spot]:
        """Where the target has folders that are shown by an overlay, perhaps elsewhere."""
        return {spot(overlay.real) for overlay in self._overlays.values() if overlay.real}

    def _find(self, folder: Folder) -> Overlay | None:
        """The folder's overlay; None when the run would not touch it. Raises FolderUnusable when it would be gone."""
        found = self._overlays.get(spot(folder))
        if found is None and spot(folder) in self._covered():
            raise FolderUnusable(f"folder {'/'.join(folder.path)!r} would have been renamed")
        return found

    def _listed(self, overlay: Overlay) -> Folder:
        now = self._real.get(spot(overlay.real), overlay.real) if overlay.real else None
        return overlay.listed(now, ordered=self.features.ordered_ids)

    def status(self, folder: Folder) -> Folder:
        overlay = self._find(folder)
        if overlay is None:
            return self.inner.status(folder)
        now = self.inner.status(overlay.real) if overlay.real else None
        return overlay.listed(now, ordered=self.features.ordered_ids)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        overlay = self._find(folder)
        if overlay is None:
            return self.inner.heads(folder, floor)
        floor = floor if self.features.ordered_ids else b""
        real = self.inner.heads(overlay.real, floor) if overlay.real and not made_up(floor) else iter(())
        return chain(overlay.patched(real), overlay.added(floor))

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        overlay = self._find(folder)
        if overlay is None:
            return self.inner.changes(folder, cursor)
        if overlay.real is None:
            return Changes(b"", complete=True, heads=overlay.added())
        told = self.inner.changes(overlay.real, cursor)
        heads = chain(overlay.patched(told.heads), overlay.added())
        alive = None if told.alive is None else overlay.alive(told.alive)
        vanished = told.vanished if told.complete or alive is not None else (*told.vanished, *overlay.removed())
        count = None if told.count is None else overlay.count(told.count)
        return replace(told, heads=heads, vanished=vanished, alive=alive, count=count)

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        overlay = self._find(folder)
        if overlay is None:
            return self.inner.read(folder, refs)
        there = [ref for ref in refs if not made_up(ref) and not overlay.removes(ref)]
        items = self.inner.read(overlay.real, there) if overlay.real and there else iter(())
        return (replace(item, head=overlay.patch(item.head)) for item in items)

    # --- what would be written -------------------------------------------------------------------------------------

    def overlay(self, folder: Folder) -> Overlay:
        """The folder's overlay, to be written to."""
        return self._find(folder) or self._overlays.setdefault(spot(folder), Overlay(folder, folder))

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        return self.inner.refuses(paths)

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        there = {each.path: each for each in self.folders() if each.selectable and each.kind is kind}
        if path in there:
            return there[path]
        refuse_name(path, self.features)
        for depth in range(1, len(path) + 1):
            if path[:depth] not in there:
                self._create_one(path[:depth], kind, role if depth == len(path) else None)
        return self._listed(self._overlays[kind, path])

    def _create_one(self, path: Path, kind: Kind, role: Role | None) -> None:
        first = made_up_ref(0) if self.features.ordered_ids else b""
        shown = Folder(path, kind, native=self._native(path), validity=1, next_id=first, role=role)
        self._overlays[kind, path] = Overlay(shown, None)
        self.prediction.created.append(path)

    def _native(self, path: Path) -> str:
        return (self.features.delimiter or "/").join(path)

    def subscribe(self, folder: Folder) -> None:
        if self.features.subscriptions and not self.status(folder).subscribed:
            overlay = self.overlay(folder)
            overlay.shown = replace(overlay.shown, subscribed=True)
            self.prediction.subscribed.append(folder.path)

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        there = [other for other in self.folders() if other.kind is folder.kind]
        if path in {other.path for other in there}:
            raise FolderUnusable(f"folder {'/'.join(path)!r} exists already")
        refuse_name(path, self.features)
        taken = {other.path for other in there}
        for depth in range(1, len(path)):
            if path[:depth] not in taken:
                self._create_one(path[:depth], folder.kind, None)
        for old in [other for other in there if other.path[: len(folder.path)] == folder.path]:
            overlay = self.overlay(old)
            new = path + old.path[len(folder.path) :]
            overlay.shown = replace(overlay.shown, path=new, native=self._native(new))
            self._overlays[folder.kind, new] = self._overlays.pop(spot(old))
        self.prediction.renamed.append((folder.path, path))
        return self._listed(self._overlays[folder.kind, path])

    def writer(self, folder: Folder, intent: Intent) -> DryRunWriter:  # noqa: ARG002 -- nothing is written to intend
        return DryRunWriter(self, folder)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        overlay = self.overlay(folder)
        for change in changes:
            overlay.change(change)
        self.prediction.folder(folder.path).flags += len(changes)

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        overlay = self._find(folder)
        if overlay is None:
            return self.inner.look_up(folder, refs)
        there = [ref for ref in refs if not made_up(ref)]
        real = self.inner.look_up(overlay.real, there) if overlay.real and there else iter(())
        wanted = {ref for ref in refs if made_up(ref)}
        return chain(overlay.patched(real), (head for head in overlay.added() if head.ref in wanted))

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        """Shown in `to` as it stands in `folder`; what is not there any more would not be moved."""
        left, came = self.overlay(folder), self.overlay(to)
        moved = list(self.look_up(folder, refs))
        for head in moved:
            left.remove(head.ref)
        self.prediction.folder(to.path).moved += len(moved)
        return {head.ref: came.add(head.size, head.flags, head.date) for head in moved}

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        overlay = self.overlay(folder)
        for ref in refs:
            overlay.remove(ref)
        self.prediction.folder(folder.path).removed += len(refs)

    # --- what it carries beside its items ---------------------------------------------------------------------------

    def sharing(self, folder: Folder) -> Sharing:
        overlay = self._find(folder)
        if overlay is None:
            return self.inner.sharing(folder)
        return self.inner.sharing(overlay.real) if overlay.real else Sharing()

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        self.prediction.shared.append((folder.path, more))
        return []


class DryRunWriter:
    """A `Writer` that looks at what it is given and leaves bodies untouched."""

    def __init__(self, target: DryRunTarget, folder: Folder) -> None:
        self._features = target.features
        self._overlay = target.overlay(folder)
        self._count = target.prediction.folder(folder.path)
        self._ready: list[Receipt] = []

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        reason, words = self._too_big(item) or self._unfit(item)
        if reason:
            self._count.too_big += reason == TOO_BIG
            self._ready.append(Refused(ticket, reason, words))
            return
        if over is not None:
            self._overlay.replaced(over.ref)
            self._count.updated += 1
            self._count.octets += item.body.size
            self._ready.append(Stored(ticket, over.ref) if self._features.ids_returned else Accepted(ticket))
            return
        flags = kept_flags(item.head.flags, self._features)
        ref = self._overlay.add(item.body.size, flags, item.head.date if self._features.dates else None)
        self._count.items += 1
        self._count.octets += item.body.size
        self._ready.append(Stored(ticket, ref) if self._features.ids_returned else Accepted(ticket))

    def _too_big(self, item: Item) -> tuple[str, str] | None:
        """Told before anything is read, so that no more than that is ever held."""
        bounds = (self._features.size_limit, LARGEST_OBJECT if item.kind is not Kind.MAIL else None)
        limit = min((bound for bound in bounds if bound is not None), default=None)
        if limit is None or item.body.size <= limit:
            return None
        return TOO_BIG, f"larger than {limit} bytes"

    def _unfit(self, item: Item) -> tuple[str, str]:
        """Why the target would not take it, as far as the item itself tells; servers may refuse more than that."""
        if not self._features.strict or item.kind is Kind.MAIL:
            return "", ""
        return semantics(item.kind).unfit(b"".join(bytes(chunk) for chunk in item.body.chunks()))

    def poll(self) -> list[Receipt]:
        ready, self._ready = self._ready, []
        return ready

    def flush(self) -> list[Receipt]:
        return self.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is under way."""


def refuse_name(path: Path, features: Features) -> None:
    """Raise FolderUnusable for a name that the target's features rule out."""
    for level in path:
        if features.delimiter and features.delimiter in level:
            raise FolderUnusable(f"folder name {level!r} holds the target's separator {features.delimiter!r}")
        if features.name_limit and len(level.encode()) > features.name_limit:
            raise FolderUnusable(f"folder name {level!r} is longer than the target's {features.name_limit} bytes")


def kept_flags(flags: frozenset[str], features: Features) -> frozenset[str]:
    """The flags that a target with these features keeps."""
    return flags if features.keywords else frozenset(flag for flag in flags if flag.startswith("\\"))
