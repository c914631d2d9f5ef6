"""Verifies the mailboxes of a plan, a few at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from xdmigrate.engine.verification.audit import Depth
from xdmigrate.engine.verification.verify import verify
from xdmigrate.errors import EndpointError, LoginRejected, Stopped, XdmigrateError
from xdmigrate.jobs.secrets import Secrets
from xdmigrate.report.verdicts import MailboxVerdict, Verdict, combined
from xdmigrate.wrap.forward import ForwardingAuditor
from xdmigrate_state import alterations

if TYPE_CHECKING:
    from xdmigrate.cli.compose import Route, System, Systems
    from xdmigrate.contract import Auditor, Inspected
    from xdmigrate.engine.scope import Scope
    from xdmigrate.model import Folder, Head
    from xdmigrate_state.database import Database
    from xdmigrate_state.rows import Altered, MailboxRow

T = TypeVar("T")


class StoppableAuditor(ForwardingAuditor):
    """Ends at the next item when the run is asked to stop."""

    def __init__(self, inner: Auditor, stop: threading.Event) -> None:
        super().__init__(inner)
        self._stop = stop

    def heads(self, folder: Folder) -> Iterator[Head]:
        return self._until_stop(super().heads(folder))

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        return self._until_stop(super().inspect(folder, refs))

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        return self._until_stop(super().chunks(folder, ref))

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        return self._until_stop(super().whole(folder, refs))

    def _until_stop(self, values: Iterator[T]) -> Iterator[T]:
        for value in values:
            if self._stop.is_set():
                raise Stopped("stopped on request", remedy="run verify again; it begins anew")
            yield value


@dataclass(slots=True)
class Verification:
    """One run of verify. `tell` hears errors and `told` verdicts as they come, from several threads."""

    db: Database
    systems: Systems
    scope: Scope
    depth: Depth
    stop: threading.Event
    tell: Callable[[XdmigrateError], None]
    told: Callable[[MailboxVerdict], None]
    _out_of_reach: set[str] = field(default_factory=set)

    def run(self, mailboxes: Sequence[MailboxRow]) -> list[MailboxVerdict]:
        """A verdict for each mailbox: one that could not be compared has failed."""
        with ThreadPoolExecutor(self.systems.workers(), thread_name_prefix="verify") as pool:
            return list(pool.map(self._one, mailboxes))

    def _one(self, mailbox: MailboxRow) -> MailboxVerdict:
        verdict = MailboxVerdict(mailbox.id, mailbox.source, mailbox.target, Verdict.FAIL, {})
        if self.stop.is_set() or self._out_of_reach:
            return verdict
        try:
            verdict = self._compare(mailbox)
        except XdmigrateError as error:
            error.mailbox = error.mailbox or mailbox.source
            if isinstance(error, EndpointError):
                self._out_of_reach.add(error.endpoint)
            if not (self.stop.is_set() and isinstance(error, Stopped)):  # that is told once, for the whole run
                self.tell(error)
        self.told(verdict)
        return verdict

    def _compare(self, mailbox: MailboxRow) -> MailboxVerdict:
        systems = self.systems
        if mailbox.attention_code == LoginRejected.code and not Secrets(systems.mark).changed([mailbox]):
            raise LoginRejected(mailbox.attention_text, remedy=mailbox.attention_remedy, mailbox=mailbox.source)
        return combined([self._compare_route(mailbox, route) for route in systems.routes])

    def _compare_route(self, mailbox: MailboxRow, route: Route) -> MailboxVerdict:
        session = self.systems.target(route.target, mailbox)
        features = session.features
        session.close()  # before the auditors open: a mailbox has one place at each gate
        with ExitStack() as held:
            source = self._auditor(route.source, mailbox)
            held.callback(source.close)
            target = self._auditor(route.target, mailbox)
            held.callback(target.close)
            compared = partial(
                verify,
                self.db,
                mailbox,
                self.scope,
                source=source,
                target=target,
                features=features,
                depth=self.depth,
                altered=self._record,
            )
            return combined([compared(kinds=frozenset((kind,))) for kind in route.kinds])

    def _record(self, folder_id: int, found: Sequence[Altered]) -> None:
        """So that a person can accept exactly these copies; only the state changes."""
        self.db.write(lambda c: alterations.record(c, folder_id, found, time.time()))

    def _auditor(self, system: System, mailbox: MailboxRow) -> Auditor:
        return StoppableAuditor(self.systems.auditor(system, mailbox), self.stop)
