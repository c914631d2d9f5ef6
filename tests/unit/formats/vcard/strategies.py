"""Cards by chance: such as a program would write, and bytes that no program should."""

from __future__ import annotations

from base64 import b64encode

import hypothesis.strategies as st

HEAD = b"BEGIN:VCARD\r\nVERSION:%s\r\n"
END = b"END:VCARD\r\n"

texts = st.text(st.sampled_from("aB ö€,;:\\\"'=\n\t.1-😀\u3042"), min_size=1, max_size=30).filter(str.strip)
words = st.text(st.sampled_from("abcdeöZ 7"), min_size=1, max_size=12).filter(str.strip)
octets = st.binary(min_size=1, max_size=200)
types = st.lists(st.sampled_from(["home", "work", "cell", "fax", "voice", "x-y"]), unique=True, max_size=3)


def escaped(text: str) -> str:
    """RFC 6350 section 3.4."""
    for char in "\\,;":
        text = text.replace(char, "\\" + char)
    return text.replace("\n", "\\n")


def photo(version: str, content: bytes) -> str:
    """A picture in the form of its version."""
    letters = b64encode(content).decode()
    return {
        "2.1": f"PHOTO;JPEG;BASE64:{letters}",
        "3.0": f"PHOTO;ENCODING=b;TYPE=JPEG:{letters}",
        "4.0": f"PHOTO:data:image/jpeg;base64,{letters}",
    }[version]


def _typed(name: str, kinds: list[str], value: str) -> str:
    return f"{name}{';TYPE=' + ','.join(kinds) if kinds else ''}:{value}"


def _structured(name: str, parts: int) -> st.SearchStrategy[str]:
    found = st.lists(st.one_of(st.just(""), texts), min_size=1, max_size=parts)
    return found.map(lambda each: f"{name}:" + ";".join(map(escaped, each)))


def _listed(name: str) -> st.SearchStrategy[str]:
    return st.lists(texts, min_size=1, max_size=3).map(lambda each: f"{name}:" + ",".join(map(escaped, each)))


plain = st.one_of(
    st.tuples(st.sampled_from(["NOTE", "TITLE", "X-FOO", "FN", "LABEL"]), texts).map(
        lambda each: f"{each[0]}:{escaped(each[1])}"
    ),
    _structured("N", 5),
    _structured("ADR", 7),
    _structured("ORG", 3),
    _listed("NICKNAME"),
    _listed("CATEGORIES"),
    st.tuples(types, st.from_regex(r"\+?[0-9]{3,9}", fullmatch=True)).map(lambda each: _typed("TEL", each[0], each[1])),
    st.tuples(types, words).map(lambda each: _typed("EMAIL", each[0], each[1].strip() + "@example.test")),
    st.dates().map(lambda day: f"BDAY:{day.isoformat()}"),
    st.sampled_from(["URL:http://example.test/a?b=c", "GEO:37.5;-122.25", "X-ADDRESSBOOKSERVER-KIND:group"]),
    st.uuids().map(lambda each: f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{each}"),
    octets.map(lambda content: photo("3.0", content)),
)
"""Content lines of vCard 3, unfolded, without their ends."""

labelled = st.tuples(plain, texts).map(lambda each: [f"item7.{each[0]}", f"item7.X-ABLabel:{escaped(each[1])}"])
properties = st.lists(plain, min_size=1, max_size=6)
bodies = st.one_of(properties, st.tuples(properties, labelled).map(lambda each: each[0] + each[1]))


def card(lines: list[str], version: str = "3.0") -> bytes:
    """The lines as a card."""
    return HEAD % version.encode() + b"".join(line.encode() + b"\r\n" for line in lines) + END


cards = bodies.map(card)

_PIECES = [
    b"BEGIN:VCARD\r\n", b"begin:vcard\n", b"END:VCARD\r\n", b"VERSION:2.1\r\n", b"VERSION:4.0\n", b"VERSION:9\r\n",
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b"=", b"=\r\n", b"\\", b'"', b".", b"\0", b"\x1b", b"\xff",
    b"\xef\xbb\xbf", "é".encode(), b"N:a;b\r\n", b"N:c\\\n", b"FN:x\r\n", b"FN:", b"UID:1\r\n", b"UID", b"item1.",
    b"X-ABLABEL:l\n", b"TEL;HOME;PREF:", b"TEL;VALUE=uri;TYPE=\"home,work\";PREF=1:tel:+1-2;ext=3\r\n",
    b"ADR;TYPE=HOME;:a;b;c;d;e;f;g;h\r\n", b"NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=windows-1252:=E4=\r\n",
    b"NOTE;CHARSET=idna:", b";QUOTED-PRINTABLE", b";BASE64", b"PHOTO;ENCODING=b;TYPE=JPEG:",
    b"PHOTO:data:image/png;base64,QUJD\r\n", b"PHOTO;GIF:http://x/a,b\r\n", b"QUJD", b"LOGO;X-Y=\"a:",
    b"AGENT:BEGIN:VCARD\r\n", b"AGENT:\r\n", b".AGENT:BEGIN:VCARD\r\n",
    b"AGENT:BEGIN:VCARD\\nFN:y\\nEND:VCARD\r\n", b"BDAY:--0415\r\n",
    b"BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-03\r\n", b"GEO:geo:1,2\r\n", b"GEO:1;2\r\n", b"KIND:group\r\n",
    b"MEMBER:mailto:a@b\r\n", b"NICKNAME:a,b\\,c\r\n", b"CATEGORIES:a,,b\r\n", b"ORG:a;;b, c\r\n", b"X-N:a\\;b\r\n",
    b"X Y/Z:1\r\n", b"JUNK\r\n", b"X-A;CHARSET=utf-16:ab\r\n",
]  # fmt: skip
rubble = st.lists(st.sampled_from(_PIECES), max_size=25).map(b"".join)
enclosed = rubble.map(lambda inner: HEAD % b"3.0" + inner + b"\r\n" + END)
hostile = st.one_of(rubble, enclosed, st.binary(max_size=300))
"""Anything; much of it almost a card."""


@st.composite
def folded(draw: st.DrawFn, data: bytes) -> bytes:
    """The same content lines, cut anywhere."""
    out = []
    for line in data.split(b"\r\n")[:-1]:
        cuts = sorted(draw(st.sets(st.integers(1, max(1, len(line) - 1)), max_size=3)))
        ends = [draw(st.sampled_from([b"\r\n ", b"\n\t", b"\r\n\t"])) for _ in cuts]
        pieces = [line[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(line)], strict=True)]
        fold = line.upper().startswith((b"BEGIN:", b"END:"))
        out.append(line if fold else b"".join(a + b for a, b in zip(pieces, [*ends, b""], strict=True)))
    return b"".join(line + draw(st.sampled_from([b"\r\n", b"\n"])) for line in out)
