"""What Outlook's items become: by their class, mail, an event, a contact or a task. Pure."""

from __future__ import annotations

from xdmigrate.formats.refusal import Unstorable
from xdmigrate.model import Kind
from xdmigrate_files import appointment, outlookcontact, outlooktask
from xdmigrate_files.mapi import Found

MAIL_CLASSES = (
    "IPM.NOTE", "IPM.POST", "IPM.SCHEDULE", "REPORT", "IPM.SHARING", "IPM.TASKREQUEST", "IPM.RECALL",
    "IPM.OUTLOOK.RECALL", "IPM.INFOPATHFORM", "IPM.DOCUMENT",
)  # fmt: skip
"""What Outlook calls mail, its subclasses included."""

OTHERS = "notes, journal entries and distribution lists of Outlook's"
DELETED = "appointments, contacts and tasks in the trash of Outlook's"
"""What is left out, as it is told."""

_CONVERTING = {
    "IPM.APPOINTMENT": (Kind.CALENDAR, appointment.converted),
    "IPM.CONTACT": (Kind.CONTACTS, outlookcontact.converted),
    "IPM.TASK": (Kind.TASKS, outlooktask.converted),
}


def kind_of(message_class: str) -> Kind | None:
    """What an item of this class becomes; None for what is left out: notes, journals, distribution lists, rules."""
    name = message_class.upper() or "IPM.NOTE"
    if name.startswith(MAIL_CLASSES):
        return Kind.MAIL
    return next((kind for known, (kind, _) in _CONVERTING.items() if f"{name}.".startswith(f"{known}.")), None)


def converted(kind: Kind, found: Found) -> bytes:
    """The iCalendar object or vCard of an item that is no mail. Raises Unstorable."""
    for known, convert in _CONVERTING.values():
        if known is kind:
            return convert(found)
    raise Unstorable("no-component", "it is neither an appointment nor a contact or a task")
