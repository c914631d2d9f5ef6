"""Interned small texts: a ledger row holds a number in place of a flag set, a reason or a scope's hash.

Words are immutable and never removed, so each connection remembers those it has met. What a transaction added is
forgotten when it, or a savepoint in it, is rolled back: the number may then mean another text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import Connection, Engine, event, select

from xdmigrate_state import dialects
from xdmigrate_state.packing import batched
from xdmigrate_state.tables import word

REMEMBERED = 50_000
"""Most words a connection remembers; a server that invents a keyword for each message cannot fill the memory."""

_CHUNK = 500
_KEY = "xdmigrate.words"


@dataclass(slots=True)
class _Known:
    ids: dict[str, int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    fresh: bool = False  # words were added in the open transaction

    def learn(self, number: int, text: str) -> None:
        self.ids[text] = number
        self.texts[number] = text

    def forget(self) -> None:
        self.ids.clear()
        self.texts.clear()
        self.fresh = False


def watch(engine: Engine) -> None:
    """Keep what the connections of this engine remember true across rollbacks."""
    event.listen(engine, "rollback", _undone)
    event.listen(engine, "rollback_savepoint", lambda c, _name, _context: _undone(c))
    event.listen(engine, "commit", _committed)


def ids(c: Connection, texts: Iterable[str]) -> Mapping[str, int]:
    """The numbers of these texts, made where they are new. The mapping may hold more than was asked for."""
    known = _known(c)
    wanted = set(texts)
    if unknown := sorted(wanted - known.ids.keys()):
        _find(c, known, unknown)
        if missing := [text for text in unknown if text not in known.ids]:
            _add(c, known, missing)
    return known.ids


def texts(c: Connection, numbers: Iterable[int]) -> Mapping[int, str]:
    """The texts of these numbers. The mapping may hold more than was asked for."""
    known = _known(c)
    unknown = list(set(numbers) - known.texts.keys())
    for chunk in batched(unknown, _CHUNK):
        for number, text in c.execute(select(word.c.id, word.c.text).where(word.c.id.in_(chunk))):
            known.learn(number, text)
    return known.texts


def _find(c: Connection, known: _Known, unknown: list[str]) -> None:
    for chunk in batched(unknown, _CHUNK):
        digests = [_digest(text) for text in chunk]
        for number, text in c.execute(select(word.c.id, word.c.text).where(word.c.digest.in_(digests))):
            known.learn(number, text)


def _add(c: Connection, known: _Known, missing: list[str]) -> None:
    # In sorted order, and keeping what another process added meanwhile: two writers wait, they do not collide.
    known.fresh = True
    rows = [{"digest": _digest(text), "text": text} for text in missing]
    c.execute(dialects.insert(c.dialect.name, word).on_conflict_do_nothing(), rows)
    _find(c, known, missing)


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()[:16]


def _known(c: Connection) -> _Known:
    known: _Known = c.info.setdefault(_KEY, _Known())
    return known


def _undone(c: Connection) -> None:
    if c.invalidated:  # the connection is lost, and what it remembered with it
        return
    known = c.info.get(_KEY)
    if known is not None and known.fresh:
        known.forget()


def _committed(c: Connection) -> None:
    known = c.info.get(_KEY)
    if known is not None:
        known.fresh = False
        if len(known.ids) > REMEMBERED:
            known.forget()
