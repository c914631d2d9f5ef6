"""From an address to an account, whatever the server says on the way."""

from __future__ import annotations

import httpx
import pytest

from tests.connectors.dav.scripted import client_of, multistatus, response
from xdmigrate.errors import AccessDenied, EndpointError, LoginRejected, ProtocolError, Throttled
from xdmigrate_dav import discovery, locating
from xdmigrate_dav.discovery import Account
from xdmigrate_dav.settings import Settings

PRINCIPAL = "<d:current-user-principal><d:href>{}</d:href></d:current-user-principal>"
CALENDARS = "<c:calendar-home-set><d:href>{}</d:href></c:calendar-home-set>"
CONTACTS = "<a:addressbook-home-set><d:href>{}</d:href></a:addressbook-home-set>"
HOMES = CALENDARS.format("/cal/ann/") + CONTACTS.format("/card/ann/")
ANN = Account("/principals/ann/", ("/cal/ann/",), ("/card/ann/",))
PAGE = httpx.Response(200, html="<html>Welcome</html>")


class Site:
    """Answers by path; 404 for all others."""

    def __init__(self, **pages: httpx.Response) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.pages.get(request.url.path, httpx.Response(404))


def found(pages: dict[str, httpx.Response], start: str = "/", principal: str = "") -> Account:
    return discovery.account(client_of(Site(**pages)), start, principal)


def principal(homes: str = HOMES) -> httpx.Response:
    return multistatus(response("/principals/ann/", homes))


def test_by_the_well_known_address() -> None:
    pages = {
        "/.well-known/caldav": httpx.Response(301, headers={"location": "/dav/"}),
        "/dav/": multistatus(response("/dav/", PRINCIPAL.format("/principals/ann/"))),
        "/principals/ann/": principal(),
    }
    assert found(pages) == ANN


def test_a_web_page_at_the_well_known_address_is_passed_over() -> None:
    pages = {
        "/.well-known/caldav": PAGE,
        "/.well-known/carddav": httpx.Response(405),
        "/": multistatus(response("/", PRINCIPAL.format("principals/ann/"))),
        "/principals/ann/": principal(),
    }
    assert found(pages) == ANN


def test_calendars_and_contacts_may_be_told_apart() -> None:
    pages = {
        "/.well-known/caldav": multistatus(response("/", CALENDARS.format("/cal/ann"))),
        "/.well-known/carddav": multistatus(response("/", CONTACTS.format("/card/ann"))),
    }
    told = found(pages)
    assert (told.calendars, told.contacts) == (("/cal/ann/",), ("/card/ann/",))


def test_by_a_path_and_by_the_principal_of_another() -> None:
    pages = {
        "/dav/x/": multistatus(response("/dav/x/", PRINCIPAL.format("/principals/admin/"))),
        "/principals/admin/": principal("<d:displayname>Admin</d:displayname>"),
        "/principals/ann/": principal(),
    }
    assert found(pages, principal="/principals/ann/") == ANN
    with pytest.raises(EndpointError, match="neither calendars"):
        found(pages, "/dav/x/")


def test_a_server_that_shows_the_administrators_own_home_is_refused() -> None:
    """Cyrus 3.6 tells it under every principal; whatever is written would go into the wrong account."""
    own = PRINCIPAL.format("/principals/admin/") + CALENDARS.format("/cal/admin/")
    pages = {
        "/principals/ann/": multistatus(response("/principals/ann/", own)),
        "/principals/admin/": multistatus(response("/principals/admin/", own)),
    }
    with pytest.raises(AccessDenied, match="login itself"):
        found(pages, principal="/principals/ann/")


@pytest.mark.parametrize(
    "pages",
    [
        {"/": multistatus(response("/", PRINCIPAL.format("https://other.example/principals/ann/")))},
        {"/": multistatus(response("/", CALENDARS.format("https://p7.other.example/cal/")))},
        {"/.well-known/caldav": httpx.Response(302, headers={"location": "https://other.example/"})},
    ],
)
def test_credentials_go_to_no_other_host(pages: dict[str, httpx.Response]) -> None:
    site = Site(**pages)
    with pytest.raises(EndpointError, match=r"other\.example"):
        discovery.account(client_of(site), "/")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PAGE, ProtocolError),
        (httpx.Response(404), AccessDenied),
        (httpx.Response(403), AccessDenied),
        (httpx.Response(401), LoginRejected),
        (httpx.Response(503), Throttled),
        (httpx.Response(207, content=b"<!DOCTYPE x><x/>"), ProtocolError),
    ],
)
def test_what_is_no_dav_is_told(answer: httpx.Response, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        found({"/dav/": answer}, "/dav/")


def test_a_server_that_answers_everybody_is_told_who_asks() -> None:
    """Some give a principal to nobody instead of asking for a login."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append("authorization" in request.headers)
        if not asked[-1]:
            return multistatus(
                response("/", "<d:current-user-principal><d:unauthenticated/></d:current-user-principal>")
            )
        return principal()

    assert discovery.account(client_of(answer), "/dav/").calendars == ANN.calendars
    assert asked == [False, True]


@pytest.mark.parametrize(
    ("host", "is_within"),
    [("dav.example.com", True), ("EXAMPLE.com.", True), ("evil-example.com", False), ("example.com.evil", False)],
)
def test_dns_names_only_servers_of_the_domain(host: str, *, is_within: bool) -> None:
    assert locating.within(host, "example.com") is is_within


def test_an_address_needs_no_dns() -> None:
    assert locating.address(Settings("x", url="https://a/", domain="b")) == "https://a/"
