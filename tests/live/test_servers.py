"""The servers that the other tests rely on do what they say."""

from __future__ import annotations

import gc
import imaplib
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Pair
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings, capabilities_without
from tests.live.reader import Draft, dump, load, session
from xdmigrate.testing.pymap import PymapServer

Server = Callable[[Settings], Dovecot]
Accounts = Callable[[], str]
HELLO = b"Subject: hello\r\n\r\n" + b"x" * 2_000 + b"\r\n"


def test_any_user_has_an_account_on_both_servers(dovecot_pair: Pair, new_user: Accounts) -> None:
    user = new_user()
    for server in dovecot_pair:
        load(*server.access(user), {"INBOX": [Draft(HELLO)]})
        assert [message.size for message in dump(*server.access(user))["INBOX"]] == [len(HELLO)]


def test_logins_and_commands_are_counted_per_user(dovecot_pair: Pair, new_user: Accounts) -> None:
    server, user, other = dovecot_pair.old, new_user(), new_user()
    load(*server.access(user), {"INBOX": [Draft(HELLO)], "Other": [Draft(HELLO)]})
    dump(*server.access(other))
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        dump(server.host, server.port, user, "wrong")
    assert (server.logins(user), server.failed_logins(user)) == (1, 1)
    assert (server.logins(other), server.failed_logins(other)) == (1, 0)
    commands = server.commands(user)
    assert (commands["APPEND"], commands["CREATE"], commands["FETCH"]) == (2, 1, 0)


def test_a_master_user_logs_in_as_anybody(dovecot_pair: Pair, new_user: Accounts) -> None:
    server, user = dovecot_pair.new, new_user()
    load(server.host, server.port, f"{user}*master", "master-secret", {"INBOX": [Draft(HELLO)]})
    assert len(dump(*server.access(user))["INBOX"]) == 1


def test_tls_on_a_port_of_its_own_and_by_starttls(dovecot_pair: Pair, new_user: Accounts) -> None:
    server = dovecot_pair.new
    assert "INBOX" in dump(server.host, server.tls_port, new_user(), server.password, ca=server.ca)
    client = imaplib.IMAP4("localhost", server.port, timeout=10)
    client.starttls(ssl.create_default_context(cafile=server.ca))
    assert client.login(new_user(), server.password)[0] == "OK"
    client.shutdown()


def test_a_certificate_can_be_wrong(new_dovecot: Server, new_user: Accounts) -> None:
    elsewhere = new_dovecot(Settings(certificate_names=("other.example",)))
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        dump(elsewhere.host, elsewhere.tls_port, new_user(), elsewhere.password, ca=elsewhere.ca)
    expired = new_dovecot(Settings(certificate_days=-1))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        dump(expired.host, expired.tls_port, new_user(), expired.password, ca=expired.ca)


def test_a_quota_is_full_for_one_user_only(new_dovecot: Server, new_user: Accounts) -> None:
    server, full, free = new_dovecot(Settings(quota=True)), new_user(), new_user()
    server.set_quota(full, 3_000)
    load(*server.access(free), {"INBOX": [Draft(HELLO)] * 3})
    with pytest.raises(AssertionError, match="OVERQUOTA"):
        load(*server.access(full), {"INBOX": [Draft(HELLO)] * 3})
    server.set_quota(full, 30_000)
    load(*server.access(full), {"INBOX": [Draft(HELLO)] * 3})


def test_a_read_only_server_keeps_what_it_had(new_dovecot: Server, new_user: Accounts) -> None:
    server, user = new_dovecot(Settings()), new_user()
    load(*server.access(user), {"INBOX": [Draft(HELLO)]})
    server.restart(read_only=True)
    assert len(dump(*server.access(user))["INBOX"]) == 1
    wishes: list[dict[str, list[Draft]]] = [{"INBOX": [Draft(HELLO)]}, {"New": []}]
    for drafts in wishes:
        with pytest.raises(AssertionError, match="NOPERM"):
            load(*server.access(user), drafts)


def test_capabilities_can_be_hidden(new_dovecot: Server, new_user: Accounts) -> None:
    server = new_dovecot(Settings(capabilities=capabilities_without("UIDPLUS", "LITERAL+")))
    with session(*server.access(new_user())) as client:
        announced = client.capability()[1][0].split()
    assert b"MULTIAPPEND" in announced
    assert not {b"UIDPLUS", b"LITERAL+"} & set(announced)


@pytest.mark.parametrize("settings", [Settings(separator=".", layout="Maildir++"), Settings(prefix="INBOX/")])
def test_separator_and_prefix(settings: Settings, new_dovecot: Server, new_user: Accounts) -> None:
    server, user = new_dovecot(settings), new_user()
    name = f"{settings.prefix}a{settings.separator}b"
    load(*server.access(user), {name: [Draft(HELLO)]})
    assert len(dump(*server.access(user))[name]) == 1


def test_sessions_can_be_recorded(dovecot_pair: Pair, new_user: Accounts) -> None:
    server, user = dovecot_pair.old, new_user()
    server.record(user)
    dump(*server.access(user))
    assert server.recorded(user).count(b" LIST ") == 1


def test_a_killed_test_leaves_no_server(dovecot_pair: Pair) -> None:
    """The parent dies without a chance to clean up; its server's port is free again."""
    code = (
        "import os, signal\nfrom tests.live.dovecot import Dovecot\nserver = Dovecot().start()\n"
        "print(server.port, server._root, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    output = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False).stdout
    port, place = output.split()
    gone = _closes(int(port))
    shutil.rmtree(place)
    assert gone


def _closes(port: int) -> bool:
    """Whether nothing listens there any more, within ten seconds."""
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_each_postgres_database_is_empty(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE only_here (id integer)")
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found == (1,)


def test_pymap_has_several_users(new_pymap: Callable[[dict[str, str]], PymapServer]) -> None:
    server = new_pymap({"ann@example.test": "one", "bob@example.test": "two"})
    load(server.host, server.port, "ann@example.test", "one", {"INBOX": [Draft(HELLO)], "Sub": []})
    assert len(dump(server.host, server.port, "ann@example.test", "one")["INBOX"]) == 1
    assert dump(server.host, server.port, "bob@example.test", "two") == {"INBOX": []}
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        dump(server.host, server.port, "bob@example.test", "one")


def test_pymap_outlives_the_garbage_collector_and_ends_with_clients(
    new_pymap: Callable[[dict[str, str]], PymapServer],
) -> None:
    """pymap leaves its tasks to the collector, and asyncio may wait for clients that stay."""
    server = new_pymap({"ann": "one"})
    client = imaplib.IMAP4(server.host, server.port, timeout=10)
    for _ in range(3):
        gc.collect()
        assert client.noop()[0] == "OK"
    server.__exit__(None, None, None)
    assert not server._thread.is_alive()
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        client.noop()
    client.shutdown()
