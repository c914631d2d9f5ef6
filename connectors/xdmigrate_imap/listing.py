"""Folders of the account: LIST with everything in one command where the server can, else command by command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Folder, Role
from xdmigrate_imap import gmail, tokens, uids
from xdmigrate_imap.conversation import Reply
from xdmigrate_imap.grammar import astring
from xdmigrate_imap.naming import shown, wire_name
from xdmigrate_imap.session import Session
from xdmigrate_imap.tokens import Data, Malformed, Value

_ROLES = {role.value.lower().encode(): role for role in Role if role is not Role.INBOX}
_UNSELECTABLE = {b"\\noselect", b"\\nonexistent"}

MOST_PREFIXES = 8
"""Namespaces of others that are asked for what is in them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One LIST or LSUB response (RFC 5258)."""

    name: bytes
    attributes: frozenset[bytes]  # lower-case

    @classmethod
    def of(cls, data: Data) -> Self:
        """Read a response; a mailbox may well be called NIL. Raises Malformed."""
        if len(data.values) < 3:
            raise Malformed("a LIST response is incomplete")
        attributes = frozenset(tokens.text(each).lower() for each in tokens.items(data.values[0]))
        name = b"NIL" if data.values[2] is None else tokens.text(data.values[2])
        if b"\0" in name:
            raise Malformed("a mailbox name holds NUL")
        return cls(name, attributes)

    @property
    def selectable(self) -> bool:
        return not self.attributes & _UNSELECTABLE


def foreign(session: Session) -> list[bytes]:
    """Names of the folders that belong to other users or to all, and are therefore left out.

    They are asked for by their prefixes, too: not every server lists them with the account's own.
    """
    session.close_folder()
    prefixes = [prefix for prefix in session.names.foreign if prefix][:MOST_PREFIXES]
    commands = [(b"LIST", b'""', astring(prefix + b"*")) for prefix in (b"", *prefixes)]
    replies = session.conversation.execute_many(commands)
    session.must(replies[0].status, "list the folders")
    with session.parsing():
        listed = [Listed.of(data) for reply in replies for data in reply.named(b"LIST")]
    return sorted({each.name for each in listed if each.selectable and not session.names.is_personal(each.name)})


def status(session: Session, folder: Folder) -> Folder:
    """The folder as it is now. Raises FolderUnusable when it is gone.

    Of an open mailbox a server may tell only what this session has seen, so it is left first.
    """
    session.close_folder()
    reply = session.command(f"look at folder {shown(folder)}", *status_of_one(session, wire_name(folder)))
    return look(session, folder, reply)


def look(session: Session, folder: Folder, reply: Reply) -> Folder:
    """The folder with what the answer to STATUS tells."""
    with session.parsing():
        found = _statuses(reply).get(_key(wire_name(folder)), {})
        return _with_status(folder, {**_object_id_apart(session, folder), **found})


def find(session: Session, name: bytes) -> Folder | None:
    """The folder of this name as it is listed, its case as the server tells it; None when there is none."""
    reply = session.command("list a folder", *list_one(name))
    listed = choose(session, name, reply)
    return status(session, listed) if listed is not None else None


def list_one(name: bytes) -> tuple[bytes, ...]:
    """The command that lists a folder; `choose` reads its answer."""
    return (b"LIST", b'""', astring(name))


def status_of_one(session: Session, name: bytes) -> tuple[bytes, ...]:
    """The command that asks for a folder's status; `look` reads its answer."""
    return (b"STATUS", astring(name), _asked(session))


def choose(session: Session, name: bytes, reply: Reply) -> Folder | None:
    """Which of the listed folders has this name, without its status; None when none that holds messages has."""
    with session.parsing():
        alike = [each for each in map(Listed.of, reply.named(b"LIST")) if each.name.lower() == name.lower()]
    exact = [each for each in alike if each.name == name] or alike
    return _folder(session, exact[0], set()) if exact and exact[0].selectable else None


def folders(session: Session) -> list[Folder]:
    """All personal folders with status. One that tells no status stays in the list: reading it will say why."""
    session.close_folder()
    reply, subscribed = _list(session)
    with session.parsing():
        listed = {each.name: each for each in map(Listed.of, reply.named(b"LIST")) if each.name}
        statuses = _statuses(reply)
    if gmail.tells_uses_by_xlist(session):
        _add_uses(session, listed)
    names = session.names
    mine = [each for each in listed.values() if names.is_personal(each.name)]
    if not session.can("LIST-STATUS"):
        statuses = _status_of_each(session, [each.name for each in mine if each.selectable])
    elif _object_ids_apart(session):
        apart = session.command("list the folders", b"LIST", b'""', b'"*"', b"RETURN", b"(STATUS (MAILBOXID))")
        with session.parsing():
            ids = _statuses(apart)
        statuses = {name: {**ids.get(name, {}), **told} for name, told in statuses.items()}
    with session.parsing():
        found = [(_folder(session, each, subscribed), each) for each in mine]
        return [_with_status(folder, statuses.get(_key(each.name), {})) for folder, each in found]


