"""Every way to log in, line by line as the RFCs have it, and servers that err while it goes on."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.imap.scripted import LOGIN, PEER, Scripted, Talk
from xdmigrate.errors import (
    AccessDenied,
    ConnectionLost,
    LoginRejected,
    ProtocolError,
    SecretUnreadable,
    Throttled,
    Unreachable,
    XdmigrateError,
)
from xdmigrate.model import Login
from xdmigrate_imap import sasl
from xdmigrate_imap.peer import LONGEST_DELAY
from xdmigrate_imap.plugin import ImapConnector
from xdmigrate_imap.source import ImapSource

connector = ImapConnector()
OPENERS = [connector.source, connector.auditor]
CANARY = "eyJ0.canary-token.zzz"
Opener = Callable[..., object]


class Coins:
    """A `Token` that gives one after another, and the last one for ever."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.rejected: list[str] = []

    def current(self) -> str:
        return self._tokens[0]

    def reject(self, token: str) -> None:
        self.rejected.append(token)
        if token == self._tokens[0] and len(self._tokens) > 1:
            self._tokens.pop(0)


def by_token(*tokens: str, **given: str) -> Login:
    return Login("ann@example.test", "ann@example.test", token=Coins(*(tokens or (CANARY,))), **given)


def opened(opener: Opener, login: Login, *scripts: Callable[[Talk], None], **auth: str) -> object:
    with Scripted(*scripts) as server:
        endpoint = replace(server.endpoint, settings=server.endpoint.settings | {"auth": auth})
        return opener(endpoint, login)


def refused(opener: Opener, login: Login, *scripts: Callable[[Talk], None], **auth: str) -> XdmigrateError:
    with pytest.raises(XdmigrateError) as raised:
        opened(opener, login, *scripts, **auth)
    assert "\n" not in str(raised.value)
    assert CANARY not in repr(raised.value) + str(raised.value)
    assert raised.value.endpoint == "old"
    assert raised.value.mailbox == "ann@example.test"
    return raised.value


def decoded(line: bytes) -> bytes:
    return b64decode(line, validate=True)


def in_oauthbearer(talk: Talk, token: str = CANARY, user: str = "ann@example.test") -> None:
    """The client's first answer, which came as an argument (SASL-IR)."""
    whole = talk.command()
    assert whole.startswith(b"AUTHENTICATE OAUTHBEARER ")
    gs2, host, port, auth, *rest = decoded(whole.rpartition(b" ")[2]).split(b"\1")
    assert (gs2, host, auth) == (f"n,a={user},".encode(), b"host=127.0.0.1", f"auth=Bearer {token}".encode())
    assert port.removeprefix(b"port=").isdigit()
    assert rest == [b"", b""]


def failing(talk: Talk, told: bytes, last: bytes, answer: bytes = b"NO [AUTHENTICATIONFAILED] no") -> None:
    """A failure of a bearer token: a challenge that tells why, the client's last answer, NO."""
    talk.send(b"+ " + told)
    assert talk.line() == last
    talk.ok(text=answer)


WHY = b64encode(b'{"status":"invalid_token","scope":"mail","openid-configuration":"https://evil"}')


# --- what is sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("ir", [True, False])
def test_plain(opener: Opener, ir: bool) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=PLAIN AUTH=XOAUTH2" + b" SASL-IR" * ir)
        whole = talk.command()
        assert whole.startswith(b"AUTHENTICATE PLAIN")
        if not ir:
            assert whole == b"AUTHENTICATE PLAIN"
            talk.send(b"+ ")
        answer = whole.rpartition(b" ")[2] if ir else talk.line()
        assert decoded(answer) == b"bob\0ann@example.test\0hunter2"
        talk.ok(text=b"OK [CAPABILITY IMAP4rev1 MOVE] in")

    session: Any = opened(opener, replace(LOGIN, authorize_as="bob"), script)
    if isinstance(session, ImapSource):
        assert session._session.can("MOVE")  # what the server can do after the login, not before
    session.close()


