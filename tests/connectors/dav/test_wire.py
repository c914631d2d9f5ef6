"""HTTP: where credentials go, what is followed, and what every failure becomes."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime

import httpx
import pytest

from tests.connectors.dav.scripted import BASE, LOGIN, client_of, denied
from xdmigrate.errors import (
    AccessDenied,
    CertificateRejected,
    ConnectionLost,
    EndpointError,
    FolderUnusable,
    LoginRejected,
    ProtocolError,
    QuotaExceeded,
    Throttled,
    Unreachable,
    XdmigrateError,
)
from xdmigrate.model import Login
from xdmigrate_dav import peer
from xdmigrate_dav.logging_in import offered
from xdmigrate_dav.peer import GatewayFailed
from xdmigrate_dav.settings import Mechanism, Settings
from xdmigrate_dav.wire import Client, TooLong

CHALLENGES = [("www-authenticate", 'Basic realm="x"'), ("www-authenticate", 'Digest realm="x", nonce="n", qop="auth"')]


class Server:
    """Answers what it is told to, and keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.authorizations: list[str] = []  # as they were: a request is changed for its second attempt

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.authorizations.append(request.headers.get("authorization", ""))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def credentials(self) -> list[str]:
        return [each.partition(" ")[0] for each in self.authorizations]


def ok(status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers)


def test_credentials_are_sent_when_they_are_asked_for() -> None:
    server = Server(httpx.Response(401, headers=CHALLENGES[:1]), ok(), ok())
    client = client_of(server)
    assert client.request("PROPFIND", "/").status == 200
    assert client.request("PROPFIND", "/").status == 200
    assert server.credentials == ["", "Basic", "Basic"]


def test_the_password_goes_as_a_digest_where_it_can() -> None:
    server = Server(httpx.Response(401, headers=CHALLENGES), httpx.Response(401, headers=CHALLENGES), ok(), ok())
    client = client_of(server)
    assert client.request("GET", "/a").status == 200
    assert client.request("GET", "/a").status == 200
    assert server.credentials == ["", "", "Digest", "Digest"]
    assert not any("s3cret" in each for each in server.authorizations)


def test_only_the_chosen_mechanism_is_used() -> None:
    server = Server(httpx.Response(401, headers=CHALLENGES[:1]))
    client = client_of(server, mechanism=Mechanism.DIGEST)
    assert client.request("GET", "/").status == 401
    assert server.credentials == [""]


def test_a_wrong_password_is_tried_once() -> None:
    server = Server(httpx.Response(401, headers=CHALLENGES[:1]), httpx.Response(401, headers=CHALLENGES[:1]))
    client = client_of(server)
    reply = client.request("PROPFIND", "/")
    error = client.refusal("log in", reply)
    assert isinstance(error, LoginRejected)
    assert "s3cret" not in str(error) + repr(client.peer)
    assert len(server.asked) == 2


class Tokens:
    def __init__(self, *given: str) -> None:
        self.given, self.rejected = list(given), list[str]()

    def current(self) -> str:
        return self.given[0]

    def reject(self, token: str) -> None:
        self.rejected.append(token)
        if len(self.given) > 1:
            self.given.pop(0)


@pytest.mark.parametrize(("given", "status"), [(("old", "new"), 200), (("old",), 401)])
def test_a_token_that_ended_is_asked_for_once_more(given: tuple[str, ...], status: int) -> None:
    tokens = Tokens(*given)
    server = Server(ok(401), ok())
    login = Login("ann@x.example", "ann", token=tokens)
    client = Client(Settings("box", url=BASE), login, BASE, transport=httpx.MockTransport(server))
    assert client.request("GET", "/").status == status
    assert server.authorizations == [f"Bearer {each}" for each in given]
    assert tokens.rejected == ["old"]


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/dav/",
        "http://evil.example:8008/",
        "//evil.example/",
        "https://127.0.0.1:8008/",
        "/%2e%2e/x",
    ],
)
def test_a_redirect_to_another_host_is_not_followed(where: str) -> None:
    server = Server(httpx.Response(401, headers=CHALLENGES[:1]), ok(301, location=where))
    with pytest.raises(EndpointError, match="never gets") as told:
        client_of(server).request("PROPFIND", "/.well-known/caldav")
    assert "url" in told.value.remedy
    assert all(each.url.host == "127.0.0.1" and each.url.scheme == "http" for each in server.asked)


