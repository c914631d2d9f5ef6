"""Logins by token at a real server, and tokens that end in the middle of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.live import dovecot
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.project import Project, Values, endpoint
from tests.live.reader import contents, dump, load
from tests.live.refusals import HURRY, assert_verified, errors, mails, run_patched
from tests.live.tokens import ExpiringProxy, TokenService
from xdmigrate.access.renewed import Granted, RenewedToken
from xdmigrate.errors import LoginRejected
from xdmigrate.model import Endpoint, Login
from xdmigrate.wrap.connection import Closable
from xdmigrate_imap.plugin import ImapConnector

Accounts = Callable[[], str]
Server = Callable[[Settings], Dovecot]
connector = ImapConnector()
OPENERS: list[Callable[[Endpoint, Login], Closable]] = [connector.source, connector.target, connector.auditor]


@pytest.fixture
def tokens() -> Iterator[TokenService]:
    if reason := dovecot.without_tokens():
        pytest.skip(reason)
    with TokenService() as service:
        yield service


def plain(server: Dovecot, **auth: str) -> Endpoint:
    return Endpoint("old", "imap", {"host": server.host, "port": server.port, "tls": "none", "auth": auth})


@pytest.mark.parametrize("mechanism", ["", "oauthbearer", "xoauth2"])
def test_a_real_server_takes_tokens(
    mechanism: str, new_dovecot: Server, new_user: Accounts, tokens: TokenService
) -> None:
    server, user = new_dovecot(Settings(tokeninfo=tokens.tokeninfo)), new_user()
    chosen = {"mechanism": mechanism} if mechanism else {}
    login = Login(user, user, token=RenewedToken(lambda: Granted(tokens.mint(user))))
    for opener in OPENERS:
        opener(plain(server, **chosen), login).close()
        tokens.revoke()
    assert (server.logins(user), len(tokens.minted), tokens.turned_away) == (3, 3, 2)
    assert f"method={(mechanism or 'oauthbearer').upper()}" in server.log().upper().replace("METHOD=", "method=")

    tokens.misers = True
    with pytest.raises(LoginRejected) as raised:
        connector.source(plain(server, **chosen), login)
    assert "status" in raised.value.message
    assert "canary" not in str(raised.value)
    assert len(tokens.minted) == 4
    other = Login("bob@example.test", "bob@example.test", token=RenewedToken(lambda: Granted(tokens.mint(user))))
    tokens.misers = False
    with pytest.raises(LoginRejected):  # somebody else's token
        connector.source(plain(server, **chosen), other)
    assert server.logins("bob@example.test") == 0


@pytest.mark.parametrize("opener", OPENERS)
def test_master_users_in_every_form(
    opener: Callable[[Endpoint, Login], Closable], new_dovecot: Server, new_user: Accounts
) -> None:
    server, user = new_dovecot(Settings()), new_user()
    master, password = server.settings.master, server.settings.master_password
    forms = [
        (Login(user, f"{user}*{master}", password), {}),
        (Login(user, f"{user}*{master}", password), {"mechanism": "login"}),
        (Login(user, master, password, authorize_as=user), {"mechanism": "plain"}),
        (Login(user, master, password, authorize_as=user), {}),
    ]
    for login, auth in forms:
        opener(plain(server, **auth), login).close()
    assert server.logins(user) == len(forms)
    with pytest.raises(LoginRejected, match="AUTHENTICATIONFAILED"):
        opener(plain(server), Login(user, master, "wrong", authorize_as=user))
    with pytest.raises(LoginRejected, match="cannot act"):
        opener(plain(server, mechanism="login"), Login(user, master, password, authorize_as=user))
    assert server.logins(user) == len(forms)


def by_token(tokens: TokenService, folder: Path, port: int) -> Values:
    auth = {"token": tokens.command(folder)}
    return {"connector": "imap", "host": "127.0.0.1", "port": port, "tls": "none", "auth": auth}


def test_tokens_end_in_the_middle_of_the_work(
    new_dovecot: Server, new_user: Accounts, tokens: TokenService, tmp_path: Path, rng: Random, full: bool
) -> None:
    """On both sides: while messages are read, and while they are written. Nothing is lost, nothing arrives twice."""
    server, other = (new_dovecot(Settings(tokeninfo=tokens.tokeninfo, storage=kind)) for kind in ("maildir", "mdbox"))
    user, expiries = new_user(), 20 if full else 3
    load(*server.access(user), {"INBOX": mails(1500 if full else 300, size=9000), "Sub": mails(20, "sub")})
    with (
        ExpiringProxy(server.port, lambda: rng.randint(3, 5), tokens.revoke, times=expiries) as old,
        ExpiringProxy(other.port, lambda: rng.randint(5, 14), tokens.revoke, times=expiries) as new,
    ):
        source, target = (by_token(tokens, tmp_path, proxy.port) for proxy in (old, new))
        project = Project(tmp_path, source, target, [user])
        answer = run_patched(project, HURRY, "sync", "-v")
        assert errors(answer, 0) == []
        assert (old.expired, new.expired) == (expiries, expiries)
        assert_verified(project)
    assert contents(dump(*other.access(user))) == contents(dump(*server.access(user)))
    assert tokens.turned_away  # a session that went on with the old token would have been let in
    assert len(set(tokens.taken)) > old.expired
    told = answer.out + answer.err + (tmp_path / "state" / "job.db").read_bytes().decode("latin-1")
    logs = "".join(path.read_text() for path in (tmp_path / "state" / "logs" / "job").iterdir())
    assert "canary-token" not in told + logs


def test_a_token_that_nobody_takes_is_a_rejected_login(
    new_dovecot: Server, new_user: Accounts, tokens: TokenService, tmp_path: Path
) -> None:
    server, user = new_dovecot(Settings(tokeninfo=tokens.tokeninfo)), new_user()
    load(*server.access(user), {"INBOX": mails(1)})
    tokens.misers = True
    boxes: list[str | Values] = [{"source": name, "target": f"new-{name}"} for name in (user, f"x{user}")]
    project = Project(tmp_path, by_token(tokens, tmp_path, server.port), endpoint(server, tmp_path), boxes)
    found = errors(run_patched(project, HURRY, "sync"), 3)
    assert {each["code"] for each in found} == {"login-rejected"}
    assert tokens.turned_away == 4  # two mailboxes, each with a token and, once, with another
    assert "canary-token" not in str(found)
    tokens.misers = False
    answer = run_patched(project, HURRY, "sync")
    assert answer.exit in (0, 3)
    assert project.counts()["copied"] == 1
