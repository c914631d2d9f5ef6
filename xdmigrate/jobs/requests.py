"""What a person asks of a plan: applied by the process that holds the plan's lock, whichever that is.

A command that finds the lock taken posts its request instead; the running process applies it within seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import Connection

from xdmigrate.errors import GuardRefused
from xdmigrate_state import failures, folders, journal, ledger, mailboxes, plans


class Verb(StrEnum):
    """What can be asked."""

    PAUSE = "pause"
    RESUME = "resume"
    SYNC = "sync-mailbox"
    RETRY = "retry"  # quarantined items
    SKIP = "skip"
    UNSKIP = "unskip"
    RESET = "reset"
    RENAME = "rename"
    SECRETS = "secrets"  # the plan's secrets changed
    STOP = "stop"


AT_REST = frozenset({Verb.RETRY, Verb.RESET, Verb.RENAME})
"""What changes rows that a pass relies on: applied while no pass of the mailbox is under way."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. Without `mailboxes` it is about the whole plan; `items` are the quarantine's short ids."""

    verb: Verb
    mailboxes: tuple[int, ...] = ()
    items: tuple[str, ...] = ()
    text: str = ""  # the reason of a skip
    source: str = ""  # the addresses of a rename
    target: str = ""

    def facts(self) -> dict[str, object]:
        """As the state keeps it."""
        return {name: value for name, value in asdict(self).items() if value and name != "verb"}

    @classmethod
    def of(cls, verb: str, facts: dict[str, object]) -> Ask:
        """From what the state kept. Raises ValueError for a verb of another version."""
        told = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
        return cls(Verb(verb), **told)  # type: ignore[arg-type]  # written by `facts`


def apply(c: Connection, plan_id: int, ask: Ask, now: float) -> None:
    """Do what is asked, in the caller's transaction, and journal it. SYNC, SECRETS and STOP change no state.

    Raises GuardRefused for a rename onto another mailbox.
    """
    work = _WORK.get(ask.verb)
    if work is None:
        return
    work(c, plan_id, ask)
    for mailbox_id in ask.mailboxes or (0,):
        journal.append(c, plan_id, mailbox_id, ask.verb.value, ask.facts(), now)


def _pause(c: Connection, plan_id: int, ask: Ask) -> None:
    _set_paused(c, plan_id, ask.mailboxes, paused=True)


def _resume(c: Connection, plan_id: int, ask: Ask) -> None:
    _set_paused(c, plan_id, ask.mailboxes, paused=False)


def _set_paused(c: Connection, plan_id: int, chosen: Iterable[int], *, paused: bool) -> None:
    if not chosen:
        plans.set_paused(c, plan_id, paused)
    for mailbox_id in chosen:
        mailboxes.update(c, mailbox_id, paused=paused)


def _retry(c: Connection, _plan_id: int, ask: Ask) -> None:
    """Failed items become pending again; what is copied by now is left alone."""
    by_folder: defaultdict[int, list[bytes]] = defaultdict(list)
    for text in ask.items:
        folder_id, source_id = failures.parse(text)
        by_folder[folder_id].append(source_id)
    for folder_id, refs in by_folder.items():
        ledger.retry(c, folders.get(c, folder_id), refs)
    for mailbox_id in ask.mailboxes:
        mailboxes.clear_attention(c, mailbox_id)


def _skip(c: Connection, _plan_id: int, ask: Ask) -> None:
    for mailbox_id in ask.mailboxes:
        mailboxes.update(c, mailbox_id, skipped=ask.text or "skipped by a person")


def _unskip(c: Connection, _plan_id: int, ask: Ask) -> None:
    for mailbox_id in ask.mailboxes:
        mailboxes.update(c, mailbox_id, skipped="")


def _reset(c: Connection, _plan_id: int, ask: Ask) -> None:
    for mailbox_id in ask.mailboxes:
        mailboxes.reset(c, mailbox_id)
        mailboxes.clear_attention(c, mailbox_id)
        mailboxes.update(c, mailbox_id, stage=mailboxes.PLANNED, retry_at=0.0, retries=0, rejected_mark=None)


def _rename(c: Connection, _plan_id: int, ask: Ask) -> None:
    if len(ask.mailboxes) != 1:
        raise GuardRefused("a rename is about one mailbox")
    mailboxes.rename(c, ask.mailboxes[0], ask.source, ask.target)


_WORK: dict[Verb, Callable[[Connection, int, Ask], None]] = {
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.RETRY: _retry,
    Verb.SKIP: _skip,
    Verb.UNSKIP: _unskip,
    Verb.RESET: _reset,
    Verb.RENAME: _rename,
}
