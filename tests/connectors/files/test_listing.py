"""Each range is followed by a listing of the folder: what is known already costs next to nothing then."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.files.test_mbox import target
from xdmigrate.model import Kind
from xdmigrate.testing.conformance.kit import mail, write_all
from xdmigrate.testing.conformance.profile import Message
from xdmigrate.testing.objects import made

FIRST, MORE = 60, 5


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the system was asked to open a file that is no directory, or what a file is."""
    counted: Counter[str] = Counter()

    def counting(name: str, count: Callable[..., bool]) -> None:
        real = getattr(os, name)

        def call(*args: Any, **named: Any) -> Any:
            counted[name] += count(*args)
            return real(*args, **named)

        monkeypatch.setattr(os, name, call)

    counting("open", lambda path, flags, *rest: not flags & os.O_DIRECTORY)
    counting("stat", lambda *rest: True)
    return counted


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_only_new_messages_are_opened(tmp_path: Path, asked: Counter[str], kind: str) -> None:
    session = target(tmp_path, format=kind)
    folder = session.create_folder(("INBOX",))
    write_all(session, folder, [mail(f"{number}") for number in range(FIRST)])
    assert len(list(session.heads(folder))) == FIRST
    write_all(session, folder, [mail(f"more {number}") for number in range(MORE)])
    asked.clear()
    assert len(list(session.heads(folder))) == FIRST + MORE
    assert asked["open"] <= MORE + 4
    assert asked["stat"] <= (FIRST if kind == "eml" else 0) + 2 * MORE + 4


def test_only_new_objects_are_opened(tmp_path: Path, asked: Counter[str]) -> None:
    session = target(tmp_path)
    folder = session.create_folder(("Work",), Kind.CALENDAR)
    write_all(session, folder, [Message(made(Kind.CALENDAR, f"u{number}", "x")) for number in range(FIRST)])
    assert len(list(session.heads(folder))) == FIRST
    write_all(session, folder, [Message(made(Kind.CALENDAR, f"v{number}", "x")) for number in range(MORE)])
    asked.clear()
    assert len(list(session.heads(folder))) == FIRST + MORE
    assert asked["open"] <= MORE + 4
    assert asked["stat"] <= FIRST + 2 * MORE + 4


def test_what_somebody_else_does_meanwhile_is_seen(tmp_path: Path) -> None:
    session = target(tmp_path, format="eml")
    folder = session.create_folder(("INBOX",))
    write_all(session, folder, [mail("one"), mail("two"), mail("three")])
    known = {head.ref: head for head in session.heads(folder)}
    first, second, _ = sorted((tmp_path / "INBOX").glob("*.eml"))
    first.unlink()
    second.write_bytes(b"Subject: other\r\n\r\nlonger than it was, by far\r\n" * 9)
    (tmp_path / "INBOX" / "new.eml").write_bytes(b"Subject: new\r\n\r\n")
    now = {head.ref: head for head in session.heads(folder)}
    assert len(now) == len(known) == len(now.keys() & known.keys()) + 1
    assert len([ref for ref in now.keys() & known.keys() if now[ref].size != known[ref].size]) == 1
