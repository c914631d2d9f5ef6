"""What each command does (RFC 3501 section 6), as far as migrations need it."""

from __future__ import annotations

from collections.abc import Callable

from tests.connectors.imap.dialect import messages
from tests.connectors.imap.dialect.commands import Token, text, words
from tests.connectors.imap.dialect.session import Session
from tests.connectors.imap.dialect.store import Box, Refusal, matches

_XLIST = {rb"\All": rb"\AllMail", rb"\Junk": rb"\Spam", rb"\Flagged": rb"\Starred"}

Arguments = list[Token]


def execute(session: Session, tokens: Arguments) -> bytes:
    """Carry out a command; the tagged answer."""
    name, arguments = text(tokens[0]).upper(), tokens[1:]
    by_uid = name == b"UID"
    if by_uid:
        name, arguments = text(arguments[0]).upper(), arguments[1:]
    found = _COMMANDS.get(name)
    if found is None:
        raise Refusal(b"BAD unknown command")
    if session.dialect.speech.chatty:
        _chat(session)
    return found(session, arguments) if not by_uid else messages.by_uid(session, name, arguments)


def _chat(session: Session) -> None:
    session.send(b"* OK Still here")
    if session.box is not None:
        session.tell(b"EXISTS", number=len(session.box.shown))
        session.tell(b"RECENT", number=0)
        session.tell(b"FETCH", rb"(FLAGS (\Seen \Recent))", number=1)
        session.tell(b"FLAGS", rb"(\Seen \Deleted)")


# --- the session --------------------------------------------------------------------------------------------------


def _capability(session: Session, _arguments: Arguments) -> bytes:
    session.send(b"* CAPABILITY " + session.capabilities())  # before login only libraries read
    return b"OK done"


def _noop(_session: Session, _arguments: Arguments) -> bytes:
    return b"OK done"


def _login(session: Session, arguments: Arguments) -> bytes:
    return session.log_in(text(arguments[0]), text(arguments[1]))


def _authenticate(session: Session, arguments: Arguments) -> bytes:
    return session.authenticate(arguments)


def _logout(session: Session, _arguments: Arguments) -> bytes:
    raise Refusal(b"* BYE see you")


def _enable(session: Session, _arguments: Arguments) -> bytes:
    session.must("ENABLE")
    return b"OK done"


# --- mailboxes ----------------------------------------------------------------------------------------------------


def _namespace(session: Session, _arguments: Arguments) -> bytes:
    session.must("NAMESPACE")
    dialect = session.dialect
    spaces = [
        b"((" + session.name(prefix) + b" " + _separator(session) + b"))"
        for prefix in (dialect.prefix, *dialect.others)
    ]
    session.tell(b"NAMESPACE", *[*spaces, b"NIL", b"NIL"][:3])
    return b"OK done"


def _list(session: Session, arguments: Arguments) -> bytes:
    reference, pattern, *options = arguments
    if isinstance(reference, list) or (options and not session.dialect.can("LIST-STATUS")):
        session.must("LIST-EXTENDED")
    wanted = _options(options)
    if text(pattern) == b"":
        session.tell(b"LIST", rb"(\Noselect)", _separator(session), b'""')
        return b"OK done"
    for box in _found(session, text(pattern)):
        session.tell(b"LIST", _attributes(session, box, wanted), *_place(session, box))
        if b"STATUS" in wanted and box.selectable:
            _tell_status(session, box, words(wanted[wanted.index(b"STATUS") + 1]))
    return b"OK done"


def _options(arguments: list[Token]) -> list[Token]:
    """What RETURN asks for (RFC 5258)."""
    return words_of(arguments[1]) if arguments else []


def _xlist(session: Session, arguments: Arguments) -> bytes:
    session.must("XLIST")
    for box in _found(session, text(arguments[1])):
        use = b" " + _XLIST.get(box.use, box.use) if box.use else b""
        session.tell(b"XLIST", rb"(\HasNoChildren" + use + b")", *_place(session, box))
    return b"OK done"


def _lsub(session: Session, arguments: Arguments) -> bytes:
    for box in _found(session, text(arguments[1])):
        if box.subscribed:
            session.tell(b"LSUB", b"()", *_place(session, box))
    return b"OK done"


def _found(session: Session, pattern: bytes) -> list[Box]:
    dialect, account = session.dialect, session.account
    exact = account.find(pattern)
    if exact is not None and not set(pattern) & set(b"*%"):
        return [exact]
    return [box for box in account.boxes.values() if matches(box.name, pattern, dialect.separator)]


def _shown(session: Session, box: Box) -> bytes:
    return session.dialect.inbox if box.name.upper() == b"INBOX" else box.name


def _place(session: Session, box: Box) -> tuple[bytes, bytes]:
    return _separator(session), session.name(_shown(session, box))


def _separator(session: Session) -> bytes:
    separator = session.dialect.separator
    return b'"' + separator.replace(b"\\", b"\\\\") + b'"' if separator else b"NIL"


