"""What `check` tells about an account: login, what is there, rights, and what happens with invitations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from xdmigrate.contract import Finding
from xdmigrate.model import Kind, Login
from xdmigrate_dav.catalogue import Collection
from xdmigrate_dav.invitations import SCHEDULES, WORDS, Step
from xdmigrate_dav.session import Session

POWERS = ("calendar-access", "addressbook", "extended-mkcol")
"""Words of the `DAV` header that matter (RFC 4791, 6352, 5689)."""

_NOUNS = {Kind.CALENDAR: "calendars", Kind.CONTACTS: "address books", Kind.TASKS: "task lists"}
_REMEDY = (
    "to keep attendees, switch the server's sending of invitations off and write `scheduling: off` at the endpoint, or "
    "prove with `xdmigrate canary PLAN` that it can be kept silent; else they stay in the description"
)


def findings(session: Session, login: Login, *, writable: bool) -> list[Finding]:
    """Everything at once; changes nothing. Raises as the requests do."""
    collections = session.collections()
    return [
        Finding("login", ok=True, text=f"{login.user} can log in"),
        _powers(session),
        *_contents(session, collections),
        *_rights(collections, writable=writable),
        *_limits(collections, writable=writable),
        *([_invitations(session)] if writable else []),
    ]


def _powers(session: Session) -> Finding:
    names = tuple(each for each in (*POWERS, *sorted(SCHEDULES)) if each in session.powers)
    return Finding("capabilities", ok=True, text=", ".join(names) or "tells none", names=names)


def _contents(session: Session, collections: list[Collection]) -> Iterator[Finding]:
    kinds = Counter(kind for each in collections if not each.left_out for kind in each.kinds)
    told = ", ".join(f"{_NOUNS[kind]}: {count}" for kind, count in sorted(kinds.items()))
    yield Finding("collections", ok=True, text=told or "no calendar and no address book")
    for what, homes in (("calendars", session.account.calendars), ("address books", session.account.contacts)):
        if not homes:
            yield Finding("collections", ok=True, text=f"the server keeps no {what}", remedy="leave the kind out")
    twice = [name for name, count in Counter((each.name, each.contacts) for each in collections).items() if count > 1]
    if twice:
        yield Finding(
            "collections", ok=True, text=f"{len(twice)} names are borne by several: their addresses are added"
        )


def _rights(collections: list[Collection], *, writable: bool) -> Iterator[Finding]:
    for why, count in sorted(Counter(each.left_out for each in collections if each.left_out).items()):
        yield Finding("collections", ok=True, text=f"{count} left out: {why}")
    closed = [each for each in collections if not each.left_out and not each.writable]
    if writable and closed:
        yield Finding("rights", ok=True, text=f"{len(closed)} can only be read", remedy="nothing is written there")


def _limits(collections: list[Collection], *, writable: bool) -> Iterator[Finding]:
    told = [each.limit for each in collections if each.limit is not None]
    if writable and told:
        yield Finding("size-limit", ok=True, text=f"items up to {min(told)} bytes", amount=min(told))


def _invitations(session: Session) -> Finding:
    step = session.step
    remedy = _REMEDY if step is Step.STRIP else ""
    return Finding("invitations", ok=True, text=WORDS[step], remedy=remedy, names=(step.value,))
