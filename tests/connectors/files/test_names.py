"""Names on the disk: every system takes them, and each says which folder it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_files.names import (
    LONGEST,
    UNREADABLE,
    BadName,
    file_name,
    level,
    maildir_level,
    maildir_name,
    native,
    rel_of,
)

AWKWARD = st.sampled_from(
    ["CON", "nul.txt", "..", ".", "%2E", "a/b", "a:b", "x.mbox", "cur", "LPT1", " ", "ü", "%", "A"]
)
LEVELS = st.text(min_size=1, max_size=40) | st.lists(AWKWARD, min_size=1, max_size=3).map("".join)


def spelled(text: str) -> bytes | None:
    try:
        return file_name(text)
    except BadName:
        return None


@given(LEVELS)
def test_a_name_says_what_it_stands_for(text: str) -> None:
    name = spelled(text)
    if name is not None:
        assert level(name) == text


@given(LEVELS, LEVELS)
def test_no_two_folders_get_one_name(one: str, other: str) -> None:
    first, second = spelled(one), spelled(other)
    assert first is None or first != second or one == other


@given(LEVELS)
def test_every_system_takes_it(text: str) -> None:
    name = spelled(text)
    if name is None:
        return
    shown = name.decode()
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', shown)
    assert not shown.startswith(".")
    assert shown[-1] not in ". "
    assert len(name) <= LONGEST
    assert shown.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


@given(st.binary(min_size=1, max_size=60))
def test_whatever_lies_on_a_disk_can_be_shown(name: bytes) -> None:
    for shown in (level(name), maildir_level(name)):
        assert shown.encode()
        assert "\0" not in shown.removeprefix(UNREADABLE)


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name), max_size=4))
def test_ways_come_back(rel: list[bytes]) -> None:
    assert rel_of(native(tuple(rel))) == tuple(rel)


@pytest.mark.parametrize("text", ["x" * 10_000, "ü" * 120, "", "\ud800"])
def test_what_no_file_can_be_called_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        file_name(text)
    with pytest.raises(BadName):
        maildir_name((text,) * 8)


@pytest.mark.parametrize("path", [("a.b",), ("a/b",), ("a", ""), ("a\0",), ("a\n",)])
def test_what_a_maildir_cannot_have_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(BadName):
        maildir_name(path)


def test_maildir_names_are_modified_utf7() -> None:
    assert maildir_name(("Entwürfe", "R&D")) == b".Entw&APw-rfe.R&-D"
    assert [maildir_level(each) for each in (b"Entw&APw-rfe", b"R&-D", b"R&D", "Ü".encode())] == [
        "Entwürfe", "R&D", "R&D", "Ü",
    ]  # fmt: skip
