"""The semantic digest of contacts: what counts, what does not, and how a difference is told."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from tests.unit.formats.vcard import strategies
from tests.unit.formats.vcard.strategies import card, photo
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard import differences, digest
from xdmigrate.formats.vcard.comparing import DIGEST_BYTES


@given(strategies.bodies, st.data())
def test_folds_order_and_case_do_not_count(lines: list[str], data: st.DataObject) -> None:
    told = digest(card(lines))
    assert len(told) == DIGEST_BYTES
    assert digest(card(data.draw(st.permutations(lines)))) == told
    assert digest(data.draw(strategies.folded(card(lines)))) == told
    assert digest(card([_recased(line, data.draw(st.booleans())) for line in lines])) == told


def _recased(line: str, upper: bool) -> str:
    """Names of properties, parameters, groups and types; a picture's letters and texts stay."""
    head, _colon, value = line.partition(":")
    return f"{head.upper() if upper else head.lower()}:{value}"


@given(strategies.properties, st.integers(0, 5), st.sampled_from(["NOTE:new", "TEL:0123", "PHOTO;ENCODING=b:AAAA"]))
def test_a_field_more_or_less_counts(lines: list[str], at: int, more: str) -> None:
    told = digest(card(lines))
    assert digest(card([*lines, more])) != told
    changed = [*lines]
    changed[at % len(lines)] = "X-OTHER:else"
    assert digest(card(changed)) != told
    assert differences(card(lines), card(changed))
    assert differences(card(lines), card(lines)) == []


