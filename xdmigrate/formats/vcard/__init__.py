"""vCard 2.1, 3.0 and 4.0: split, compare, address, make storable, convert. Pure, bounded, by octets.

Whatever the input, nothing is raised but Unreadable and Unstorable.
"""

from xdmigrate.formats.vcard.cards import cards
from xdmigrate.formats.vcard.comparing import differences, digest
from xdmigrate.formats.vcard.members import readdressed
from xdmigrate.formats.vcard.overview import Outline, outline
from xdmigrate.formats.vcard.storing import additions, faults, storable
from xdmigrate.formats.vcard.versions import converted

__all__ = [
    "Outline",
    "additions",
    "cards",
    "converted",
    "differences",
    "digest",
    "faults",
    "outline",
    "readdressed",
    "storable",
]
