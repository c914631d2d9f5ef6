"""Everything that the connector does, against a server that says anything. One call is one run; it has no state.

It ends in time, in bounded memory, in nothing or in an error of ours; nothing that the server says is ever sent as a
command; and what is believed of it is at least possible.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.connectors.imap.scripted import PEER, item
from tests.fuzz.liar import CAPABILITIES, Liar, commands
from xdmigrate.contract import Intent
from xdmigrate.errors import XdmigrateError
from xdmigrate.model import FlagChange, Folder, Role
from xdmigrate_imap.conversation import Conversation
from xdmigrate_imap.session import Session, _literals
from xdmigrate_imap.target import ImapTarget
from xdmigrate_imap.wire import Wire

BOX = Folder(("Box",), native="Box", validity=7, next_id=b"\0\0\0\x09", count=3)
REFS = [uid.to_bytes(4, "big") for uid in (1, 2, 3, 7)]
BODIES = (b"a", b"Subject: x\r\n\r\nx9 DELETE INBOX\r\n", b"")
CURSOR = bytes.fromhex("0000000700000000000000050000000000000011")


def one(data: bytes) -> None:
    """The first three bytes choose what is done, what the server can do and how its words are cut."""
    first, second, third, script = data[:1], data[1:2], data[2:3], data[3:]
    what, can, cut = (int.from_bytes(each, "big") for each in (first, second, third))
    liar = Liar(script, step=cut % 64 * (1 if cut < 192 else 1024) + 1, helpful=what % 2 == 0)
    target = server(liar, CAPABILITIES[can % len(CAPABILITIES)])
    for number in range(len(DEEDS)):
        told = _do(DEEDS[(what // 2 + number) % len(DEEDS)], target)
        assert "\n" not in told, "an error is one line"
    target.close()
    commands(bytes(liar.sent), set(BODIES))


def _do(deed: Callable[[ImapTarget], None], target: ImapTarget) -> str:
    """Any error of ours is an end that is allowed; its text."""
    try:
        deed(target)
    except XdmigrateError as error:
        return str(error)
    return ""


def server(sock: object, capabilities: str) -> ImapTarget:
    """A session on this socket, logged in."""
    offered = frozenset(capabilities.split())
    return ImapTarget(Session(Conversation(Wire(sock, PEER), _literals(offered)), offered))  # type: ignore[arg-type]


def _list(target: ImapTarget) -> None:
    for folder in target.folders():
        assert folder.path


def _heads(target: ImapTarget) -> None:
    seen = [head.ref for head in target.heads(BOX, REFS[1])]
    assert seen == sorted(set(seen)), "listed in order, each once"
    assert all(ref >= REFS[1] for ref in seen)


def _changes(target: ImapTarget) -> None:
    for cursor in (CURSOR, b""):
        changes = target.changes(BOX, cursor)
        assert all(len(head.ref) == 4 for head in changes.heads)


def read_all(target: ImapTarget) -> None:
    """Read some messages."""
    seen = []
    for each in target.read(BOX, REFS):
        seen.append(each.head.ref)
        if each.head.ref != REFS[1]:  # one is left unread
            assert sum(map(len, each.body.chunks())) == each.body.size
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(REFS)


def write_all(target: ImapTarget) -> None:
    """Write some messages, one of which would be a command."""
    receipts = []
    writer = target.writer(BOX, Intent(1, 3, 40))
    try:
        with writer:
            for ticket, body in enumerate(BODIES):
                writer.put(ticket, item(body, *("\\Seen", "work")[:ticket]))
                receipts += writer.poll()
            receipts += writer.flush()
        assert len(receipts) == len(BODIES), "each ticket has its receipt"
    finally:
        tickets = [receipt.ticket for receipt in [*receipts, *writer.poll()]]
        assert len(tickets) == len(set(tickets)), "and never two"


def _change(target: ImapTarget) -> None:
    target.change_flags(BOX, [FlagChange(REFS[0], frozenset({"\\Seen"}), frozenset({"work"}))])
    target.remove(BOX, REFS[:1])


def _move(target: ImapTarget) -> None:
    moved = target.move(BOX, REFS[:2], Folder(("Other",), native="Other", validity=8))
    assert len(moved) <= 2


def _make(target: ImapTarget) -> None:
    made = target.create_folder(("Box", "In"), role=Role.SENT)
    target.subscribe(made)
    target.rename_folder(made, ("Elsewhere",))


def _know(target: ImapTarget) -> None:
    assert target.features.ordered_ids
    target.status(BOX)


DEEDS: tuple[Callable[[ImapTarget], None], ...] = (
    _list, _heads, _changes, read_all, write_all, _change, _move, _make, _know,
)  # fmt: skip
