"""The DAV connector: calendars, tasks and contacts by CalDAV (RFC 4791) and CardDAV (RFC 6352)."""

from importlib.util import find_spec

from xdmigrate_dav.plugin import connector

__all__ = ["connector"]

for _library in ("httpx", "icalendar", "lxml"):  # found out now, and not in the middle of a night
    if find_spec(_library) is None:
        raise ImportError(f"{_library} is not installed", name=_library)
