"""The memory connector's independent view: it looks at the account itself and shares no code with the sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from xdmigrate.contract import Inspected
from xdmigrate.errors import ConnectionLost
from xdmigrate.model import FINGERPRINT_BYTES, Folder, Head
from xdmigrate.testing.memory.server import Session


class MemoryAuditor:
    """An `Auditor` over an account of a memory server."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _bodies(self, folder: Folder) -> dict[bytes, bytes]:
        if not self._session.open:
            raise ConnectionLost("the session to the memory server has ended")
        with self._session.account.world.lock:
            return {ref: kept.data for ref, kept in self._session.account.box(folder.path, folder.kind).items.items()}

    def folders(self) -> list[Folder]:
        if not self._session.open:
            raise ConnectionLost("the session to the memory server has ended")
        account = self._session.account
        with account.world.lock:
            return [box.listed(account.world.powers) for box in account.boxes()]

    def heads(self, folder: Folder) -> Iterator[Head]:
        powers = self._session.account.world.powers
        for ref in sorted(self._bodies(folder)):
            kept = self._session.account.box(folder.path, folder.kind).items.get(ref)
            if kept is not None:
                yield kept.head(powers, folder.kind)

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        bodies = self._bodies(folder)
        for ref in refs:
            if ref in bodies:
                yield Inspected(ref, len(bodies[ref]), sha256(bodies[ref]).digest()[:FINGERPRINT_BYTES])

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        yield self._bodies(folder).get(ref, b"")

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        bodies = self._bodies(folder)
        return ((ref, bodies[ref]) for ref in refs if ref in bodies)

    def close(self) -> None:
        self._session.open = False
