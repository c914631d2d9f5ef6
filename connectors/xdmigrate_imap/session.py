"""One logged-in connection: what the server can do, which mailbox is open, and commands whose refusal is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Self

from xdmigrate.errors import FolderUnusable, ProtocolError, XdmigrateError
from xdmigrate.model import Folder, Login, Meter
from xdmigrate_imap import tokens
from xdmigrate_imap.appending import Proven
from xdmigrate_imap.client import WiredClient
from xdmigrate_imap.connect import open_client, peer_of
from xdmigrate_imap.conversation import Conversation, Literals, Reply
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.naming import Names, Namespace, shown, wire_name
from xdmigrate_imap.peer import Peer
from xdmigrate_imap.settings import Settings
from xdmigrate_imap.tokens import Malformed, Status, Value

_APPENDLIMIT = re.compile(r"APPENDLIMIT=(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Opened:
    """What SELECT or EXAMINE told about a mailbox."""

    name: bytes
    read_only: bool
    exists: int
    validity: int
    next_uid: int  # 0: not told
    modseq: int  # HIGHESTMODSEQ (RFC 7162); 0: not told, or the mailbox has none
    permanent_flags: frozenset[str] | None  # lower-case; None: not told, which means all (RFC 3501 section 7.1)


class Session:
    """A conversation with its state. Used by one thread at a time."""

    def __init__(self, conversation: Conversation, capabilities: frozenset[str], meter: Meter | None = None) -> None:
        self._meter = meter or Meter()
        self.conversation = conversation
        self.capabilities = capabilities
        self.opened: Opened | None = None
        self.proven = Proven()
        self._permanent: dict[bytes, frozenset[str] | None] = {}

    @classmethod
    def open(cls, settings: Settings, login: Login) -> Self:
        """Connect and log in. Raises as `Connector.source`."""
        peer = peer_of(settings, login)
        client, capabilities = open_client(partial(WiredClient, peer=peer), settings, login, peer)
        client.wire.rely_on_system()
        return cls(Conversation(client.wire, _literals(capabilities)), capabilities, settings.meter)

    @property
    def peer(self) -> Peer:
        """Whom we talk to."""
        return self.conversation.peer

    def can(self, capability: str) -> bool:
        """Whether the server announced it."""
        return capability in self.capabilities

    @property
    def has_modseq(self) -> bool:
        """CONDSTORE, which QRESYNC includes (RFC 7162)."""
        return self.can("CONDSTORE") or self.can("QRESYNC")

    @cached_property
    def tells_vanished(self) -> bool:
        """QRESYNC, which is enabled when it is first asked for. It must be where no mailbox is open (RFC 5161).

        From then on the server says VANISHED in place of EXPUNGE (RFC 7162 section 3.2.10).
        """
        if not self.can("QRESYNC"):
            return False
        self.close_folder()
        reply = self.conversation.execute(b"ENABLE", b"QRESYNC")
        return reply.ok and any(b"QRESYNC" in each.values for each in reply.named(b"ENABLED"))

    @property
    def append_limit(self) -> int | None:
        """Largest message in bytes, where the server says it for all mailboxes (RFC 7889)."""
        limits = [int(found[1]) for each in self.capabilities if (found := _APPENDLIMIT.fullmatch(each))]
        return limits[0] if limits else None

    @cached_property
    def names(self) -> Names:
        """How mailboxes are named here: NAMESPACE (RFC 2342), else the separator that LIST tells."""
        if self.can("NAMESPACE"):
            reply = self.command("ask for the namespaces", b"NAMESPACE")
            with self.parsing():
                return _namespaces(reply)
        reply = self.command("ask for the separator", b"LIST", b'""', b'""')
        with self.parsing():
            separators = [each.values[1] for each in reply.named(b"LIST") if len(each.values) == 3]
            return Names((Namespace(b"", tokens.text(separators[0] or b"") if separators else b"/"),))

    def command(self, doing: str, *parts: bytes, otherwise: type[XdmigrateError] = FolderUnusable) -> Reply:
        """Execute a command that must succeed; `doing` completes the sentence "cannot …"."""
        reply = self.conversation.execute(*parts)
        self.must(reply.status, doing, otherwise)
        return reply

    def must(self, status: Status, doing: str, otherwise: type[XdmigrateError] = FolderUnusable) -> None:
        """Raise the error that a refusal means. A BAD is our fault or the server's, never the account's."""
        if status.kind == "BAD":
            otherwise = ProtocolError
        if status.kind != "OK":
            raise self.peer.refusal(doing, status.code, status.words, otherwise)

    @contextlib.contextmanager
    def parsing(self) -> Iterator[None]:
        """Turn a malformed response into the error of a broken connection."""
        try:
            yield
        except Malformed as error:
            raise self.conversation.malformed(error) from error

    def open_folder(
        self, folder: Folder, *, writable: bool = False, fresh: bool = False, ahead: Sequence[bytes] = ()
    ) -> Opened:
        """EXAMINE or SELECT the folder unless it is open already; `fresh` looks again.

        `ahead` is a command in this folder that is begun right after: it is sent together with the opening.
        Raises AccessDenied, and FolderUnusable, also when the folder has other UIDs than `folder` says.
        """
        name = wire_name(folder)
        current = self.opened
        if current is None or current.name != name or fresh or (writable and current.read_only):
            current = self._select(name, shown(folder), writable=writable, ahead=ahead)
        if folder.validity and current.validity and current.validity != folder.validity:
            cause = f"folder {shown(folder)} was rebuilt (UIDVALIDITY {folder.validity} is now {current.validity})"
            raise self.peer.error(FolderUnusable, cause, "run again: it is listed and matched anew")
        return current

    def permanent_flags(self, folder: Folder) -> frozenset[str] | None:
        """Which flags stay on messages of the folder, lower-case; None: all."""
        name = wire_name(folder)
        if name not in self._permanent:
            self.open_folder(folder, writable=True)
        return self._permanent[name]

    def close_folder(self) -> None:
        """Leave the open mailbox without expunging: UNSELECT (RFC 3691), else CLOSE of a mailbox opened read-only.

        Where neither is allowed (pymap), opening INBOX leaves the other one.
        """
        current, self.opened = self.opened, None
        if current is None:
            return
        if self.can("UNSELECT"):
            self.conversation.owe(b"UNSELECT")
            return
        harmless = current.read_only or self.conversation.execute(b"EXAMINE", astring(current.name)).ok
        if harmless and not self.conversation.execute(b"CLOSE").ok:
            self.conversation.execute(b"EXAMINE", b"INBOX")

    def close(self) -> None:
        """Log out if nothing is under way, and drop the connection. Never raises."""
        with contextlib.suppress(XdmigrateError, OSError):
            if self.conversation.wire.is_open and self.conversation.unfinished is None:
                self.conversation.wire.send(self.conversation.tag() + b" LOGOUT\r\n")
        wire = self.conversation.wire
        wire.close()
        self._meter.count(commands=self.conversation.commands, sent=wire.sent, received=wire.received)

    def _select(self, name: bytes, display: str, *, writable: bool, ahead: Sequence[bytes]) -> Opened:
        self.opened = None
        self.conversation.forgive()  # RFC 3501 section 6.3.1: it leaves the mailbox that is open
        reply = self.conversation.execute(b"SELECT" if writable else b"EXAMINE", astring(name), ahead=ahead)
        return self.take_opened(name, display, reply, writable=writable)

    def take_opened(self, name: bytes, display: str, reply: Reply, *, writable: bool) -> Opened:
        """What the answer to SELECT or EXAMINE tells, which was the last command. Raises as `open_folder`."""
        self.must(reply.status, f"open folder {display}")
        with self.parsing():
            opened = _opened(name, reply, writable=writable)
        if writable:
            self._permanent[name] = opened.permanent_flags
            if opened.read_only:
                raise self.peer.refusal(f"write to folder {display}", "READ-ONLY", "the folder is read-only")
        self.opened = opened
        return opened


def _literals(capabilities: frozenset[str]) -> Literals:
    if "LITERAL+" in capabilities:
        return Literals.PLUS
    return Literals.MINUS if "LITERAL-" in capabilities else Literals.SYNCHRONISING


def _namespaces(reply: Reply) -> Names:
    data = reply.named(b"NAMESPACE")
    classes = [*data[0].values, None, None, None] if data else [None, None, None]
    spaces = [[_namespace(each) for each in tokens.items(found)] for found in classes[:3]]
    foreign = [space.prefix for found in spaces[1:] for space in found]
    return Names.of(spaces[0] or [Namespace(b"", b"/")], foreign)


def _namespace(value: Value) -> Namespace:
    """Prefix and separator; extensions such as TRANSLATION follow and are ignored (RFC 5255)."""
    found = tokens.items(value)
    if len(found) < 2:
        raise Malformed("a namespace has a prefix and a separator")
    return Namespace(tokens.text(found[0]), tokens.text(found[1] or b""))


def _opened(name: bytes, reply: Reply, *, writable: bool) -> Opened:
    numbers = {each.code: each.arguments for each in reply.notices if each.arguments.isdigit()}
    exists = [each.number for each in reply.named(b"EXISTS")]
    return Opened(
        name=name,
        read_only=not writable or reply.status.code == "READ-ONLY",
        exists=exists[-1] if exists else 0,
        validity=tokens.number(numbers.get("UIDVALIDITY", b"0")),
        next_uid=tokens.number(numbers.get("UIDNEXT", b"0")),
        modseq=tokens.number(numbers.get("HIGHESTMODSEQ", b"0")),
        permanent_flags=_permanent(reply),
    )


def _permanent(reply: Reply) -> frozenset[str] | None:
    found = [each.arguments for each in reply.notices if each.code == "PERMANENTFLAGS"]
    if not found:
        return None
    return frozenset(found[-1].strip(b"()").decode("utf-8", "replace").lower().split())
