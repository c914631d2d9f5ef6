"""Commands as a client sends them: tokens, literals in place."""

from __future__ import annotations

import re
from typing import TypeAlias

Token: TypeAlias = "bytes | list[Token]"
"""An atom, a string or a literal as bytes; a parenthesised list."""

MARKER = re.compile(rb"(?:~?)\{(\d+)(\+?)\}$")
_TOKEN = re.compile(rb' *(?:(?P<paren>[()])|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<atom>[^ ()"]+))')


class Tokens:
    """Gathers the tokens of one command, line by line."""

    def __init__(self) -> None:
        self._stack: list[list[Token]] = [[]]

    def line(self, line: bytes) -> None:
        """Take a line without its literal's marker."""
        at = 0
        while at < len(line.rstrip()):
            found = _TOKEN.match(line, at)
            if found is None:
                raise ValueError(line)
            at = found.end()
            self._take(found)

    def literal(self, data: bytes) -> None:
        self._stack[-1].append(data)

    @property
    def all(self) -> list[Token]:
        if len(self._stack) != 1:
            raise ValueError("a parenthesis is open")
        return self._stack[0]

    def _take(self, found: re.Match[bytes]) -> None:
        if found["paren"] == b"(":
            inner: list[Token] = []
            self._stack[-1].append(inner)
            self._stack.append(inner)
        elif found["paren"] == b")":
            self._stack.pop()
        elif found["quoted"] is not None:
            self._stack[-1].append(re.sub(rb"\\(.)", rb"\1", found["quoted"]))
        else:
            self._stack[-1].append(found["atom"])


def text(token: Token) -> bytes:
    """A token as a string."""
    if isinstance(token, list):
        raise ValueError("a string is wanted")  # noqa: TRY004  # what a client sent cannot be read
    return token


def words(token: Token) -> list[bytes]:
    """A list's strings, or the one string."""
    return [text(each) for each in token] if isinstance(token, list) else [token]


def members(spans: bytes, known: list[int]) -> list[int]:
    """Which of the ascending numbers a sequence set names; "*" is the last one."""
    last = known[-1] if known else 0
    found: set[int] = set()
    for span in spans.split(b","):
        ends = [last if end == b"*" else int(end) for end in span.split(b":")]
        found.update(number for number in known if min(ends) <= number <= max(ends))
    return sorted(found)
