"""What a memory server can do, chosen per server; from it follow the `Features` its sessions declare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdmigrate.contract import Features
from xdmigrate.model import Kind


def keeps_every_byte(data: bytes) -> bytes:
    """The rewrite of a server that rewrites nothing."""
    return data


def takes_everything(data: bytes) -> str:  # noqa: ARG001 -- has the signature of every refusal
    """The refusal of a server that refuses nothing."""
    return ""


def nameless(data: bytes) -> bytes:  # noqa: ARG001 -- has the signature of every name
    """The name of an item on a server that keeps any number of equal ones."""
    return b""


def never(value: object) -> bool:  # noqa: ARG001 -- has the signature of every rule
    """The rule that nothing falls under."""
    return False


@dataclass(frozen=True, slots=True)
class Powers:
    """The abilities and limits of one memory server; the default is a capable, roomy one.

    The first group stands in `Features` under the same names. `server.powers` may be replaced while sessions are
    open: a server that becomes full or read-only in the middle of a pass is one assignment.
    """

    change_test: bool = True
    deltas: bool = True
    ids_returned: bool = True
    ordered_ids: bool = True
    keywords: bool = True
    dates: bool = True
    subscriptions: bool = True
    rename: bool = True
    move: bool = True
    labels: bool = False
    grants: bool = True
    notes: bool = True
    updates: bool = False
    exact_sizes: bool = True
    idempotency: bool = False
    delimiter: str = "/"
    name_limit: int = 0
    size_limit: int | None = None

    rewrites: str = ""  # in words, what `rewrite` does
    rewrite: Callable[[bytes], bytes] = keeps_every_byte
    estimate: int = 0  # sizes are told in steps of so many bytes; 0: as they are, or roughly without `exact_sizes`
    versions: bool = False  # items of all kinds but mail have a version, another one whenever their bytes change
    name: Callable[[bytes], bytes] = nameless  # the UID in these bytes; a second item of that name is refused
    refuse: Callable[[bytes], str] = takes_everything  # a quarantine reason for these bytes; empty: take them
    names_vanished: bool = True  # False: deltas tell what is alive instead of what has vanished
    known_sizes: bool = True  # False: of items that a cursor has seen, listings of changes tell only id and flags
    unreadable: Callable[[bytes], bool] = never  # True: the body of such an item cannot be fetched
    forbidden: Callable[[str], bool] = never  # True: no folder level may be called so
    tells_names: bool = True  # False: that a name is forbidden is found out by creating the folder
    stranger: Callable[[str], bool] = never  # True: nobody of this name can be given rights
    case_sensitive: bool = True  # False: "Sent" and "sent" are one folder
    folder_ids: bool = True  # folders have a permanent id (RFC 8474)
    tells_size_limit: bool = True  # False: the limit is found out by refusals
    writable: bool = True
    quota: int | None = None  # octets an account may hold
    connections: int = 0  # sessions open at once; one more is turned away with Throttled; 0: no limit
    batch: int = 1  # a writer stores this many items at a time

    def versioned(self, kind: Kind) -> bool:
        """Whether items of this kind have versions."""
        return self.versions and kind is not Kind.MAIL

    def features(self) -> Features:
        """What sessions of this server declare."""
        return Features(
            change_test=self.change_test,
            deltas=self.deltas,
            ids_returned=self.ids_returned,
            ordered_ids=self.ordered_ids,
            keywords=self.keywords,
            dates=self.dates,
            subscriptions=self.subscriptions,
            rename=self.rename,
            move=self.move,
            identities=self.labels,
            labels=self.labels,
            grants=self.grants,
            notes=self.notes,
            updates=self.updates,
            exact_sizes=self.exact_sizes,
            idempotency=self.idempotency,
            size_limit=self.size_limit if self.tells_size_limit else None,
            rewrites=self.rewrites,
            delimiter=self.delimiter,
            name_limit=self.name_limit,
        )
