"""People in events and groups are called as on the target; everything else passes as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.wrap.kit import LOGIN, World
from xdmigrate.model import Body, Kind
from xdmigrate.testing.bodies import BytesBody, whole
from xdmigrate.testing.memory import INBOX
from xdmigrate.testing.memory.auditor import MemoryAuditor
from xdmigrate.wrap import readdress
from xdmigrate.wrap.readdress import ReaddressedAuditor, ReaddressedBody, ReaddressedSource

CALENDAR = ("Team",)
EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n"
    b"DTSTART:20240102T090000Z\r\nSUMMARY:write to ann@old.test\r\nORGANIZER:mailto:Ann@old.test\r\nEND:VEVENT\r\n"
    b"END:VCALENDAR\r\n"
)
RENAMED = EVENT.replace(b"mailto:Ann@old.test", b"mailto:ann@new.test")
MAIL = b"From: ann@old.test\r\n\r\nORGANIZER:mailto:ann@old.test\r\n"


def rename(address: str) -> str:
    return {"ann@old.test": "ann@new.test"}.get(address.casefold(), address)


@pytest.fixture
def world() -> World:
    world = World()
    world.account.create_folder(CALENDAR, Kind.CALENDAR)
    world.account.deliver(CALENDAR, EVENT)
    world.account.deliver(INBOX, MAIL)
    return world


def contents(world: World) -> dict[tuple[str, ...], list[bytes]]:
    source = ReaddressedSource(world.source(), rename)
    refs = {folder.path: [head.ref for head in source.heads(folder)] for folder in source.folders()}
    return {
        folder.path: [whole(item) for item in source.read(folder, refs[folder.path])] for folder in source.folders()
    }


def test_events_are_read_with_other_addresses_and_mail_as_it_is(world: World) -> None:
    assert contents(world) == {INBOX: [MAIL], CALENDAR: [RENAMED]}


def test_the_auditor_sees_the_same(world: World) -> None:
    auditor = ReaddressedAuditor(MemoryAuditor(world.server.log_in(LOGIN)), rename)
    found = {
        folder.path: [data for _, data in auditor.whole(folder, [head.ref for head in auditor.heads(folder)])]
        for folder in auditor.folders()
    }
    assert found == {INBOX: [MAIL], CALENDAR: [RENAMED]}


def test_what_is_too_large_passes_unread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readdress, "LARGEST", len(EVENT) - 1)
    assert contents(world)[CALENDAR] == [EVENT]


class Broken:
    """A body whose stream may not be touched before somebody asks for its bytes."""

    size = 1

    def chunks(self) -> Iterator[memoryview]:
        raise AssertionError("nobody has asked")

    spool = BytesBody(b"").spool


def test_nothing_is_read_before_it_is_asked_for() -> None:
    body: Body = Broken()
    made = ReaddressedBody(body, Kind.CALENDAR, rename)
    with pytest.raises(AssertionError, match="nobody has asked"):
        list(made.chunks())


def test_a_body_tells_its_new_size_and_can_be_replayed() -> None:
    made = ReaddressedBody(BytesBody(EVENT), Kind.CALENDAR, rename)
    assert made.size == len(RENAMED)
    assert made.spool().read() == b"".join(map(bytes, made.chunks())) == RENAMED


def test_what_cannot_be_read_stays() -> None:
    broken = b"\xff\0 mailto:ann@old.test"
    assert ReaddressedBody(BytesBody(broken), Kind.CALENDAR, rename).spool().read() == broken
