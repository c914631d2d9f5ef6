"""A plan that has been read and found right: what the rest of the program works with. Immutable."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xdmigrate.model import Kind

if TYPE_CHECKING:
    from xdmigrate_plans.content import Content, Customer, Failures, Scope, Systems
    from xdmigrate_plans.endpoints import Endpoint

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")

Snapshot = dict[str, Any]
"""A plan as plain JSON values: what an edit is compared with. Holds references to secrets, never a secret."""


@dataclass(frozen=True, slots=True)
class PlannedMailbox:
    """One mailbox of a plan, every default filled in. `file` and `line` are where it is written."""

    source: str
    target: str
    into: str | None = None
    wave: str | None = None
    name: str | None = None
    source_user: str | None = None
    target_user: str | None = None
    line: int = 0
    file: str = ""
    merge: str | None = None

    def address(self, side: Side) -> str:
        """The mailbox's address on one side."""
        return self.source if side == "source" else self.target

    def user(self, side: Side) -> str | None:
        """The login name of its own that it has on one side, if any."""
        return self.source_user if side == "source" else self.target_user


@dataclass(frozen=True, slots=True)
class Way:
    """A pair of endpoints by their names, and the kinds of data that go from one to the other."""

    source: str
    target: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Plan:
    """A plan file with everything it refers to, except secrets."""

    path: Path
    content: Content
    mailboxes: tuple[PlannedMailbox, ...]
    csv_files: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """Names the plan's state."""
        return self.content.name

    @property
    def directory(self) -> Path:
        """Relative paths of the plan start here."""
        return self.path.parent

    @property
    def customer(self) -> Customer:
        """Whose mailboxes move."""
        return self.content.customer

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """The systems by name."""
        return dict(self.content.endpoints)

    @property
    def scope(self) -> Scope:
        """What of a mailbox is wanted."""
        return self.content.scope

    @property
    def failures(self) -> Failures:
        """How much may fail before somebody has to look."""
        return self.content.failures

    @property
    def deletions(self) -> Literal["additive", "mirror"]:
        """What a deletion at the source does."""
        return self.content.deletions

    @property
    def addresses(self) -> dict[str, str]:
        """Domains and addresses renamed."""
        return dict(self.content.addresses)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is moved; mail, where it is, comes first."""
        return tuple(self.content.source.by_kind)

    @property
    def ways(self) -> list[Way]:
        """From which endpoint to which, and what: a pass over a mailbox goes each way, in this order."""
        kinds: dict[tuple[str, str], list[Kind]] = {}
        for kind in self.kinds:
            pair = self.endpoint_name("source", kind), self.endpoint_name("target", kind)
            kinds.setdefault(pair, []).append(kind)
        return [Way(*pair, tuple(moved)) for pair, moved in kinds.items()]

    def endpoint_name(self, side: Side, kind: str = "") -> str:
        """Which endpoint serves a kind of data on one side; without a kind, the one that serves the first."""
        systems: Systems = getattr(self.content, side)
        return systems.by_kind[Kind(kind) if kind else self.kinds[0]]

    def endpoint_names(self, side: Side) -> list[str]:
        """All endpoints of one side, without those that only stand in the plan."""
        return list(dict.fromkeys(self.endpoint_name(side, kind) for kind in self.kinds))

    def connections(self, endpoint: str) -> int:
        """How many connections to the endpoint may be open at once."""
        from xdmigrate_plans.content import Limit

        return self.content.limits.get(endpoint, Limit()).connections

    @cached_property
    def checksum(self) -> str:
        """12 hexadecimal digits that change with the plan's meaning, not with its layout or comments."""
        return checksum(self.snapshot())

    def snapshot(self) -> Snapshot:
        """The plan as plain JSON values."""
        told: Snapshot = self.content.model_dump(mode="json", exclude={"extends", "endpoints", "mailboxes", *SIDES})
        told |= {side: {kind.value: self.endpoint_name(side, kind) for kind in self.kinds} for side in SIDES}
        told["endpoints"] = {name: endpoint.described() for name, endpoint in self.content.endpoints.items()}
        told["mailboxes"] = [_told(mailbox) for mailbox in self.mailboxes]
        return told


def _told(mailbox: PlannedMailbox) -> dict[str, str | None]:
    return {key: value for key, value in asdict(mailbox).items() if key not in ("file", "line")}


def checksum(value: Any) -> str:
    """12 hexadecimal digits of SHA-256 over plain JSON values, whatever the order of their keys."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12]
