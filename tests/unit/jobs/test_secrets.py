"""Marks of secrets decide whether a rejected login is tried again; each is looked at once."""

from __future__ import annotations

from tests.unit.jobs.rows import row
from xdmigrate.errors import SecretUnreadable
from xdmigrate.jobs.secrets import Secrets
from xdmigrate_state.rows import MailboxRow

REJECTED = row(1, attention_code="login-rejected", rejected_mark=b"old")


class Store:
    """A store whose answers a test decides."""

    def __init__(self, mark: bytes | None) -> None:
        self.mark = mark
        self.asked = 0
        self.refreshed = 0

    def read(self, _mailbox: MailboxRow) -> bytes:
        self.asked += 1
        if self.mark is None:
            raise SecretUnreadable("gone")
        return self.mark

    def refresh(self) -> None:
        self.refreshed += 1


def secrets(store: Store) -> Secrets:
    return Secrets(store.read, store.refresh)


def test_another_secret_is_a_change_and_the_same_is_none() -> None:
    assert secrets(Store(b"new")).changed([REJECTED]) == {1}
    assert secrets(Store(b"old")).changed([REJECTED]) == set()
    assert secrets(Store(None)).changed([REJECTED]) == set(), "what cannot be read is no new secret"


def test_only_rejected_mailboxes_are_looked_at() -> None:
    store = Store(b"new")
    assert secrets(store).changed([row(1), row(2, attention_code="quota-exceeded")]) == set()
    assert store.asked == 0


def test_each_is_looked_at_once_until_a_person_changes_secrets() -> None:
    store = Store(b"old")
    known = secrets(store)
    for _ in range(5):
        known.changed([REJECTED])
    assert store.asked == 1
    store.mark = b"new"
    known.forget()
    assert known.changed([REJECTED]) == {1}
    assert (store.asked, store.refreshed) == (2, 1)


def test_what_was_just_rejected_is_not_new() -> None:
    store = Store(b"new")
    known = secrets(store)
    assert known.rejected(REJECTED) == b"new"
    assert known.changed([REJECTED]) == set()
    assert secrets(Store(None)).rejected(REJECTED) is None
