"""Storable cards: what is mended, what is added, what stays."""

from __future__ import annotations

from uuid import RFC_4122, UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.vcard import strategies
from tests.unit.formats.vcard.strategies import card
from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.formats.vcard import additions, differences, digest, faults, outline, storable
from xdmigrate.formats.vcard.naming import is_made, made_uid

NAMED = ["UID:1", "FN:x"]


def stored(lines: list[str], version: str = "3.0") -> list[str]:
    """The lines of the storable card without its frame, unfolded."""
    found = storable(card(lines, version), b"seed").decode().replace("\r\n ", "").split("\r\n")
    assert found[0] == "BEGIN:VCARD"
    assert found[-2:] == ["END:VCARD", ""]
    return found[1:-2]


@given(strategies.bodies, st.sampled_from(["2.1", "3.0", "4.0"]), st.binary(max_size=10))
def test_storable_is_idempotent_and_keeps_the_digest(lines: list[str], version: str, seed: bytes) -> None:
    data = card([*lines, "X-FILLED:yes"], version)
    once = storable(data, seed)
    assert differences(data, once) == []
    assert digest(once) == digest(data)
    assert storable(once, b"another seed") == once
    assert additions(once) == ()
    assert outline(once).version == ("4.0" if version == "4.0" else "3.0")


@given(strategies.hostile)
def test_whatever_comes_is_stored_or_refused(data: bytes) -> None:
    try:
        once = storable(data, b"seed")
    except (Unreadable, Unstorable):
        return
    assert differences(data, once) == []
    assert digest(once) == digest(data)
    assert storable(once, b"") == once
    text = once.decode()
    assert text.startswith("BEGIN:VCARD\r\nVERSION:")
    assert not set(map(ord, text)) & (set(range(32)) - {9, 10, 13})
    assert text.count("\r\n") == text.count("\r") == text.count("\n")
    assert all(physical.strip() for physical in text.split("\r\n")[:-1])


def test_a_card_without_a_fault_stays_to_the_octet() -> None:
    data = card([*NAMED, "TEL;TYPE=work:1", "N:a;b;;;", "NOTE:a\\, b; c", "PHOTO;ENCODING=b:QUJD", "item1.X-A:é"])
    assert storable(data, b"") == data
    four = card([*NAMED, 'TEL;VALUE=uri;TYPE="work,voice":tel:+1', "PHOTO:data:image/png;base64,QUJD"], "4.0")
    assert storable(four, b"") == four


def test_the_uid_is_of_the_seed_and_known_again() -> None:
    data = card(["FN:x"])
    uid = outline(storable(data, b"seed")).uid
    assert uid == made_uid(b"seed") == outline(storable(data, b"seed")).uid
    assert uid != outline(storable(data, b"other")).uid
    assert UUID(uid).version == 5
    assert UUID(uid).variant == RFC_4122
    assert is_made(f"urn:uuid:{uid.upper()}")
    assert not is_made("f81d4fae-7dec-51d0-a765-00a0c91e6bf6")
    assert not is_made("any")
    assert additions(data) == ("UID",)
    assert additions(card(["UID: ", "N:a"])) == ("UID", "FN")
    assert b"UID:urn:uuid:" + uid.encode() in storable(card(["FN:x"], "4.0"), b"seed")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["N:Doe;John;Q.,Public;Dr.;Jr."], "Dr. John Q.,Public Doe Jr."),
        (["ORG:Firm, Inc.;Unit", "EMAIL:a@b"], "Firm, Inc."),
        (["EMAIL:b@b", "EMAIL:a@b"], "a@b"),
        (["NICKNAME:Joe", "EMAIL:a@b"], "Joe"),
        (["N:;;;;", "FN:", "TEL:+1 2"], "12"),
        (["BDAY:1999-01-01"], "Unnamed"),
    ],
)
def test_a_name_is_made_of_what_there_is(lines: list[str], name: str) -> None:
    data = card(lines)
    assert outline(data).formatted_name == name
    assert outline(storable(data, b"")).formatted_name == name
    assert digest(storable(data, b"")) == digest(data)


@pytest.mark.parametrize("lines", [[], ["UID:1"], ["NOTE:", "TEL;HOME;FAX:"], ["KIND:individual", "PRODID:x", "REV:1"]])
def test_an_empty_card_is_not_storable(lines: list[str]) -> None:
    with pytest.raises(Unstorable) as refused:
        storable(card(lines), b"")
    assert refused.value.reason == "empty-card"


def test_what_grows_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = card([*NAMED, "X-A:" + "," * 600])
    monkeypatch.setattr("xdmigrate.formats.vcard.storing.MAX_OCTETS", 1_000)
    with pytest.raises(Unstorable) as refused:
        storable(data, b"")
    assert refused.value.reason == "too-big"