def _attributes(session: Session, box: Box, wanted: list[Token]) -> bytes:
    dialect = session.dialect
    found = [] if box.selectable else [dialect.parent_attribute]
    if dialect.lists_uses and box.use:
        found.append(box.use)
    if box.name in dialect.childless:
        found.append(rb"\Noinferiors")
    if box.subscribed and b"SUBSCRIBED" in wanted:
        found.append(rb"\Subscribed")
    return b"(" + b" ".join(map(session.word, found)) + b")"


def _status(session: Session, arguments: Arguments) -> bytes:
    box = session.account.box(text(arguments[0]))
    _tell_status(session, box, words(arguments[1]))
    return b"OK done"


def _tell_status(session: Session, box: Box, wanted: list[bytes]) -> None:
    known = {
        b"MESSAGES": b"%d" % len(box.shown),
        b"UIDNEXT": b"%d" % box.next_uid,
        b"UIDVALIDITY": b"%d" % box.validity,
        b"HIGHESTMODSEQ": b"%d" % box.modseq,
        b"MAILBOXID": b"(F%d)" % box.validity,
        b"APPENDLIMIT": b"%d" % session.dialect.size_limit,
    }
    needs = {b"HIGHESTMODSEQ": "CONDSTORE", b"MAILBOXID": "OBJECTID", b"APPENDLIMIT": "APPENDLIMIT"}
    for each in wanted:
        if each in needs:
            session.must(needs[each])
    told = b" ".join(session.word(each) + b" " + known[each] for each in wanted if each not in session.dialect.untold)
    session.tell(b"STATUS", session.name(_shown(session, box)), b"(" + told + b")")


def _select(session: Session, arguments: Arguments) -> bytes:
    session.read_only = False
    return _opened(session, text(arguments[0]), b"READ-WRITE")


def _examine(session: Session, arguments: Arguments) -> bytes:
    session.read_only = True
    return _opened(session, text(arguments[0]), b"READ-ONLY")


def _opened(session: Session, name: bytes, mode: bytes) -> bytes:
    session.box = None
    session.box = box = session.account.box(name)
    session.tell(b"FLAGS", rb"(\Answered \Flagged \Deleted \Seen \Draft)")
    session.send(b"* OK [PERMANENTFLAGS (" + (b"" if session.read_only else session.dialect.permanent) + b")] kept")
    session.tell(b"EXISTS", number=len(box.shown))
    for code, number in ((b"UIDVALIDITY", box.validity), (b"UIDNEXT", box.next_uid)):
        if code not in session.dialect.untold:
            session.send(b"* OK [%s %d] told" % (code, number))
    if session.dialect.can("CONDSTORE"):
        session.send(b"* OK [HIGHESTMODSEQ %d] changes" % box.modseq)
    return b"OK [" + mode + b"] open"


def _unselect(session: Session, _arguments: Arguments) -> bytes:
    session.must("UNSELECT")
    session.box = None
    return b"OK done"


def _close(session: Session, _arguments: Arguments) -> bytes:
    if session.box is None:
        raise Refusal(b"BAD nothing is open")
    if not session.read_only:
        messages.expunge(session, list(session.box.shown))
    session.box = None
    return b"OK done"


def _create(session: Session, arguments: Arguments) -> bytes:
    use = b""
    if len(arguments) > 1:
        session.must("CREATE-SPECIAL-USE")
        use = words(words_of(arguments[1])[1])[0]
    session.account.create(text(arguments[0]), use)
    return b"OK done"


def words_of(token: Token) -> list[Token]:
    """A parenthesised list."""
    if not isinstance(token, list):
        raise ValueError("a list is wanted")  # noqa: TRY004  # what a client sent cannot be read
    return token


def _rename(session: Session, arguments: Arguments) -> bytes:
    session.account.rename(text(arguments[0]), text(arguments[1]))
    return b"OK done"


def _subscribe(session: Session, arguments: Arguments) -> bytes:
    session.account.box(text(arguments[0])).subscribed = True
    return b"OK done"


def _unsubscribe(session: Session, arguments: Arguments) -> bytes:
    found = session.account.find(text(arguments[0]))
    if found is not None:
        found.subscribed = False
    return b"OK done"


_COMMANDS: dict[bytes, Callable[[Session, Arguments], bytes]] = {
    b"CAPABILITY": _capability,
    b"NOOP": _noop,
    b"LOGIN": _login,
    b"AUTHENTICATE": _authenticate,
    b"LOGOUT": _logout,
    b"ENABLE": _enable,
    b"NAMESPACE": _namespace,
    b"LIST": _list,
    b"XLIST": _xlist,
    b"LSUB": _lsub,
    b"STATUS": _status,
    b"SELECT": _select,
    b"EXAMINE": _examine,
    b"UNSELECT": _unselect,
    b"CLOSE": _close,
    b"CREATE": _create,
    b"RENAME": _rename,
    b"SUBSCRIBE": _subscribe,
    b"UNSUBSCRIBE": _unsubscribe,
    b"APPEND": messages.append,
    b"EXPUNGE": messages.expunge_all,
    b"SEARCH": messages.by_uid_only,
    b"FETCH": messages.by_uid_only,
    b"STORE": messages.by_uid_only,
    b"COPY": messages.by_uid_only,
    b"MOVE": messages.by_uid_only,
}
