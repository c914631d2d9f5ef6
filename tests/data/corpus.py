"""The real corpus: thousands of mails that nobody in this project wrote. It is not part of the project."""

from __future__ import annotations

import mailbox
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[3] / "shared" / "corpus"
"""Where it is looked for when XDMIGRATE_CORPUS does not name it."""

TOTAL = 3_967
"""Mails in the corpus."""


def root() -> Path | None:
    """The corpus's directory, or None where it is absent."""
    path = Path(os.environ.get("XDMIGRATE_CORPUS") or BESIDE)
    return path if (path / "mail").is_dir() else None


def require() -> Path:
    """As `root`; skips the test where it is absent."""
    path = root()
    if path is None:
        pytest.skip("the mail corpus is not here (name its directory in XDMIGRATE_CORPUS)")
    return path


def mails(limit: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and bytes with CRLF line ends of the mails, all or about `limit` of them spread over all parts.

    Names are paths inside the corpus; "#n" is the n-th message of an mbox, from 0, and "!member" one of an archive.
    Skips the test where the corpus is absent.
    """
    found = _all(require())
    if limit is None:
        yield from found
        return
    step = max(1, TOTAL // limit)
    yield from (mail for number, mail in enumerate(found) if number % step == 0)


def _all(path: Path) -> Iterator[tuple[str, bytes]]:
    for archive in sorted(path.glob("mail/*.tar.gz")):
        yield from _archived(archive, archive.relative_to(path).as_posix())
    for file in sorted(each for each in path.glob("mail/*/**/*") if each.is_file()):
        yield file.relative_to(path).as_posix(), crlf(file.read_bytes())
    for file in sorted(each for each in path.glob("mbox/*") if each.is_file()):
        yield from _boxed(file, file.relative_to(path).as_posix())


def _archived(archive: Path, name: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as members:
        for member in members:
            stream = members.extractfile(member)
            if stream is not None:
                yield f"{name}!{member.name}", crlf(without_separator(stream.read()))


def _boxed(file: Path, name: str) -> Iterator[tuple[str, bytes]]:
    box = mailbox.mbox(file, create=False)
    for number, key in enumerate(box.iterkeys()):
        yield f"{name}#{number}", crlf(box.get_bytes(key))
    box.close()


def without_separator(raw: bytes) -> bytes:
    """The message without the "From " line that an mbox puts before it."""
    return raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw


def crlf(raw: bytes) -> bytes:
    """Bare LF becomes CRLF; a bare CR stays."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw)
