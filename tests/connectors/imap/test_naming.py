"""Mailbox names: every path leads back to its name, and no two names share a path."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.data import corpus
from xdmigrate_imap import tokens
from xdmigrate_imap.listing import Listed
from xdmigrate_imap.naming import MARK, BadName, Names, Namespace

PLAIN = Names()
CYRUS = Names.of([Namespace(b"INBOX.", b".")], [b"user.", b"shared."])
FLAT = Names.of([Namespace(b"", b"")], [])
TWO = Names.of([Namespace(b"", b"/"), Namespace(b"#mh/", b"/")], [b"~"])
ALL = [PLAIN, CYRUS, FLAT, TWO]

WIRE = st.one_of(
    st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name),
    st.from_regex(
        rb"(INBOX|inbox|Sent|#mh|&AOQ-|&|R&D|&AGE-|&-|%41|\xef\xbf\xbd)([/.](INBOX|Inbox|a|&AOQ-|&2AA-|))*",
        fullmatch=True,
    ),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@given(st.sampled_from(ALL), WIRE)
@example(CYRUS, b"INBOX.INBOX")
@example(CYRUS, b"INBOX.INBOX.x")
@example(CYRUS, b"Inbox.Sent")
@example(TWO, b"#mh/a/b")
@example(PLAIN, b"Entw\xc3\xbcrfe")
@example(PLAIN, b"R&D")
@example(PLAIN, b"a//b/")
@example(PLAIN, b"\xff%C3")
def test_a_path_leads_back_to_its_name(names: Names, name: bytes) -> None:
    assume(names.is_personal(name))
    path = names.path(name)
    assert path
    back = names.name(path)
    if name[:5].upper() == b"INBOX":
        back, name = b"INBOX" + back[5:], b"INBOX" + name[5:]
    assert back == name


@given(st.sampled_from(ALL), WIRE, WIRE)
def test_two_names_never_share_a_path(names: Names, one: bytes, other: bytes) -> None:
    assume(names.is_personal(one) and names.is_personal(other))
    assume(one[:5].upper() != b"INBOX" or other[:5].upper() != b"INBOX" or one[5:] != other[5:])
    assume(one != other)
    assert names.path(one) != names.path(other)


@given(st.sampled_from([PLAIN, CYRUS]), st.lists(TEXT, min_size=1, max_size=4).map(tuple))
def test_any_text_can_be_a_folder_unless_it_holds_the_separator(names: Names, path: tuple[str, ...]) -> None:
    separator = names.main.separator.decode()
    assume(not any(level.startswith(MARK) or separator in level for level in path))
    assume(path[0].upper() != "INBOX")
    name = names.name(path)
    assert name.isascii()
    assert names.path(name) == path


@pytest.mark.parametrize(
    ("names", "name", "path"),
    [
        (PLAIN, b"inbox", ("INBOX",)),
        (PLAIN, b"Inbox/Old", ("INBOX", "Old")),
        (PLAIN, b"Clients/2024&-25", ("Clients", "2024&25")),
        (PLAIN, b"Entw&APw-rfe", ("Entwürfe",)),
        (PLAIN, b"&ZeVnLIqe-", ("日本語",)),
        (PLAIN, b"&2D3eAA-", ("😀",)),
        (PLAIN, b" led by spaces ", (" led by spaces ",)),
        (CYRUS, b"INBOX.Sent.2024", ("Sent", "2024")),
        (CYRUS, b"INBOX", ("INBOX",)),
        (CYRUS, b"INBOX.a/b", ("a/b",)),
        (FLAT, b"a/b.c", ("a/b.c",)),
        (PLAIN, b"R&D", (MARK + "R&D",)),
        (PLAIN, b"Entw\xc3\xbcrfe", (MARK + "Entwürfe",)),
        (PLAIN, b"100%\xff", (MARK + "100%25%FF",)),
    ],
)
def test_known_names(names: Names, name: bytes, path: tuple[str, ...]) -> None:
    assert names.path(name) == path


def test_other_users_and_shared_folders_are_not_personal() -> None:
    assert not CYRUS.is_personal(b"user.bob")
    assert not CYRUS.is_personal(b"shared")
    assert not CYRUS.is_personal(b"elsewhere")
    assert CYRUS.is_personal(b"inbox")
    assert CYRUS.is_personal(b"Inbox.Sent")
    assert not TWO.is_personal(b"~bob/x")


@pytest.mark.parametrize("path", [(), ("a/b",), ("x\0y",), ("\ud800",), (MARK + "a%2Fb",)])
def test_what_no_server_can_keep_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(BadName):
        PLAIN.name(path)


def test_listings_of_real_servers_have_paths() -> None:
    root = corpus.root()
    if root is None:
        pytest.skip("no mail corpus")
    found = 0
    for path in sorted((root / "imap-transcripts").glob("*list*.txt")):
        for line in re.findall(
            rb"^\* (?:LIST|LSUB|XLIST) .*(?<!\})$", path.read_bytes().replace(b"\r", b""), re.MULTILINE
        ):
            data = tokens.response(line, lambda size: (b"", b""))
            assert isinstance(data, tokens.Data)
            names = Names((Namespace(b"", data.values[1] if isinstance(data.values[1], bytes) else b""),))
            name = Listed.of(data).name
            assert names.name(names.path(name)).upper() == name.upper()
            found += 1
    assert found > 30
