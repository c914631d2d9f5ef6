"""Content lines: taken apart, put together, folded; what nobody touches stays to the octet."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given

from tests.unit.formats.vcard import strategies
from xdmigrate.formats.refusal import Unreadable
from xdmigrate.formats.vcard.cards import read
from xdmigrate.formats.vcard.lines import FOLD_OCTETS, Line, Parameter, logical_lines, parsed, rendered, written


@given(strategies.cards.flatmap(strategies.folded))
def test_a_card_that_nobody_touches_is_written_to_the_octet(data: bytes) -> None:
    assert written(read(data).lines) == data


@given(strategies.hostile)
def test_lines_cover_every_octet_once(data: bytes) -> None:
    edges = list(logical_lines(data))
    assert b"".join(data[start:stop] for start, stop in edges) == data
    assert all(start < stop for start, stop in edges)
    lines = [parsed(data[start:stop]) for start, stop in edges]
    assert written(lines) == data


@given(strategies.plain)
def test_a_line_of_ours_reads_as_it_was_meant(text: str) -> None:
    line = parsed(text.encode())
    again = rendered(line)
    assert max(map(len, again.split(b"\r\n"))) <= FOLD_OCTETS
    again.replace(b"\r\n ", b"").decode()
    found = parsed(again)
    assert (found.name, found.params, found.value) == (line.name, line.params, line.value)


def test_folds_never_cut_a_character() -> None:
    again = rendered(Line("NOTE", ("あ" * 200).encode()))
    for physical in again.split(b"\r\n"):
        physical.decode()


def test_what_a_line_consists_of() -> None:
    line = parsed(b'item1.TEL;TYPE="work,voice";HOME;X-Y=a\\"b:+1:2\r\n')
    assert (line.group, line.name, line.value) == ("item1", "TEL", b"+1:2")
    assert line.params == (
        Parameter("TYPE", ("work,voice",)),
        Parameter("", ("HOME",)),
        Parameter("X-Y", ("ab",)),
    )
    assert line.values("TYPE") == ["work", "voice"]
    assert parsed(b'ADR;LABEL="1; Street: x":;;y').value == b";;y"
    assert parsed(b'X;A="unclosed:rest').value == b"rest"
    assert parsed(b"no line at all").name == ""
    assert parsed(b"X-GOOGLE TALK;TYPE=WORK:x").key == "X-GOOGLE-TALK"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"NOTE:a\r\n b\r\n\tc\r\n", b"abc"),
        (b"NOTE:a\n  b\n", b"a b"),
        (b"NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\nb=20=\r\n c\r\n", b"ab=20 c"),
        (b"NOTE;QUOTED-PRINTABLE:a=\n\n=20b\n", b"a=20b"),
        (b"PHOTO;BASE64:\r\n  QUJD\r\n  QUJD\r\n\r\n", b"QUJDQUJD"),
        (b"PHOTO;ENCODING=BASE64:QUJD\nQUJD\nQQ==\n", b"QUJDQUJDQQ=="),
    ],
)
def test_folds_and_soft_breaks_and_base64_without_folds(raw: bytes, value: bytes) -> None:
    following = b"TEL:1\r\n"
    edges = list(logical_lines(raw + following))
    assert [parsed((raw + following)[start:stop]).value for start, stop in edges] == [value, b"1"]


def test_a_soft_break_never_swallows_the_end() -> None:
    data = b"BEGIN:VCARD\r\nNOTE;QUOTED-PRINTABLE:cut off=\r\nEND:VCARD\r\n"
    assert [line.name for line in read(data).lines] == ["BEGIN", "NOTE", "END"]
    blank = b"NOTE;QUOTED-PRINTABLE:a=\r\n\r\nTEL:1\r\n"
    assert [parsed(blank[start:stop]).name for start, stop in logical_lines(blank)] == ["NOTE", "TEL"]


@pytest.mark.parametrize(
    "hostile",
    [
        b"A;" * 1_000_000 + b":",
        b'"' * 1_000_001 + b":x",
        b'X;A="b' * 200_000,
        b"X" + b' ;  "QUOTED' * 200_000,
        b"NOTE;ENCODING=QUOTED-PRINTABLE:" + b"=\n" * 500_000,
        b"PHOTO;ENCODING=B:" + b"\nAAAA" * 300_000,
        b"N:" + b";" * 2_000_000,
        b"NICKNAME:" + b"\\" * 1_000_001,
    ],
    ids=range(8),
)
def test_hostile_lines_cost_no_more_than_their_length(hostile: bytes) -> None:
    data = b"BEGIN:VCARD\r\nVERSION:3.0\r\n" + hostile + b"\r\nEND:VCARD\r\n"
    with contextlib.suppress(Unreadable):
        assert written(read(data).lines) == data