def _list(session: Session) -> tuple[Reply, set[bytes]]:
    """LIST, and the subscribed names; RETURN options need LIST-EXTENDED (RFC 5258), which LIST-STATUS implies."""
    everything = (b"LIST", b'""', b'"*"')
    if not (session.can("LIST-EXTENDED") or session.can("LIST-STATUS")):
        reply = session.command("list the folders", *everything)
        return reply, _subscribed(session)
    wanted = [b"SUBSCRIBED"]
    if session.can("SPECIAL-USE"):
        wanted.append(b"SPECIAL-USE")
    if session.can("LIST-STATUS"):
        wanted.append(b"STATUS " + _asked(session))
    reply = session.command("list the folders", *everything, b"RETURN", b"(" + b" ".join(wanted) + b")")
    with session.parsing():
        listed = map(Listed.of, reply.named(b"LIST"))
        return reply, {each.name for each in listed if b"\\subscribed" in each.attributes}


def _add_uses(session: Session, listed: dict[bytes, Listed]) -> None:
    """Special uses where LIST does not tell them. XLIST shows INBOX under a name of its own, which is left out."""
    reply = session.conversation.execute(b"XLIST", b'""', b'"*"')
    with session.parsing():
        for each in map(Listed.of, reply.named(b"XLIST")):
            if each.name in listed:
                known = listed[each.name]
                listed[each.name] = Listed(known.name, known.attributes | gmail.plainly(each.attributes))


def _subscribed(session: Session) -> set[bytes]:
    reply = session.conversation.execute(b"LSUB", b'""', b'"*"')
    with session.parsing():
        return {each.name for each in map(Listed.of, reply.named(b"LSUB")) if each.selectable}


def _status_of_each(session: Session, names: Sequence[bytes]) -> dict[bytes, dict[bytes, Value]]:
    asked = _asked(session)
    found: dict[bytes, dict[bytes, Value]] = {}
    for reply in session.conversation.execute_many([(b"STATUS", astring(name), asked) for name in names]):
        with session.parsing():
            found.update(_statuses(reply))
    return found


def _asked(session: Session) -> bytes:
    wanted = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"]
    if session.has_modseq:
        wanted.append(b"HIGHESTMODSEQ")
    if session.can("OBJECTID") and not _object_ids_apart(session):
        wanted.append(b"MAILBOXID")
    return b"(" + b" ".join(wanted) + b")"


def _object_ids_apart(session: Session) -> bool:
    """Whether MAILBOXID must be asked for by a command of its own.

    Cyrus 3.6, which alone announces X-REPLICATION, answers it with freed memory when the same command asks for
    anything that makes it open the mailbox.
    """
    return session.can("OBJECTID") and session.can("X-REPLICATION")


def _object_id_apart(session: Session, folder: Folder) -> dict[bytes, Value]:
    """The MAILBOXID of a folder where it takes a command of its own, unless it is known."""
    if not _object_ids_apart(session):
        return {}
    if folder.ref:
        return {b"MAILBOXID": [folder.ref]}
    reply = session.command(f"look at folder {shown(folder)}", b"STATUS", astring(wire_name(folder)), b"(MAILBOXID)")
    return _statuses(reply).get(_key(wire_name(folder)), {})


def _statuses(reply: Reply) -> dict[bytes, dict[bytes, Value]]:
    found: dict[bytes, dict[bytes, Value]] = {}
    for each in reply.named(b"STATUS"):
        if len(each.values) < 2:
            raise Malformed("a STATUS response is incomplete")
        name = b"NIL" if each.values[0] is None else tokens.text(each.values[0])
        found[_key(name)] = tokens.pairs(each.values[1])
    return found


def _key(name: bytes) -> bytes:
    """INBOX has no case, and servers spell it differently in LIST and STATUS."""
    return b"INBOX" if name.upper() == b"INBOX" else name


def _folder(session: Session, listed: Listed, subscribed: set[bytes]) -> Folder:
    path = session.names.path(listed.name)
    role = (
        Role.INBOX if path == ("INBOX",) else next((_ROLES[a] for a in sorted(listed.attributes) if a in _ROLES), None)
    )
    return Folder(
        path,
        native=listed.name.decode("latin-1"),
        role=role,
        selectable=listed.selectable,
        subscribed=listed.name in subscribed or b"\\subscribed" in listed.attributes,
    )


def _with_status(folder: Folder, found: dict[bytes, Value]) -> Folder:
    validity, following = tokens.number(found.get(b"UIDVALIDITY", b"0")), tokens.number(found.get(b"UIDNEXT", b"0"))
    count, modseq = tokens.number(found.get(b"MESSAGES", b"0")), tokens.number(found.get(b"HIGHESTMODSEQ", b"0"))
    if validity > uids.MAX_UID or following > uids.MAX_UID + 1:
        raise Malformed("a UID is beyond 32 bits")
    object_id = tokens.items(found.get(b"MAILBOXID"))
    return replace(
        folder,
        ref=tokens.text(object_id[0]) if object_id else b"",
        validity=validity,
        next_id=uids.ref(min(following, uids.MAX_UID)) if following else b"",
        count=count,
        state=b"%d:%d:%d:%d" % (validity, following, count, modseq) if modseq else b"",
    )


def must_exist(session: Session, folder: Folder | None, display: str) -> Folder:
    """The folder, or the error that it was made and is not there."""
    if folder is None:
        raise session.peer.error(FolderUnusable, f"folder {display} was created but is not listed")
    return folder
