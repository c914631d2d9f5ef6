"""Addresses of all sorts, and the one spelling."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_dav.hrefs import PLAIN, ForeignHost, canonical, collection, name_of, path_of, path_to, ref_of

BASE = "https://dav.example.com/cal/ann/"


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/cal/ann/a.ics", "/cal/ann/a.ics"),
        ("a.ics", "/cal/ann/a.ics"),
        ("https://dav.example.com/cal/ann/a.ics", "/cal/ann/a.ics"),
        ("http://dav.example.com:8008/cal/ann/a.ics", "/cal/ann/a.ics"),  # behind a proxy
        ("//cal/ann/a.ics", "/cal/ann/a.ics"),
        ("//dav.example.com/cal/ann/a.ics", "/cal/ann/a.ics"),
        (" /cal/ann/a.ics\n", "/cal/ann/a.ics"),
        ("/cal/ann/%61%2Eics", "/cal/ann/a.ics"),
        ("/cal/ann/a%2fb.ics", "/cal/ann/a%2Fb.ics"),
        ("/cal/ann/ü ?.ics", "/cal/ann/%C3%BC%20%3F.ics"),  # of servers that leave names as they are
        ("/cal/ann/a#1.ics", "/cal/ann/a%231.ics"),
        ("/cal/ann/a%231.ics", "/cal/ann/a%231.ics"),
        ("/cal/ann/ann@x.example.ics", "/cal/ann/ann@x.example.ics"),
        ("/cal/ann/ann%40x.example.ics", "/cal/ann/ann@x.example.ics"),
        ("/cal/ann/x/../a.ics", "/cal/ann/a.ics"),
        ("/cal/ann/%2e%2e/%2e%2e/etc", None),
        ("/cal/ann/%2E", None),
        ("mailto:ann@x.example", None),
        ("javascript:alert(1)", None),
        ("", None),
        ("/cal/" + "%2F" * 2000, "/cal/" + "%2F" * 2000),  # of a UID of 2,000 characters
        ("/" + "x" * 17_000, None),
        ("https://[::1/", None),
    ],
)
def test_what_an_address_means(href: str, path: str | None) -> None:
    assert path_of(href, BASE) == path


@pytest.mark.parametrize("href", ["https://evil.example/cal/ann/a.ics", "http://dav.example.com@evil.example/"])
def test_another_host_is_never_ours(href: str) -> None:
    with pytest.raises(ForeignHost) as told:
        path_of(href, BASE)
    assert told.value.host == "evil.example"


@given(st.binary(min_size=1, max_size=40).filter(lambda name: name not in (b".", b"..")))
def test_every_name_goes_there_and_back(name: bytes) -> None:
    inside = "/cal/ann/"
    path = path_to(name, inside)
    assert path_of(path, BASE) == canonical(path)
    if b"/" not in name:
        assert ref_of(canonical(path) or "", inside) == name
    assert unquote_to_bytes(path.removeprefix(inside)) == name


@given(st.text(max_size=60))
def test_nothing_leads_out_of_the_server(href: str) -> None:
    try:
        path = path_of(href, BASE)
    except ForeignHost:
        return
    assert path is None or (path.startswith("/") and ".." not in path.split("/") and canonical(path) == path)


@given(st.text("/.-_~a1@:+%;?# é", max_size=20).map("/".__add__))
def test_what_is_spelled_our_way_already_is_read_as_everything_else(path: str) -> None:
    segments = path[1:].split("/")
    spelled = "/" + "/".join(quote(unquote_to_bytes(segment), safe=PLAIN) for segment in segments)
    leads_away = any(unquote_to_bytes(segment) in (b".", b"..") for segment in segments)
    assert canonical(path) == (None if leads_away else spelled)
    if path == spelled and "//" not in path and not leads_away:
        assert path_of(path, BASE) == path_of(BASE.removesuffix("/cal/ann/") + path, BASE)


def test_only_what_is_right_inside_is_an_item() -> None:
    assert ref_of("/cal/ann/a.ics", "/cal/ann/") == b"a.ics"
    assert ref_of("/cal/ann/", "/cal/ann/") is None
    assert ref_of("/cal/ann/deep/a.ics", "/cal/ann/") is None
    assert ref_of("/cal/bob/a.ics", "/cal/ann/") is None


def test_collections_end_in_a_slash() -> None:
    assert collection("/a") == collection("/a/") == "/a/"
    assert name_of("/cal/%C3%BCber/") == "über"
