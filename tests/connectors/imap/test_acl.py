"""Rights between RFC 2086 and RFC 4314: nobody gets more than he had; and which entries are notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_imap.acl import FORMER, STANDARD, spelt, understood
from xdmigrate_imap.metadata import is_note

RIGHTS = st.frozensets(st.sampled_from(sorted(STANDARD)))
LETTERS = st.text("".join(sorted(STANDARD)) + "cdn019")


@given(RIGHTS, st.booleans())
def test_what_is_sent_allows_nothing_more(rights: frozenset[str], modern: bool) -> None:
    assert understood(spelt(rights, modern=modern), modern=modern) <= rights


@given(RIGHTS)
def test_equal_servers_lose_nothing(rights: frozenset[str]) -> None:
    assert understood(spelt(rights, modern=True), modern=True) == rights


@given(LETTERS)
def test_old_letters_come_back(letters: str) -> None:
    """From an old server to an old server nothing changes but what has no meaning."""
    known = set(letters) & (STANDARD - frozenset("kxte") | FORMER.keys())
    assert set(spelt(understood("".join(known), modern=False), modern=False)) == known


@pytest.mark.parametrize(
    ("letters", "modern", "rights"),
    [
        ("lrswipcda", False, "lrswipkxtea"),  # RFC 2086
        ("lrswipkxtecda", True, "lrswipkxtea"),  # RFC 4314 section 2.1.1: c and d are shown for old clients
        ("lrscd", True, "lrs"),
        ("lr0n", True, "lr"),
    ],
)
def test_letters(letters: str, modern: bool, rights: str) -> None:
    assert understood(letters, modern=modern) == frozenset(rights)


@pytest.mark.parametrize(
    ("rights", "sent"), [("lrte", "dlr"), ("lrt", "lr"), ("lrk", "lr"), ("lrkx", "clr"), ("x", "")]
)
def test_an_old_server_gets_whole_letters_only(rights: str, sent: str) -> None:
    assert spelt(frozenset(rights), modern=False) == sent


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        ("/private/comment", True),
        ("/shared/comment", True),
        ("/shared/vendor/kolab/color", True),
        ("/private/vendor/x/colour", True),
        ("/shared/vendor/cmu/cyrus-imapd/uniqueid", False),
        ("/private/specialuse", False),
        ("/shared/vendor/vendor.dovecot/pvt/x", False),
    ],
)
def test_which_entries_are_notes(entry: str, note: bool) -> None:
    assert is_note(entry) == note
