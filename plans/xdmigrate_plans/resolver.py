"""Fetches secrets: from the environment, a file, the keyring, the plan's store or a command."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from xdmigrate.errors import SecretUnreadable
from xdmigrate_plans import keys, private
from xdmigrate_plans.references import NotAReference, Reference, parse
from xdmigrate_plans.templates import Fields, expand
from xdmigrate_plans.textfile import half_characters, located
from xdmigrate_plans.vault import Vault

COMMAND_SECONDS = 30.0
MAX_SECRET = 65_536  # bytes

_REMEDIES = {
    "env": "set the variable for this process",
    "file": "write the secret into the file's first line",
    "keyring": "set it by `keyring set SERVICE NAME`, as the user who runs this",
    "store": "keep it by `xdmigrate secret PLAN set NAME`",
    "command": "make the command print the secret as its first line",
}


class Resolver:
    """Resolves references of one plan. Safe for several threads; nothing is remembered."""

    def __init__(
        self,
        directory: Path,
        vault: Vault,
        *,
        environ: Mapping[str, str] | None = None,
        command_seconds: float = COMMAND_SECONDS,
    ) -> None:
        self._directory = directory
        self._vault = vault
        self._environ = os.environ if environ is None else environ
        self._command_seconds = command_seconds

    def stored(self, name: str) -> str | None:
        """What the plan's store holds under a name, or None. Raises SecretUnreadable when it cannot be opened."""
        return self._vault.get(name)

    def resolve(self, reference: str, fields: Fields) -> str:
        """The secret for the account that `fields` describes. Raises SecretUnreadable, which never quotes it."""
        return self._found(reference, fields, _first_line)

    def document(self, reference: str, fields: Fields) -> str:
        """The same with all its lines where a file or a command gives it, for keys and certificates."""
        return self._found(reference, fields, _text)

    def _found(self, reference: str, fields: Fields, cut: Callable[[bytes], str]) -> str:
        try:
            parsed = parse(reference)
        except NotAReference as error:
            raise SecretUnreadable(f"a secret reference {error}") from None
        fetch = {
            "env": self._from_env,
            "file": self._from_file,
            "keyring": self._from_keyring,
            "store": self._from_store,
            "command": self._from_command,
        }[parsed.scheme]
        remedy = _REMEDIES[parsed.scheme]
        if parsed.scheme == "store":
            remedy = remedy.replace("NAME", expand(parsed.place, fields))
        try:
            found = fetch(parsed, fields)
            secret = cut(found) if isinstance(found, bytes) else found
        except SecretUnreadable as error:
            error.remedy = error.remedy or remedy
            raise
        if not secret:
            raise SecretUnreadable(f"the secret {_named(parsed, fields)} is empty or not there", remedy=remedy)
        if half_characters(secret):  # bytes of the environment that are not UTF-8 become these
            raise SecretUnreadable(f"the secret {_named(parsed, fields)} is not UTF-8 text")
        return secret

    def _from_env(self, reference: Reference, fields: Fields) -> str | None:
        name = expand(reference.place, fields)
        return None if name == keys.VARIABLE else self._environ.get(name)

    def _from_file(self, reference: Reference, fields: Fields) -> bytes:
        if any("/" in value or value in (".", "..") for value in _used(reference, fields)):
            remedy = "name the file without fields, or keep this secret in the store"
            raise SecretUnreadable(f"the address '{fields.address}' cannot be part of a file name", remedy=remedy)
        path = located(expand(reference.place, fields), self._directory)
        return private.read(path, MAX_SECRET)

    def _from_keyring(self, reference: Reference, fields: Fields) -> str | None:
        service, _, name = expand(reference.place, fields).partition("/")
        return keys.in_time(lambda: _keyring(service, name), self._command_seconds)

    def _from_store(self, reference: Reference, fields: Fields) -> str | None:
        return self._vault.get(expand(reference.place, fields))

    def _from_command(self, reference: Reference, fields: Fields) -> bytes:
        arguments = [_argument(template, fields) for template in reference.arguments]
        return _output(arguments, self._directory, self._command_seconds)


def _named(reference: Reference, fields: Fields) -> str:
    """A command is named by its program alone: its arguments may say more than they should."""
    return f"command:{reference.arguments[0]} …" if reference.scheme == "command" else expand(str(reference), fields)


def _used(reference: Reference, fields: Fields) -> list[str]:
    values = {"{address}": fields.address, "{local}": fields.local, "{domain}": fields.domain}
    return [value for field, value in values.items() if field in reference.place]


def _argument(template: str, fields: Fields) -> str:
    """One word of a command. An address never becomes an option, and never two words."""
    filled = expand(template, fields)
    if (filled.startswith("-") and not template.startswith("-")) or "\0" in filled:
        raise SecretUnreadable(f"the address '{fields.address}' cannot be given to a command")
    return filled


def _first_line(content: bytes) -> str:
    return _text(content.partition(b"\n")[0].removesuffix(b"\r"))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SecretUnreadable("a secret is not UTF-8 text") from None


def _keyring(service: str, name: str) -> str | None:
    with contextlib.suppress(Exception):  # backends raise whatever their system raises
        import keyring

        return keyring.get_password(service, name)
    return None


def _output(arguments: list[str], directory: Path, seconds: float) -> bytes:
    """What the command prints, as far as a secret may be long. Its own words on failure may hold the secret: unread."""
    try:
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "its arguments are unusable"
        raise SecretUnreadable(f"the secret command '{arguments[0]}' cannot be run: {cause}") from None
    with process:
        return _outcome(process, arguments[0], seconds)


def _outcome(process: subprocess.Popen[bytes], program: str, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    try:
        content = _drained(process, deadline)
        status = process.wait(max(deadline - time.monotonic(), 0.01))
    except BaseException as error:
        # Not reaped yet, so the process group's number still means this command and its children.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
            message = f"the secret command '{program}' gave no answer within {seconds:g} s"
            raise SecretUnreadable(message) from None
        raise
    if status:
        raise SecretUnreadable(f"the secret command '{program}' failed with exit code {status}")
    return content


def _drained(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Read to the end, keeping only the beginning: a command that is cut off might report a failure."""
    kept = b""
    pipe = process.stdout
    with selectors.DefaultSelector() as ready:
        if pipe is None:
            return kept
        ready.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and ready.select(left):
            chunk = os.read(pipe.fileno(), MAX_SECRET)
            if not chunk:
                return kept
            kept += chunk[: MAX_SECRET - len(kept)]
    raise TimeoutError
