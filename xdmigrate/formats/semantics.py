"""What an item of any kind says, as a digest: equal digests mean the same event, task or contact, whoever wrote it.

Mail is its bytes; what a message says beyond them is in `meaning`. The formats of the other kinds need libraries that
mail does not, so they are imported when the first such item is met.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from xdmigrate.formats.refusal import Unreadable, Unstorable

DIGEST_BYTES = 16

MAIL, CONTACTS = "mail", "contacts"
"""Kinds as `xdmigrate.model` names them; the others are calendars."""

Rename = Callable[[str], str]
"""What an address is called on the target; the same one where it does not change."""

UNREADABLE = ["the bytes differ, and not both sides can be read"]


class Semantics(Protocol):
    """One kind's view of an item's bytes. Nothing raises: what cannot be read is its bytes and nothing else."""

    def digest(self, data: bytes) -> bytes:
        """16 bytes, equal for items that say the same."""

    def digested(self, data: bytes) -> tuple[bytes, bool]:
        """The same, and whether the item holds what cannot be interpreted: equal ones say the same line by line."""

    def differences(self, mine: bytes, theirs: bytes) -> list[str]:
        """What differs, in words without any content; empty when both say the same."""

    def readdressed(self, data: bytes, rename: Rename) -> bytes:
        """The item with its people's addresses renamed; every other byte stays."""

    def name(self, data: bytes) -> str:
        """The item's UID, by which a store holds one of it; empty where it has none."""

    def unfit(self, data: bytes) -> tuple[str, str]:
        """Why no store that keeps to the standards takes it: a quarantine code, and words; empty where one does.

        Also for what is offered as it is: whether a store keeps that is known when it was tried.
        """


def semantics(kind: str) -> Semantics:
    """The view of this kind's items. Raises ImportError where the extra that reads them is not installed."""
    if kind == MAIL:
        return _Octets()
    if kind == CONTACTS:
        from xdmigrate.formats import vcard

        return _Objects(vcard)
    from xdmigrate.formats import ical

    return _Objects(ical, ical.digested)


class _Octets:
    """Mail: nothing but its bytes counts."""

    def digest(self, data: bytes) -> bytes:
        return sha256(data).digest()[:DIGEST_BYTES]

    def digested(self, data: bytes) -> tuple[bytes, bool]:
        return self.digest(data), False

    def differences(self, mine: bytes, theirs: bytes) -> list[str]:
        return [] if mine == theirs else ["the bytes differ"]

    def readdressed(self, data: bytes, rename: Rename) -> bytes:  # noqa: ARG002 -- addresses in mail are history
        return data

    def name(self, data: bytes) -> str:  # noqa: ARG002 -- any number of equal messages may be kept
        return ""

    def unfit(self, data: bytes) -> tuple[str, str]:  # noqa: ARG002 -- mail is sent as it is
        return "", ""


class _Named(Protocol):
    @property
    def uid(self) -> str: ...


class _Format(Protocol):
    """What the package of a format gives; everything raises Unreadable."""

    def digest(self, data: bytes) -> bytes: ...

    def differences(self, mine: bytes, theirs: bytes) -> list[str]: ...

    def readdressed(self, data: bytes, rename: Rename) -> bytes: ...

    def outline(self, data: bytes) -> _Named: ...

    def storable(self, data: bytes, seed: bytes) -> bytes: ...


class _Objects:
    """Events, tasks and contacts, as their format's package reads them."""

    def __init__(self, said: _Format, digested: Callable[[bytes], tuple[bytes, bool]] | None = None) -> None:
        self._format = said
        self._digested = digested or (lambda data: (said.digest(data), False))

    def digest(self, data: bytes) -> bytes:
        return self.digested(data)[0]

    def digested(self, data: bytes) -> tuple[bytes, bool]:
        try:
            return self._digested(data)
        except Unreadable:
            return sha256(data).digest()[:DIGEST_BYTES], False

    def differences(self, mine: bytes, theirs: bytes) -> list[str]:
        try:
            return self._format.differences(mine, theirs)
        except Unreadable:
            return UNREADABLE if mine != theirs else []

    def readdressed(self, data: bytes, rename: Rename) -> bytes:
        try:
            return self._format.readdressed(data, rename)
        except Unreadable:
            return data

    def name(self, data: bytes) -> str:
        try:
            return self._format.outline(data).uid
        except Unreadable:
            return ""

    def unfit(self, data: bytes) -> tuple[str, str]:
        try:
            self._format.storable(data, b"")
        except Unstorable as error:
            doubt = "; it is offered as it is, and stays where the store keeps it so" if error.as_it_is else ""
            return error.reason, f"{error}{doubt}"
        except Unreadable as error:
            return "unreadable", str(error)
        return "", ""
