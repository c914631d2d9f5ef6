"""A line as its version's standard writes it, saying the same. A line without a fault stays as it is, to the octet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from xdmigrate.formats.fields import guessed
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard.cards import agent, read
from xdmigrate.formats.vcard.fields import PARTS, SECOND_NAME, components
from xdmigrate.formats.vcard.lines import Line, Parameter, rendered, written
from xdmigrate.formats.vcard.media import BINARY, inline_in_3, inline_in_4, link_in_3, link_in_4
from xdmigrate.formats.vcard.text import charsets, clean, decoded, encoding, escaped, octets, respelled, split

TEXTS = frozenset({"FN", "ORG", "TITLE", "ROLE", "NOTE", "LABEL", "MAILER", "SORT-STRING", "NAME", "CLASS"})
"""Single texts in vCard 4, in which a comma is escaped (RFC 6350 section 3.4). In vCard 3 all but lists are taken for
such, because its servers cut at a comma."""

LISTS = frozenset({"NICKNAME", "CATEGORIES"})

MAX_NAMES = 100
"""Nicknames that get a line each."""

_NAME = re.compile(r"[A-Za-z0-9-]+")
_NO_NAME = re.compile(r"[^A-Za-z0-9-]")
_LAID_OUT = re.compile(rb"[^\r\n]*+(?:\r\n[ \t]++[^\r\n \t][^\r\n]*+)*+\r\n")
_UNFIT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]")
_ESCAPED_CARD = re.compile(rb"BEGIN:VCARD\\n", re.IGNORECASE)
_DROPPED = frozenset({"CHARSET"})


def spelled(lines: Iterable[Line], charset: str, version: str) -> list[Line]:
    """The properties of a card as vCard 3.0 or 4.0 writes them: no BEGIN, END, VERSION, blank or broken lines."""
    return [
        each
        for line in lines
        if line.key not in ("", "BEGIN", "END", "VERSION")
        for each in _spelled(line, charset, version)
    ]


def with_one_name(lines: list[Line], version: str) -> list[Line]:
    """With the N that version 3 demands (RFC 2426 section 3.1.2): servers refuse a card without, or with two."""
    if version != "3.0":
        return lines
    first = next((line for line in lines if line.key == "N"), None)
    if first is None:
        return [laid_out(Line("N", b";;;;")), *lines]
    return [_second_name(line) if line.key == "N" and line is not first else line for line in lines]


def laid_out(line: Line) -> Line:
    """The line with bytes of its own; those that it had where they are without a fault."""
    fit = _LAID_OUT.fullmatch(line.raw) and not _UNFIT.search(line.raw) and _is_utf_8(line.raw)
    return line if fit else replace(line, raw=rendered(line))


def framed(lines: list[Line], version: str) -> bytes:
    """The card around its properties; VERSION comes first (RFC 6350 section 6.7.9)."""
    head = [Line("BEGIN", b"VCARD"), Line("VERSION", version.encode())]
    return written([*head, *lines, Line("END", b"VCARD")])


def _spelled(line: Line, charset: str, version: str) -> Iterator[Line]:
    name = line.name if _NAME.fullmatch(line.name) else line.key
    group = line.group if _NAME.fullmatch(line.group) else _NO_NAME.sub("-", line.group)
    named = Line(name, line.value, _params(line, version), group, line.raw)
    for new in _valued(named, line, charset, version):
        yield laid_out(line) if _is_alike(new, line) else replace(new, raw=rendered(new))


def _is_alike(one: Line, other: Line) -> bool:
    """Whether both say the same in the same words, however they were laid out."""
    return (one.name, one.value, one.params, one.group) == (other.name, other.value, other.params, other.group)


def _valued(named: Line, line: Line, charset: str, version: str) -> list[Line]:
    inner = agent(line) if line.key == "AGENT" else None
    if inner is not None and not _ESCAPED_CARD.match(line.value.strip()):
        return [replace(named, value=escaped(_inner(inner, version)).encode())]
    found = octets(line)
    if found is not None and (line.key in BINARY or encoding(line) == "base64"):
        return [(inline_in_4 if version == "4.0" and line.key in BINARY else inline_in_3)(named, found)]
    text = _text(line.key, decoded(line, charset), version)
    plain = Line(named.name, text.encode(), _without_encoding(named.params), named.group, named.raw)
    if line.key in BINARY:
        return [(link_in_3 if version == "3.0" else link_in_4)(plain)]
    names = split(text, ",") if line.key == "NICKNAME" and version == "3.0" else []
    if 1 < len(names) <= MAX_NAMES:  # servers keep the first one of a list
        return [replace(plain, value=each.encode()) for each in names]
    return [plain]


def _second_name(line: Line) -> Line:
    value = escaped(clean(line.value.decode())).encode()
    return laid_out(replace(line, name=SECOND_NAME, value=value, raw=b""))


def _inner(data: bytes, version: str) -> str:
    try:
        card = read(data)
    except Unreadable:
        return clean(guessed(data)).strip()
    return clean(framed(spelled(card.lines, card.charset, version), version).decode())


def _text(key: str, text: str, version: str) -> str:
    if key in PARTS:
        parts = split(text, ";")
        if len(parts) > PARTS[key]:
            text = ";".join([*parts[: PARTS[key] - 1], escaped(components(text, PARTS[key])[-1])])
        return respelled(text, commas=False)
    if key in LISTS:
        return respelled(text, commas=False)
    if key in TEXTS or version == "3.0":
        return respelled(text, commas=True)
    return text.replace("\n", "\\n")


def _params(line: Line, version: str) -> tuple[Parameter, ...]:
    """With names and without empty values; bare values of vCard 2.1 are types, unless they name an encoding."""
    encodings = {"BASE64", "B", "QUOTED-PRINTABLE", "8BIT", "7BIT"}
    told = {each.lower() for each in charsets(line)}
    found: list[Parameter] = []
    for param in line.params:
        values = [fit for each in param.values if (fit := _fit(each).strip())]
        name = param.name or "TYPE"
        if not param.name:
            encoded = [each for each in values if each.upper() in encodings]
            found += [Parameter("ENCODING", (each,)) for each in encoded]
            values = [each for each in values if each not in encoded and each.lower() not in told]
        if name == "TYPE" and (version == "3.0" or not param.name):
            values = [each.strip() for value in values for each in value.split(",") if each.strip()]
        if values and name not in _DROPPED:
            found.append(Parameter(name if _NAME.fullmatch(name) else re.sub(r"[^A-Z0-9-]", "-", name), tuple(values)))
    return tuple(found)


def _without_encoding(params: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    return tuple(param for param in params if param.name != "ENCODING")


def _fit(text: str) -> str:
    return clean(guessed(text.encode("utf-8", "surrogateescape"))).replace("\n", " ")


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
