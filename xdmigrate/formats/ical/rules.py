"""A recurrence rule as it is meant (RFC 5545 section 3.3.10): a set of parts, without what says nothing."""

from __future__ import annotations

from datetime import date, datetime

from xdmigrate.formats.ical.times import Moment, unreadable

RULES = frozenset({"RRULE", "EXRULE"})
_DEFAULTS = {"INTERVAL": ["1"], "WKST": ["MO"], "RSCALE": ["GREGORIAN"], "SKIP": ["OMIT"]}


def rule(value: str, start: Moment | None) -> str:
    """The rule in its one form, of a series that starts then: an UNTIL in local time means the zone of the start."""
    from icalendar.prop import vRecur

    value = "".join(value.split()).replace("\\", "").strip(";")
    names = [part.partition("=")[0].upper() for part in value.split(";") if "=" in part]
    if len({*names}) <= value.count(";"):
        return unreadable(value)  # `icalendar` would leave out what has no name, or one that stood there before
    try:
        parts = vRecur.from_ical(value)
        said = {str(name).upper(): [_part(each, start) for each in _many(parts[name])] for name in parts}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return unreadable(value)
    meant = {name: sorted(set(values)) for name, values in said.items() if values != _DEFAULTS.get(name)}
    if not _week_matters(said):
        meant.pop("WKST", None)
    return ";".join(f"{name}={','.join(values)}" for name, values in sorted(meant.items()))


def is_over(value: str, start: Moment | None) -> bool:
    """Whether the rule ends before its series starts, so that it adds nothing to the start (section 3.8.5.3)."""
    if start is None or "UNTIL" not in value.upper():
        return False
    parts = dict(part.partition("=")[::2] for part in rule(value, start).split(";"))
    return parts.get("UNTIL", "9") < str(start)


def _many(values: object) -> list[object]:
    return list(values) if isinstance(values, list | tuple) else [values]


def _part(value: object, start: Moment | None) -> str:
    if isinstance(value, datetime):
        return str(Moment(value).like(start) if start else Moment(value))
    if isinstance(value, date):
        return str(Moment(value))
    return str(value).upper().lstrip("+")


def _week_matters(parts: dict[str, list[str]]) -> bool:
    """The first day of a week matters only where weeks are counted (section 3.3.10, WKST)."""
    return "BYWEEKNO" in parts or ("BYDAY" in parts and parts.get("INTERVAL", ["1"]) != ["1"])