@pytest.mark.parametrize(
    ("faulty", "sound"),
    [
        ("TEL;HOME;FAX;PREF:1", "TEL;TYPE=HOME;TYPE=FAX;TYPE=PREF:1"),
        ("TEL;TYPE=VOICE;MSG,WORK:1", "TEL;TYPE=VOICE;TYPE=MSG,WORK:1"),
        ("ADR;TYPE=WORK,;:;;x", "ADR;TYPE=WORK:;;x"),
        ('TEL;TYPE="WORK,VOICE":1', "TEL;TYPE=WORK,VOICE:1"),
        ("NOTE:a, b", "NOTE:a\\, b"),
        ("URL:http\\://x", "URL:http://x"),
        ("NOTE:C:\\dir\\", "NOTE:C:\\\\dir\\\\"),
        ("ORG:a, b;c", "ORG:a\\, b;c"),
        ("NICKNAME:a,b", "NICKNAME:a|NICKNAME:b"),
        ("NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=windows-1252:Gr=F6=DFe=0D=0Ax", "NOTE:Größe\\nx"),
        ("PHOTO;ENCODING=BASE64;JPEG:QUJD", "PHOTO;TYPE=JPEG;ENCODING=b:QUJD"),
        ("PHOTO;ENCODING=b:QUJDRA...", "PHOTO;ENCODING=b:QUJDRA=="),
        ("PHOTO;GIF:http://x/a", "PHOTO;TYPE=GIF;VALUE=uri:http://x/a"),
        ("PHOTO;VALUE=URL:http://x/a", "PHOTO;VALUE=uri:http://x/a"),
        ("PHOTO:data:image/jpeg;base64,QUJD", "PHOTO;ENCODING=b;TYPE=JPEG:QUJD"),
        ("X-GOOGLE TALK;A B=c:x", "X-GOOGLE-TALK;A-B=c:x"),
        ("some.other.name:x", "some.OTHER-NAME:x"),
        ("N:a;b;c;d;e;f", "N:a;b;c;d;e\\; f"),
        ("N:a;b|N:c\\,d;e", "N:a;b|X-N:c\\\\\\,d\\;e"),
        ("no content line|NOTE:x", "NOTE:x"),
        ("NOTE:a\0b", "NOTE:ab"),
        ("NOTE:a|more of it|and more|TEL:1", "NOTE:a\\nmore of it\\nand more|TEL:1"),
        ("TEL:1|stray", "TEL:1"),
        ("AGENT:BEGIN:VCARD|VERSION:2.1|TEL;HOME:1|END:VCARD",
         "AGENT:BEGIN:VCARD\\nVERSION:3.0\\nTEL\\;TYPE=HOME:1\\nEND:VCARD\\n"),
    ],
)  # fmt: skip
def test_faults_are_mended_line_by_line(faulty: str, sound: str) -> None:
    name = [] if sound.startswith("N:") else ["N:x"]
    assert stored([*name, *NAMED, *faulty.split("|")]) == ["VERSION:3.0", *name, *NAMED, *sound.split("|")]


def test_version_three_has_one_name() -> None:
    assert stored(NAMED) == ["VERSION:3.0", "N:;;;;", *NAMED]
    assert stored(NAMED, "4.0") == ["VERSION:4.0", *NAMED]
    assert digest(storable(card(NAMED), b"")) == digest(card(NAMED))


def test_version_four_keeps_its_own_forms() -> None:
    lines = [
        "URL:http://x/a,b",
        "NOTE:a, b",
        "NICKNAME:a,b",
        "N;ALTID=1:a",
        "N;ALTID=1:b",
        "PHOTO;ENCODING=b;TYPE=PNG:QUJD",
    ]
    assert stored([*NAMED, *lines], "4.0") == [
        "VERSION:4.0", *NAMED, "URL:http://x/a,b", "NOTE:a\\, b", "NICKNAME:a,b", "N;ALTID=1:a", "N;ALTID=1:b",
        "PHOTO:data:image/png;base64,QUJD",
    ]  # fmt: skip


def test_a_note_that_begins_like_a_data_uri_is_a_text() -> None:
    assert stored(["UID:1", "FN:x", "NOTE:Data: 1, 2, 3"])[-1] == "NOTE:Data: 1\\, 2\\, 3"
    data = card(["UID:1", "FN:x", "NOTE:Data: 1, 2, 3"])
    assert digest(storable(data, b"")) == digest(data)


def test_line_ends_and_the_frame() -> None:
    data = b"\xef\xbb\xbfbegin:vcard \nUID:1\n\nFN:a\n b\nversion:2.1\nN:x\n"
    assert storable(data, b"") == b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:ab\r\nN:x\r\nEND:VCARD\r\n"


def test_what_stands_there_too_often_is_told() -> None:
    data = (
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nBDAY:1996-04-15\r\nBDAY:1997-04-15\r\nTEL:1\r\nTEL:2\r\nEND:VCARD\r\n"
    )
    assert faults(data) == ("BDAY stands there 2 times",)
    assert faults(data.replace(b"BDAY:1997-04-15\r\n", b"")) == ()
    assert len(faults(b"no card")) == 1
