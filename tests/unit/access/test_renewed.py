"""A token is asked for once, by whomever first needs it, and again before it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.access import extra
from xdmigrate.access.renewed import MARGIN, Granted, RenewedToken
from xdmigrate.access.tokens import Tokens
from xdmigrate.errors import ExtraMissing, LoginRejected, SecretUnreadable, Unreachable, XdmigrateError
from xdmigrate_plans.logins import Grant


class Mint:
    """Gives numbered tokens that hold for so many seconds, and can be made to fail."""

    def __init__(self, seconds: float | None = 3600.0) -> None:
        self.now = 1000.0
        self.seconds = seconds
        self.error: XdmigrateError | None = None
        self.given = 0

    def ask(self) -> Granted:
        if self.error is not None:
            raise self.error
        self.given += 1
        return Granted(f"token-{self.given}", self.seconds)

    def token(self, hide: Callable[[str], None] = lambda _secret: None) -> RenewedToken:
        return RenewedToken(self.ask, hide=hide, clock=lambda: self.now)


def test_it_holds_until_shortly_before_its_end() -> None:
    mint = Mint()
    token = mint.token()
    assert token.current() == "token-1"
    mint.now += 3600 - MARGIN - 1
    assert token.current() == "token-1"
    mint.now += 1
    assert token.current() == "token-2"
    assert mint.given == 2


def test_each_token_is_hidden_and_none_is_shown() -> None:
    hidden: list[str] = []
    token = Mint().token(hidden.append)
    token.current()
    token.reject("token-1")
    token.current()
    assert hidden == ["token-1", "token-2"]
    assert "token-" not in repr(token) + repr(Granted("token-1"))


@given(
    st.lists(st.sampled_from(["current", "reject", "reject old", "wait"]), max_size=30), st.sampled_from([None, 600])
)
def test_a_rejected_token_never_comes_back(steps: list[str], seconds: int | None) -> None:
    mint = Mint(seconds)
    token = mint.token()
    rejected: set[str] = set()
    last = token.current()
    for step in steps:
        match step:
            case "reject":
                token.reject(last)
                rejected.add(last)
            case "reject old":
                token.reject("token-0")
            case "wait":
                mint.now += 100
        before, last = last, token.current()
        assert last not in rejected
        assert before == last or before in rejected or seconds


def test_many_threads_ask_once() -> None:
    entered = threading.Barrier(8)
    mint = Mint()
    token = mint.token()

    def work(_number: int) -> str:
        entered.wait(10)
        return token.current()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {"token-1"}
    assert mint.given == 1


def test_a_refusal_is_remembered_and_other_trouble_is_not() -> None:
    mint = Mint()
    token = mint.token()
    for error in (Unreachable("away"), SecretUnreadable("no file")):
        mint.error = error
        with pytest.raises(type(error)):
            token.current()
    mint.error = LoginRejected("invalid_client", remedy="mend it")
    with pytest.raises(LoginRejected) as first:
        token.current()
    mint.error = None
    with pytest.raises(LoginRejected) as second:
        token.current()
    assert (mint.given, first.value is second.value) == (0, False)  # each mailbox's error has a name of its own
    assert (second.value.message, second.value.remedy) == ("invalid_client", "mend it")


class NoStore:
    def get(self, name: str) -> str | None:
        return None

    def set(self, name: str, secret: str) -> None:
        raise AssertionError(name)


def test_equal_grants_share_a_token_and_a_new_secret_gives_another() -> None:
    tokens = Tokens(NoStore())
    grant = Grant("old", "client-credentials", "scope", "tenant", "id", "https://x", secret="canary-secret")
    assert tokens.granted(grant) is tokens.granted(Grant(*(getattr(grant, name) for name in Grant.__slots__)))
    other = Grant("old", "client-credentials", "scope", "tenant", "id", "https://x", secret="other")
    assert tokens.granted(grant) is not tokens.granted(other)
    assert tokens.printed("old", "command:x", lambda: "1") is tokens.printed("old", "command:x", lambda: "2")
    assert tokens.printed("old", "command:x", lambda: "1") is not tokens.printed("new", "command:x", lambda: "1")
    assert "canary" not in repr(grant)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for flow in extra.LIBRARIES:
        extra.require(flow)  # what the tests are installed with
    monkeypatch.setitem(extra.LIBRARIES, "device-code", ("no_such_library", "msal"))
    monkeypatch.setitem(extra.LIBRARIES, "google-service-account", ("no_such_library.auth", "google-auth"))
    for flow, library in (("device-code", "msal"), ("google-service-account", "google-auth")):
        with pytest.raises(ExtraMissing, match=library) as refusal:
            extra.require(flow)
        assert refusal.value.remedy == "install xdmigrate[oauth]"