def test_a_redirect_inside_the_server_is_followed_with_the_same_question() -> None:
    server = Server(ok(301, location="/dav/"), ok(308, location=f"{BASE}/dav/ann/"), ok(207))
    reply = client_of(server).request("PROPFIND", "/", body=b"<x/>")
    assert (reply.status, reply.url) == (207, f"{BASE}/dav/ann/")
    assert [(each.method, each.content) for each in server.asked] == [("PROPFIND", b"<x/>")] * 3


def test_redirects_end() -> None:
    server = Server(*(ok(302, location=f"/{n}") for n in range(9)))
    with pytest.raises(ProtocolError, match="without an end"):
        client_of(server).request("GET", "/")


def test_an_idle_connection_that_ended_is_opened_again_for_a_question() -> None:
    gone = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    assert client_of(Server(gone, ok())).request("REPORT", "/").status == 200
    with pytest.raises(ConnectionLost):
        client_of(Server(gone, gone)).request("REPORT", "/")
    server = Server(gone, ok())
    with pytest.raises(ConnectionLost):
        client_of(server).request("PUT", "/a.ics", body=b"x")
    assert len(server.asked) == 1


def raised_from(cause: Exception) -> httpx.ConnectError:
    error = httpx.ConnectError("no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (raised_from(OSError(111, "Connection refused")), Unreachable),
        (raised_from(ssl.SSLCertVerificationError("the certificate's SHA-256 is ab")), CertificateRejected),
        (raised_from(ssl.SSLError("wrong version")), Unreachable),
        (httpx.ConnectTimeout("slow"), Unreachable),
        (httpx.ReadTimeout("slow"), ConnectionLost),
        (httpx.ReadError("reset"), ConnectionLost),
        (httpx.DecodingError("not gzip"), ProtocolError),
    ],
)
def test_failures_become_errors_of_ours(failure: Exception, kind: type[XdmigrateError]) -> None:
    with pytest.raises(XdmigrateError) as told:
        client_of(Server(failure, failure)).request("GET", "/")
    assert type(told.value) is kind
    assert told.value.remedy
    assert told.value.endpoint == "box"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ok(401), LoginRejected),
        (ok(403), AccessDenied),
        (denied(403, "quota-not-exceeded"), QuotaExceeded),
        (ok(404), FolderUnusable),
        (ok(429), Throttled),
        (ok(502), GatewayFailed),
        (ok(503), Throttled),
        (ok(507), QuotaExceeded),
        (ok(500), ProtocolError),
        (ok(200), ProtocolError),
    ],
)
def test_refusals_become_errors_of_ours(answer: httpx.Response, kind: type[XdmigrateError]) -> None:
    with pytest.raises(XdmigrateError) as told:
        client_of(Server(answer)).answers("look", "/", b"")
    assert type(told.value) is kind


