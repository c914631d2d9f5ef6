"""Files that hold secrets: only their owner may read them, and they are never half written."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from pathlib import Path

from xdmigrate.errors import SecretUnreadable


def read(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of the file. Raises SecretUnreadable when others may read it or nobody can."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise SecretUnreadable(f"the secret file {path} is not a regular file")
            content = file.read(limit)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "not a file name"
        raise SecretUnreadable(f"the secret file {path} cannot be read: {cause}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"the secret file {path} has mode {stat.S_IMODE(mode):04o}, so others can get at it"
        raise SecretUnreadable(message, remedy=f"chmod 600 {shlex.quote(str(path))}")
    return content


def replace(path: Path, content: bytes) -> None:
    """Put a new file of mode 0600 in place of the old one; after a crash there is one or the other, whole."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - an open descriptor
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
