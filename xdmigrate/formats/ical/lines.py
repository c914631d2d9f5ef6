"""Content lines (RFC 5545 section 3.1): unfolded, decoded, taken apart, and written anew.

A line keeps the octets that it was made of, so that whatever is not touched goes out as it came in. Lines are ours and
values are `icalendar`'s: its own parser keeps every time zone that it has ever read in one cache for the whole process,
so that one customer's definition would serve another's event.
"""

from __future__ import annotations

import codecs
import io
import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from xdmigrate.formats.refusal import Unreadable

OCTETS = 64 * 2**20
"""The largest file that is read, in octets."""

LINE_OCTETS = 48 * 2**20
"""The longest line, unfolded: attachments stand in one."""

LINES = 1_500_000
"""The most lines of a file, folds included."""

REMEMBERED_OCTETS = 100_000
"""The lines of the last few texts that are no larger are not looked for again."""

FOLD = 75
"""Octets of a written line, its end not counted."""

_HEAD = re.compile(r'((?:[^":]|"[^"]*")*+):')
_NAME = re.compile(r"[ \t]*([A-Za-z0-9-]+)[ \t]*(?:[;:]|\Z)")
_PARAMETER = re.compile(r';\s*([A-Za-z0-9-]+)\s*(?:=((?:"[^"]*"|[^";])*+))?')
_PARAMETER_VALUE = re.compile(r'\s*(?:"([^"]*)"|([^,]*+))\s*(?:,|\Z)')
_QUOTED = re.compile(rb"[;=][ \t]*QUOTED-PRINTABLE[ \t]*(?:;|\Z)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CIRCUMFLEX = re.compile(r"\^([n'^])")
_CIRCUMFLEXED = {"n": "\n", "'": '"', "^": "^"}
_LISTED = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)
_BLANK_OCTETS = (b" ", b"\t", b"\r", b"\n", b"\0", b"")


@dataclass(frozen=True, slots=True)
class Line:
    """One content line. `name` is upper-case, and empty if this is no content line at all."""

    raw: bytes  # folds and line end included
    text: str  # unfolded, without control characters
    name: str
    colon: int  # where the value's colon stands in `text`

    @property
    def value(self) -> str:
        """What stands after the colon, still escaped."""
        return self.text[self.colon + 1 :] if self.name else self.text

    def parameters(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Names in upper case with their values (RFC 5545 section 3.2, RFC 6868)."""
        for name, values in _PARAMETER.findall(self.text[: self.colon]):
            yield name.upper(), tuple(_parameter_values(values.strip()))

    def parameter(self, name: str) -> str:
        """The first value of this parameter, or "" if there is none."""
        if ";" not in self.text[: self.colon]:
            return ""
        return next((values[0] for key, values in self.parameters() if key == name and values), "")


def _parameter_values(values: str) -> Iterator[str]:
    at = 0
    while at < len(values):
        match = _PARAMETER_VALUE.match(values, at)
        if match is None:  # an opening quote in the middle: taken as it stands
            yield values[at:]
            return
        quoted, plain = match.groups()
        yield _CIRCUMFLEX.sub(lambda code: _CIRCUMFLEXED[code[1]], (plain if quoted is None else quoted).strip())
        at = match.end()


def lines(data: bytes) -> Iterator[Line]:
    """The content lines of UTF-8 text (`utf8`). Blank lines belong to the `raw` of the line before them.

    Raises Unreadable beyond the bounds.
    """
    return iter(_read_before(data)) if len(data) <= REMEMBERED_OCTETS else _read(data)


@lru_cache(maxsize=8)
def _read_before(data: bytes) -> tuple[Line, ...]:
    """An object is read, renamed in, digested and sent by one piece of code after the other."""
    return tuple(_read(data))


def _read(data: bytes) -> Iterator[Line]:
    pieces: list[bytes] = []
    said = False
    for number, piece in enumerate(_physical(data)):
        if number > LINES:
            raise Unreadable(f"more than {LINES} lines")
        begins = piece[:1] not in _BLANK_OCTETS if said else bool(piece.strip(b" \t\r\n\0"))
        if said and begins and not _soft(pieces):
            yield _line(pieces)
            pieces = []
        said |= begins
        pieces.append(piece)
    if said:
        yield _line(pieces)


def _soft(pieces: list[bytes]) -> bool:
    """Whether the line ends in a soft line break, as texts of vCalendar 1.0 do."""
    return pieces[-1].rstrip().endswith(b"=") and _quoted(pieces[0])


def _quoted(piece: bytes) -> bool:
    return _QUOTED.search(piece.partition(b":")[0]) is not None


def _physical(data: bytes) -> Iterable[bytes]:
    """Physical lines with their ends; files of old Macintoshes have nothing but CR."""
    if b"\n" not in data and b"\r" in data:
        return data.splitlines(keepends=True)
    return io.BytesIO(data)


def _line(pieces: list[bytes]) -> Line:
    raw = b"".join(pieces)
    if len(raw) > LINE_OCTETS:
        raise Unreadable(f"a line is longer than {LINE_OCTETS >> 20} MB")
    text = _unfolded(pieces) if len(pieces) > 1 else raw.rstrip(b"\r\n")
    return made(_decoded(text.lstrip()), raw)


def _unfolded(pieces: list[bytes]) -> bytes:
    """Octets are unfolded before they are decoded: a fold may stand inside a character (section 3.1)."""
    stripped = [piece.rstrip(b"\r\n") for piece in pieces]
    if _quoted(pieces[0]):
        stripped = [piece.rstrip()[:-1] if piece.rstrip().endswith(b"=") else piece for piece in stripped]
    return b"".join(piece[1:] if piece[:1] in (b" ", b"\t") else piece for piece in stripped)


def _decoded(text: bytes) -> str:
    """Old exports are in the code page of their computer; a line that is not UTF-8 is read as Windows-1252."""
    try:
        return _CONTROL.sub("", text.decode())
    except UnicodeDecodeError:
        return _CONTROL.sub("", text.decode("cp1252", "replace"))


def made(text: str, raw: bytes = b"") -> Line:
    """The line that says `text`, which is unfolded and escaped. Without `raw` it is written as `folded` says."""
    name = _NAME.match(text)
    colon = text.find(":")
    if '"' in text[: max(colon, 0)]:
        head = _HEAD.match(text)
        colon = head.end() - 1 if head else -1  # a quote that does not end: nobody knows where the value begins
    raw = raw or folded(text)
    if name is None or colon < 0:
        return Line(raw, text, "", -1)
    return Line(raw, text, name[1].upper(), colon)


def folded(text: str, end: bytes = b"\r\n") -> bytes:
    """The line in octets, at most 75 in each physical line, no character cut in two, nor one in quoted-printable."""
    octets = text.encode("utf-8", "replace")
    if len(octets) <= FOLD:
        return octets + end
    return (end + b" ").join(_cut(octets)) + end


def _cut(octets: bytes) -> Iterator[bytes]:
    start, room = 0, FOLD
    while start < len(octets):
        stop = start + room
        while start + 1 < stop < len(octets) and _is_within(octets, stop):
            stop -= 1
        yield octets[start:stop]
        start, room = stop, FOLD - 1  # the continuation's space counts


def _is_within(octets: bytes, at: int) -> bool:
    """Whether this is the middle of a character; a line of quoted-printable that ends in "=" would lose it."""
    return octets[at] & 0xC0 == 0x80 or octets[at - 1 : at] == b"="


def line_end(data: bytes) -> bytes:
    """The line end that this text uses."""
    at = data.find(b"\n")
    return b"\n" if at >= 0 and data[at - 1 : at] != b"\r" else b"\r\n"


def unescaped(value: str) -> str:
    """A TEXT value as it is meant (RFC 5545 section 3.3.11)."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def encoded(line: Line) -> bool:
    """Whether the value is quoted-printable: vCalendar 1.0 is, and so is what some call 2.0."""
    head = line.text[: max(line.colon, 0)].upper()
    return "QUOTED-PRINTABLE" in head and any(
        name == "QUOTED-PRINTABLE" or (name == "ENCODING" and "QUOTED-PRINTABLE" in values)
        for name, values in line.parameters()
    )


def text_of(line: Line) -> str:
    """The text that this line's value means."""
    if not encoded(line):
        return unescaped(line.value)
    octets = quopri.decodestring(line.value.encode("utf-8", "replace"))
    try:
        text = octets.decode(line.parameter("CHARSET") or "utf-8")
    except (UnicodeDecodeError, LookupError, ValueError):
        text = octets.decode("cp1252", "replace")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)


def escaped(text: str) -> str:
    """The opposite of `unescaped`."""
    return re.sub(r"([\\;,])", r"\\\1", text.replace("\r\n", "\n")).replace("\n", "\\n")


def listed(value: str) -> list[str]:
    """The values of a comma-separated TEXT list, unescaped; empty ones say nothing."""
    return [unescaped(match[0]) for match in _LISTED.finditer(value)]


def utf8(data: bytes) -> tuple[bytes, str]:
    """The text as UTF-8 without its mark, and the name of the encoding that it came in.

    Raises Unreadable for what is too large, or not text.
    """
    if len(data) > OCTETS:
        raise Unreadable(f"larger than {OCTETS >> 20} MB")
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :], "utf-8-sig"
    for codec, mark, start in (
        ("utf-16-le", codecs.BOM_UTF16_LE, b"B\0E\0G\0"),
        ("utf-16-be", codecs.BOM_UTF16_BE, b"\0B\0E\0G"),
    ):
        if data.startswith((mark, start)):
            return _transcoded(data, codec), codec
    return data, "utf-8"


def _transcoded(data: bytes, codec: str) -> bytes:
    try:
        return data.decode(codec).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        raise Unreadable("it begins like UTF-16 but is not") from error
