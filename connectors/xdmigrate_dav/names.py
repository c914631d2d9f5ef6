"""The XML names that are sent and looked for, in lxml's spelling `{namespace}name`."""

from __future__ import annotations

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CARDDAV = "urn:ietf:params:xml:ns:carddav"
SERVER = "http://calendarserver.org/ns/"
APPLE = "http://apple.com/ns/ical/"
INVERSE = "urn:inverse:params:xml:ns:inverse-dav"
"""Of the company that made SOGo."""

PREFIXES = {"d": DAV, "c": CALDAV, "a": CARDDAV, "s": SERVER, "i": APPLE}
"""For what is sent; some servers are known to look at prefixes, so these are fixed."""


def dav(name: str) -> str:
    """A name of RFC 4918, 3744, 5397, 5689 or 6578."""
    return f"{{{DAV}}}{name}"


def cal(name: str) -> str:
    """A name of RFC 4791 or 6638."""
    return f"{{{CALDAV}}}{name}"


def card(name: str) -> str:
    """A name of RFC 6352."""
    return f"{{{CARDDAV}}}{name}"


ETAG = dav("getetag")
SIZE = dav("getcontentlength")
MODIFIED = dav("getlastmodified")
MEDIA = dav("getcontenttype")
TYPE = dav("resourcetype")
DISPLAY_NAME = dav("displayname")
PRINCIPAL = dav("current-user-principal")
PRIVILEGES = dav("current-user-privilege-set")
OWNER = dav("owner")
SYNC_TOKEN = dav("sync-token")
REPORTS = dav("supported-report-set")
CTAG = f"{{{SERVER}}}getctag"
COLOUR = f"{{{APPLE}}}calendar-color"
CALENDAR_HOME = cal("calendar-home-set")
CONTACTS_HOME = card("addressbook-home-set")
COMPONENTS = cal("supported-calendar-component-set")
CALENDAR_COMMENT = cal("calendar-description")
CONTACTS_COMMENT = card("addressbook-description")
CALENDAR_LIMIT = cal("max-resource-size")
CONTACTS_LIMIT = card("max-resource-size")
CARD_VERSIONS = card("supported-address-data")
CALENDAR_DATA = cal("calendar-data")
CONTACT_DATA = card("address-data")
