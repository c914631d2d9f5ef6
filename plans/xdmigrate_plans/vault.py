"""The encrypted store of a plan's secrets: one file under the state's home, its key kept elsewhere."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hmac
import itertools
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from xdmigrate.errors import SecretUnreadable, StateUnusable
from xdmigrate_plans import keys, private

MAX_OCTETS = 64_000_000
MARK_BYTES = 16

_Stamp = tuple[int, int, int]


class Vault:
    """Secrets by name. Safe for several threads and processes: writers take turns, readers see whole files."""

    def __init__(self, home: Path, plan: str, *, environ: Mapping[str, str] | None = None) -> None:
        self.path = home / "secrets" / f"{plan}.vault"
        self._environ = os.environ if environ is None else environ
        self._guard = threading.RLock()
        self._key: keys.Key | None = None
        self._read: tuple[_Stamp, dict[str, str]] | None = None

    def get(self, name: str) -> str | None:
        """The secret, or None when the store has none of this name. Raises SecretUnreadable."""
        return self._secrets().get(name)

    def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        return sorted(self._secrets())

    def set(self, name: str, secret: str) -> None:
        """Keep one secret. Raises SecretUnreadable, StateUnusable."""
        self.update({name: secret})

    def update(self, secrets: Mapping[str, str]) -> None:
        """Keep several secrets in one write. Raises SecretUnreadable, StateUnusable."""
        with self._locked():
            merged = {**self._secrets(), **secrets}
            self._write(_encrypted(merged, self._found_key()))

    def purge(self) -> int:
        """Forget everything; tells how many secrets there were, 0 too when they could not be read any more."""
        with self._locked():
            try:
                count = len(self._secrets())
            except SecretUnreadable:
                count = 0
            self.path.unlink(missing_ok=True)
            return count

    def mark(self, secret: str) -> bytes:
        """16 bytes that change when the secret does and tell nothing about it without the key."""
        own = hmac.digest(self._found_key().raw, b"xdmigrate mark", "sha256")
        return hmac.digest(own, secret.encode("utf-8", "surrogatepass"), "sha256")[:MARK_BYTES]

    def _secrets(self) -> dict[str, str]:
        with self._guard:
            stamp = self._stamp()
            if stamp is None:
                return {}
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, self._opened(self._token())
            return self._read[1]

    def _stamp(self) -> _Stamp | None:
        """Changes with every write, because every write makes a new file; None when there is no file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SecretUnreadable(f"the secret store {self.path} cannot be read: {error.strerror}") from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _token(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                token = file.read(MAX_OCTETS + 1)
        except OSError as error:
            raise SecretUnreadable(f"the secret store {self.path} cannot be read: {error.strerror}") from None
        if len(token) > MAX_OCTETS:
            raise SecretUnreadable(f"the secret store {self.path} is larger than {MAX_OCTETS // 1_000_000} MB")
        return token

    def _opened(self, token: bytes) -> dict[str, str]:
        """Decrypt with the first key that fits, and stay with that key."""
        origins = []
        for key in itertools.chain([self._key] if self._key else [], keys.known(self._environ)):
            secrets = _decrypted(token, key)
            if secrets is not None:
                self._key = key
                return secrets
            origins.append(key.origin)
        cause = f"does not open with the key from {' or '.join(origins)}" if origins else "has no key on this machine"
        remedy = f"set {keys.VARIABLE} to its key, or purge the store and set the secrets again"
        raise SecretUnreadable(f"the secret store {self.path} {cause}", remedy=remedy)

    def _found_key(self) -> keys.Key:
        """The key that opens this store; a new one only where there is no store and no key yet."""
        with self._guard:
            self._secrets()
            if self._key is None:
                self._key = keys.known_or_new(self._environ)
            return self._key

    def _write(self, token: bytes) -> None:
        try:
            private.replace(self.path, token)
        except OSError as error:
            raise StateUnusable(f"the secret store {self.path} cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, over all threads and processes; the kernel lets go when a holder dies."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnusable(f"the secret store {self.path} cannot be locked: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _encrypted(secrets: Mapping[str, str], key: keys.Key) -> bytes:
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(key.raw)).encrypt(json.dumps(secrets).encode())


def _decrypted(token: bytes, key: keys.Key) -> dict[str, str] | None:
    from cryptography.fernet import Fernet, InvalidToken

    try:
        secrets = json.loads(Fernet(base64.urlsafe_b64encode(key.raw)).decrypt(token))
    except (InvalidToken, ValueError):
        return None
    return secrets if isinstance(secrets, dict) else None
