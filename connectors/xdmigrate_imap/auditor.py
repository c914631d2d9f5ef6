"""The independent reader for `verify`: plain IMAPClient. Only the spelling of names, flags and ids is shared."""

from __future__ import annotations

import contextlib
import imaplib
import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Self

from imapclient import IMAPClient
from imapclient.response_parser import parse_response

from xdmigrate.contract import Inspected
from xdmigrate.errors import FolderUnusable, XdmigrateError
from xdmigrate.model import FINGERPRINT_BYTES, Folder, Head, Login, Role
from xdmigrate_imap import grammar, uids
from xdmigrate_imap.connect import drop, open_client, peer_of
from xdmigrate_imap.naming import INBOX, Names, Namespace, shown, wire_name
from xdmigrate_imap.peer import Peer
from xdmigrate_imap.settings import Settings
from xdmigrate_imap.wire import reason

SEARCHED = 50_000
"""Messages asked for their UIDs by one SEARCH; imaplib takes lines of at most 1,000,000 octets."""

LISTED = 500
"""Messages named by one command."""

WHOLE = 1_000_000
"""Bodies up to this many bytes are fetched whole, about as many bytes at a time; larger ones in parts of this size."""

_ROLES = {role.value.lower(): role for role in Role if role is not Role.INBOX}
_UNSELECTABLE = {"\\noselect", "\\nonexistent"}
_NO = re.compile(r"failed: (?:b')?(?:\[([A-Z][A-Z0-9-]*)[^\]]*\] ?)?(.*)", re.DOTALL)
_QUOTABLE = re.compile(rb"[\x20-\x7e]*")
_KEYWORD = re.compile(rb"\A\* (?:\d+ )?[A-Za-z-]+")
_NONSENSE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, MemoryError)
"""What a plain client library raises over responses that the grammar does not allow."""


