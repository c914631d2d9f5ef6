"""FETCH responses as a stream (RFC 3501 section 7.4.2): attributes in any order, bodies straight from the wire.

A body whose attributes all came before it is handed out as it arrives; one that comes before its UID, flags or date
is kept until they are known. Anything unsolicited in between is read over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from xdmigrate.model import Body
from xdmigrate_imap import tokens
from xdmigrate_imap.bodies import KeptBody, StreamBody, keep, unreadable
from xdmigrate_imap.conversation import MAX_UNTAGGED, Conversation
from xdmigrate_imap.grammar import listed_flags, parse_date
from xdmigrate_imap.tokens import Data, Malformed, Status
from xdmigrate_imap.uids import MAX_UID
from xdmigrate_imap.wire import Literal, Wire

HEAD = b"(UID FLAGS INTERNALDATE RFC822.SIZE)"
FLAGS = b"(UID FLAGS)"
WHOLE = b"(UID FLAGS INTERNALDATE BODY.PEEK[])"

_USUAL = re.compile(
    rb'\* \d{1,10} FETCH \(UID (?P<uid>\d{1,10}) FLAGS \((?P<flags>[^()"{]*)\) INTERNALDATE "(?P<date>[^"\\]{1,40})" '
    rb"(?:RFC822\.SIZE (?P<size>\d{1,18})\)|BODY\[\] \{(?P<body>\d{1,9})\})"
)
"""What most servers answer to HEAD and to WHOLE, in the order in which it was asked: read in one step."""

_START = re.compile(rb"\* \d{1,10} FETCH +\(", re.IGNORECASE)
_NAME = re.compile(rb" *([A-Za-z0-9.\-]+(?:\[[^\]]*\](?:<\d+>)?)?) +")
_NUMBER = re.compile(rb"(\d{1,20})(?=[ )])")
_FLAGS = re.compile(rb"\(([^()\"{]*)\)")
_DATE = re.compile(rb'"([^"\\]{1,40})"|NIL', re.IGNORECASE)
_OBJECT_ID = re.compile(rb"\(([A-Za-z0-9_-]{1,255})\)")
_BODY = re.compile(rb'~?\{(\d{1,18})\}$|"((?:[^"\\]|\\.)*)"|NIL', re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(.)")
_MOST_ATTRIBUTES = 1000
_REMEMBERED = 1000
"""Flag combinations of which the parsed form is kept."""


class Message:
    """What one FETCH response told; -1 is a size that it did not tell."""

    __slots__ = ("body", "date", "flags", "identity", "size", "uid")

    def __init__(
        self, uid: int = 0, flags: frozenset[str] | None = None, date: datetime | None = None, size: int = -1
    ) -> None:
        self.uid = uid
        self.flags = flags
        self.date = date
        self.size = size
        self.identity = b""
        self.body: Body | None = None


class Fetch:
    """One FETCH command under way: iterate over its messages; `status` is the server's answer once it has ended.

    Another command on the connection ends it early: `status` stays None and what is missing must be asked for again.
    """

    def __init__(self, conversation: Conversation, *command: bytes) -> None:
        self.status: Status | None = None
        self._conversation = conversation
        self._wire = conversation.wire
        self._flags: dict[bytes, frozenset[str]] = {}
        self._tag = conversation.start(*command)
        self._response: _Response | None = None  # whose body is being handed out
        self._interrupted = False
        conversation.unfinished = self._interrupt

    def __iter__(self) -> Iterator[Message]:
        left = MAX_UNTAGGED
        while self.status is None and not self._interrupted:
            left -= 1
            if not left:
                raise self._wire.broken("answers without end")
            line = self._wire.line()
            response = self._usual(line)
            if response is None:
                start = _START.match(line)
                if start is None:
                    self._other(line)
                    continue
                response = _Response(self._wire, line, start.end(), self._flags)
                self._parse(response)
            message = response.message
            if self.answers(message):
                yield message
            if not response.ended and not self._interrupted:
                self._parse(response)

    def answers(self, message: Message) -> bool:
        """Whether the message tells what was asked for; else it is unsolicited."""
        return message.uid > 0 and (message.body is not None or message.size >= 0)

    def told(self, data: Data) -> None:
        """An untagged response between the messages; as a rule nobody has asked for it."""

    def _usual(self, line: bytes) -> _Response | None:
        """A response as it usually is; None where it has to be taken apart."""
        found = _USUAL.fullmatch(line)
        if found is None or not 0 < (uid := int(found["uid"])) <= MAX_UID:
            return None
        flags, date = _parsed_flags(found["flags"], self._flags), parse_date(found["date"])
        response = _Response(self._wire, line, len(line), self._flags)
        if found["body"] is None:
            response.message = Message(uid, flags, date, int(found["size"]))
            response.ended = True
        else:
            response.message = Message(uid, flags, date)
            response.hand_out(Literal(self._wire, int(found["body"])))
            self._response = response
        return response

    def _parse(self, response: _Response) -> None:
        """Go on up to a body that can be handed out, or to the response's end."""
        self._response = response
        try:
            response.parse()
        except Malformed as error:
            raise self._conversation.malformed(error) from error
        if response.ended:
            self._response = None

    def _other(self, line: bytes) -> None:
        answer = self._conversation.interpret(line)
        if isinstance(answer, Status) and answer.tag:
            if self._conversation.is_indifferent(answer):
                return
            if answer.tag != self._tag:
                raise self._wire.broken("answered a command that was not asked")
            self.status = answer
            self._conversation.unfinished = None
        elif isinstance(answer, Data):
            self.told(answer)

    def _interrupt(self) -> None:
        """Read over what is left of the command, so that another one can be sent."""
        self._interrupted = True
        if self._response is not None:
            self._response.skip_body()
            self._conversation.skip_rest(self._response.rest)
        self._conversation.skip_to(self._tag)


