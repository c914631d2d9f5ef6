"""Content lines are unfolded, taken apart and folded without losing an octet."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.formats.ical.samples import folded as cut
from tests.unit.formats.ical.samples import texts
from xdmigrate.formats.ical import lines as module
from xdmigrate.formats.ical.components import parsed
from xdmigrate.formats.ical.lines import escaped, folded, lines, listed, made, text_of, unescaped, utf8
from xdmigrate.formats.refusal import Unreadable


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Cf"]), min_size=1, max_size=300))
def test_folds_are_undone(text: str) -> None:
    line = f"X:{text}"
    octets = folded(line)
    assert all(len(piece) <= 75 and piece.decode() for piece in octets.split(b"\r\n")[:-1])
    assert [each.text for each in lines(octets)] == [line]


@given(values=st.lists(texts, min_size=1, max_size=4))
def test_texts_and_lists_are_unescaped(values: list[str]) -> None:
    assert [unescaped(escaped(value)) for value in values] == values
    assert listed(",".join(map(escaped, values))) == values


@given(data=st.binary(max_size=400))
def test_every_octet_belongs_to_a_line(data: bytes) -> None:
    found = b"".join(line.raw for line in lines(data))
    assert found in (data, b"")


@given(texts=st.lists(texts.map(lambda text: f"SUMMARY:{escaped(text)}"), max_size=5), blank=st.integers(0, 3))
def test_blank_lines_say_nothing(texts: list[str], blank: int) -> None:
    data = b"\r\n" * blank + b"".join(cut(text, b"\n", 9) + b"\r\n" * blank for text in texts)
    assert [line.text for line in lines(data)] == texts


def test_a_fold_inside_a_character_and_other_line_ends() -> None:
    assert [line.value for line in lines(b"A:\xc3\r\n \xbc\r\r\nB:1\nC:2")] == ["\u00fc", "1", "2"]
    assert [line.name for line in lines(b"A:1\rB:2\r")] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "name", "value", "parameters"),
    [
        ("SUMMARY:a:b", "SUMMARY", "a:b", {}),
        ('x-a ; b="c:d;e",f ;G=h:i', "X-A", "i", {"B": ("c:d;e", "f"), "G": ("h",)}),
        ("A;CN=^'q^' ^^ ^n:v", "A", "v", {"CN": ('"q" ^ \n',)}),
        ("A;QUOTED-PRINTABLE:v", "A", "v", {"QUOTED-PRINTABLE": ()}),
        ("A;B=:v", "A", "v", {"B": ()}),
    ],
)
def test_lines_are_taken_apart(text: str, name: str, value: str, parameters: dict[str, tuple[str, ...]]) -> None:
    line = made(text)
    assert (line.name, line.value, dict(line.parameters())) == (name, value, parameters)


@pytest.mark.parametrize("text", ["no line", "A;B", 'A;B="c:d', "\u00dcBER:x", ":x", "A B:c"])
def test_what_is_no_line_has_no_name(text: str) -> None:
    assert (made(text).name, made(text).value) == ("", text)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"A;ENCODING=QUOTED-PRINTABLE:Gr=C3=\r\n=BC=C3=9Fe\r\n", "Gr\u00fc\u00dfe"),
        (b"A;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:=FC=0D=0A=07x\r\n", "\u00fc\nx"),
        (b"A;ENCODING=QUOTED-PRINTABLE;CHARSET=nothing:=FC\r\n", "\u00fc"),
        (b"A:Gr=C3=BC\r\n", "Gr=C3=BC"),
        (b"A:Gr\xfc\r\n", "Gr\u00fc"),
    ],
)
def test_texts_in_other_codings(line: bytes, text: str) -> None:
    (found,) = lines(line)
    assert text_of(found) == text


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OCTETS", 1000)
    monkeypatch.setattr(module, "LINES", 20)
    monkeypatch.setattr(module, "LINE_OCTETS", 100)
    with pytest.raises(Unreadable, match="larger"):
        utf8(b"x" * 1001)
    with pytest.raises(Unreadable, match="lines"):
        list(lines(b"A:1\n" * 30))
    with pytest.raises(Unreadable, match="longer"):
        list(lines(b"A:" + b"1" * 200))


def test_nesting_and_numbers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable, match="deeper"):
        parsed(b"BEGIN:X\n" * 100_000)
    monkeypatch.setattr("xdmigrate.formats.ical.components.COMPONENTS", 10)
    with pytest.raises(Unreadable, match="components"):
        parsed(b"BEGIN:X\nEND:X\n" * 11)
