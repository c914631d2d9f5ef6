"""Content lines of vCard: RFC 6350 section 3, RFC 2426 section 2, vCard 2.1. Bytes in, the same bytes out.

A line that nobody alters is written as it stood, folds and line end included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from xdmigrate.formats.refusal import Unreadable

FOLD_OCTETS = 75
"""Without the line end (RFC 6350 section 3.2)."""

MAX_HEAD = 100_000
"""Octets of a property's name and parameters."""

_PHYSICAL = re.compile(rb"[^\r\n]*[\r\n]*")  # blank lines belong to the one before
_FOLD = re.compile(rb"[\r\n]+[ \t]")
_SOFT_BREAK = re.compile(rb"=[ \t]*[\r\n]+")  # RFC 2045 section 6.7, as vCard 2.1 uses it
_LAYOUT = re.compile(rb"[\r\n][\r\n \t]*")
_QUOTED_PRINTABLE = re.compile(rb'[^:\r\n]*;[ \t]*(?:ENCODING=)?"?QUOTED-PRINTABLE"?[ \t]*[;:]', re.IGNORECASE)
_BASE64 = re.compile(rb'[^:\r\n]*;[ \t]*(?:ENCODING=)?"?(?:B|BASE64)"?[ \t]*[;:]', re.IGNORECASE)
_LETTERS = re.compile(rb"[A-Za-z0-9+/]+=*[ \t]*[\r\n]*")
_PROPERTY = re.compile(rb"[A-Za-z0-9_.-]+[;:]")
_CARD_ENDS = re.compile(rb"[ \t]*END[ \t]*:[ \t]*VCARD", re.IGNORECASE)
_HEAD = re.compile(rb'((?:"[^"]*"|[^:])*+):')
_BY_SEMICOLON = re.compile(r'(?:"[^"]*"|[^;])*')
_BY_COMMA = re.compile(r'(?:"[^"]*"|[^,])*')
_FOREIGN = re.compile(r"[^A-Z0-9-]")
_NEEDS_QUOTES = re.compile("[,;:]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\"]")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; a bare value of vCard 2.1 (`TEL;HOME`) has no name."""

    name: str  # upper-case
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A property. Without a name: a blank line, or one that is no content line."""

    name: str  # as written, without its group
    value: bytes = b""  # unfolded, still escaped and encoded
    params: tuple[Parameter, ...] = ()
    group: str = ""
    raw: bytes = b""  # as it stood
    key: str = field(init=False, repr=False, compare=False)
    """The name in upper case; characters that no name may have are hyphens, as servers write them."""

    def __post_init__(self) -> None:
        upper = self.name.upper()
        object.__setattr__(self, "key", upper if upper.isalpha() and upper.isascii() else _FOREIGN.sub("-", upper))

    def values(self, name: str) -> list[str]:
        """All values of a parameter, lists taken apart, also those in quotes (`TYPE="work,voice"`)."""
        if not self.params:  # most have none, and are asked for several
            return []
        return [each.strip() for param in self.params if param.name == name for each in _listed(param.values)]


def parsed(raw: bytes) -> Line:
    """A content line as it stood, taken apart; what is none has no name. Raises Unreadable beyond MAX_HEAD."""
    whole = _unfolded(raw)
    found = _HEAD.match(whole)
    at = found.end(1) if found else whole.find(b":")
    if at < 0:
        return Line("", whole, raw=raw)
    if at > MAX_HEAD:
        raise Unreadable(f"the parameters of a property have more than {MAX_HEAD // 1000} KB")
    name, *params = _split(whole[:at].decode("utf-8", "surrogateescape"), _BY_SEMICOLON)
    group, dot, bare = name.strip("\ufeff \t").partition(".")
    return Line(
        bare.strip() if dot else group.strip(),
        whole[at + 1 :],
        tuple(map(_parameter, params)),
        group if dot else "",
        raw,
    )