class _Response:
    """The attributes of one FETCH response, taken one after the other."""

    __slots__ = ("_at", "_dated", "_known", "_line", "_literal", "_wire", "ended", "message")

    def __init__(self, wire: Wire, line: bytes, at: int, known: dict[bytes, frozenset[str]]) -> None:
        self._wire = wire
        self._line = line
        self._at = at
        self._known = known
        self._dated = False
        self._literal: Literal | None = None
        self.message = Message()
        self.ended = False

    def parse(self) -> None:
        """Take attributes up to a body that is handed out, or up to the end. Raises Malformed."""
        if self._literal is not None:
            self.skip_body()
        for _ in range(_MOST_ATTRIBUTES):
            name = _NAME.match(self._line, self._at)
            if name is None:
                self._end()
                return
            self._at = name.end()
            take = _TAKE.get(name[1].upper())
            if take is None or not take(self):
                self._line, self._at = tokens.skip(self._line, self._at, self._more)
            if self._literal is not None:
                return
        raise Malformed("a FETCH response has too many attributes")

    def hand_out(self, literal: Literal) -> None:
        """Give the message this body, which is still on the wire."""
        self._literal = literal
        self.message.body = StreamBody(literal)

    def skip_body(self) -> None:
        """Read over what was not read of the body that was handed out, and take the line behind it."""
        if self._literal is not None:
            self._literal.skip()
            self._after_literal()

    @property
    def rest(self) -> bytes:
        """The line that is being taken."""
        return self._line

    def _end(self) -> None:
        if self._line[self._at :].strip() != b")":
            raise Malformed("a FETCH response does not end")
        self.ended = True

    def _after_literal(self) -> None:
        self._literal = None
        self._line, self._at = self._wire.line(), 0

    def _more(self, size: int) -> tuple[bytes, bytes]:
        return self._wire.exactly(size), self._wire.line()

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        found = pattern.match(self._line, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _take_uid(self) -> bool:
        found = self._match(_NUMBER)
        if found is None or not 0 < (uid := int(found[1])) <= MAX_UID:
            raise Malformed("a UID is a number of 32 bits")
        self.message.uid = uid
        return True

    def _take_size(self) -> bool:
        found = self._match(_NUMBER)
        if found is not None:
            self.message.size = int(found[1])
        return found is not None

    def _take_flags(self) -> bool:
        found = self._match(_FLAGS)
        self.message.flags = _parsed_flags(found[1] if found is not None else b"", self._known)
        return found is not None

    def _take_date(self) -> bool:
        found = self._match(_DATE)
        if found is not None and found[1]:
            self.message.date = parse_date(found[1])
        self._dated = True
        return found is not None

    def _take_email_id(self) -> bool:
        found = self._match(_OBJECT_ID)
        if found is not None:
            self.message.identity = found[1]
        return found is not None  # NIL is read over

    def _take_number(self) -> bool:
        """X-GM-MSGID: one number for a message in all its mailboxes."""
        found = self._match(_NUMBER)
        if found is not None:
            self.message.identity = found[1]
        return found is not None

    def _take_body(self) -> bool:
        message, found = self.message, self._match(_BODY)
        if found is None:
            raise Malformed("a body is a string")
        if found[1] is None:
            message.body = unreadable() if found[2] is None else KeptBody(_ESCAPE.sub(rb"\1", found[2]))
            return True
        literal = _body(self._wire, int(found[1]))
        if message.uid and message.flags is not None and self._dated:
            self.hand_out(literal)
        else:
            message.body = keep(literal)
            self._after_literal()
        return True


def _body(wire: Wire, size: int) -> Literal:
    if size > tokens.MAX_BODY:
        raise Malformed("a message is too long")
    return Literal(wire, size)


def _parsed_flags(raw: bytes, known: dict[bytes, frozenset[str]]) -> frozenset[str]:
    flags = known.get(raw)
    if flags is None:
        flags = listed_flags(raw)
        if len(known) < _REMEMBERED:
            known[raw] = flags
    return flags


_TAKE: dict[bytes, Callable[[_Response], bool]] = {
    b"UID": _Response._take_uid,
    b"FLAGS": _Response._take_flags,
    b"INTERNALDATE": _Response._take_date,
    b"RFC822.SIZE": _Response._take_size,
    b"EMAILID": _Response._take_email_id,
    b"X-GM-MSGID": _Response._take_number,
    b"BODY[]": _Response._take_body,
}
