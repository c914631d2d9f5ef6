"""A writer whose batches fail as they are told."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from xdmigrate.contract import Accepted, Intent, Receipt, Stored, Target
from xdmigrate.model import Folder, Head, Item, Kind
from xdmigrate.testing.bodies import BytesBody, whole
from xdmigrate.testing.faults.decide import Mode
from xdmigrate.testing.faults.wire import READING, WRITING, Wire

ABANDONED = frozenset({Mode.AFTER, Mode.HALF, Mode.LATE})
"""An abandoned batch was not sent (no fault), or it was and is stored wholly, by half or later."""

Held = tuple[int, Head, bytes, Kind, Head | None]


class FaultyWriter:
    """Gathers batches and sends each through a writer of the inner target, or does not."""

    def __init__(self, wire: Wire, inner: Target, folder: Folder, intent: Intent) -> None:
        self._wire = wire
        self._inner = inner
        self._folder = folder
        self._intent = intent
        self._held: list[Held] = []
        self._ready: list[Receipt] = []

    def put(self, ticket: int, item: Item, over: Head | None = None) -> None:
        fault = self._wire.next("put", READING, self._folder.path, 1)
        if fault is not None:
            raise self._wire.broken(fault)
        self._held.append((ticket, item.head, whole(item), item.kind, over))
        if len(self._held) >= self._wire.batch:
            self._send()

    def poll(self) -> list[Receipt]:
        ready, self._ready = self._ready, []
        return ready

    def flush(self) -> list[Receipt]:
        self._send()
        return self.poll()

    def _send(self) -> None:
        if not self._held:
            return
        held, self._held = self._held, []
        fault = self._wire.next("send", WRITING, self._folder.path, len(held))
        if fault is None:
            self._store(held, self._ready)
        elif fault.mode is Mode.LYING:
            self._ready += self._lie(held)
        else:
            self._wire.partly(fault, held, self._unheard)
            raise self._wire.broken(fault)

    def _store(self, held: Sequence[Held], receipts: list[Receipt]) -> None:
        with self._inner.writer(self._folder, self._intent) as writer:
            try:
                for ticket, head, data, kind, over in held:
                    writer.put(ticket, Item(head, BytesBody(data), kind), over)
                receipts += writer.flush()
            finally:
                receipts += writer.poll()

    def _unheard(self, held: Sequence[Held]) -> None:
        """Store without anybody hearing the answers."""
        self._store(held, [])

    def _lie(self, held: list[Held]) -> list[Receipt]:
        """Say yes to all and keep the first half. Where ids are told, those of the others were given and are gone.

        A copy that was to be replaced stays what it was.
        """
        half = len(held) // 2
        receipts: list[Receipt] = []
        if not self._inner.features.ids_returned:
            self._store(held[:half], receipts)
            return receipts + [Accepted(ticket) for ticket, *_ in held[half:]]
        left = [(ticket, over.ref) for ticket, _head, _data, _kind, over in held[half:] if over is not None]
        receipts += [Stored(ticket, ref) for ticket, ref in left]
        self._store([one for at, one in enumerate(held) if at < half or one[4] is None], receipts)
        lost = {ticket for ticket, *_ in held[half:]} - {ticket for ticket, _ref in left}
        self._inner.remove(self._folder, [r.ref for r in receipts if isinstance(r, Stored) and r.ticket in lost])
        return receipts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._send()
        elif self._held and not self._wire.dead:
            self._abandon()

    def _abandon(self) -> None:
        held, self._held = self._held, []
        fault = self._wire.next("abandon", ABANDONED, self._folder.path, len(held))
        if fault is not None:
            self._wire.partly(fault, held, self._unheard)
            self._wire.broken(fault)
