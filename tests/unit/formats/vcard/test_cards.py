"""Files as single cards, and the bounds of one."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.vcard import strategies
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard import cards, digest, storable
from xdmigrate.formats.vcard.cards import MAX_DEPTH, MAX_LINES, MAX_OCTETS, agent, read

SMALL = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n"


def bare(data: bytes) -> bytes:
    """Without white space and byte order marks: all that may be lost between two cards."""
    return b"".join(data.replace(b"\xef\xbb\xbf", b"").split())


@given(st.lists(strategies.cards, max_size=5), st.sampled_from([b"", b"\r\n", b"\n\n", b"\xef\xbb\xbf"]))
def test_split_loses_nothing(several: list[bytes], between: bytes) -> None:
    found = cards(between.join(several))
    assert [each.removeprefix(between).strip() for each in found] == [each.strip() for each in several]


@given(strategies.hostile)
def test_split_covers_whatever_comes(data: bytes) -> None:
    found = cards(data)
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff", b"B\0", b"\0B"):
        assert bare(b"".join(found)) == bare(data)
    assert all(each.strip() for each in found)


def test_nested_cards_stay_within_theirs() -> None:
    outer = b"BEGIN:VCARD\r\nFN:a\r\nAGENT:\r\nBEGIN:VCARD\r\nFN:b\r\nEND:VCARD\r\nTEL:1\r\nEND:VCARD\r\n"
    found = cards(SMALL + outer + SMALL)
    assert len(found) == 3
    card = read(found[1])
    assert [line.name for line in card.lines] == ["BEGIN", "FN", "AGENT", "TEL", "END"]
    assert agent(card.lines[2]) == b"BEGIN:VCARD\r\nFN:b\r\nEND:VCARD"


def test_an_agent_is_the_same_however_it_is_written() -> None:
    frame = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:a\r\nAGENT:%s\r\nEND:VCARD\r\n"
    forms = [
        b"BEGIN:VCARD\r\nFN:b, c\r\nTEL:1\r\nEND:VCARD",
        b"BEGIN:VCARD\r\n FN:b, c\r\n TEL:1\r\n END:VCARD",
        b"BEGIN:VCARD\\nFN:b\\, c\\nTEL:1\\nEND:VCARD",
        b"BEGIN:VCARD\\nTEL:1\\nFN:b\\\\\\, c\\nEND:VCARD\\n",
    ]
    assert len({digest(frame % form) for form in forms}) == 1
    stored = [storable(frame % form, b"") for form in forms]
    assert all(b"AGENT:BEGIN:VCARD\\n" in each for each in stored)
    assert len({digest(frame % form) for form in [*forms, b"BEGIN:VCARD\\nFN:other\\nEND:VCARD"]}) == 2


def test_a_card_without_its_end_goes_up_to_the_next() -> None:
    assert cards(SMALL.replace(b"END:VCARD\r\n", b"") + SMALL) == [SMALL.replace(b"END:VCARD\r\n", b""), SMALL]
    assert digest(SMALL.replace(b"END:VCARD\r\n", b"")) == digest(SMALL)
    assert cards(SMALL.strip() + SMALL)[0].strip() == SMALL.strip()


def test_what_stands_outside_is_not_lost_unseen() -> None:
    found = cards(b"FN:nobody\r\n" + SMALL + b"more\r\n")
    assert found == [b"FN:nobody\r\n", SMALL, b"more\r\n"]
    for stray in (found[0], found[2], b"", b"\r\n", b"END:VCARD\r\n"):
        with pytest.raises(Unreadable):
            digest(stray)
    with pytest.raises(Unreadable, match="more than one"):
        digest(SMALL + SMALL)


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_files_of_windows_programs(charset: str) -> None:
    text = SMALL.decode().replace("x", "Größe あ")
    found = cards((text + text).encode(charset))
    assert [digest(each) for each in found] == [digest(text.encode())] * 2
    assert storable(found[0], b"").startswith(b"BEGIN:VCARD\r\n")


def test_bounds() -> None:
    with pytest.raises(Unreadable, match="16 MB"):
        read(SMALL + b"\n" * MAX_OCTETS)
    with pytest.raises(Unreadable, match="lines"):
        read(SMALL.replace(b"FN:x\r\n", b"X:1\n" * (MAX_LINES + 1)))
    with pytest.raises(Unreadable, match="parameters"):
        read(SMALL.replace(b"FN:x\r\n", b"X;A;B;C;D;E:1\n" * 5_000))
    with pytest.raises(Unreadable, match="4 MB"):
        read(SMALL.replace(b"x", b"x" * 4_000_001))
    deep = b"AGENT:BEGIN:VCARD\r\n" * MAX_DEPTH + b"END:VCARD\r\n" * MAX_DEPTH
    for data in (deep, b"AGENT:BEGIN:VCARD\r\n" * 30_000):
        with pytest.raises(Unreadable, match="one another"):
            digest(SMALL.replace(b"FN:x\r\n", data))


def test_notes_of_many_lines_are_read_soon() -> None:
    """Each of them was once copied for each that follows; together they are no larger than one line may be."""
    *_, note, _end = read(SMALL.replace(b"FN:x\r\n", b"FN:x\r\nNOTE:0\r\n" + b"1\r\n" * 100_000)).lines
    assert note.value == b"0" + b"\\n1" * 100_000
    assert note.raw == b"NOTE:0\r\n" + b"1\r\n" * 100_000
    with pytest.raises(Unreadable, match="4 MB"):
        read(SMALL.replace(b"FN:x\r\n", b"NOTE:0\r\n" + (b"1" * 1000 + b"\r\n") * 4_000))


def test_blank_lines_behind_a_card_in_folds_are_read_soon() -> None:
    folds = b"AGENT:BEGIN:VCARD\r\n FN:b\r\n END:VCARD"
    few, many = (SMALL.replace(b"FN:x\r\n", folds + b"\r\n" * count) for count in (1, 300_000))
    assert digest(many) == digest(few)


def test_escaped_cards_in_cards_are_bounded_too() -> None:
    inner = "BEGIN:VCARD\nFN:x\nEND:VCARD"
    for _level in range(MAX_DEPTH + 2):
        inner = f"BEGIN:VCARD\nAGENT:{strategies.escaped(inner)}\nEND:VCARD"
    with pytest.raises(Unreadable, match="one another"):
        digest(inner.encode())
