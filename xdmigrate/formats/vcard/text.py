"""Values as text and octets: transfer encodings, charsets, escapes, `data:` URIs. Nothing raises over bad input."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_qp
from urllib.parse import unquote_to_bytes

from xdmigrate.formats import transfer
from xdmigrate.formats.fields import guessed
from xdmigrate.formats.vcard.lines import Line

_ENCODINGS = {
    "QUOTED-PRINTABLE": "quoted-printable", "BASE64": "base64", "B": "base64", "8BIT": "8bit", "7BIT": "7bit",
}  # fmt: skip
_CHARSET = re.compile(r"utf-?8|us-ascii|iso-8859-\d{1,2}|windows-\d{3,4}", re.IGNORECASE)
_NO_CHARSETS = re.compile(r"idna|punycode|undefined|.*escape.*", re.IGNORECASE)  # codecs of Python, not of text
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPABLE = re.compile(r"[\\,;\n]")
_LINE_END = re.compile("\r\n?|\u0085|\u2028")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufeff\ufffe\uffff]")
_MISSPELLED_TEXT = re.compile(r"\\(.)|\\\Z|\n|,", re.DOTALL)
_MISSPELLED_LIST = re.compile(r"\\(.)|\\\Z|\n", re.DOTALL)
_DATA_URI = re.compile(r"\s*data:([^,]{0,200}),", re.IGNORECASE)


def encoding(line: Line) -> str:
    """`base64`, `quoted-printable`, `8bit`, `7bit`, another name, or nothing."""
    if not line.params:
        return ""
    named = [each.upper() for each in line.values("ENCODING")]
    bare = [each.upper() for each in line.values("") if each.upper() in _ENCODINGS]
    told = next(iter([*named, *bare]), "")
    return _ENCODINGS.get(told, told.lower())


def charsets(line: Line) -> list[str]:
    """The charsets that a line names, also without `CHARSET=`."""
    return line.values("CHARSET") + [each for each in line.values("") if _CHARSET.fullmatch(each)]


def decoded(line: Line, fallback: str) -> str:
    """The value as text that is still escaped. `fallback`: the charset of 8-bit text that is no UTF-8."""
    octets = a2b_qp(line.value) if encoding(line) == "quoted-printable" else line.value
    return clean(_in_charset(octets, next(iter(charsets(line)), ""), fallback))


def octets(line: Line) -> bytes | None:
    """What base64 or a `data:` URI holds (RFC 2397); None where the value is neither."""
    if encoding(line) == "base64":
        value = line.value
        found = _DATA_URI.match(value[:250].decode("latin-1"))  # what InfCloud writes
        return _from_base64(value[found.end() :] if found else value)
    uri = data_uri(line)
    return uri[1] if uri else None


def data_uri(line: Line) -> tuple[str, bytes] | None:
    """Media type and octets of a `data:` URI, also where its comma is escaped or its semicolon is missing."""
    found = _DATA_URI.match(line.value[:250].decode("latin-1"))
    if not found:
        return None
    media, *rest = [each.strip("\\ ").lower() for each in found[1].split(";")]
    content = line.value[found.end() :]
    if "base64" in (media, *rest):
        return ("" if media == "base64" else media), _from_base64(unquote_to_bytes(content))
    return media, unquote_to_bytes(content)


def base64(data: bytes) -> bytes:
    """On one line."""
    return b64encode(data)


def clean(text: str) -> str:
    """One kind of line end, and no character that XML 1.0 cannot carry: servers answer in XML (RFC 6352)."""
    return _UNFIT.sub("", _LINE_END.sub("\n", text))


def unescaped(text: str) -> str:
    """What an escaped value says (RFC 6350 section 3.4). Backslashes that escape nothing stand for themselves."""
    return _ESCAPED.sub(_unescape, text)


def escaped(text: str) -> str:
    """A single text, with nothing in it taken for a separator."""
    return _ESCAPABLE.sub(lambda found: "\\n" if found[0] == "\n" else f"\\{found[0]}", text)


def split(text: str, separator: str) -> list[str]:
    """Cut where the separator is not escaped."""
    return re.findall(rf"(?:\A|{separator})((?:\\.|[^\\{separator}]|\\\Z)*)", text, re.DOTALL)


def respelled(text: str, *, commas: bool) -> str:
    """The same text without escapes that nobody knows, and without bare commas where they separate nothing."""
    return (_MISSPELLED_TEXT if commas else _MISSPELLED_LIST).sub(_respell, text)


def _respell(found: re.Match[str]) -> str:
    whole, char = found[0], found[1]
    if whole in {"\n", "\\\n"}:
        return "\\n" if whole == "\n" else "\\\\\\n"
    if whole in {",", "\\"}:
        return f"\\{whole}"
    if char in ':"':
        return char
    return whole if char in "nN,;\\" else f"\\{whole}"


def _unescape(found: re.Match[str]) -> str:
    char = found[1]
    if char in "nN":
        return "\n"
    return char if char in '\\,;:"' else found[0]


def _from_base64(value: bytes) -> bytes:
    return b"".join(transfer.decoded([value], "base64"))


def _in_charset(data: bytes, named: str, fallback: str) -> str:
    for charset in (named, "utf-8", fallback):
        if charset and not _NO_CHARSETS.fullmatch(charset):
            try:
                return data.decode(charset)
            except (LookupError, UnicodeError, ValueError):
                continue
    return guessed(data)