SAME = [
    ("TEL;TYPE=work,voice:+1 (22) 33-44", 'TEL;VALUE=uri;TYPE="voice,work":tel:+1-22-33-44'),
    ("TEL;HOME;FAX:123", "TEL;type=fax;type=HOME;PREF=1:1-2-3"),
    ("EMAIL;INTERNET:A@Example.TEST", "EMAIL;TYPE=pref:a@example.test"),
    ("UID:1-2", "UID:urn:uuid:1-2"),
    ("N:a;b", "N:a;b;;;"),
    ("ADR;TYPE=home:;;s, t", "ADR;TYPE=dom,HOME,parcel:;;s\\, t;;;;"),
    ("ORG:a\\, b;", "ORG:a, b;;"),
    ("NOTE:a\\nb\\, c\\; d\\:", "NOTE:a\\Nb, c; d:"),
    ("NOTE;CHARSET=windows-1252;ENCODING=QUOTED-PRINTABLE:Gr=F6=DFe=0D=0A", "NOTE:Größe"),
    ("CATEGORIES:a,b", "CATEGORIES:b\r\nCATEGORIES:a"),
    ("NICKNAME:x,y\\,z", "NICKNAME:y\\,z\r\nNICKNAME:x"),
    ("KIND:group\r\nMEMBER:urn:uuid:1", "X-ADDRESSBOOKSERVER-KIND:Group\r\nX-ADDRESSBOOKSERVER-MEMBER:1"),
    ("KIND:individual\r\nNOTE:x", "NOTE:x"),
    ("BDAY:1996-04-15", "BDAY;VALUE=date:19960415"),
    ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15", "BDAY:--0415"),
    ("BDAY:1953-10-15T23:10:00Z", "BDAY:19531015T231000Z"),
    ("GEO:37.50;-122.0", "GEO:geo:37.5,-122"),
    ("TZ:-05:00", "TZ;VALUE=utc-offset:-0500"),
    ("item1.TEL:1\r\nitem1.X-ABLabel:Boat", "A.TEL:1\r\na.X-ABLABEL:Boat "),
    ("PHOTO;ENCODING=b;TYPE=JPEG:QUJD", "PHOTO:data:image/jpeg;base64,QU\r\n JD"),
    ("PHOTO;JPEG;BASE64:\r\n  QUJD\r\n", "PHOTO:data:image/jpeg;base64\\,QUJD"),
    ("PHOTO;ENCODING=b:QUJDRA...", "PHOTO;ENCODING=BASE64:QUJDRA=="),
    ("X_LOTUS:x", "X-Lotus:x"),
    ("NOTE:\r\nTITLE:x\r\nPRODID:y\r\nREV:z", "TITLE:x"),
    ("NOTE:a\0b", "NOTE:ab"),
    ("N:Doe;John;;Dr.;\r\nFN:Dr. John Doe", "N:Doe;John;;Dr."),
    ("NOTE:data: a\\, b\\, c", "NOTE:data: a, b, c"),
    ("ORG:;Sales\r\nFN:Sales", "ORG:;Sales;"),
]
OTHER = [
    ("TEL;TYPE=work:1", "TEL;TYPE=home:1"),
    ("TEL:1", "TEL:2"),
    ("TEL:call Ann", "TEL:call Bob"),
    ("N:a;b", "N:b;a"),
    ("NOTE:a;b", "NOTE:a b"),
    ("ORG:a;b", "ORG:a\\;b"),
    ("CATEGORIES:a,b", "CATEGORIES:a\\,b"),
    ("item1.TEL:1\r\nitem1.X-ABLabel:Boat", "TEL:1"),
    ("PHOTO;ENCODING=b:QUJD", "PHOTO;ENCODING=b:QUJE"),
    ("BDAY:1996-04-15", "BDAY:1604-04-15"),
    ("KIND:group", "KIND:org"),
    ("MEMBER:urn:uuid:1", "MEMBER:urn:uuid:2"),
    ("X-UNKNOWN:a", "X-UNKNOWN:b"),
    ("EMAIL:a@b\r\nEMAIL:c@d", "EMAIL:a@b"),
    ("NOTE:Data: Ann, x", "NOTE:data: Bob, x"),
    ("ORG:;Sales", "ORG:Sales"),
    ("ORG:a;;b", "ORG:a;b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_said_otherwise(one: str, other: str) -> None:
    assert differences(card([one]), card([other], "4.0")) == []
    assert digest(card([one])) == digest(card([other], "4.0"))


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_is_not_the_same(one: str, other: str) -> None:
    assert digest(card([one, "FN:x"])) != digest(card([other, "FN:x"]))
    assert differences(card([one, "FN:x"]), card([other, "FN:x"]))


@given(strategies.octets, strategies.octets)
def test_a_photo_is_its_octets_whatever_the_version(content: bytes, other: bytes) -> None:
    told = {digest(card(["FN:x", photo(version, content)], version)) for version in ("2.1", "3.0", "4.0")}
    assert len(told) == 1
    assume(content != other)
    assert digest(card(["FN:x", photo("3.0", other)])) not in told


def test_outlooks_charset_counts_for_its_other_lines() -> None:
    lines = "FN:Αγγελ\r\nLABEL;CHARSET=Windows-1253;QUOTED-PRINTABLE:=C1"
    data = card([lines], "2.1").decode().encode("windows-1253")
    assert differences(data, card(["FN:Αγγελ", "LABEL:Α"])) == []


def test_differences_name_fields_and_counts_and_nothing_of_the_content() -> None:
    mine = card(["FN:Secret Name", "TEL;TYPE=home:11", "TEL:22", "EMAIL:secret@x", "item1.URL:http://secret",
                 "item1.X-ABLabel:Secretly", "NOTE:secret", "X-A:secret1", "X-A:secret2"])  # fmt: skip
    theirs = card(["FN:Secret Other", "TEL;TYPE=work,cell:11", "URL:http://secret", "X-A:secret3",
                   "PHOTO;ENCODING=b:AAAA", "EMAIL:secret@x", "EMAIL:more@secret"])  # fmt: skip
    assert differences(mine, theirs) == [
        "EMAIL: added",
        "FN: differs",
        "NOTE: missing",
        "PHOTO: added",
        "TEL: type home became cell+work, missing",
        "URL: label differs",
        "X-A: differs, missing",
    ]


@given(strategies.bodies, strategies.bodies)
def test_no_difference_shows_a_value(mine: list[str], theirs: list[str]) -> None:
    phrase = r"(\d+ )?(differs?|missing|added)|label differs|type [a-z+]+ became [a-z+]+"
    for told in differences(card(mine), card(theirs)):
        assert re.fullmatch(rf"[A-Z0-9-]{{1,60}}: ({phrase})(, ({phrase}))*", told)


@given(strategies.hostile, strategies.enclosed)
def test_whatever_comes_is_read_or_refused(data: bytes, other: bytes) -> None:
    for call in (lambda: digest(data), lambda: differences(data, other), lambda: differences(other, data)):
        try:
            told = call()
        except Unreadable as error:
            told = [str(error)]
        assert isinstance(told, bytes) or all(len(each) < 200 for each in told)
