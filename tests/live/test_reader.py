"""The oracle reads back exactly what was loaded, whatever the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Pair
from tests.data import corpus
from tests.data.folders import AWKWARD, REFUSED
from tests.data.generate import account
from tests.live.reader import Draft, contents, dump, internaldate, load, metadata, native, quoted, readable, session
from xdmigrate.testing.messages import MARKER_FOLDER, PORTABLE_KINDS
from xdmigrate.testing.pymap import PymapServer

Accounts = Callable[[], str]


def expected(drafts: dict[str, list[Draft]]) -> dict[str, Counter[tuple[str, int]]]:
    return {
        name: Counter((sha256(draft.body).hexdigest(), len(draft.body)) for draft in each)
        for name, each in drafts.items()
    }


def test_generated_account_comes_back_from_dovecot(dovecot_pair: Pair, new_user: Accounts, seed: int) -> None:
    user, drafts = new_user(), account(seed, 120)
    for server in dovecot_pair:
        load(*server.access(user), drafts)
    old, new = (dump(*server.access(user)) for server in dovecot_pair)
    assert contents(old) == contents(new) == expected(drafts)
    assert metadata(old) == metadata(new)
    assert MARKER_FOLDER not in old
    flags = Counter(draft.flags for draft in drafts["INBOX"])
    assert Counter(message.flags for message in new["INBOX"]) == flags


def test_generated_account_comes_back_from_pymap(new_pymap: Callable[[dict[str, str]], PymapServer], seed: int) -> None:
    server, drafts = new_pymap({"ann": "secret"}), account(seed, 60, kinds=tuple(PORTABLE_KINDS))
    load(server.host, server.port, "ann", "secret", drafts)
    assert contents(dump(server.host, server.port, "ann", "secret")) == expected(drafts)


def test_every_awkward_folder_exists_on_both(dovecot_pair: Pair, new_user: Accounts) -> None:
    user, names = new_user(), ["/".join(map(native, path)) for path in AWKWARD]
    for server in dovecot_pair:
        load(*server.access(user), {name: [Draft(name.encode())] for name in names})
        found = dump(*server.access(user))
        assert {name for name in found if found[name]} == set(names)


def test_refused_folders_are_refused(dovecot_pair: Pair, new_user: Accounts) -> None:
    with session(*dovecot_pair.old.access(new_user())) as client:
        answers = [client.create(quoted("/".join(map(native, path))))[0] for path in REFUSED]
    assert answers == ["NO"] * len(REFUSED)


def test_real_mail_comes_back_the_same_from_both(dovecot_pair: Pair, new_user: Accounts) -> None:
    """Servers may refuse or normalise odd bytes; what they then hand out is what a migration must keep."""
    user, mails = new_user(), [Draft(body) for _, body in corpus.mails(60) if b"\0" not in body]
    for server in dovecot_pair:
        load(*server.access(user), {"INBOX": mails})
    old, new = (dump(*server.access(user)) for server in dovecot_pair)
    assert contents(old) == contents(new)
    assert len(old["INBOX"]) == len(mails)


def test_ten_copies_are_ten_messages(dovecot_pair: Pair, new_user: Accounts) -> None:
    server, user = dovecot_pair.new, new_user()
    load(*server.access(user), {"INBOX": [Draft(b"Subject: same\r\n\r\n")] * 10})
    found = dump(*server.access(user))["INBOX"]
    assert len({message.uid for message in found}) == 10
    assert len({message.sha256 for message in found}) == 1


def test_dates_and_flags_are_kept(dovecot_pair: Pair, new_user: Accounts) -> None:
    server, user, date = dovecot_pair.old, new_user(), datetime(2009, 7, 3, 1, 2, 3, tzinfo=UTC)
    load(*server.access(user), {"INBOX": [Draft(b"x", frozenset({"\\Seen", "$Forwarded"}), date)]})
    (message,) = dump(*server.access(user))["INBOX"]
    assert message.flags == {"\\Seen", "$Forwarded"}
    assert datetime.strptime(message.date, "%d-%b-%Y %H:%M:%S %z") == date


def test_internaldate_fills_the_day_with_a_space() -> None:
    assert internaldate(datetime(2024, 2, 5, tzinfo=UTC)) == " 5-Feb-2024 00:00:00 +0000"


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_names_survive_modified_utf7(text: str) -> None:
    assert readable(native(text)) == text
    assert native(text).isascii()


@pytest.mark.parametrize(("text", "name"), [("台北", "&U,BTFw-"), ("R&D", "R&-D"), ("~peter/mail", "~peter/mail")])
def test_names_as_in_rfc_3501(text: str, name: str) -> None:
    assert (native(text), readable(name)) == (name, text)