@pytest.mark.parametrize("opener", OPENERS)
def test_oauthbearer_before_xoauth2(opener: Opener) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR")
        in_oauthbearer(talk, user="a=3Db=2Cc@example.test")
        talk.ok(text=b"OK [CAPABILITY IMAP4rev1] in")

    opened(opener, by_token(authorize_as="a=b,c@example.test"), script)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("offered", [b"AUTH=XOAUTH2", b"AUTH=PLAIN"])
def test_xoauth2_by_continuation(opener: Opener, offered: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.greet(offered)
        assert talk.command() == b"AUTHENTICATE XOAUTH2"
        talk.send(b"+")
        assert decoded(talk.line()) == f"user=ann@example.test\1auth=Bearer {CANARY}\1\1".encode()
        talk.ok(text=b"OK [CAPABILITY IMAP4rev1] in")

    opened(opener, by_token(), script)


def test_the_plan_may_choose() -> None:
    def xoauth2(talk: Talk) -> None:
        talk.greet(b"AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR")
        assert talk.command().startswith(b"AUTHENTICATE XOAUTH2 ")
        talk.ok(text=b"OK [CAPABILITY IMAP4rev1] in")

    opened(connector.source, by_token(), xoauth2, mechanism="xoauth2")

    def nothing(talk: Talk) -> None:
        talk.greet(b"AUTH=XOAUTH2")
        assert talk.at_end()

    error = refused(connector.source, LOGIN, nothing, mechanism="xoauth2")
    assert isinstance(error, LoginRejected)
    assert "needs a token" in error.message


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("offer", [b"X-NETSCAPE", b"PROXYAUTH"])
def test_proxyauth_where_plain_is_not_offered(opener: Opener, offer: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.greet(offer)
        talk.expect(rb'LOGIN "ann@example.test" "hunter2"')
        talk.expect(rb'PROXYAUTH "a \\"b\\\\"')
        talk.expect(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 QUOTA")

    opened(opener, replace(LOGIN, authorize_as='a "b\\'), script)


def test_proxyauth_that_is_refused_is_no_wrong_password() -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=PLAIN X-SUN-IMAP")
        talk.expect(b"LOGIN ")
        talk.command()
        talk.ok(text=b"NO not an administrator")

    error = refused(connector.source, replace(LOGIN, authorize_as="bob"), script, mechanism="login")
    assert isinstance(error, LoginRejected)
    assert "act for this mailbox" in error.remedy


# --- tokens that are not taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize("opener", OPENERS)
def test_a_refused_token_is_asked_for_anew_once(opener: Opener) -> None:
    def old(talk: Talk) -> None:
        talk.greet(b"AUTH=OAUTHBEARER SASL-IR")
        in_oauthbearer(talk, "old")
        failing(talk, WHY, b"AQ==")

    def new(talk: Talk, taken: bool = True) -> None:
        talk.greet(b"AUTH=OAUTHBEARER SASL-IR")
        in_oauthbearer(talk, "new")
        if taken:
            talk.ok(text=b"OK [CAPABILITY IMAP4rev1] in")
        else:
            failing(talk, WHY, b"AQ==")

    login = by_token("old", "new", "third")
    opened(opener, login, old, new)
    assert isinstance(login.token, Coins)
    assert login.token.rejected == ["old"]

    error = refused(opener, by_token("old", "new", "third"), old, partial(new, taken=False))
    assert type(error) is LoginRejected
    assert "status invalid_token, scope mail" in error.message
    assert "evil" not in error.message


@pytest.mark.parametrize("opener", OPENERS)
def test_a_token_that_stays_the_same_is_tried_once(opener: Opener) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=XOAUTH2")
        talk.command()
        talk.send(b"+ ")
        talk.line()
        failing(talk, b64encode(b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'), b"")

    error = refused(opener, by_token(), script)
    assert "[AUTHENTICATIONFAILED] no (status 400, scope https://mail.google.com/)" in error.message
    assert "scope" in error.remedy


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"!!! not base64 !!!",
        b64encode(b"\xff\xfe not json"),
        b64encode(b"[" * 5000),
        b64encode(b'{"status":{"a":["deep"]},"scope":null}'),
        b64encode(b'["status"]'),
        b64encode(b"x" * 60_000),
        b64encode(b'{"status":"' + CANARY.encode() + b'"}'),
        b64encode(b'{"status":"two\\r\\nlines \\u0007"}'),
    ],
)
def test_hostile_challenges_are_only_answered(opener: Opener, told: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=OAUTHBEARER SASL-IR")
        in_oauthbearer(talk)
        failing(talk, told, b"AQ==")

    error = refused(opener, by_token(), script)
    assert type(error) is LoginRejected
    assert error.message.isprintable()
    assert len(error.message) < 500


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("login", [LOGIN, by_token()])
def test_endless_challenges_are_cancelled_and_then_left(opener: Opener, login: Login) -> None:
    answers: list[bytes] = []

    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=PLAIN AUTH=XOAUTH2 SASL-IR")
        talk.command()
        for _ in range(sasl.ENOUGH):
            talk.send(b"+ YWdhaW4=")
            answers.append(talk.line())
        talk.send(b"+ YWdhaW4=")
        assert talk.at_end()

    error = refused(opener, login, script)
    assert isinstance(error, ProtocolError)
    assert answers[-1] == b"*"


def test_a_flood_before_the_login_is_not_kept() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.command()
        with suppress(OSError):  # the client has gone
            while True:
                talk.raw(b"* OK [X-FLOOD] and so on for ever and ever\r\n" * 4000)

    error = refused(connector.source, LOGIN, script)
    assert isinstance(error, ProtocolError)
    assert "without end" in error.message


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("token", ["", "two words", "line\r\nx1 DELETE INBOX", "ünicode"])
def test_what_is_no_token_is_never_sent(opener: Opener, token: str) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=XOAUTH2")
        assert talk.at_end()

    error = refused(opener, by_token(token), script)
    assert isinstance(error, LoginRejected)
    assert "auth.token" in error.message


def test_a_name_cannot_bring_a_token_of_its_own() -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=XOAUTH2")
        assert talk.at_end()

    forged = "ann\1auth=Bearer x\1\1"
    for login in (replace(by_token(), user=forged), by_token(authorize_as=forged)):
        assert isinstance(refused(connector.source, login, script), LoginRejected)


@pytest.mark.parametrize("kind", [SecretUnreadable, LoginRejected, Unreachable])
def test_a_token_that_cannot_be_had_says_for_whom(kind: type[XdmigrateError]) -> None:
    class Broken(Coins):
        def current(self) -> str:
            raise kind("the login service is away")

    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=XOAUTH2")
        assert talk.at_end()

    assert type(refused(connector.source, replace(LOGIN, token=Broken()), script)) is kind


# --- what refusals mean -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("answer", "error", "remedy"),
    [
        (b"NO [AUTHENTICATIONFAILED] bad", LoginRejected, "correct the user or the password"),
        (b"NO [AUTHORIZATIONFAILED] not for you", LoginRejected, "auth.authorize_as"),
        (b"NO [EXPIRED] password expired", LoginRejected, "renew"),
        (b"NO [PRIVACYREQUIRED] not in plaintext", LoginRejected, "tls: implicit"),
        (b"NO [CONTACTADMIN] ask", LoginRejected, "provider"),
        (b"NO [ALERT] Application-specific password required: https://x (Failure)", LoginRejected, "app password"),
        (b"BAD User is authenticated but not connected.", LoginRejected, "Set-CASMailbox"),
        (b"NO ", LoginRejected, "correct"),
        (b"NO [LIMIT] too many", Throttled, "limits"),
        (b"NO [UNAVAILABLE] later", Throttled, "limits"),
        (b"NO Server is too busy", Throttled, "limits"),
    ],
)
def test_each_refusal_says_what_to_do(opener: Opener, answer: bytes, error: type[XdmigrateError], remedy: str) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=PLAIN SASL-IR")
        talk.command()
        talk.ok(text=answer)

    raised = refused(opener, LOGIN, script)
    assert type(raised) is error
    assert remedy in raised.remedy
    assert "hunter2" not in str(raised)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("bye", "error"),
    [
        (b"* BYE [UNAVAILABLE] maintenance", Throttled),
        (b"* BYE [LIMIT] enough of you", Throttled),
        (b"* BYE Suggested Backoff Time: 2500 milliseconds", Throttled),
        (b"* BYE Session invalidated - AccessTokenExpired", ConnectionLost),
        (b"* BYE Connection is closed. 13", ConnectionLost),
    ],
)
def test_a_farewell_during_the_login(opener: Opener, bye: bytes, error: type[XdmigrateError]) -> None:
    def script(talk: Talk) -> None:
        talk.greet(b"AUTH=PLAIN SASL-IR")
        talk.command()
        talk.send(bye)

    raised = refused(opener, LOGIN, script)
    assert type(raised) is error
    if b"2500" in bye:
        assert isinstance(raised, Throttled)
        assert raised.delay == 2.5


@pytest.mark.parametrize("words", ["NO [EXPIRED] token", "NO [AUTHENTICATIONFAILED] AccessTokenExpired"])
def test_a_token_that_ends_within_a_session_ends_the_session(words: str) -> None:
    """Nothing is said about the folder, still less about a message."""

    def script(talk: Talk) -> None:
        talk.log_in(b"NAMESPACE")
        talk.command()
        talk.ok(text=words.encode())

    with Scripted(script) as server:
        session = connector.source(server.endpoint, LOGIN)
        with pytest.raises(ConnectionLost, match="has ended"):
            session.folders()


def test_exchange_without_a_mailbox_is_no_broken_protocol() -> None:
    error = PEER.refusal("list", "", "User is authenticated but not connected.")
    assert isinstance(error, AccessDenied)
    assert "Set-CASMailbox" in error.remedy


@pytest.mark.parametrize("code", ["", "UNAVAILABLE"])
def test_nobody_makes_us_wait_for_days(code: str) -> None:
    error = PEER.farewell("Suggested Backoff Time: 999999999999 milliseconds", code)
    assert isinstance(error, Throttled)
    assert error.delay == LONGEST_DELAY


# --- pure -------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_a_reason_is_words_or_nothing(challenge: bytes) -> None:
    assert isinstance(sasl.reason(challenge), str)
    assert isinstance(sasl.reason(b64encode(challenge)), str)


@given(st.text(), st.text(), st.text())
def test_a_name_never_ends_its_field(user: str, token: str, host: str) -> None:
    sent = b64decode(sasl.oauthbearer(user.replace("\1", ""), token, host, 993).at_once()).decode()
    name = sent.partition("\1")[0].removeprefix("n,a=").removesuffix(",")
    assert "," not in name
    assert name.replace("=2C", ",").replace("=3D", "=") == user.replace("\1", "")


@given(st.lists(st.binary(max_size=20), max_size=10), st.sampled_from([None, b"", b"AQ=="]))
def test_no_exchange_lasts(challenges: list[bytes], last: bytes | None) -> None:
    exchange = sasl.Exchange("X", "secret", last)
    for challenge in [*challenges, b"x", b"x", b"x", b"x"][: 1 + sasl.ENOUGH]:
        exchange.answer(challenge)
    with pytest.raises(sasl.EndlessChallenges):
        exchange.answer(b"x")
