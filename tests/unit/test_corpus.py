"""The corpus loader gives the messages and nothing around them."""

from __future__ import annotations

import tarfile
from hashlib import md5
from pathlib import Path

import pytest

from tests.data import corpus


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [(b"a\nb\n", b"a\r\nb\r\n"), (b"a\r\nb\n", b"a\r\nb\r\n"), (b"a\rb", b"a\rb"), (b"\n\n", b"\r\n\r\n"), (b"", b"")],
)
def test_line_ends_become_crlf_once(raw: bytes, wanted: bytes) -> None:
    assert corpus.crlf(raw) == wanted
    assert corpus.crlf(wanted) == wanted


def test_only_a_leading_separator_is_stripped() -> None:
    message = b"Subject: x\n\nFrom here on\n"
    assert corpus.without_separator(b"From ann Mon Jan  1\n" + message) == message
    assert corpus.without_separator(message) == message


def test_every_mail_is_found_under_its_own_name() -> None:
    names = [name for name, _ in corpus.mails()]
    assert len(names) == len(set(names)) == corpus.TOTAL


def test_archived_mail_is_complete_but_for_the_separator() -> None:
    """The hex part of a SpamAssassin file's name is the MD5 of the file, separator included."""
    archive = corpus.require() / "mail" / "spamassassin-hard-ham.tar.gz"
    loaded = {name.rpartition("/")[2]: body for name, body in corpus.mails() if archive.name in name}
    with tarfile.open(archive) as members:
        files = {Path(member.name).name: members.extractfile(member) for member in members if member.isfile()}
        whole = {name: stream.read() for name, stream in files.items() if stream}
    assert all(md5(raw).hexdigest() == name.rpartition(".")[2] for name, raw in whole.items())
    wanted = {name: raw[raw.index(b"\n") + 1 :] if raw.startswith(b"From ") else raw for name, raw in whole.items()}
    assert loaded == {name: corpus.crlf(raw) for name, raw in wanted.items()}


def test_a_limit_spreads_over_all_parts() -> None:
    parts = {name.partition("/")[0] for name, _ in corpus.mails(200)}
    assert parts == {"mail", "mbox"}
