"""The writing session."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xdmigrate.contract import Declined, Features, Intent
from xdmigrate.errors import AccessDenied, FolderUnusable, MailboxError
from xdmigrate.model import FlagChange, Folder, Head, Kind, Path, Role, Sharing
from xdmigrate_imap import acl, grammar, limits, listing, metadata, uids
from xdmigrate_imap.allowed import refused
from xdmigrate_imap.append import ImapWriter, Terms
from xdmigrate_imap.appending import CAREFUL, MULTI, SINGLE, Way
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.naming import INBOX, BadName, shown, wire_name
from xdmigrate_imap.session import Session
from xdmigrate_imap.source import ImapSource, search
from xdmigrate_imap.tokens import Status

DELETED = frozenset({"\\Deleted"})

_log = logging.getLogger(__name__)


class ImapTarget(ImapSource):
    """A `Target` over one IMAP session.

    `dropped` counts flags and keywords that could not be kept: beyond the grammar, or not in PERMANENTFLAGS.
    `careful` holds the accounts whose server answered BAD in a pipeline; until a range went well again they are
    written one message at a time, which tells the message that the server cannot take from the others.
    """

    def __init__(self, session: Session, *, account: str = "", careful: set[str] | None = None) -> None:
        super().__init__(session)
        self.dropped: Counter[str] = Counter()
        self._account = account
        self._careful = set() if careful is None else careful
        self._limits: dict[bytes, int | None] = {}  # by mailbox

    def refuses(self, paths: Sequence[Path]) -> set[Path]:
        return refused(self._session, paths)

    def create_folder(self, path: Path, kind: Kind = Kind.MAIL, *, role: Role | None = None) -> Folder:
        name = self._name(path)
        display = shown(Folder(path))
        if kind is not Kind.MAIL:
            raise self._session.peer.error(FolderUnusable, f"{display} is of kind {kind.value}; IMAP holds mail only")
        folder = self._create_at_once(name, role, display) or listing.find(self._session, name)
        if folder is None:
            self._create_with_parents(path, display)
            folder = listing.must_exist(self._session, listing.find(self._session, name), display)
        self._session.open_folder(folder, writable=True)
        self._session.close_folder()
        return folder

    def subscribe(self, folder: Folder) -> None:
        self._session.command(f"subscribe to {shown(folder)}", b"SUBSCRIBE", astring(wire_name(folder)))

    def rename_folder(self, folder: Folder, path: Path) -> Folder:
        name, old = self._name(path), wire_name(folder)
        if folder.path == (INBOX,):  # RFC 3501 section 6.3.5: it would move all its messages and leave INBOX empty
            raise self._session.peer.error(FolderUnusable, "INBOX cannot be renamed")
        self._session.close_folder()
        self._session.command(f"rename folder {shown(folder)}", b"RENAME", astring(old), astring(name))
        renamed = listing.must_exist(self._session, listing.find(self._session, name), shown(Folder(path)))
        if folder.subscribed:  # RFC 3501 section 6.3.9: a subscription stays with the name
            self.subscribe(renamed)
            self._session.conversation.execute(b"UNSUBSCRIBE", astring(old))
        return replace(renamed, subscribed=folder.subscribed)

    def writer(self, folder: Folder, intent: Intent) -> ImapWriter:  # noqa: ARG002  # IMAP has no idempotency keys
        """MULTIAPPEND is slower into an open mailbox and single APPENDs are faster (measured on Dovecot)."""
        session, way = self._session, self._way()
        permitted = session.permanent_flags(folder)
        if way is MULTI:
            session.close_folder()
        else:
            session.open_folder(folder, writable=True)
        terms = Terms(
            way=way,
            permitted=permitted,
            size_limit=self._size_limit(folder),
            tells_uids=session.can("UIDPLUS"),
            dropped=self.dropped,
            alarm=self._alarm,
            calm=self._calm,
        )
        return ImapWriter(session, folder, terms)

    def change_flags(self, folder: Folder, changes: Sequence[FlagChange]) -> None:
        if not changes:
            return
        alike: dict[tuple[bytes, bytes], set[int]] = {}
        permitted = self._session.permanent_flags(folder)
        for change in changes:
            for sign, flags in ((b"+", change.add), (b"-", change.remove)):
                sent = grammar.sendable(flags, permitted)
                self.dropped.update(grammar.left_out(flags, sent))
                if sent:
                    alike.setdefault((sign, grammar.flag_list(sent)), set()).add(uids.uid(change.ref))
        self._session.open_folder(folder, writable=True)
        self._store(folder, [(sorted(named), sign, flag_list) for (sign, flag_list), named in alike.items()])

    def look_up(self, folder: Folder, refs: Sequence[bytes]) -> Iterator[Head]:
        for span, named in uids.sets(sorted({uids.uid(ref) for ref in refs})):
            yield from self._heads(folder, (b"UID", b"FETCH", span, self._head_items), named[0])

    def move(self, folder: Folder, refs: Sequence[bytes], to: Folder) -> dict[bytes, bytes]:
        """MOVE (RFC 6851); the new UIDs are told by COPYUID, before the answer or with it (section 4.3)."""
        self._session.open_folder(folder, writable=True)
        told: dict[bytes, bytes] = {}
        doing = f"move from {shown(folder)} to {shown(to)}"
        for span, named in uids.sets(sorted({uids.uid(ref) for ref in refs})):
            parts = (b"UID", b"MOVE", span, astring(wire_name(to)))
            reply = self._session.command(doing, *parts, otherwise=AccessDenied)
            for status in (*reply.notices, reply.status):
                told |= _copied_uids(status, to, len(named)) if status.code == "COPYUID" else {}
        return told

    def remove(self, folder: Folder, refs: Sequence[bytes]) -> None:
        """Mark as deleted and UID EXPUNGE (RFC 4315).

        Without UIDPLUS an EXPUNGE takes everything that is marked: what others had marked loses the mark for the
        moment of the EXPUNGE and gets it back. If we are killed in between, those messages stay unmarked.
        """
        wanted = sorted({uids.uid(ref) for ref in refs})
        if not wanted:
            return
        self._session.open_folder(folder, writable=True)
        flag_list = grammar.flag_list(DELETED)
        if self._session.can("UIDPLUS"):
            self._store(folder, [(wanted, b"+", flag_list)])
            for span, _ in uids.sets(wanted):
                self._session.command(f"remove from {shown(folder)}", b"UID", b"EXPUNGE", span, otherwise=AccessDenied)
            return
        others = sorted(set(search(self._session, folder, b"DELETED")) - set(wanted))
        self._store(folder, [(others, b"-", flag_list), (wanted, b"+", flag_list)])
        self._session.command(f"remove from {shown(folder)}", b"EXPUNGE", otherwise=AccessDenied)
        self._store(folder, [(others, b"+", flag_list)])

    def share(self, folder: Folder, more: Sharing) -> list[Declined]:
        return [*acl.add(self._session, folder, more.grants), *metadata.add(self._session, folder, more.notes)]

    def close(self) -> None:
        if self.dropped:
            total, kinds = self.dropped.total(), len(self.dropped)
            _log.warning("%s: %d flags of %d kinds were not kept", self._session.peer.host, total, kinds)
        super().close()

    def _features(self) -> Features:
        """Keywords are kept where INBOX allows new ones, or names some."""
        try:
            permitted = self._session.permanent_flags(Folder((INBOX,), native=INBOX))
        except MailboxError:  # no INBOX, or nobody may write there: writing elsewhere will tell
            permitted = None
        keeps = permitted is None or any(not flag.startswith("\\") or flag == "\\*" for flag in permitted)
        return replace(super()._features(), keywords=keeps)

    def _way(self) -> Way:
        if self._account in self._careful:
            return CAREFUL
        return MULTI if self._session.can("MULTIAPPEND") else SINGLE

    def _size_limit(self, folder: Folder) -> int | None:
        name = wire_name(folder)
        if name not in self._limits:
            self._limits[name] = limits.of_mailbox(self._session, name)
        return self._limits[name]

    def _alarm(self) -> None:
        self._careful.add(self._account)

    def _calm(self) -> None:
        self._careful.discard(self._account)

    def _name(self, path: Path) -> bytes:
        try:
            return self._session.names.name(path)
        except BadName as error:
            cause = f"{shown(Folder(path))}: {error}"
            raise self._session.peer.error(FolderUnusable, cause, "rename it in `scope.folders.rename`") from error

    def _create_at_once(self, name: bytes, role: Role | None, display: str) -> Folder | None:
        """CREATE, LIST, STATUS and SELECT in one go; None when it did not work out, or is there in another case.

        CREATE of a folder that exists is refused and does no harm.
        """
        session = self._session
        session.close_folder()
        seen = (listing.list_one(name), listing.status_of_one(session, name), (b"SELECT", astring(name)))
        *_, listed, status, selected = session.conversation.execute_many([*self._creations(name, role), *seen])
        folder = listing.choose(session, name, listed)
        if folder is None or wire_name(folder) != name or not status.ok or not selected.ok:
            return None
        session.take_opened(name, display, selected, writable=True)
        return listing.look(session, folder, status)

    def _creations(self, name: bytes, role: Role | None) -> Iterator[tuple[bytes, ...]]:
        """CREATE, before it with the special use where the server can (RFC 6154); when that worked, the other fails."""
        if role not in (None, Role.INBOX) and self._session.can("CREATE-SPECIAL-USE"):
            yield b"CREATE", astring(name), b"(USE (" + str(role).encode("ascii") + b"))"
        yield b"CREATE", astring(name)

    def _create_with_parents(self, path: Path, display: str) -> None:
        """CREATE on a server that must be told of each parent."""
        for depth in range(1, len(path)):
            self._session.conversation.execute(b"CREATE", astring(self._name(path[:depth])))
        self._session.command(f"create folder {display}", b"CREATE", astring(self._name(path)))

    def _store(self, folder: Folder, wanted: Iterable[tuple[Sequence[int], bytes, bytes]]) -> None:
        """UIDs, "+" or "-", and the flags to add to or to take from them: all in one go."""
        commands = [
            (b"UID", b"STORE", span, sign + b"FLAGS.SILENT", flag_list)
            for named, sign, flag_list in wanted
            for span, _ in uids.sets(named)
        ]
        for reply in self._session.conversation.execute_many(commands):
            self._session.must(reply.status, f"change flags in {shown(folder)}", AccessDenied)


def _copied_uids(status: Status, to: Folder, most: int) -> dict[bytes, bytes]:
    """Old and new ids of a COPYUID response code (RFC 4315 section 3); none when they are of another UIDVALIDITY."""
    told = status.arguments.split(b" ")
    if len(told) != 3 or told[0] != b"%d" % to.validity:
        return {}
    old, new = uids.members(told[1], most), uids.members(told[2], most)
    if old is None or new is None or len(old) != len(new):
        return {}
    return dict(zip(map(uids.ref, old), map(uids.ref, new), strict=True))
