"""Folder names that migrations are known to break, as decoded hierarchy levels."""

from __future__ import annotations

AWKWARD: tuple[tuple[str, ...], ...] = (
    ("Entwürfe",),
    ("日本語", "受信箱"),
    ("😀 party",),  # outside the BMP: a surrogate pair in modified UTF-7
    ("R&D",),
    ("&-",),  # looks like modified UTF-7 and is not
    ("&amp;",),
    ("2024.25", "a.b.c"),
    (".hidden",),
    ("trailing.",),
    ("Old ",),
    ("  lead",),
    (" ",),
    ('say "hi"',),
    ("back\\slash",),
    ("100%",),
    ("*star*",),
    ("[x] (y)",),
    ("{5}",),
    ("{5+}",),
    ("NIL",),
    ("OK done",),
    ("1:*",),
    ("\\Seen",),
    ("#news",),
    ("INBOX", "Sub"),
    ("Archive",),
    ("archive",),
    ("Été",),
    ("E\u0301te\u0301",),  # the same to the eye, decomposed
    ("עברית",),
    ("\u00a0nbsp",),
    ("zero\u200bwidth",),
    ("=?UTF-8?Q?x?=",),
    ("n" * 200,),
    tuple(f"level {number}" for number in range(12)),
)
"""Dovecot keeps all of these when folders are directories (`Settings.layout` "fs")."""

REFUSED: tuple[tuple[str, ...], ...] = (
    ("..",),
    ("x", ".", "y"),
    ("~tilde",),
    ("tab\there",),
    ("ä" * 200,),
)
"""Dovecot refuses to create these; other servers have them."""

TORTURE: tuple[tuple[str, ...], ...] = (
    *AWKWARD,
    *REFUSED,
    ("a/b",),  # separators of one server or another
    ("a_b",),
    ("a.b",),
    ("a\\b",),
    ("a|b",),
    ("a", "", "b"),  # a separator twice
    ("a", "_", "b"),
    ("INBOX", "inbox"),
    ("INBOX", "Sub", "Deep"),
    ("cur",),
    ("Tmp",),
    ("two  spaces",),
    ("Old",),
    (" Old",),
    ("OLD",),
    ("stra\u00dfe",),
    ("STRASSE",),
    ("\u212bngstr\u00f6m",),  # three spellings of one letter
    ("\u00c5ngstr\u00f6m",),
    ("A\u030angstr\u00f6m",),
    ("\u202etxt.exe",),  # written from right to left
    ("\ufeffmark",),
    ("nul\x01\x7f\x9b",),
    ("\ufffdEntw\u00fcrfe",),  # what a connector makes of a name that its source spells wrongly
    ("&AGE-",),
    ("%41",),
    ("CON",),
    ("\u00e9 a " * 60,),
    ("\u65e5" * 90,),
    tuple(f"d{number}" for number in range(25)),
    ("Entw\u00fcrfe", "x" * 300),
    ("-",),
    ("\u2468",),
)
"""Names that some server somewhere has, and that no two of which may become one."""