def written(lines: Iterable[Line]) -> bytes:
    """The card again: untouched lines to the octet, new ones folded."""
    return b"".join(line.raw or rendered(line) for line in lines)


def rendered(line: Line) -> bytes:
    """A line of ours, folded between characters, with CRLF."""
    head = (f"{line.group}." if line.group else "") + line.name + "".join(map(_shown, line.params))
    return _folded(head.encode("utf-8", "surrogateescape") + b":" + line.value) + b"\r\n"


def logical_lines(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each content line begins and ends, its folds and soft line breaks within."""
    start = 0
    while start < len(data):
        stop = _logical_end(data, start)
        yield start, stop
        start = stop


def _physical_end(data: bytes, start: int) -> int:
    found = _PHYSICAL.match(data, start)
    return found.end() if found else len(data)


def _logical_end(data: bytes, start: int) -> int:
    stop = _physical_end(data, start)
    soft = _QUOTED_PRINTABLE.match(data, start, stop) is not None
    letters = _BASE64.match(data, start, stop) is not None
    last = data[start:stop]
    while stop < len(data):
        after = _physical_end(data, stop)
        following = data[stop:after]
        if following[:1] not in (b" ", b"\t") and not (
            (soft and _breaks_softly(last, following)) or (letters and _is_letters(data, stop, after))
        ):
            break
        last, stop = following, after
    return stop


def _is_letters(data: bytes, start: int, stop: int) -> bool:
    """Whether base64 goes on without a fold, as some phones write it; a name cut by a fold looks the same."""
    return _LETTERS.fullmatch(data, start, stop) is not None and data[stop : stop + 1] not in (b" ", b"\t")


def _breaks_softly(last: bytes, following: bytes) -> bool:
    """Whether a quoted-printable line goes on; what follows a blank line must not look like another property."""
    if not last.rstrip().endswith(b"=") or _CARD_ENDS.match(following):
        return False
    return last.count(b"\n") <= 1 or not _PROPERTY.match(following)


def _unfolded(raw: bytes) -> bytes:
    text = raw.rstrip(b"\r\n")
    if _QUOTED_PRINTABLE.match(text):
        return _FOLD.sub(b"", _SOFT_BREAK.sub(b"", text))
    return _LAYOUT.sub(b"", text) if _BASE64.match(text) else _FOLD.sub(b"", text)


def _folded(text: bytes) -> bytes:
    """Cut where a character begins, so that a server that reads line by line sees whole ones."""
    cut, start, room = [], 0, FOLD_OCTETS
    while len(text) - start > room:
        stop = start + room
        while stop > start + 1 and text[stop] & 0xC0 == 0x80:
            stop -= 1
        cut.append(text[start:stop])
        start, room = stop, FOLD_OCTETS - 1
    return b"\r\n ".join([*cut, text[start:]])


def _parameter(text: str) -> Parameter:
    name, equals, value = text.partition("=")
    if not equals:
        return Parameter("", (_bare(text),))
    return Parameter(name.strip().upper(), tuple(map(_bare, _split(value, _BY_COMMA))))


def _bare(value: str) -> str:
    """Without its quotes, and without the backslashes that some programs put before them."""
    return value.replace('\\"', "").replace('"', "").strip()


def _shown(param: Parameter) -> str:
    values = ",".join(_quoted(value) for value in param.values)
    return f";{param.name}={values}" if param.name else f";{values}"


def _quoted(value: str) -> str:
    bare = _CONTROL.sub(" ", value)
    return f'"{bare}"' if _NEEDS_QUOTES.search(bare) else bare


def _split(text: str, pieces: re.Pattern[str]) -> list[str]:
    """Cut at a separator that stands outside quotes."""
    found, at = [], 0
    while True:
        match = pieces.match(text, at)
        at = match.end() if match else len(text)
        found.append(match[0] if match else "")
        if at >= len(text):
            return found
        at += 1


def _listed(values: tuple[str, ...]) -> Iterator[str]:
    for value in values:
        yield from value.split(",")
