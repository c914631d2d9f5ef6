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
