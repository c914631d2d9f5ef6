"""Commands about messages; all but APPEND and EXPUNGE by UID."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.connectors.imap.dialect.commands import Token, members, text, words
from tests.connectors.imap.dialect.session import Session
from tests.connectors.imap.dialect.store import WHEN, Box, Message, Refusal, Shown

Arguments = list[Token]

_PART = re.compile(rb"BODY(?:\.PEEK)?\[\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE)
_CRITERIA = {b"ALL": None, b"DELETED": True, b"UNDELETED": False}


def _opened(session: Session) -> Box:
    if session.box is None:
        raise Refusal(b"BAD nothing is open")
    return session.box


def by_uid_only(session: Session, _arguments: Arguments) -> bytes:
    session.violated(b"by sequence number")
    return b""


def by_uid(session: Session, name: bytes, arguments: Arguments) -> bytes:
    """UID FETCH, STORE, SEARCH, COPY, MOVE and EXPUNGE."""
    box = _opened(session)
    if name == b"SEARCH":
        return _search(session, box, arguments)
    uids = members(text(arguments[0]), list(box.shown))
    if name == b"FETCH":
        return _fetch(session, box, uids, arguments[1:])
    if name == b"STORE":
        return _store(session, box, uids, arguments[1:])
    if name == b"EXPUNGE":
        session.must("UIDPLUS")
        return expunge(session, uids)
    return _transfer(session, box, uids, text(arguments[1]), move=name == b"MOVE")


# --- reading ------------------------------------------------------------------------------------------------------


def _search(session: Session, box: Box, criteria: Arguments) -> bytes:
    extended = criteria[:1] == [b"RETURN"]
    if extended:
        session.must("ESEARCH")
        criteria = criteria[2:]
    found = list(box.shown)
    left = [text(each).upper() for each in criteria]
    while left:
        one = left.pop(0)
        if one == b"UID":
            found = [uid for uid in found if uid in members(left[0], list(box.shown))]
            left.pop(0)
        elif one in _CRITERIA:
            found = [uid for uid in found if _CRITERIA[one] in (None, box.shown[uid].deleted)]
        else:
            numbers = members(one, list(range(1, len(box.shown) + 1)))
            found = [uid for number, uid in enumerate(box.shown, 1) if number in numbers and uid in found]
    if extended:  # RFC 4731
        told = [b"ALL", _set(found)] if found else []
        session.tell(b"ESEARCH", b'(TAG "' + session.tag + b'")', b"UID", *told)
    else:
        session.tell(b"SEARCH", *(b"%d" % uid for uid in found))
    return b"OK done"


def _fetch(session: Session, box: Box, uids: Iterable[int], arguments: Arguments) -> bytes:
    wanted = words(arguments[0])
    if b"UID" not in wanted:  # RFC 3501 section 6.4.8: it is told all the same
        wanted.insert(0, b"UID")
    since = 0
    if len(arguments) > 1:
        session.must("CONDSTORE")
        since = int(words(arguments[1])[1])
    numbers = {uid: number for number, uid in enumerate(box.shown, 1)}
    chosen = [box.shown[uid] for uid in uids if box.shown[uid].modseq > since]
    for shown in reversed(chosen) if session.dialect.speech.shuffled else chosen:
        parts = [_attribute(session, box, shown, each.upper()) for each in wanted]
        if session.dialect.speech.shuffled:
            parts.reverse()
        space = b"  " if session.dialect.speech.spaces else b" "
        session.tell(b"FETCH", b"(" + space.join(parts) + b")", number=numbers[shown.uid])
    return b"OK done"


def _attribute(session: Session, box: Box, shown: Shown, name: bytes) -> bytes:
    message, word = shown.message, session.word
    if found := _PART.fullmatch(name):
        return _body(session, message, found)
    told = {
        b"UID": b"%d" % shown.uid,
        b"FLAGS": b"(" + b" ".join(sorted(shown.flags)) + b")",
        b"INTERNALDATE": message.date,
        b"RFC822.SIZE": b"%d" % session.dialect.size_told(message.data),
        b"MODSEQ": b"(%d)" % shown.modseq,
        b"X-GM-MSGID": b"%d" % message.number,
        b"EMAILID": b"(M%d)" % message.number,
    }
    needs = {b"MODSEQ": "CONDSTORE", b"X-GM-MSGID": "X-GM-EXT-1", b"EMAILID": "OBJECTID"}
    if name in needs:
        session.must(needs[name])
    return word(name) + b" " + told[name]


def _body(session: Session, message: Message, found: re.Match[bytes]) -> bytes:
    start = int(found[1] or 0)
    data = message.data[start : start + int(found[2])] if found[2] else message.data
    name = b"BODY[]<%d>" % start if found[2] else b"BODY[]"
    return session.word(name) + b" {%d}\r\n" % len(data) + data


# --- writing ------------------------------------------------------------------------------------------------------


def append(session: Session, arguments: Arguments) -> bytes:
    """APPEND, or MULTIAPPEND (RFC 3502): all of it or nothing."""
    box = session.account.box(text(arguments[0]), missing=b"NO [TRYCREATE] no such mailbox")
    entries = list(_entries(arguments[1:]))
    if len(entries) > 1:
        session.must("MULTIAPPEND")
    for _, _, data in entries:
        _allow(session, data)
    uids = [session.account.add(box, data, flags, date or WHEN) for flags, date, data in entries]
    if not session.dialect.can("UIDPLUS"):
        return b"OK kept"
    return b"OK [APPENDUID %d %s] kept" % (box.validity, b",".join(b"%d" % uid for uid in uids))


def _entries(arguments: Arguments) -> Iterable[tuple[list[bytes], bytes, bytes]]:
    """Flags, date and data of each message. A date is the only string with a clock in front of a message."""
    flags: list[bytes] = []
    date = b""
    left = list(arguments)
    while left:
        one = left.pop(0)
        if isinstance(one, list):
            flags = words(one)
        elif left and not isinstance(left[0], list) and re.fullmatch(rb"[ \d]\d-\w{3}-\d{4} [\d:]{8} [+-]\d{4}", one):
            date = b'"' + one + b'"'
        else:
            yield flags, date, one
            flags, date = [], b""


def _allow(session: Session, data: bytes) -> None:
    limit = session.dialect.size_limit
    if limit and len(data) > limit:
        raise Refusal(b"NO [TOOBIG] message too large")
    if not data:
        raise Refusal(b"NO an empty message")
    answer = session.dialect.refuse(data)
    if answer:
        raise Refusal(answer)


def _store(session: Session, box: Box, uids: Iterable[int], arguments: Arguments) -> bytes:
    if session.read_only:
        raise Refusal(b"NO [READ-ONLY] only for reading")
    sign, flags = text(arguments[0])[:1], set(words(arguments[1]))
    for uid in uids:
        shown = box.shown[uid]
        if rb"\Deleted" in flags:
            shown.deleted = sign == b"+"
        changed = flags - {rb"\Deleted"}
        shown.message.flags = shown.message.flags | changed if sign == b"+" else shown.message.flags - changed
        shown.modseq = box.touch()
    return b"OK done"


def expunge_all(session: Session, _arguments: Arguments) -> bytes:
    return expunge(session, list(_opened(session).shown))


def expunge(session: Session, uids: Iterable[int]) -> bytes:
    """Take away those of the messages that are marked as deleted."""
    if session.read_only:
        raise Refusal(b"NO [READ-ONLY] only for reading")
    box = _opened(session)
    for uid in [uid for uid in uids if box.shown[uid].deleted]:
        number = list(box.shown).index(uid) + 1
        session.account.expunge(box, [uid])
        session.tell(b"EXPUNGE", number=number)
    return b"OK done"


def _transfer(session: Session, box: Box, uids: list[int], name: bytes, *, move: bool) -> bytes:
    if move:
        session.must("MOVE")
    to = session.account.box(name, missing=b"NO [TRYCREATE] no such mailbox")
    given = [_copied(session, box.shown[uid].message, to) for uid in uids]
    told = b"COPYUID %d %s %s" % (to.validity, _set(uids), _set(given)) if uids else b"NOOP"
    if move:
        session.send(b"* OK [" + told + b"] moved")
        session.account.expunge(box, uids)
        return b"OK done"
    return b"OK [" + told + b"] copied"


def _copied(session: Session, message: Message, to: Box) -> int:
    if session.dialect.labels:
        return to.uid_of(message) or to.show(message)
    return to.show(Message(message.number, message.data, message.date, set(message.flags)))


def _set(uids: list[int]) -> bytes:
    return b",".join(b"%d" % uid for uid in uids)
