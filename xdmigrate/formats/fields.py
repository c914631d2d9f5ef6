"""One header field made fit for a strict server: no NUL, no bare CR or LF, no 8-bit octet, no line over 998 octets.

The value that a reader decodes stays the same (RFC 2047 encoded-words, RFC 2231 parameters, RFC 5322 folding).
A field without a fault is returned as it is.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from binascii import a2b_qp
from enum import StrEnum
from urllib.parse import quote

from xdmigrate.formats.mime import field_name

LINE_OCTETS = 998
"""Without the line end (RFC 5322 section 2.1.1)."""

ENCODED = re.compile(rb"=\?([!->@-~]{1,40})\?([bBqQ])\?([!->@-~]*)\?=")
"""An encoded-word (RFC 2047 section 2), wherever it stands."""

_WORD_OCTETS = 40  # of UTF-8 in one encoded-word: at most 75 characters in quoted form for ASCII, else in base64
_ADDRESSES = frozenset({b"from", b"to", b"cc", b"bcc", b"reply-to", b"sender"})
_PARAMETERS = frozenset({b"content-type", b"content-disposition"})
_FREE = frozenset({b"subject", b"comments", b"content-description", b"thread-topic", b"organization"})
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.){0,500}"|[\s]+|[(),<>;]|[^\s(),<>;"]+|"', re.DOTALL)
_WORD = re.compile(rb"\s+|\S+")
_PARAMETER = re.compile(rb'(;\s*)([A-Za-z0-9_-]+)(\s*=\s*)("(?:[^"\\]|\\.){0,500}"|[^;\s"]+)', re.DOTALL)
_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_LF = re.compile(rb"(?<!\r)\n")


class Fault(StrEnum):
    """What was altered, in the words that reports show."""

    NUL = "NUL taken out"
    LINE_ENDS = "line ends made CRLF"
    LONG = "long lines wrapped"
    EIGHT_BIT = "8-bit headers encoded"
    ENCODED = "parts encoded anew"


def mend_field(field: bytes) -> tuple[bytes, set[Fault]]:
    """The field in a form that every server takes, and what had to be altered. A fault may remain (see `faults`)."""
    found = faults(field)
    if not found:
        return field, found
    bare = field.replace(b"\0", b"")
    bare = _BARE_CR.sub(b" ", _BARE_LF.sub(b"\r\n", bare))
    if Fault.EIGHT_BIT in found and field_name(bare):
        bare = _encode(bare)
    if _too_long(bare) and field_name(bare):
        bare = _fold(bare)
    return bare, found


def faults(field: bytes) -> set[Fault]:
    """What a strict server refuses in this field."""
    found = {Fault.NUL} if b"\0" in field else set()
    if _BARE_LF.search(field) or _BARE_CR.search(field):
        found.add(Fault.LINE_ENDS)
    if _EIGHT_BIT.search(field):
        found.add(Fault.EIGHT_BIT)
    if _too_long(field):
        found.add(Fault.LONG)
    return found


def guessed(value: bytes) -> str:
    """Octets of a header as text: UTF-8, else windows-1252, else one character an octet."""
    for charset in ("utf-8", "cp1252"):
        try:
            return value.decode(charset)
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def plain(value: bytes) -> str:
    """The text that a reader sees: unfolded, encoded-words decoded, white space as one space."""
    whole = re.sub(rb"[\r\n]", b" ", value.replace(b"\0", b""))
    return " ".join(_decode_words(guessed(whole).encode()).split())


def _too_long(field: bytes) -> bool:
    return any(len(line.removesuffix(b"\r")) > LINE_OCTETS for line in field.split(b"\n"))


# --- 8-bit ------------------------------------------------------------------------------------------------------


def _encode(field: bytes) -> bytes:
    name, colon, value = field.partition(b":")
    bare = field_name(field)
    end = b"\r\n" if value.endswith(b"\r\n") else b""
    value = value.removesuffix(b"\r\n")
    if bare in _PARAMETERS:
        value = _PARAMETER.sub(_encode_parameter, value)
    structured = bare.removeprefix(b"resent-") in _ADDRESSES or bare in _PARAMETERS
    octets = guessed(value).encode()  # one guess for the whole value
    tokens = map(_bare, _TOKEN.findall(octets)) if structured else _WORD.findall(octets)
    return name + colon + _encode_tokens([part for token in tokens for part in _by_words(token)]) + end


def _by_words(token: bytes) -> list[bytes]:
    """An encoded-word that was there before stands for itself, also where it is not set off by white space."""
    if not _EIGHT_BIT.search(token):
        return [token]
    parts, at = [], 0
    for found in ENCODED.finditer(token):
        parts += [token[at : found.start()], found[0]]
        at = found.end()
    return [part for part in [*parts, token[at:]] if part]


def _bare(token: bytes) -> bytes:
    """An 8-bit quoted-string without its quotes: an encoded-word is not allowed inside them (RFC 2047 section 5)."""
    quoted = len(token) > 1 and token.startswith(b'"')
    return _unquoted(token) if quoted and _EIGHT_BIT.search(token) else token


def _encode_parameter(found: re.Match[bytes]) -> bytes:
    """RFC 2231 section 4; a boundary is left alone, because the parts of the message are known by it."""
    before, name, equals, value = found.groups()
    if not _EIGHT_BIT.search(value) or name.lower() == b"boundary":
        return found[0]
    text = _unquoted(value) if value.startswith(b'"') else value
    return before + name + b"*" + equals.strip() + b"utf-8''" + quote(guessed(text), safe="").encode()


def _encode_tokens(tokens: list[bytes]) -> bytes:
    """8-bit tokens as encoded-words; white space between two encoded-words counts for nothing, so it goes into one."""
    out: list[bytes] = []
    at = 0
    while at < len(tokens):
        if not _EIGHT_BIT.search(tokens[at]):
            out.append(tokens[at])
            at += 1
            continue
        end = _run(tokens, at)
        content = b"".join(_content(token) for token in tokens[at:end])
        before, after = _neighbours(tokens, at, end)
        out.append(_space(out[-1:]) + encoded_words((before + content + after).decode()))
        if end < len(tokens) and not tokens[end].isspace() and tokens[end] not in b"(),;":
            out.append(b" ")
        at = end
    return b"".join(out)


def _run(tokens: list[bytes], start: int) -> int:
    """The end of a run of 8-bit tokens with nothing but white space between them."""
    end = start + 1
    while end < len(tokens):
        if _EIGHT_BIT.search(tokens[end]):
            end += 1
        elif tokens[end].isspace() and end + 1 < len(tokens) and _EIGHT_BIT.search(tokens[end + 1]):
            end += 2
        else:
            return end
    return end


def _neighbours(tokens: list[bytes], start: int, end: int) -> tuple[bytes, bytes]:
    """White space next to an encoded-word that was there before."""
    before = after = b""
    if start >= 2 and tokens[start - 1].isspace() and _ends_encoded(tokens[start - 2]):
        before = b" "
    if end + 1 < len(tokens) and tokens[end].isspace() and ENCODED.match(tokens[end + 1]):
        after = b" "
    return before, after


def _ends_encoded(token: bytes) -> bool:
    return token.endswith(b"?=") and ENCODED.search(token) is not None


def _space(before: list[bytes]) -> bytes:
    """An encoded-word is set off from a word before it (RFC 2047 section 5)."""
    return b"" if not before or before[0].isspace() or before[0] in b"(),;" else b" "


def _content(token: bytes) -> bytes:
    return token.replace(b"\r\n", b"") if token.isspace() else token


def _unquoted(text: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL)


def encoded_words(text: str) -> bytes:
    """The text as encoded-words in UTF-8, no character split, folded between them."""
    words: list[bytes] = []
    held = b""
    for char in text:
        octets = char.encode("utf-8", "surrogatepass")
        if len(held) + len(octets) > _WORD_OCTETS:
            words.append(held)
            held = b""
        held += octets
    return b"\r\n ".join(_encoded_word(word) for word in [*words, held] if word)


def _encoded_word(octets: bytes) -> bytes:
    return b"=?utf-8?b?" + b64encode(octets) + b"?="


def _decode_words(value: bytes) -> str:
    """White space between encoded-words goes; neighbours of one charset are decoded together."""
    out: list[str] = []
    at, charset, held = 0, "", b""
    for found in ENCODED.finditer(value):
        between = value[at : found.start()]
        told = found[1].decode("latin-1").lower().partition("*")[0]
        if between.strip() or not at or told != charset:
            out.append(_in_charset(held, charset))
            out.append(guessed(between) if between.strip() or not at else "")
            held, charset = b"", told
        held, at = held + _octets(found[2].lower(), found[3]), found.end()
    return "".join([*out, _in_charset(held, charset), guessed(value[at:])])


def _octets(how: bytes, text: bytes) -> bytes:
    if how == b"q":
        return a2b_qp(text, header=True)
    try:
        return b64decode(text + b"=" * (-len(text) % 4))
    except NotBase64:
        return text


def _in_charset(octets: bytes, charset: str) -> str:
    if not octets:
        return ""
    try:
        return octets.decode(charset)
    except (LookupError, UnicodeError, ValueError):
        return guessed(octets)


# --- long lines -------------------------------------------------------------------------------------------------


def _fold(field: bytes) -> bytes:
    name = field_name(field)
    lines = [part for line in field.removesuffix(b"\r\n").split(b"\r\n") for part in _folded(line)]
    if all(len(line) <= LINE_OCTETS for line in lines):
        return b"\r\n".join(lines) + b"\r\n" * field.endswith(b"\r\n")
    if name in _FREE or name.startswith(b"x-"):
        start, colon, value = field.partition(b":")
        return start + colon + b" " + encoded_words(plain(value)) + b"\r\n" * field.endswith(b"\r\n")
    parted = [part for line in lines for part in _parted(line)]
    return b"\r\n".join(parted) + b"\r\n" * field.endswith(b"\r\n")


def _folded(line: bytes) -> list[bytes]:
    """Cut before white space that is there; what a reader unfolds is the same value (RFC 5322 section 2.2.3)."""
    cut: list[bytes] = []
    while len(line) > LINE_OCTETS:
        at = max(line.rfind(b" ", 1, LINE_OCTETS + 1), line.rfind(b"\t", 1, LINE_OCTETS + 1))
        if at < 1 or not line[:at].strip() or not line[at:].strip():
            break
        cut.append(line[:at])
        line = line[at:]
    return [*cut, line]


def _parted(line: bytes) -> list[bytes]:
    """A structured field may get white space behind a separator."""
    cut: list[bytes] = []
    while len(line) > LINE_OCTETS:
        at = max(line.rfind(mark, 1, LINE_OCTETS - 1) for mark in (b",", b";", b">")) + 1
        if at < 2 or not line[at:].strip():
            break
        cut.append(line[:at])
        line = b" " + line[at:].lstrip()
    return [*cut, line]
