"""The client's side of a SASL exchange (RFC 4422) as IMAP carries it. Pure: nothing is sent here."""

from __future__ import annotations

import binascii
import json
import re

CHALLENGE = 8192
"""Longest challenge in octets that is looked into; longer ones are answered alike and not read."""

ENOUGH = 3
"""Challenges after which a server that goes on asking is broken: no mechanism here has more than two."""

_TOLD = ("status", "scope")
_NAME = re.compile(r"[=,]")
_ESCAPED = {"=": "=3D", ",": "=2C"}  # saslname (RFC 5801 section 4)


class EndlessChallenges(ValueError):
    """The server goes on asking after the exchange was cancelled."""


class Exchange:
    """One exchange: what is sent first, and what answers each challenge.

    A bearer token that is not taken comes back as a challenge that tells why; it wants a last answer before the
    server says NO. `why` is that reason in words.
    """

    def __init__(self, mechanism: str, initial: str, last: bytes | None = None) -> None:
        self.mechanism = mechanism
        self.why = ""
        self._initial = _base64(initial.encode())
        self._last = last
        self._begun = False
        self._challenges = 0

    def at_once(self) -> bytes:
        """The first answer as an argument of AUTHENTICATE, for servers that take it there (SASL-IR, RFC 4959)."""
        self._begun = True
        return self._initial

    def answer(self, challenge: bytes) -> bytes:
        """The line to send for a challenge as it came. Raises EndlessChallenges."""
        if not self._begun:
            return self.at_once()
        self._challenges += 1
        if self._challenges > ENOUGH:
            raise EndlessChallenges
        if self._last is None or self._challenges > 1:
            return b"*"  # cancels the exchange (RFC 3501 section 6.2.2)
        self.why = reason(challenge)
        return self._last

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be repeated: the first answer as it goes over the wire."""
        return (self._initial.decode(),)


def plain(user: str, password: str, authorize_as: str) -> Exchange:
    """SASL PLAIN (RFC 4616)."""
    return Exchange("PLAIN", f"{authorize_as}\0{user}\0{password}")


def xoauth2(user: str, token: str) -> Exchange:
    """Google's and Microsoft's own; a failure is answered by an empty line."""
    return Exchange("XOAUTH2", f"user={user}\1auth=Bearer {token}\1\1", b"")


def oauthbearer(user: str, token: str, host: str, port: int) -> Exchange:
    """OAUTHBEARER (RFC 7628); a failure is answered by one control-A (section 3.2.3)."""
    name = _NAME.sub(lambda found: _ESCAPED[found[0]], user)
    initial = f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1"
    return Exchange("OAUTHBEARER", initial, _base64(b"\1"))


def reason(challenge: bytes) -> str:
    """What the JSON of a failure tells: `status` and `scope`, nothing else; empty for anything that is not that."""
    try:
        told = json.loads(binascii.a2b_base64(challenge[:CHALLENGE]))
    except (ValueError, RecursionError):  # binascii.Error is a ValueError
        return ""
    if not isinstance(told, dict):
        return ""
    found = [(key, told.get(key)) for key in _TOLD]
    return ", ".join(f"{key} {value}" for key, value in found if isinstance(value, str | int) and value != "")


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
