"""What the cases share: sessions on the account, and short ways to write to and read from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from xdmigrate.contract import Accepted, Auditor, Intent, Receipt, Source, Stored, Target
from xdmigrate.model import Folder, Head, Item, Path
from xdmigrate.testing.bodies import BytesBody, whole
from xdmigrate.testing.conformance.profile import Message, Profile

FOLDER: Path = ("Conformance",)


def item(number: int, message: Message) -> Item:
    """A message on its way; `number` stands for its id at some source."""
    ref = number.to_bytes(4, "big")
    return Item(Head(ref, len(message.data), message.flags, message.date), BytesBody(message.data))


def mail(name: str, body: bytes = b"Hello.\r\n") -> Message:
    """An ordinary message."""
    head = f"From: ann@source.example\r\nTo: bob@target.example\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>"
    return Message(head.encode() + b"\r\n\r\n" + body)


def write(target: Target, folder: Folder, messages: Sequence[Message], *, intent: int = 1) -> dict[int, Receipt]:
    """Write the messages with tickets from 0; every ticket's receipt, of which each came exactly once."""
    receipts: list[Receipt] = []
    octets = sum(len(message.data) for message in messages)
    with target.writer(folder, Intent(intent, len(messages), octets)) as writer:
        for ticket, message in enumerate(messages):
            writer.put(ticket, item(intent * 10_000 + ticket, message))
            receipts += writer.poll()
        receipts += writer.flush()
        receipts += writer.poll()
    assert sorted(receipt.ticket for receipt in receipts) == list(range(len(messages)))
    return {receipt.ticket: receipt for receipt in receipts}


def write_all(target: Target, folder: Folder, messages: Sequence[Message], *, intent: int = 1) -> dict[int, Receipt]:
    """Write messages that the store takes; receipts say so, with ids exactly where the features promise them."""
    receipts = write(target, folder, messages, intent=intent)
    wanted = Stored if target.features.ids_returned else Accepted
    assert all(isinstance(receipt, wanted) for receipt in receipts.values()), receipts
    return receipts


def refs(source: Source | Auditor, folder: Folder) -> list[bytes]:
    """Every id in the folder, as listed."""
    return [head.ref for head in source.heads(folder)]


def bodies(source: Source, folder: Folder) -> dict[bytes, bytes]:
    """Every body in the folder by its id."""
    found = {}
    for one in source.read(folder, refs(source, folder)):
        found[one.head.ref] = whole(one)
        assert one.body.size == len(found[one.head.ref])
    return found


class Kit:
    """Opens sessions on the profile's account and closes them when the case ends."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._sessions: list[Source | Auditor] = []

    def source(self) -> Source:
        session = self.profile.connector.source(self.profile.endpoint, self.profile.login)
        self._sessions.append(session)
        return session

    def target(self) -> Target:
        session = self.profile.connector.target(self.profile.endpoint, self.profile.login)
        self._sessions.append(session)
        return session

    def auditor(self) -> Auditor:
        session = self.profile.connector.auditor(self.profile.endpoint, self.profile.login)
        self._sessions.append(session)
        return session

    def fill(self, target: Target, messages: Sequence[Message], path: Path = FOLDER) -> Folder:
        """A folder with these messages: put there beside the connector where the profile can, else by a writer."""
        folder, deliver = target.create_folder(path), self.profile.deliver
        if deliver is None:
            write_all(target, folder, messages)
        else:
            for message in messages:
                deliver(path, message)
        return target.status(folder)

    def expect(self, messages: Sequence[Message]) -> list[bytes]:
        """What the store makes of the messages, sorted."""
        return sorted(self.profile.becomes(message.data) for message in messages)

    def close(self) -> None:
        for session in self._sessions:
            session.close()


class Cases:
    """Base of all case classes."""

    @pytest.fixture
    def kit(self, profile: Profile) -> Iterator[Kit]:
        """The case's tools on its own fresh account."""
        kit = Kit(profile)
        yield kit
        kit.close()
