"""Finds the key of the secret store: in the environment, in a file of its own, or in the system's keyring.

A key file is looked at before the keyring: it exists only where no keyring could be used when the first secret was
kept, and a job run by cron has to find the same key as the person who started it at a desktop.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from xdmigrate.errors import SecretUnreadable
from xdmigrate_plans import private

VARIABLE = "XDMIGRATE_KEY"
SERVICE = "xdmigrate"
ENTRY = "store-key"
KEY_BYTES = 32
KEYRING_SECONDS = 5.0
USABLE_PRIORITY = 1  # keyring's own measure: below stand null, fail and plain-text backends

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Key:
    """The key and, for messages, where it came from."""

    origin: str
    raw: bytes


def known(environ: Mapping[str, str]) -> Iterator[Key]:
    """The keys that exist, most particular first. Raises SecretUnreadable when one is damaged or open to others."""
    if text := environ.get(VARIABLE):
        yield Key(VARIABLE, _decoded(text, VARIABLE))
        return
    path = key_file(environ)
    if path.exists():
        yield _from_file(path)
    if text := in_time(_from_keyring):
        yield Key("the keyring", _decoded(text, "the keyring"))


def known_or_new(environ: Mapping[str, str]) -> Key:
    """The key; where there is none yet, a new one, kept in the keyring if there is a usable one, else in a file."""
    if found := next(known(environ), None):
        return found
    with _alone(key_file(environ).with_name("lock")):
        return next(known(environ), None) or _created(environ)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time makes a key. Where no lock can be made no key file can be either, and it goes on."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = stack.enter_context(path.open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _created(environ: Mapping[str, str]) -> Key:
    text = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    if in_time(lambda: _into_keyring(text)):
        return Key("the keyring", _decoded(text, "the keyring"))
    path = key_file(environ)
    _into_file(path, text)
    return _from_file(path)


def key_file(environ: Mapping[str, str]) -> Path:
    """Where the key is kept without a keyring, apart from the state (XDG base directories).

    Raises SecretUnreadable when this user has no home.
    """
    configured = Path(environ.get("XDG_CONFIG_HOME", ""))
    if configured.is_absolute():
        return configured / SERVICE / "key"
    try:
        home = Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        raise SecretUnreadable("there is no home directory to keep a key in", remedy=f"set {VARIABLE}") from None
    return home / ".config" / SERVICE / "key"


def _decoded(text: str, origin: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip().translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        remedy = "put 32 random bytes there in base64: `head -c 32 /dev/urandom | base64`"
        raise SecretUnreadable(f"the key in {origin} is not usable", remedy=remedy)
    return raw


def _from_file(path: Path) -> Key:
    return Key(str(path), _decoded(private.read(path, 1024).decode("ascii", "replace"), str(path)))


def _into_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.replace(path, text.encode() + b"\n")
    except OSError as error:
        remedy = f"set {VARIABLE}, or make {path.parent} writable"
        raise SecretUnreadable(f"the key file {path} cannot be written: {error.strerror}", remedy=remedy) from None


def in_time(ask: Callable[[], Result | None], seconds: float = KEYRING_SECONDS) -> Result | None:
    """The answer, or None when there is none in time: a locked keyring may wait for a person who is asleep.

    The thread is left behind then; nothing else can end a question to the keyring.
    """
    answers: list[Result | None] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True, name="keyring")
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


def _usable() -> bool:
    import keyring

    return float(keyring.get_keyring().priority) >= USABLE_PRIORITY


def _from_keyring() -> str | None:
    with contextlib.suppress(Exception):  # backends raise whatever their system raises
        import keyring

        return keyring.get_password(SERVICE, ENTRY) if _usable() else None
    return None


def _into_keyring(text: str) -> bool:
    with contextlib.suppress(Exception):  # backends raise whatever their system raises
        import keyring

        if _usable():
            keyring.set_password(SERVICE, ENTRY, text)
            return keyring.get_password(SERVICE, ENTRY) == text
    return False
