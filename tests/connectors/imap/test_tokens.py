"""Responses: whatever a server sends is either read or refused, within bounds."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xdmigrate_imap import tokens
from xdmigrate_imap.tokens import Continuation, Data, Malformed, Status, Value

ATOMS = st.from_regex(rb"[A-Za-z0-9\\$.&/-]{1,12}", fullmatch=True).filter(lambda atom: atom != b"NIL")
STRINGS = st.binary(max_size=40).filter(lambda text: b"\0" not in text)
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.one_of(st.none(), ATOMS, STRINGS), lambda inner: st.lists(inner, max_size=4), max_leaves=20
)


def spell(value: Value, literals: list[bytes]) -> bytes:
    """A value as a server writes it; a literal's octets come later."""
    if value is None:
        return b"NIL"
    if isinstance(value, list):
        return b"(" + b" ".join(spell(each, literals) for each in value) + b")"
    if re.fullmatch(rb"[\x20-\x7e]*", value):
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    literals.append(value)
    return b"{%d}\r\n" % len(value)


def read(text: bytes, literals: list[bytes]) -> Data:
    """The response in `text`, whose literals end its lines."""
    lines = text.split(b"\r\n")
    waiting = list(literals)

    def more(size: int) -> tuple[bytes, bytes]:
        literal = waiting.pop(0)
        assert len(literal) == size
        return literal, lines.pop(0)

    response = tokens.response(lines.pop(0), more)
    assert isinstance(response, Data)
    return response


@given(st.lists(VALUES, max_size=6))
def test_what_is_written_is_read(values: list[Value]) -> None:
    literals: list[bytes] = []
    text = b"* LIST " + b" ".join(spell(value, literals) for value in values)
    assert read(text, literals).values == values


@given(st.binary(max_size=200))
@example(b"* " + b"(" * 200)
@example(b"* LIST (")
@example(b"* LIST )")
@example(b'* LIST "')
@example(b"* LIST {5}")
@example(b"* LIST {99999999999999999999}")
@example(b"* 99999999999999999999 EXISTS")
@example(b"")
@example(b"+")
def test_any_line_is_read_or_refused(line: bytes) -> None:
    try:
        response = tokens.response(line, lambda size: (b"x" * min(size, 10), b""))
    except Malformed:
        return
    assert isinstance(response, Status | Data | Continuation)


@given(st.binary(max_size=100), st.integers(0, 100))
def test_any_value_is_skipped_or_refused(line: bytes, at: int) -> None:
    try:
        rest, position = tokens.skip(line, at, lambda size: (b"", b""))
    except Malformed:
        return
    assert position <= len(rest)


def test_nesting_is_bounded() -> None:
    with pytest.raises(Malformed, match="nested"):
        tokens.values(b"(" * 40 + b")" * 40, 0, lambda size: (b"", b""))


def test_a_literal_that_is_no_body_is_bounded() -> None:
    with pytest.raises(Malformed, match="too long"):
        tokens.values(b"{1048577}", 0, lambda size: (b"", b""))


def test_the_number_of_values_is_bounded() -> None:
    with pytest.raises(Malformed, match="too many"):
        tokens.values(b"a " * 200_001, 0, lambda size: (b"", b""))


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"x1 OK done", Status(b"x1", "OK", "", b"", "done")),
        (b"* ok [UIDNEXT 5] next", Status(b"", "OK", "UIDNEXT", b"5", "next")),
        (b"x1 OK [APPENDUID 7 1:3,9] kept", Status(b"x1", "OK", "APPENDUID", b"7 1:3,9", "kept")),
        (b"x1 NO [OVERQUOTA] full", Status(b"x1", "NO", "OVERQUOTA", b"", "full")),
        (b"x1 BAD", Status(b"x1", "BAD")),
        (b"* OK [PERMANENTFLAGS (\\Seen \\*)] Kept.", Status(b"", "OK", "PERMANENTFLAGS", b"(\\Seen \\*)", "Kept.")),
        (b"* BYE Too many (connections)", Status(b"", "BYE", "", b"", "Too many (connections)")),
    ],
)  # fmt: skip
def test_statuses(line: bytes, status: Status) -> None:
    assert tokens.response(line, lambda size: (b"", b"")) == status


def test_quoted_strings_keep_their_escapes_and_nil_is_only_an_atom() -> None:
    data = read(b'* LIST (\\HasNoChildren) "\\\\" "NIL"', [])
    assert data.values == [[b"\\HasNoChildren"], b"\\", b"NIL"]
    assert read(b"* LIST () NIL INBOX", []).values == [[], None, b"INBOX"]


def test_numbers_lists_and_pairs_are_checked() -> None:
    assert tokens.number(b"4294967295") == 2**32 - 1
    assert tokens.pairs([b"uidnext", b"5", b"MESSAGES", b"2"]) == {b"UIDNEXT": b"5", b"MESSAGES": b"2"}
    assert tokens.items(None) == []
    wrongs: list[Value] = [b"-1", b"1x", b"9" * 21, None, [b"1"]]
    for wrong in wrongs:
        with pytest.raises(Malformed):
            tokens.number(wrong)
    with pytest.raises(Malformed):
        tokens.text(None)
    with pytest.raises(Malformed):
        tokens.items(b"x")
