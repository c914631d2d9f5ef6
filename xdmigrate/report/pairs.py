"""What `check` makes of both sides of a mailbox together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdmigrate.contract import Finding
from xdmigrate.report.words import octets

NAMED = 8
"""Keywords that are named where several are meant."""


def together(source: Sequence[Finding], target: Sequence[Finding]) -> list[Finding]:
    """How the mailbox will be moved, whether it fits, and what the target cannot keep."""
    return [*_way(source, target), *_fits(source, target), *_keywords(source, target)]


def _way(source: Sequence[Finding], target: Sequence[Finding]) -> Iterator[Finding]:
    """One line: what is used on either side, and what is done instead of what is missing."""
    if not any(finding.topic == "capabilities" for finding in (*source, *target)):
        return
    used = [f"{verb} by {names}" for verb, side in (("reads", source), ("writes", target)) if (names := _used(side))]
    instead = [
        f"{where} {finding.text}"
        for where, side in (("source", source), ("target", target))
        for finding in side
        if finding.topic == "fallback"
    ]
    yield Finding("capabilities", ok=True, text="; ".join([*used, *instead]))


def _used(side: Sequence[Finding]) -> str:
    return ", ".join(name for finding in side if finding.topic == "capabilities" for name in finding.names)


def _fits(source: Sequence[Finding], target: Sequence[Finding]) -> Iterator[Finding]:
    size, room, quota = _amount(source, "size"), _amount(target, "room"), _amount(target, "quota")
    if size is None:
        return
    if room is None:
        yield Finding("room", ok=True, text=octets(size), amount=size)
    elif size <= room:
        yield Finding("room", ok=True, text=f"{octets(size)}, {octets(room)} free", amount=size)
    elif quota is not None and size > quota:
        text = f"{octets(size)} do not fit: the target holds {octets(quota)} at most"
        yield Finding("room", ok=False, text=text, remedy=f"raise its quota to {octets(size * 1.1)}", amount=size)
    else:
        text = f"{octets(size)}, but only {octets(room)} free"
        yield Finding(
            "room",
            ok=True,
            text=text,
            remedy="make room or raise the quota, unless the rest is there already",
            amount=size,
        )


def _amount(side: Sequence[Finding], topic: str) -> int | None:
    return min((each.amount for each in side if each.topic == topic and each.amount is not None), default=None)


def _keywords(source: Sequence[Finding], target: Sequence[Finding]) -> Iterator[Finding]:
    used = {name for each in source if each.topic == "keywords" for name in each.names}
    kept = [set(each.names) for each in target if each.topic == "keywords"]
    lost = sorted(used - set().union(*kept)) if kept and not any("*" in names for names in kept) else []
    if lost:
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        text = f"keywords that the target cannot keep: {', '.join(lost[:NAMED])}{more}"
        yield Finding("keywords", ok=True, text=text, remedy="messages arrive without them", names=tuple(lost))
