"""Answers in XML: read piece by piece, hostile ones refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.dav.scripted import multistatus, response
from xdmigrate_dav import documents, names
from xdmigrate_dav.documents import Answer, BadXml, Multistatus, condition_of

BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">%s]>
<multistatus xmlns="DAV:"><response><href>&i;</href></response></multistatus>""" % b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(8)
)


def read(body: bytes, size: int = 7) -> tuple[list[Answer], str]:
    found = Multistatus()
    return list(found.read(body, size)), found.token


def test_answers_come_with_their_properties() -> None:
    body = multistatus(
        response("/a/", "<d:getetag>1</d:getetag><d:sync-token>inner</d:sync-token>"),
        response("/b/", "<d:getetag/>", status="404 Not Found"),
        "<d:response><d:href>/c/</d:href><d:status>HTTP/1.1 403 Forbidden</d:status>"
        "<d:error><d:need-privileges/></d:error></d:response>",
        token="outer",
    ).content
    (first, second, third), token = read(body)
    assert (first.href, first.text(names.ETAG), first.text(names.SYNC_TOKEN)) == ("/a/", "1", "inner")
    assert (second.found, second.lacking) == ({}, {names.ETAG: 404})
    assert (third.status, third.condition) == (403, "need-privileges")
    assert token == "outer"


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><multistatus xmlns="DAV:"/>',
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x []><x/>'.encode("utf-16"),
        b"",
        b"<html><br></html>",
        b'<multistatus xmlns="DAV:"><response>',
        b"\x00\xff\xfe",
        b"<x>" * 300,
    ],
)
def test_what_is_no_xml_of_ours_is_refused(body: bytes) -> None:
    with pytest.raises(BadXml) as told:
        read(body)
    assert "passwd" not in str(told.value)


@given(st.binary(max_size=200))
def test_nothing_else_escapes(body: bytes) -> None:
    with suppress(BadXml):
        assert read(b'<multistatus xmlns="DAV:">' + body)[1] == ""


@pytest.mark.parametrize("many", [b"<a/>", b"<d:response/>", b'<a b="c"/>'])
def test_what_is_told_about_one_resource_has_an_end(many: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements take thirty times the memory of their bytes, and a server can pack them to nothing."""
    body = b'<d:multistatus xmlns:d="DAV:"><d:response>%s</d:response></d:multistatus>'
    monkeypatch.setattr(documents, "ELEMENTS", 1100)
    assert len(read(body % (many * 1000), 65536)[0]) == 1
    assert len(read(multistatus(*(response("/a/", "<d:getetag>1</d:getetag>") for _ in range(500))).content)[0]) == 500
    with pytest.raises(BadXml, match="too much"):
        read(body % (many * documents.ELEMENTS), 65536)


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("&#55357;&#56832;", "\N{GRINNING FACE}"),
        ("a &#xD83D;&#xde00;&#55357;&#56832; b", "a \N{GRINNING FACE}\N{GRINNING FACE} b"),
        ("&#55357; alone", "\ufffd alone"),
        ("&#55203;&#57344;&#228;", "\ud7a3\ue000ä"),
    ],
)
def test_characters_that_a_server_writes_in_halves(spelled: str, meant: str) -> None:
    """As SOGo does: one calendar with an emoji in its name made the whole list unreadable."""
    (answer,), _ = read(multistatus(response("/a/", f"<d:displayname>{spelled}</d:displayname>")).content)
    assert answer.text(names.DISPLAY_NAME) == meant


def test_what_a_status_is_not_told_of_is_there() -> None:
    """RFC 4918 section 14.22 wants one; an item must not get lost for want of it."""
    body = multistatus(
        "<d:response><d:href>/a</d:href><d:propstat><d:prop><d:getetag>1</d:getetag></d:prop></d:propstat></d:response>"
    )
    (answer,), _ = read(body.content)
    assert answer.text(names.ETAG) == "1"


def test_many_answers_are_not_held() -> None:
    one = response("/a/", f"<d:displayname>{'x' * 10_000}</d:displayname>").encode()
    pieces = [b'<d:multistatus xmlns:d="DAV:">', *([one] * 2000), b"</d:multistatus>"]
    held = Multistatus()
    assert sum(len(answer.text(names.DISPLAY_NAME)) for answer in held.read(b"".join(pieces))) == 20_000_000


def test_the_precondition_that_failed() -> None:
    body = b'<error xmlns="DAV:"><x:no-uid-conflict xmlns:x="y"><href>/a.ics</href></x:no-uid-conflict></error>'
    assert condition_of(body) == ("no-uid-conflict", ["/a.ics"])
    assert condition_of(b"<html>") == ("", [])
    assert condition_of(b'<error xmlns="DAV:"/>') == ("", [])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("DTEND must occur after DTSTART", "DTEND must occur after DTSTART"),
        ("Invalid VALUE type for property RDATE: VALUE=TIME", "Invalid VALUE type for property RDATE"),
        ("Bad SUMMARY property. Removing entire property: Secret", "Bad SUMMARY property"),
        ("Cannot store 'Secret'", "Cannot store"),
        ("Can't read 'Secret'", "Can't read"),
        ("", ""),
    ],
)
def test_an_explanation_ends_where_it_would_quote_the_item(said: str, words: str) -> None:
    body = f'<D:error xmlns:D="DAV:"><D:responsedescription>{said}</D:responsedescription></D:error>'
    assert documents.words_of(body.encode()) == words
    assert documents.words_of(said.encode()) == ""


def test_a_limit_is_never_sent() -> None:
    """Two servers cut their answers short for it, without a word."""
    for body in (documents.propfind((names.ETAG,)), documents.having("VTODO"), documents.uids_of_contacts()):
        assert b"limit" not in body


def test_text_that_xml_cannot_hold_is_refused_by_the_library() -> None:
    with pytest.raises(ValueError, match="XML"):
        documents.element(names.DISPLAY_NAME, text="a\0b")
