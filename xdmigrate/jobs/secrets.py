"""A rejected login is tried again only when a secret of the mailbox is another one: nobody is locked out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xdmigrate.errors import LoginRejected, XdmigrateError
from xdmigrate_state.rows import MailboxRow


class Secrets:
    """Compares the marks of secrets, never the secrets.

    `mark` gives bytes that change when one of the mailbox's secrets does, and may raise SecretUnreadable; `refresh`
    makes it read the secrets anew. A mailbox is looked at once, as looking may run a program or ask a keyring.
    """

    def __init__(self, mark: Callable[[MailboxRow], bytes], refresh: Callable[[], None] = lambda: None) -> None:
        self._mark = mark
        self._refresh = refresh
        self._judged: dict[int, bool] = {}

    def forget(self) -> None:
        """A person changed secrets: look at all of them again."""
        self._refresh()
        self._judged.clear()

    def rejected(self, mailbox: MailboxRow) -> bytes | None:
        """The mark to remember of secrets that were just rejected; None when they can no longer be read."""
        self._judged[mailbox.id] = False
        return self._mark_or_none(mailbox)

    def changed(self, mailboxes: Iterable[MailboxRow]) -> set[int]:
        """The mailboxes whose login was rejected with other secrets than they have now."""
        return {box.id for box in mailboxes if box.attention_code == LoginRejected.code and self._differs(box)}

    def _differs(self, mailbox: MailboxRow) -> bool:
        if mailbox.id not in self._judged:
            mark = self._mark_or_none(mailbox)
            self._judged[mailbox.id] = mark is not None and mark != mailbox.rejected_mark
        return self._judged[mailbox.id]

    def _mark_or_none(self, mailbox: MailboxRow) -> bytes | None:
        try:
            return self._mark(mailbox)
        except XdmigrateError:
            return None