def test_how_long_to_wait_is_the_servers_word() -> None:
    client = client_of(Server(ok(503, **{"retry-after": "17"})))
    with pytest.raises(Throttled) as told:
        client.answers("look", "/", b"")
    assert told.value.delay == 17


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("5", 5.0),
        ("99999999999999", 3600.0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2020 12:01:00 GMT", 0.0),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        ("", None),
        ("-5", None),
    ],
)
def test_when_to_come_again(said: str, seconds: float | None) -> None:
    assert peer.delay_of(said, datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds


def test_an_answer_without_an_end_is_left() -> None:
    with pytest.raises(TooLong):
        client_of(Server(httpx.Response(200, content=b"x" * 5000))).request("GET", "/", longest=4999)


def test_requests_are_counted() -> None:
    server = Server(httpx.Response(200, content=b"12345"), ok())
    made = Settings("box", url=BASE)
    client = Client(made, LOGIN, BASE, transport=httpx.MockTransport(server))
    client.request("GET", "/")
    client.request("PUT", "/", body=b"123")
    assert (made.meter.commands, made.meter.sent) == (2, 3)


def test_secrets_are_never_repeated() -> None:
    hidden = peer.Peer("box", "h:1", "ann", peer.secrets_of("s3cret", ""))
    spelled = base64.b64encode(b"s3cret").decode()
    assert str(hidden.error(ProtocolError, f"a s3cret b {spelled}\r\nc", "look")) == "h:1: a … b …  c; look"


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ([], set()),
        (['Basic realm="a"'], {"basic"}),
        (['Digest realm="a", nonce="b", Basic realm="c"'], {"digest", "basic"}),
        (["Negotiate", "Bearer"], {"negotiate", "bearer"}),
        (['Basic realm="Hello, Digest users"'], {"basic"}),
        (['Negotiate abc==, Digest realm="a", nonce="b"'], {"negotiate", "digest"}),
        (['Digest realm="a", nonce="b", qop="auth-int", Basic realm="a"'], {"basic"}),
        (['Digest realm="a", nonce="b", algorithm=SHA-512-256'], set()),
        (['Digest realm="a"', "Digest", "", ", ,", 'Digest realm="\xfc", nonce="b"'], set()),
    ],
)
def test_what_a_server_offers(header: list[str], names: set[str]) -> None:
    """No digest is, that nobody could answer."""
    assert offered(header) == names


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (['Digest realm="x", nonce="n", algorithm=SHA-512-256', 'Digest realm="x", nonce="n"'], ["", "", "Digest"]),
        (['Basic realm="x", Digest realm="x", nonce="n", qop="auth"'], ["", "", "Digest"]),
        (['Digest realm="x", nonce="n", qop="auth", Negotiate'], ["", "", "Digest"]),
        (['Digest realm="x", nonce="n", algorithm=odd', 'Basic realm="x"'], ["", "Basic"]),
        (['Digest realm="x", nonce="n", qop="auth-int"'], [""]),
    ],
)
def test_of_several_challenges_one_that_can_be_answered_is(header: list[str], credentials: list[str]) -> None:
    """Some of these ended in an internal error."""
    challenged = [httpx.Response(401, headers=[("www-authenticate", each) for each in header]) for _ in credentials]
    server = Server(*challenged[1:], ok() if len(credentials) > 1 else challenged[0])
    assert client_of(server).request("GET", "/").status == (200 if len(credentials) > 1 else 401)
    assert server.credentials == credentials


def test_a_digest_is_answered_anew_when_its_nonce_is_stale() -> None:
    def challenge(nonce: str) -> httpx.Response:
        return httpx.Response(401, headers={"www-authenticate": f'Digest realm="x", nonce="{nonce}", qop="auth"'})

    server = Server(challenge("n1"), challenge("n1"), ok(), challenge("n2"), ok())
    client = client_of(server, mechanism=Mechanism.DIGEST)
    assert [client.request("GET", "/").status for _ in range(2)] == [200, 200]
    assert [each.partition('nonce="')[2][:2] for each in server.authorizations] == ["", "", "n1", "n1", "n2"]


@pytest.mark.parametrize("where", ["HTTP://127.0.0.1:8008/x", "http://any@127.0.0.1:8008/x", "/x"])
def test_this_server_may_be_spelled_otherwise_in_a_redirect(where: str) -> None:
    server = Server(ok(301, location=where), ok())
    assert client_of(server).request("GET", "/").url == f"{BASE}/x"


@pytest.mark.parametrize("where", ["http://[bad", "http://127.0.0.1:99999/"])
def test_a_redirect_to_no_address_is_an_error_of_ours(where: str) -> None:
    with pytest.raises(ProtocolError, match="no address"):
        client_of(Server(ok(301, location=where))).request("GET", "/")
