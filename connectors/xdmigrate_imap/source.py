"""The reading session: folders, listings in windows, and the stream of messages."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property

from xdmigrate.contract import Features
from xdmigrate.model import Changes, Folder, Head, Item
from xdmigrate_imap import fetch, listing, tokens, uids
from xdmigrate_imap.bodies import UnreadableBody
from xdmigrate_imap.fetch import Fetch, Message
from xdmigrate_imap.naming import shown
from xdmigrate_imap.peer import meaning
from xdmigrate_imap.session import Session
from xdmigrate_imap.tokens import Status

WINDOW = 5000
"""Messages listed by one command, and heads held in memory."""

SEARCHED = 50_000
"""Messages asked for their UIDs by one SEARCH; its answer is one line of at most 550,000 octets."""

_CURSOR = struct.Struct(">II")


class ImapSource:
    """A `Source` over one IMAP session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def features(self) -> Features:
        return self._features()

    def _features(self) -> Features:
        session = self._session
        return Features(
            change_test=session.has_modseq,
            ids_returned=session.can("UIDPLUS"),
            ordered_ids=True,
            keywords=True,
            dates=True,
            subscriptions=True,
            rename=True,
            move=session.can("MOVE"),
            size_limit=session.append_limit,
            delimiter=session.names.main.separator.decode("latin-1"),
        )

    def folders(self) -> list[Folder]:
        return listing.folders(self._session)

    def status(self, folder: Folder) -> Folder:
        return listing.status(self._session, folder)

    def heads(self, folder: Folder, floor: bytes = b"") -> Iterator[Head]:
        first = uids.floor_uid(floor)
        if first > uids.MAX_UID:
            return
        opened = self._session.open_folder(folder, fresh=True)
        if opened.exists <= WINDOW or 0 < opened.next_uid <= first + WINDOW:
            yield from self._window(folder, first, None)
            return
        known = self._search(folder, opened.exists, first)
        for start in range(0, len(known), WINDOW):
            window = known[start : start + WINDOW]
            yield from self._window(folder, window[0], window[-1])

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:  # noqa: ARG002  # see below
        """A complete listing, whatever the cursor; without CONDSTORE nothing less proves what changed."""
        now = self.status(folder)
        return Changes(_CURSOR.pack(now.validity, uids.floor_uid(now.next_id)), complete=True, heads=self.heads(folder))

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        wanted = sorted({uids.uid(ref) for ref in refs})
        for _, named in uids.sets(wanted):
            yield from self._read(folder, named)

    def close(self) -> None:
        self._session.close()

    def _window(self, folder: Folder, first: int, last: int | None) -> Iterator[Head]:
        """One command's worth of heads, ascending. `n:*` always names the last message, even below n."""
        self._session.open_folder(folder)
        span = b"%d:*" % first if last is None else b"%d:%d" % (first, last)
        found: dict[int, Message] = {}
        command = Fetch(self._session.conversation, b"UID", b"FETCH", span, fetch.HEAD)
        for message in command:
            if message.uid >= first:
                found[message.uid] = message
        if command.status is not None:
            self._session.must(command.status, f"list folder {shown(folder)}")
        for uid in sorted(found):
            yield _head(found[uid], found[uid].size)

    def _search(self, folder: Folder, count: int, first: int) -> array[int]:
        """UIDs >= `first`, ascending, at four octets each.

        Asked from the highest sequence numbers down: an EXPUNGE in between moves messages down into what is still to
        be asked, so that none is passed over. Without numbers where one answer holds all: pymap takes them for UIDs.
        """
        found: array[int] = array("I")
        for high in range(count, 0, -SEARCHED):
            span = b"%d:%d" % (max(1, high - SEARCHED + 1), high) if count > SEARCHED else b"ALL"
            criteria = (span, b"UID", b"%d:*" % first) if first > 1 else (span,)
            found.extend(
                number for number in search(self._session, folder, *criteria) if first <= number <= uids.MAX_UID
            )
        return array("I", sorted(set(found)))

    def _read(self, folder: Folder, named: Sequence[int]) -> Iterator[Item]:
        """The messages of one command. What does not come is asked for once more, in a fresh look at the folder.

        A refused command is taken apart to the messages that the server cannot give. Those come with a body that
        says so, because an item that does not come at all counts as gone.
        """
        missing = set(named)
        words = yield from self._stream(folder, named, missing)
        if not missing:
            return
        self._session.open_folder(folder, fresh=True)
        words = (yield from self._stream(folder, named, missing)) or words
        for uid in sorted(missing) if words else ():
            words = (yield from self._stream(folder, (uid,), missing)) or words
        for uid in self._still_there(folder, sorted(missing)):
            yield Item(Head(uids.ref(uid), 0), UnreadableBody(words))

    def _stream(self, folder: Folder, named: Sequence[int], missing: set[int]) -> Generator[Item, None, str]:
        """Those of `named` that are missing; returns the server's words when it refused any."""
        words = ""
        left = [uid for uid in named if uid in missing]
        while left:
            span, asked = next(uids.sets(left))
            status = yield from self._fetch(folder, span, missing)
            if status is None:  # another command on the session ended the stream: go on behind what has come
                left = [uid for uid in left if uid in missing]
            else:
                words = self._refusal(folder, status) or words
                left = left[len(asked) :]
        return words

    def _fetch(self, folder: Folder, span: bytes, missing: set[int]) -> Generator[Item, None, Status | None]:
        self._session.open_folder(folder)
        command = Fetch(self._session.conversation, b"UID", b"FETCH", span, fetch.WHOLE)
        for message in command:
            if message.body is not None and message.uid in missing:
                missing.remove(message.uid)
                yield Item(_head(message, message.body.size), message.body)
        return command.status

    def _refusal(self, folder: Folder, status: Status) -> str:
        """Why some messages were not given; raises where it is not about messages."""
        if status.kind == "OK" or status.code == "EXPUNGEISSUED":  # RFC 5530: some are gone
            return ""
        if status.kind == "BAD" or meaning(status.code, status.words):
            self._session.must(status, f"read folder {shown(folder)}")
        return status.words or "NO"

    def _still_there(self, folder: Folder, missing: Sequence[int]) -> list[int]:
        found: list[int] = []
        for span, named in uids.sets(missing):
            there = set(search(self._session, folder, b"UID", span))
            found += [uid for uid in named if uid in there]
        return found


def search(session: Session, folder: Folder, *criteria: bytes) -> list[int]:
    """UIDs of the messages in the open folder that meet the criteria."""
    reply = session.command(f"search folder {shown(folder)}", b"UID", b"SEARCH", *criteria)
    with session.parsing():
        return [tokens.number(value) for each in reply.named(b"SEARCH") for value in each.values]


def _head(message: Message, size: int) -> Head:
    return Head(uids.ref(message.uid), size, message.flags or frozenset(), message.date)
