"""Between vCard 3.0 and 4.0 and back: the same contact, and only what must change changes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given

from tests.unit.formats.vcard import strategies
from tests.unit.formats.vcard.strategies import card
from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.formats.vcard import converted, differences, digest, outline, storable


def lines(data: bytes) -> list[str]:
    """The card's lines without its frame, unfolded."""
    return data.decode().replace("\r\n ", "").split("\r\n")[2:-2]


@given(strategies.bodies)
def test_there_and_back_says_the_same(body: list[str]) -> None:
    three = card(body)
    four = converted(three, "4.0")
    again = converted(four, "3.0")
    assert outline(four).version == "4.0"
    assert outline(again).version == "3.0"
    assert differences(three, four) == differences(three, again) == []
    assert digest(three) == digest(four) == digest(again) == digest(converted(again, "4.0"))


@given(strategies.hostile)
def test_whatever_comes_is_converted_or_refused(data: bytes) -> None:
    try:
        sound = storable(data, b"seed")
    except (Unreadable, Unstorable):
        for version in ("3.0", "4.0"):
            with contextlib.suppress(Unreadable):
                assert digest(converted(data, version)) == digest(data)
        return
    for version in ("3.0", "4.0"):
        new = converted(sound, version)
        assert differences(sound, new) == []
        assert digest(converted(converted(new, "4.0"), "3.0")) == digest(sound)
        assert storable(new, b"") == new, "a converted card is as storable as it was"
        assert digest(converted(data, version)) == digest(data)


FORMS = [
    ("PHOTO;ENCODING=b;TYPE=JPEG:QUJD", "PHOTO:data:image/jpeg;base64,QUJD"),
    ("LOGO;TYPE=home;ENCODING=b;TYPE=PNG:QUJD", "LOGO;TYPE=home:data:image/png;base64,QUJD"),
    ("KEY;ENCODING=b;TYPE=PGP:QUJD", "KEY:data:application/pgp-keys;base64,QUJD"),
    ("PHOTO;VALUE=uri;TYPE=GIF:http://x/a", "PHOTO;VALUE=uri;MEDIATYPE=image/gif:http://x/a"),
    ("TEL;TYPE=work,pref:1", "TEL;TYPE=work;PREF=1:1"),
    ("EMAIL;TYPE=pref:a@b", "EMAIL;PREF=1:a@b"),
    ("X-ADDRESSBOOKSERVER-KIND:group", "KIND:group"),
    ("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "MEMBER:urn:uuid:1"),
    ("BDAY:1996-04-15", "BDAY:19960415"),
    ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15", "BDAY:--0415"),
    ("ANNIVERSARY:2009-08-08T14:30-05:00", "ANNIVERSARY:20090808T1430-0500"),
    ("GEO:37.5;-122.25", "GEO:geo:37.5,-122.25"),
    ("X-N:b\\;c", "N:b;c"),
    ('NOTE;X-P="a:b":x\\, y', 'NOTE;X-P="a:b":x\\, y'),
    ("item1.X-ABADR:us", "item1.X-ABADR:us"),
    ("LABEL;TYPE=home:x", "LABEL;TYPE=home:x"),
    ("TEL;PREF=2:1", "TEL;PREF=2:1"),
    ("BDAY:circa 1800", "BDAY:circa 1800"),
]


@pytest.mark.parametrize(("three", "four"), FORMS)
def test_only_what_must_change_changes(three: str, four: str) -> None:
    named = ["UID:urn:uuid:1", "FN:x", "N:a;b;;;"]
    assert lines(converted(card([*named, three]), "4.0")) == [*named, four]
    assert digest(card([*named, three])) == digest(card([*named, four], "4.0"))


@pytest.mark.parametrize(
    ("four", "three"),
    [
        *[(four, three) for three, four in FORMS if not three.startswith(("PHOTO", "LOGO", "KEY", "TEL;TYPE"))],
        ("PHOTO:data:image/jpeg;base64,QUJD", "PHOTO;ENCODING=b;TYPE=JPEG:QUJD"),
        ("PHOTO:data:;base64,QUJD", "PHOTO;ENCODING=b:QUJD"),
        ("KEY:data:application/pgp-keys;base64,QUJD", "KEY;ENCODING=b;TYPE=PGP:QUJD"),
        ("PHOTO;MEDIATYPE=image/gif:http://x/a", "PHOTO;VALUE=uri;TYPE=gif:http://x/a"),
        ('TEL;VALUE=uri;TYPE="work,voice";PREF=1:tel:+1-2;ext=3', "TEL;TYPE=work,voice;TYPE=pref:+1-2;ext=3"),
        ("URL:http://x/a,b", "URL:http://x/a\\,b"),
    ],
)
def test_and_back(four: str, three: str) -> None:
    named = ["UID:urn:uuid:1", "FN:x", "N:a;b;;;"]
    found = lines(converted(card([*named, four], "4.0"), "3.0"))
    assert [line.replace("TYPE=GIF", "TYPE=gif") for line in found] == [*named, three.replace("TYPE=GIF", "TYPE=gif")]
    assert digest(card([*named, four], "4.0")) == digest(card([*named, three]))


def test_untouched_lines_keep_their_octets() -> None:
    body = "UID:1\r\nFN:x\r\nNOTE:folded by\r\n  another program\r\nX-A;b=C:\\; d\r\n"
    data = f"BEGIN:VCARD\r\nVERSION:3.0\r\n{body}END:VCARD\r\n".encode()
    assert converted(data, "3.0") is data
    assert converted(data, "4.0") == data.replace(b"3.0", b"4.0")


def test_old_cards_and_unknown_versions() -> None:
    old = b"BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=utf-8:M\xc3\xbc;\nTEL;HOME;PREF:1\nEND:VCARD\n"
    assert lines(converted(old, "3.0")) == ["N:Mü;", "TEL;TYPE=HOME;TYPE=PREF:1"]
    assert lines(converted(old, "4.0")) == ["N:Mü;", "TEL;TYPE=HOME;PREF=1:1"]
    with pytest.raises(ValueError, match=r"2\.1 is not a version"):
        converted(old, "2.1")