class ImapAuditor:
    """An `Auditor` over a connection of its own."""

    def __init__(self, client: Any, peer: Peer) -> None:
        self._client = client
        self._peer = peer
        self._open = b""

    @classmethod
    def open(cls, settings: Settings, login: Login) -> Self:
        """Connect and log in. Raises as `Connector.auditor`."""
        peer = peer_of(settings, login)
        client, _ = open_client(IMAPClient, settings, login, peer)
        client._imap._get_line = _with_capitals(client._imap._get_line)
        client.folder_encode = False
        client.normalise_times = False
        return cls(client, peer)

    def folders(self) -> list[Folder]:
        with self._plainly("list the folders"):
            names = self._names()
            subscribed = {_octets(name) for _, _, name in self._client.list_sub_folders()}
            listed = [
                (_octets(name), {_words(each).lower() for each in flags})
                for flags, _, name in self._client.list_folders()
            ]
        mine = [(name, attributes) for name, attributes in listed if names.is_personal(name)]
        return [self._folder(names, name, attributes, subscribed) for name, attributes in mine]

    def heads(self, folder: Folder) -> Iterator[Head]:
        known = self._search(folder)
        for start in range(0, len(known), LISTED):
            asked = known[start : start + LISTED]
            told = self._fetch(folder, asked, "FLAGS", "INTERNALDATE", "RFC822.SIZE")
            with self._plainly(f"list folder {shown(folder)}"):
                heads = [_head(uid, told[uid]) for uid in asked if b"RFC822.SIZE" in told.get(uid, {})]
            yield from heads

    def inspect(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Inspected]:
        wanted = sorted({uids.uid(ref) for ref in refs})
        for start in range(0, len(wanted), LISTED):
            told = self._fetch(folder, wanted[start : start + LISTED], "RFC822.SIZE")
            with self._plainly(f"list folder {shown(folder)}"):
                sizes = {uid: int(found.get(b"RFC822.SIZE", 0)) for uid, found in sorted(told.items())}
            for group in _groups(sizes):
                if sizes[group[0]] > WHOLE:
                    yield from self._inspect_in_parts(folder, group[0])
                else:
                    yield from self._inspect_whole(folder, group)

    def chunks(self, folder: Folder, ref: bytes) -> Iterator[bytes]:
        return self._parts(folder, uids.uid(ref))

    def whole(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Mail is streamed everywhere; this is for the contract's sake."""
        read = ((ref, list(self.chunks(folder, ref))) for ref in refs)
        return ((ref, b"".join(parts)) for ref, parts in read if parts)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.logout()
        drop(self._client)

    def _names(self) -> Names:
        if not self._client.has_capability("NAMESPACE"):
            listed = self._client.list_folders("", "")
            return Names((Namespace(b"", listed[0][1] or b"" if listed else b"/"),))
        personal, *foreign = parse_response(self._client._imap.namespace()[1])  # RFC 5255 extends it
        spaces = [Namespace(each[0], each[1] or b"") for each in personal or ((b"", b"/"),)]
        return Names.of(spaces, [each[0] for others in foreign for each in others or ()])

    def _folder(self, names: Names, name: bytes, attributes: set[str], subscribed: set[bytes]) -> Folder:
        path = names.path(name)
        role = Role.INBOX if path == (INBOX,) else next((_ROLES[a] for a in sorted(attributes) if a in _ROLES), None)
        folder = Folder(path, native=name.decode("latin-1"), role=role, subscribed=name in subscribed)
        if attributes & _UNSELECTABLE:
            return Folder(path, native=folder.native, role=role, selectable=False, subscribed=folder.subscribed)
        with self._plainly(f"look at folder {shown(folder)}"):
            told = self._status(name)
            return Folder(
                path,
                native=folder.native,
                validity=int(told.get(b"UIDVALIDITY", 0)),
                next_id=uids.ref(int(told[b"UIDNEXT"])) if b"UIDNEXT" in told else b"",
                count=int(told.get(b"MESSAGES", 0)),
                role=role,
                subscribed=folder.subscribed,
            )

    def _select(self, folder: Folder) -> int:
        name = wire_name(folder)
        with self._plainly(f"open folder {shown(folder)}"):
            self._examine(name)
            self._open = name
            return int(self._client._imap.untagged_responses["EXISTS"][-1])  # the first may be of the folder before

    def _examine(self, name: bytes) -> dict[bytes, Any]:
        """EXAMINE; a name that no quoted string can carry goes as a literal, which the library has for APPEND only."""
        client, imap = self._client, self._client._imap
        if _QUOTABLE.fullmatch(name):
            return dict(client.select_folder(name, readonly=True))
        imap.untagged_responses = {}
        imap.literal = name
        kind, data = imap._simple_command("EXAMINE")
        if kind != "OK":
            raise imaplib.IMAP4.error(f"examine failed: {_words(data[-1])}")
        imap.state, imap.is_readonly = "SELECTED", True
        return dict(client._process_select_response(imap.untagged_responses))

    def _status(self, name: bytes) -> dict[bytes, Any]:
        """UIDVALIDITY, UIDNEXT and MESSAGES; of a mailbox that STATUS cannot name, by opening it."""
        if _QUOTABLE.fullmatch(name):
            return dict(self._client.folder_status(name, ("MESSAGES", "UIDNEXT", "UIDVALIDITY")))
        self._open = b""
        told = self._examine(name)
        return {**told, b"MESSAGES": told[b"EXISTS"]}

    def _search(self, folder: Folder) -> list[int]:
        """All UIDs, ascending; from the highest sequence numbers down, so that an EXPUNGE hides none."""
        count, found = self._select(folder), set()
        with self._plainly(f"search folder {shown(folder)}"):
            for high in range(count, 0, -SEARCHED):
                low = max(1, high - SEARCHED + 1)
                found.update(self._client.search("ALL" if count <= SEARCHED else f"{low}:{high}"))
        if len(found) < count:  # a few servers take the numbers for UIDs (RFC 3501 section 6.4.8 says they are not)
            drop(self._client)
            raise self._peer.protocol(f"folder {shown(folder)} has {count} messages, a search found fewer")
        return sorted(found)

    def _fetch(self, folder: Folder, asked: Sequence[int], *what: str) -> dict[int, dict[bytes, Any]]:
        if self._open != wire_name(folder):
            self._select(folder)
        with self._plainly(f"read folder {shown(folder)}"):
            told: dict[int, dict[bytes, Any]] = self._client.fetch(list(asked), list(what))
            return told

    def _inspect_whole(self, folder: Folder, group: Sequence[int]) -> Iterator[Inspected]:
        told = self._fetch(folder, group, "BODY.PEEK[]")
        for uid in group:
            body = told.get(uid, {}).get(b"BODY[]")
            if isinstance(body, bytes):
                yield Inspected(uids.ref(uid), len(body), sha256(body).digest()[:FINGERPRINT_BYTES])

    def _inspect_in_parts(self, folder: Folder, uid: int) -> Iterator[Inspected]:
        digest, size, part = sha256(), 0, None
        for part in self._parts(folder, uid):
            digest.update(part)
            size += len(part)
        if part is not None and len(part) < WHOLE:  # the last one: nothing broke off
            yield Inspected(uids.ref(uid), size, digest.digest()[:FINGERPRINT_BYTES])

    def _parts(self, folder: Folder, uid: int) -> Iterator[bytes]:
        """The body, as far as the server gives it; the last part of a whole one is shorter than WHOLE."""
        size, more = 0, True
        while more:
            told = self._fetch(folder, [uid], f"BODY.PEEK[]<{size}.{WHOLE}>").get(uid, {})
            part = told.get(b"BODY[]<%d>" % size)
            if not isinstance(part, bytes):
                return
            yield part
            size, more = size + len(part), len(part) == WHOLE

    @contextlib.contextmanager
    def _plainly(self, doing: str) -> Iterator[None]:
        """Turn what IMAPClient raises into errors of ours."""
        try:
            yield
        except imaplib.IMAP4.abort as error:
            raise self._ended(str(error)) from error
        except imaplib.IMAP4.error as error:
            raise self._refused(doing, str(error)) from error
        except OSError as error:
            drop(self._client)
            raise self._peer.lost(reason(error)) from error
        except _NONSENSE as error:
            drop(self._client)
            raise self._peer.protocol(f"cannot {doing}: the answer is not IMAP") from error

    def _ended(self, words: str) -> XdmigrateError:
        drop(self._client)
        return self._peer.lost("the server closed the connection") if "EOF" in words else self._peer.farewell(words)

    def _refused(self, doing: str, words: str) -> XdmigrateError:
        found = _NO.search(words)
        if found is None:
            drop(self._client)
            return self._peer.protocol(f"cannot {doing}: {words}")
        return self._peer.refusal(doing, found[1] or "", found[2], FolderUnusable)


def _with_capitals(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """The library's reader of lines: it knows responses in capitals only; RFC 3501 section 9 allows any case."""
    return lambda: _KEYWORD.sub(lambda found: found[0].upper(), read(), count=1)


def _groups(sizes: dict[int, int]) -> Iterator[list[int]]:
    """UIDs to be fetched together: as many as `WHOLE` bytes hold, and each larger one alone."""
    group: list[int] = []
    octets = 0
    for uid, size in sizes.items():
        if group and octets + size > WHOLE:
            yield group
            group, octets = [], 0
        group.append(uid)
        octets += size
    if group:
        yield group


def _head(uid: int, told: dict[bytes, Any]) -> Head:
    flags = grammar.listed_flags(b" ".join(_octets(each) for each in told.get(b"FLAGS", ())))
    return Head(uids.ref(uid), int(told[b"RFC822.SIZE"]), flags, told.get(b"INTERNALDATE"))


def _octets(value: object) -> bytes:
    """A name or flag; the library makes a number of digits, and None of NIL."""
    if isinstance(value, bytes):
        return value
    return b"NIL" if value is None else str(value).encode("latin-1")


def _words(value: object) -> str:
    return _octets(value).decode("latin-1")
