"""The reading session: folders, listings in windows, and the stream of messages."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property

from xdmigrate.contract import Features
from xdmigrate.errors import ProtocolError
from xdmigrate.model import Changes, Folder, Head, Item, Sharing
from xdmigrate_imap import acl, delta, fetch, gmail, limits, listing, metadata, tokens, uids
from xdmigrate_imap.bodies import unreadable
from xdmigrate_imap.delta import Cursor, Delta, FlagsFetch, Question
from xdmigrate_imap.fetch import Fetch, Message
from xdmigrate_imap.naming import shown
from xdmigrate_imap.peer import meaning
from xdmigrate_imap.session import Opened, Session
from xdmigrate_imap.tokens import Status

WINDOW = 5000
"""Messages listed by one command, and heads held in memory."""

SEARCHED = 50_000
"""Messages asked for their UIDs by one SEARCH; its answer is one line of at most 550,000 octets."""


class ImapSource:
    """A `Source` over one IMAP session.

    `distrusted` holds the accounts whose server answered nonsense when it was asked what changed: they are listed.
    """

    def __init__(self, session: Session, *, account: str = "", distrusted: set[str] | None = None) -> None:
        self._session = session
        self._account = account
        self._distrusted = set() if distrusted is None else distrusted

    @cached_property
    def features(self) -> Features:
        return self._features()

    def _features(self) -> Features:
        session = self._session
        return Features(
            change_test=session.has_modseq,
            deltas=session.has_modseq,
            ids_returned=session.can("UIDPLUS"),
            ordered_ids=True,
            keywords=True,
            dates=True,
            subscriptions=True,
            rename=True,
            move=session.can("MOVE"),
            identities=bool(gmail.identity(session)),
            labels=gmail.has_labels(session),
            grants=session.can("ACL"),
            notes=session.can("METADATA"),
            size_limit=limits.of_account(session),
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
        ahead = self._window_command(first, None) if _looks_small(folder, first) else ()
        opened = self._session.open_folder(folder, fresh=True, ahead=ahead)
        yield from self._list(folder, opened, first)

    def changes(self, folder: Folder, cursor: bytes = b"") -> Changes:
        """By mod-sequences where the server has them, else every UID with its flags.

        The cursor is what the opening tells, and nothing above its UIDNEXT is asked for: what is told belongs together.
        """
        since = Cursor.read(cursor)
        question = self._question(since)
        ahead = question.at_once(folder) if question is not None else ()
        if since is None and _looks_small(folder, 1):
            ahead = self._window_command(1, None)
        opened = self._session.open_folder(folder, fresh=True, ahead=ahead)
        now, known = Cursor.of(opened), 1
        if since is not None and since.leads_to(now):
            known = since.next_uid
            told = self._delta(folder, opened, question) if question is not None and now.modseq else None
            if told is not None:
                return self._changes(folder, opened, told, known)
        return Changes(now.stored(), complete=True, heads=self._list(folder, opened, 1, known))

    def _changes(self, folder: Folder, opened: Opened, told: Delta, known: int) -> Changes:
        """What vanished is named where the server names it, and where that is not a whole mailbox."""
        named = told.named(known) if self._session.tells_vanished else None
        return Changes(
            Cursor.of(opened).stored(),
            complete=False,
            heads=(_head(message, message.size) for message in told.messages),
            vanished=tuple(map(uids.ref, named or ())),
            alive=self._alive(folder, opened) if named is None else None,
            count=opened.exists,
        )

    def read(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Item]:
        wanted = sorted({uids.uid(ref) for ref in refs})
        for _, named in uids.sets(wanted):
            yield from self._read(folder, named)

    def sharing(self, folder: Folder) -> Sharing:
        session = self._session
        return Sharing(
            acl.read(session, folder) if session.can("ACL") else {},
            metadata.read(session, folder) if session.can("METADATA") else {},
        )

    def close(self) -> None:
        self._session.close()

    def _list(self, folder: Folder, opened: Opened, first: int, known: int = 1) -> Iterator[Head]:
        """Every message from `first` on, ascending; of those below `known` only UID and flags."""
        if opened.exists <= WINDOW or 0 < opened.next_uid <= first + WINDOW:
            if first < known:
                yield from self._flags(folder, first, known - 1)
            if not known > first or opened.next_uid > known:
                yield from self._window(folder, max(first, known), None)
            return
        found = self._search(folder, opened.exists, first)
        edge = bisect_left(found, known)
        for start in range(0, edge, WINDOW):
            yield from self._flags(folder, found[start], found[min(start + WINDOW, edge) - 1])
        for start in range(edge, len(found), WINDOW):
            yield from self._window(folder, found[start], found[min(start + WINDOW, len(found)) - 1])

    def _window(self, folder: Folder, first: int, last: int | None) -> Iterator[Head]:
        """One command's worth of heads, ascending. `n:*` always names the last message, even below n."""
        return self._heads(folder, self._window_command(first, last), first)

    def _flags(self, folder: Folder, first: int, last: int) -> Iterator[Head]:
        """As `_window`, but without what never changes."""
        asked = (b"UID", b"FETCH", b"%d:%d" % (first, last), fetch.FLAGS)
        return self._heads(folder, asked, first, FlagsFetch)

    def _heads(self, folder: Folder, asked: tuple[bytes, ...], first: int, kind: type[Fetch] = Fetch) -> Iterator[Head]:
        """What one command lists of the UIDs from `first` on, ascending."""
        self._session.open_folder(folder, ahead=asked)
        command = kind(self._session.conversation, *asked)
        found = {message.uid: message for message in command if message.uid >= first}
        if command.status is not None:
            self._session.must(command.status, f"list folder {shown(folder)}")
        for uid in sorted(found):
            yield _head(found[uid], found[uid].size)

    def _window_command(self, first: int, last: int | None) -> tuple[bytes, ...]:
        span = b"%d:*" % first if last is None else b"%d:%d" % (first, last)
        return (b"UID", b"FETCH", span, self._head_items)

    @cached_property
    def _head_items(self) -> bytes:
        identity = gmail.identity(self._session)
        return fetch.HEAD[:-1] + b" " + identity + b")" if identity else fetch.HEAD

    def _question(self, since: Cursor | None) -> Question | None:
        """What to ask of a server that keeps mod-sequences; None where the folder has to be listed."""
        if since is None or not since.modseq or not self._session.has_modseq or self._account in self._distrusted:
            return None
        return Question(since.modseq, self._head_items, vanished=self._session.tells_vanished)

    def _delta(self, folder: Folder, opened: Opened, question: Question) -> Delta | None:
        pieces = delta.spans(opened.exists, opened.next_uid)
        try:
            return None if pieces is None else delta.ask(self._session, folder, question, pieces)
        except ProtocolError:  # it dropped the connection: on the next one nothing but a listing is asked for
            self._distrusted.add(self._account)
            raise

    def _alive(self, folder: Folder, opened: Opened) -> Iterator[bytes]:
        """Every id in the folder, ascending; asked for when the first one is wanted."""
        pieces = delta.spans(opened.exists, opened.next_uid) if self._session.can("ESEARCH") else None
        if pieces is not None:
            yield from map(uids.ref, delta.alive(self._session, folder, pieces, opened.exists))
            return
        self._session.open_folder(folder)
        yield from map(uids.ref, self._search(folder, opened.exists, 1))

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
            yield Item(Head(uids.ref(uid), 0), unreadable(words))

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
        asked = (b"UID", b"FETCH", span, fetch.WHOLE)
        self._session.open_folder(folder, ahead=asked)
        command = Fetch(self._session.conversation, *asked)
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


def _looks_small(folder: Folder, first: int) -> bool:
    """Whether one window holds it by what was listed before, so that it can be asked for together with the opening."""
    return folder.count <= WINDOW or (bool(folder.next_id) and uids.floor_uid(folder.next_id) <= first + WINDOW)


def _head(message: Message, size: int) -> Head:
    return Head(uids.ref(message.uid), size, message.flags or frozenset(), message.date, identity=message.identity)
