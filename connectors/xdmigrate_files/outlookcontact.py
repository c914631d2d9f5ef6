"""A contact of Outlook's as a vCard 3.0 (MS-OXOCNTC by the rules of RFC 2426). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from xdmigrate_files.calendaring import uid_made
from xdmigrate_files.contentlines import binary, day, line, moment, one_line, text
from xdmigrate_files.mapi import (
    ADDRESS,
    CATEGORIES,
    CHANGED,
    DISPLAY_NAME,
    SENSITIVITY,
    SUBJECT,
    Found,
    Key,
    Properties,
)
from xdmigrate_files.outlookpeople import is_address

_PRIVATE = 2
_NAME: tuple[Key, ...] = (0x3A11, 0x3A06, 0x3A44, 0x3A45, 0x3A05)  # family, given, more, prefix, suffix
_COMPANY, _DEPARTMENT = 0x3A16, 0x3A18
_MAILS = ((0x8083, 0x8082, 0x8084), (0x8093, 0x8092, 0x8094), (0x80A3, 0x80A2, 0x80A4))
"""The address, its type, and how it was typed in; each for three addresses (MS-OXOCNTC 2.2.1.2)."""

_PHONES: tuple[tuple[Key, str], ...] = (
    (0x3A08, "WORK,VOICE"), (0x3A1B, "WORK,VOICE"), (0x3A57, "WORK,VOICE"), (0x3A09, "HOME,VOICE"),
    (0x3A2F, "HOME,VOICE"), (0x3A1C, "CELL"), (0x3A24, "WORK,FAX"), (0x3A25, "HOME,FAX"), (0x3A23, "FAX"),
    (0x3A21, "PAGER"), (0x3A1E, "CAR"), (0x3A1A, "PREF"), (0x3A1F, "VOICE"), (0x3A2E, "WORK,MSG"), (0x3A02, "VOICE"),
    (0x3A1D, "VOICE"), (0x3A2D, "ISDN"),
)  # fmt: skip
_PLACES: tuple[tuple[str, tuple[Key, ...]], ...] = (
    # box, street, city, state, postal code, country (MS-OXOCNTC 2.2.1.3)
    ("WORK", tuple((ADDRESS, each) for each in (0x804A, 0x8045, 0x8046, 0x8047, 0x8048, 0x8049))),
    ("HOME", (0x3A5E, 0x3A5D, 0x3A59, 0x3A5C, 0x3A5B, 0x3A5A)),
    ("", (0x3A64, 0x3A63, 0x3A5F, 0x3A62, 0x3A61, 0x3A60)),
)
_MAILING: tuple[Key, ...] = (0x3A2B, 0x3A29, 0x3A27, 0x3A28, 0x3A2A, 0x3A26)
_TEXTS: tuple[tuple[str, Key], ...] = (
    ("NICKNAME", 0x3A4F), ("TITLE", 0x3A17), ("ROLE", 0x3A46), ("X-MANAGER", 0x3A4E), ("X-ASSISTANT", 0x3A30),
    ("X-SPOUSE", 0x3A48), ("X-MS-OFFICE", 0x3A19), ("X-MS-HOBBIES", 0x3A43), ("X-MS-IMADDRESS", (ADDRESS, 0x8062)),
    ("X-PHONETIC-LAST-NAME", (ADDRESS, 0x802D)), ("X-PHONETIC-FIRST-NAME", (ADDRESS, 0x802C)),
    ("X-MS-CUSTOMER-ID", 0x3A4A), ("X-MS-GOVERNMENT-ID", 0x3A07), ("X-MS-ACCOUNT", 0x3A00),
    ("X-MS-REFERRED-BY", 0x3A47), ("X-MS-LANGUAGE", 0x3A0C),
    *((f"X-MS-USER-{number}", (ADDRESS, 0x804E + number)) for number in range(1, 5)),
)  # fmt: skip
_PAGES: tuple[Key, ...] = (0x3A51, 0x3A50, (ADDRESS, 0x802B))
_CHILDREN = 0x3A58
_BORN, _BORN_LOCAL, _MARRIED, _MARRIED_LOCAL = 0x3A42, (ADDRESS, 0x80DE), 0x3A41, (ADDRESS, 0x80DF)
_IMAGES = {b"\xff\xd8": "JPEG", b"\x89P": "PNG", b"GI": "GIF", b"BM": "BMP"}


def converted(found: Found) -> bytes:
    """The card."""
    told = found.properties
    changed = told.moment(CHANGED)
    lines = [
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//xdmigrate//xdmigrate//EN\r\n",
        line("UID", uid_made(found)),
        *_names(told),
        *_mails(told),
        *(_phone(told.text(key), types) for key, types in _PHONES),
        *_places(told),
        *(line("URL", one_line(page)) for page in dict.fromkeys(map(told.text, _PAGES))),
        *_days(told),
        *(line(name, text(told.text(key))) for name, key in _TEXTS),
        *(line("X-CHILD", text(each)) for each in told.texts(_CHILDREN)),
        line("NOTE", text(found.plain.strip("\0\r\n "))),
        line("CATEGORIES", ",".join(text(one_line(each)) for each in told.texts(CATEGORIES))),
        line("CLASS", "PRIVATE" if told.number(SENSITIVITY) == _PRIVATE else ""),
        *_photo(found),
        line("REV", f"{moment(changed)}Z" if changed else ""),
        b"END:VCARD\r\n",
    ]
    return b"".join(lines)


def _names(told: Properties) -> Iterator[bytes]:
    parts = [text(one_line(told.text(key))) for key in _NAME]
    company, department = told.text(_COMPANY), told.text(_DEPARTMENT)
    plain = " ".join(filter(None, (told.text(key) for key in (0x3A45, 0x3A06, 0x3A44, 0x3A11, 0x3A05))))
    mails = (told.text((ADDRESS, keys[0])) for keys in _MAILS)
    known = (told.text(DISPLAY_NAME), plain, told.text(SUBJECT), company, *mails)
    formatted = next(filter(None, map(one_line, known)), "")
    yield line("FN", text(formatted))
    yield line("N", ";".join(parts) if any(parts) else f"{text(formatted)};;;;" if not company else ";;;;")
    organisation = ";".join(text(one_line(each)) for each in (company, department))
    yield line("ORG", organisation.removesuffix(";"))


def _mails(told: Properties) -> Iterator[bytes]:
    """Of an address that only Exchange knew, what its user typed in, where that is an address."""
    for keys in _MAILS:
        address, kind, typed = (told.text((ADDRESS, key)) for key in keys)
        known = (address if kind.upper() != "EX" else "", typed)
        yield line("EMAIL", text(next(filter(is_address, known), "")), {"TYPE": "INTERNET"})


def _phone(number: str, types: str) -> bytes:
    return line("TEL", text(one_line(number))).replace(b"TEL:", f"TEL;TYPE={types}:".encode(), 1)


def _places(told: Properties) -> Iterator[bytes]:
    """Three addresses; an old contact has only the one for letters, without saying which it is."""
    found = [(kind, [told.text(key) for key in keys]) for kind, keys in _PLACES]
    if not any(any(parts) for _, parts in found):
        found = [("", [told.text(key) for key in _MAILING])]
    for kind, (box, *rest) in found:
        if box or any(rest):
            value = ";".join(text(each) for each in (box, "", *rest))
            yield line("ADR", value, {"TYPE": kind})


def _days(told: Properties) -> Iterator[bytes]:
    for name, local, key in (("BDAY", _BORN_LOCAL, _BORN), ("X-ANNIVERSARY", _MARRIED_LOCAL, _MARRIED)):
        when = told.moment(local) or _nearest_day(told.moment(key))
        yield line(name, _dashed(when) if when else "")


def _nearest_day(when: datetime | None) -> datetime | None:
    """Outlook keeps midnight of some zone, in UTC."""
    return when + timedelta(hours=12) if when else None


def _dashed(when: datetime) -> str:
    plain = day(when)
    return f"{plain[:4]}-{plain[4:6]}-{plain[6:]}"


def _photo(found: Found) -> Iterator[bytes]:
    for each in found.attached:
        kind = _IMAGES.get(each.data[:2])
        if each.photo and kind:
            yield binary("PHOTO", each.data, {"ENCODING": "b", "TYPE": kind})
            return
