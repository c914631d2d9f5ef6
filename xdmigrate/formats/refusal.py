"""How a format says no: what cannot be read at all, and what can be read but that no strict server would keep."""

from __future__ import annotations


class Unreadable(ValueError):
    """The bytes are not what they claim to be, or exceed the bounds that keep hostile input harmless.

    The message is for a technician and holds nothing of the content.
    """


class Unstorable(ValueError):
    """The item can be read, but a strict server would refuse it, or keep something else than it says.

    `reason` is the code under which the item is quarantined ("unknown-timezone"); the message is for a technician and
    holds nothing of the content. `as_it_is`: the item, where it may be offered to a store all the same, octet by octet;
    whether the store keeps what it says has to be proved by reading it back. Empty where it must not be offered.
    """

    def __init__(self, reason: str, message: str, as_it_is: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.as_it_is = as_it_is
