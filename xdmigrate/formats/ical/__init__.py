"""Events, tasks and journal entries (RFC 5545): what they mean, what they are made of, what servers take. Pure.

Content lines and components are ours (`lines`, `components`), so that what is not touched stays to the octet; values
are read by `icalendar`. Nothing but Unreadable and Unstorable is ever raised, whatever the bytes.
"""

from xdmigrate.formats.ical.comparison import differences
from xdmigrate.formats.ical.expansion import occurrences
from xdmigrate.formats.ical.faults import faults
from xdmigrate.formats.ical.floating import marked
from xdmigrate.formats.ical.lengths import stretched
from xdmigrate.formats.ical.objects import split
from xdmigrate.formats.ical.overview import Outline, outline
from xdmigrate.formats.ical.people import readdressed, unscheduled, without_people
from xdmigrate.formats.ical.simpler import simplified
from xdmigrate.formats.ical.strict import storable
from xdmigrate.formats.ical.verbatim import digest, digested

__all__ = [
    "Outline",
    "differences",
    "digest",
    "digested",
    "faults",
    "marked",
    "occurrences",
    "outline",
    "readdressed",
    "simplified",
    "split",
    "storable",
    "stretched",
    "unscheduled",
    "without_people",
]
