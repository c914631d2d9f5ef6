"""What a DAV endpoint's settings may say."""

from __future__ import annotations

import pytest

from xdmigrate.model import Endpoint
from xdmigrate_dav import connector
from xdmigrate_dav.settings import Mechanism, Scheduling, is_loopback, parse, principal_of, problems

GOOD: dict[str, object] = {"url": "https://dav.example.com/", "auth": {"user": "ann"}}


def endpoint(**more: object) -> Endpoint:
    return Endpoint("new", "dav", {**GOOD, **more})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"url": "http://127.0.0.1:5232/"},
        {"url": "http://dav.example.com/", "insecure": True},
        {"url": None, "domain": "example.com"},
        {"fingerprint": "sha256:" + "ab" * 32},
        {"scheduling": False},
        {"principal": "/principals/{address}/"},
        {"auth": {"mechanism": "digest"}},
    ],
)
def test_these_are_in_order(more: dict[str, object]) -> None:
    assert problems(endpoint(**more)) == []


@pytest.mark.parametrize(
    ("more", "where", "remedy"),
    [
        ({"url": "dav.example.com"}, "url", "https://dav.example.com/"),
        ({"url": "http://dav.example.com/"}, "url", "insecure"),
        ({"url": "https://ann:pw@dav.example.com/"}, "url", "auth"),
        ({"url": "ftp://dav.example.com/"}, "url", "https"),
        ({"url": None}, "url", "https"),
        ({"url": None, "domain": "localhost"}, "url", "https"),
        ({"fingerprint": "beef"}, "fingerprint", "64"),
        ({"scheduling": "on"}, "scheduling", "off"),
        ({"principal": "ann"}, "principal", "/principals/"),
        ({"auth": {"mechanism": "plain"}}, "auth.mechanism", "basic"),
        ({"auth": {"usr": "x"}}, "auth.usr", "user"),
        ({"auth": {"authorize_as": "x"}}, "auth.authorize_as", "principal"),
        ({"urll": "x"}, "urll", "url"),
        ({"zzz": "x"}, "zzz", "known are"),
    ],
)
def test_each_fault_is_told_with_its_remedy(more: dict[str, object], where: str, remedy: str) -> None:
    (found,) = problems(endpoint(**more))
    assert found.where == f"endpoints.new.{where}"
    assert remedy in found.remedy
    assert "pw" not in str(found)


def test_all_faults_are_told_at_once() -> None:
    assert len(problems(endpoint(url="x", fingerprint="y", scheduling="z", unknown=1))) == 4


def test_what_is_read() -> None:
    found = parse(endpoint(fingerprint=":".join(["AB"] * 32), scheduling=False, auth={"mechanism": "basic"}))
    assert found.fingerprint == b"\xab" * 32
    assert found.scheduling is Scheduling.OFF
    assert found.mechanism is Mechanism.BASIC
    assert parse(endpoint()).scheduling is Scheduling.UNKNOWN


@pytest.mark.parametrize(
    ("template", "address", "path"),
    [
        ("/principals/{address}/", "ann@x.example", "/principals/ann@x.example/"),
        ("/p/{domain}/{local}/", "ann@x.example", "/p/x.example/ann/"),
        ("/p/{address}/", "../../root", "/p/..%2F..%2Froot/"),
        ("/p/{local}/", "ann", "/p/ann/"),
        ("/p/{local}/", "{domain}@x", "/p/%7Bdomain%7D/"),
        ("", "ann", ""),
    ],
)
def test_a_principal_stays_in_its_place(template: str, address: str, path: str) -> None:
    assert principal_of(parse(endpoint(principal=template)), address) == path


@pytest.mark.parametrize(("host", "is_one"), [("127.8.0.1", True), ("::1", True), ("LocalHost.", True), ("a.b", False)])
def test_loopback(host: str, *, is_one: bool) -> None:
    assert is_loopback(host) is is_one


def test_equal_systems_have_equal_identities() -> None:
    assert connector.identity(endpoint()) == "dav://dav.example.com:443"
    assert connector.identity(endpoint(url="https://DAV.example.com:443")) == "dav://dav.example.com:443"
    assert connector.identity(endpoint(url=None, domain="Example.com.")) == "dav://example.com"
