"""Tokens and values of server responses (RFC 3501 section 9). Pure, and bounded whatever a server sends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

MAX_DEPTH = 32
"""Parentheses inside parentheses; a BODYSTRUCTURE that nobody asked for is the deepest that servers send."""

MAX_LITERAL = 1 << 20
"""Octets of a literal that is not a message body."""

MAX_BODY = 2**32 - 1
"""Octets of a message (RFC 3501 section 9: a literal's size is a number of 32 bits)."""

MAX_VALUES = 200_000
"""Values in one response."""

Value: TypeAlias = "bytes | list[Value] | None"
"""A string, atom or number as bytes; NIL; a parenthesised list."""

More = Callable[[int], tuple[bytes, bytes]]
"""Given a literal's size: its octets, and the line behind it."""

_TOKEN = re.compile(
    rb"""\ *(?:
      (?P<paren>[()])
    | "(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"
    | ~?\{(?P<literal>\d{1,20})\+?\}$
    | (?P<atom>[^\ ()"]+)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(.)")
_LITERAL_AT_END = re.compile(rb"\{(\d{1,20})\+?\}$")
_STATUS = re.compile(
    rb"(OK|NO|BAD|BYE|PREAUTH)(?: +\[([^\] ]+)(?: ([^\]]*))?\])?(?: +(.*)| *)", re.IGNORECASE | re.DOTALL
)
_DATA = re.compile(rb"(?:(\d{1,10}) )?([A-Za-z][A-Za-z0-9-]*)(?: |$)")


class Malformed(ValueError):
    """A response that the grammar does not allow, or that is beyond our bounds."""


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, BYE or PREAUTH: tagged, or untagged with an empty tag."""

    tag: bytes
    kind: str
    code: str = ""  # of a response code, upper-case
    arguments: bytes = b""  # of the response code
    words: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """An untagged response that carries data, e.g. LIST, or EXISTS with its number."""

    name: bytes
    number: int
    values: list[Value]
    count: int = field(default=0, compare=False)  # of all values, those in lists included


@dataclass(frozen=True, slots=True)
class Continuation:
    """The server is ready for a literal."""

    words: str = ""


Response = Status | Data | Continuation


def literal_size(line: bytes) -> int | None:
    """The size of the literal that follows this line; None when none does."""
    if not line.endswith(b"}"):
        return None
    found = _LITERAL_AT_END.search(line)
    return int(found[1]) if found else None


def response(line: bytes, more: More) -> Response:
    """A whole response that begins with this line. Raises Malformed."""
    if line.startswith(b"+"):
        return Continuation(_text(line[2:]))
    tag, space, rest = line.partition(b" ")
    if not tag or not space:
        raise Malformed("a line is no response")
    found = _STATUS.fullmatch(rest)
    if found:
        kind, code, arguments, words = found.groups(b"")
        own = b"" if tag == b"*" else tag
        return Status(own, _text(kind).upper(), _text(code).upper(), arguments, _text(words))
    if tag != b"*":
        raise Malformed("a tagged response has no status")
    return _data(rest, more)


def _data(rest: bytes, more: More) -> Data:
    found = _DATA.match(rest)
    if found is None:
        raise Malformed("an untagged response has no name")
    name = found[2].upper()
    if name in (b"SEARCH", b"SORT"):  # long, flat and numeric
        numbers = list[Value](rest[found.end() :].split())
        return Data(name, 0, numbers, len(numbers))
    read = _read(rest, found.end(), more)
    return Data(name, int(found[1] or 0), read.finish(), read.count)


def values(line: bytes, at: int, more: More) -> list[Value]:
    """The values from `at` to the end of the response, across its literals."""
    return _read(line, at, more).finish()


def _read(line: bytes, at: int, more: More) -> _Values:
    reader = _Values(more)
    while (size := reader.line(line, at)) is not None:
        literal, line = more(size)
        reader.add(literal)
        at = 0
    return reader


class _Values:
    """Builds nested lists with a stack of our own: no recursion, whatever the nesting."""

    def __init__(self, more: More) -> None:
        self._more = more
        self._stack: list[list[Value]] = [[]]
        self.count = 0

    def add(self, value: Value) -> None:
        self.count += 1
        if self.count > MAX_VALUES:
            raise Malformed("a response has too many values")
        self._stack[-1].append(value)

    def finish(self) -> list[Value]:
        if len(self._stack) != 1:
            raise Malformed("a parenthesis is not closed")
        return self._stack[0]

    def line(self, line: bytes, at: int) -> int | None:
        """Take the tokens of one line; the size of the literal at its end, if there is one."""
        end = len(line.rstrip(b" "))
        while at < end:
            found = _TOKEN.match(line, at, end)
            if found is None:
                raise Malformed("a quoted string does not end")
            at = found.end()
            if found["literal"] is not None:
                return _bounded(int(found["literal"]))
            self._token(found)
        return None

    def _token(self, found: re.Match[bytes]) -> None:
        paren, quoted, atom = found["paren"], found["quoted"], found["atom"]
        if paren == b"(":
            self._open()
        elif paren == b")":
            self._close()
        elif quoted is not None:
            self.add(_ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        else:
            self.add(None if atom == b"NIL" else atom)

    def _open(self) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise Malformed("a response is nested too deeply")
        inner: list[Value] = []
        self.add(inner)
        self._stack.append(inner)

    def _close(self) -> None:
        if len(self._stack) == 1:
            raise Malformed("a parenthesis closes nothing")
        self._stack.pop()


def skip(line: bytes, at: int, more: More) -> tuple[bytes, int]:
    """Read over one value; the line and the position behind it."""
    depth = 0
    for _ in range(MAX_VALUES):
        found = _TOKEN.match(line, at)
        if found is None:
            raise Malformed("a value is missing")
        at = found.end()
        if found["literal"] is not None:
            line, at = more(_bounded(int(found["literal"])))[1], 0
        elif found["paren"]:
            depth += 1 if found["paren"] == b"(" else -1
        if depth < 0 or depth > MAX_DEPTH:
            raise Malformed("parentheses do not match")
        if not depth:
            return line, at
    raise Malformed("a value has too many parts")


def _bounded(size: int) -> int:
    if size > MAX_LITERAL:
        raise Malformed("a literal is too long")
    return size


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def number(value: Value) -> int:
    """A value as an unsigned number below 2**64. Raises Malformed."""
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 20:
        raise Malformed("a number is expected")
    return int(value)


def text(value: Value) -> bytes:
    """A value as a string. Raises Malformed."""
    if not isinstance(value, bytes):
        raise Malformed("a string is expected")
    return value


def items(value: Value) -> list[Value]:
    """A value as a list; NIL is the empty one. Raises Malformed."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed("a list is expected")
    return value


def pairs(value: Value) -> dict[bytes, Value]:
    """A list of names and values, e.g. of STATUS. Raises Malformed."""
    flat = items(value)
    return {text(name).upper(): found for name, found in zip(flat[::2], flat[1::2], strict=False)}
