"""Answers of real servers, as recorded: each is understood, and cut anywhere it ends in an error of ours."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk, conversation, cut
from tests.data import corpus
from xdmigrate.errors import XdmigrateError
from xdmigrate.model import Folder, Path, Role
from xdmigrate_imap import connector, limits, listing
from xdmigrate_imap.naming import Names
from xdmigrate_imap.session import Session

COUNT = 54
SPARE = b"".join(b"x%d OK\r\n" % number for number in range(3, 80))
"""Answers to the STATUS commands that follow where LIST tells no status."""


def transcripts() -> dict[str, bytes]:
    """All of them, as a server sends them; skips the test where they are absent."""
    found = sorted((corpus.require() / "imap-transcripts").glob("*.txt"))
    return {path.stem: corpus.crlf(path.read_bytes()) for path in found}


def answer(raw: bytes, tag: bytes) -> bytes:
    """A transcript as the answer to the command with this tag."""
    return re.sub(rb"^A########", tag, raw, flags=re.MULTILINE)


def session(pieces: list[bytes], *capabilities: str) -> Session:
    return Session(conversation(pieces), frozenset(capabilities))


def listed(raw: bytes, separator: bytes = b"/") -> list[Folder]:
    """The folders of a LIST answer; the separator, and no status, are told by further answers."""
    capabilities = ["LIST-EXTENDED"] + ["LIST-STATUS"] * (b"* STATUS" in raw)
    root = b'* LIST (\\Noselect) "' + separator + b'" ""\r\nx2 OK\r\n'
    return listing.folders(session([answer(raw, b"x1"), root, SPARE], *capabilities))


def names(raw: bytes) -> Names:
    return session([answer(raw, b"x1")], "NAMESPACE").names


GMAIL: list[Path] = [
    ("INBOX",),
    ("+Folder",),
    ("[Gmail]",),
    *(("[Gmail]", name) for name in ("All Mail", "Drafts", "Important", "Sent Mail", "Spam", "Starred", "Trash")),
]
FOLDERS: dict[str, tuple[bytes, list[Path]]] = {
    "common__list-inbox": (b"/", [("INBOX",)]),
    "common__list-literal-subfolders": (b"/", [("INBOX",), ("Literal Folder Name",)]),
    "common__list-nil-folder-delim": (b"/", [("INBOX",), ("Folder1",), ("Folder2",)]),
    "common__list-namespace": (b"/", []),
    "domino__list-inbox": (rb"\\", [("INBOX",)]),
    "dovecot__list-folder": (b".", [("Folder",)]),
    "dovecot__list-inbox": (b".", [("INBOX",)]),
    "dovecot__list-personal": (
        b".",
        [("Archives",), ("Drafts",), ("Junk",), ("Sent Messages",), ("Trash",), ("INBOX",), ("NIL",)],
    ),
    "dovecot__list-special-use": (b".", [("Drafts",), ("Junk",), ("Sent Messages",), ("Trash",)]),
    "dovecot__list-unittests": (b".", [("UnitTests",)]),
    "dovecot__list-unittests-destination": (b".", [("UnitTests", "Destination")]),
    "dovecot__list-unittests-messages": (b".", [("UnitTests", "Messages")]),
    "dovecot__notify-list-personal": (
        b".",
        [
            *((name,) for name in ("Archives", "Drafts", "Junk", "Sent Messages", "Trash", "INBOX", "Folder")),
            *((name,) for name in ("DeleteMe", "RenameMe", "SubscribeMe", "UnsubscribeMe")),
        ],
    ),
    "gmail__list-all": (b"/", GMAIL),
    "gmail__list-all-no-status": (b"/", GMAIL),
    "gmail__list-gmail-subfolders": (b"/", GMAIL[3:]),
    "gmail__list-gmail-subfolders-no-status": (b"/", GMAIL[3:]),
    "gmail__list-gmail": (b"/", [("[Gmail]",)]),
    "gmail__list-inbox": (b"/", [("INBOX",)]),
    "gmail__list-personal": (b"/", [("INBOX",), ("[Gmail]",)]),
    "gmail__list-personal-status-appendlimit": (b"/", [("INBOX",), ("[Gmail]",)]),
    "gmail__list-archived-messages": (b"/", [("Archived Messages",)]),
    "gmail__list-archives": (b"/", [("[Gmail]", "Archives")]),
    "gmail__list-flagged": (b"/", [("[Gmail]", "Flagged")]),
    "gmail__list-level1": (b"/", [("Level1",)]),
    "gmail__list-level2": (b"/", [("Level1", "Level2")]),
    "gmail__list-level3": (b"/", [("Level1", "Level2", "Level3")]),
    "gmail__list-toplevel1": (b"/", [("TopLevel1",)]),
    "gmail__list-toplevel2": (b"/", [("TopLevel2",)]),
    "gmail__list-sublevel1": (b"/", [("TopLevel1", "SubLevel1")]),
    "gmail__list-sublevel2": (b"/", [("TopLevel2", "SubLevel2")]),
    "gmail__list-unittests": (b"/", [("UnitTests",)]),
    "gmail__list-unittests-dummy": (b"/", [("UnitTests", "Dummy")]),
    "icloud__list-inbox": (b"/", [("INBOX",)]),
    "lowercase__list": (b"/", [("INBOX",), ("Trash",)]),
    "strato.de__list-inbox": (b".", [("INBOX",)]),
    "yahoo__list-inbox": (b"/", [("INBOX",)]),
    "yandex__list-inbox": (b"|", [("INBOX",)]),
}
ROLES: dict[str, dict[Path, Role]] = {
    "dovecot__list-special-use": {
        ("Drafts",): Role.DRAFTS,
        ("Junk",): Role.JUNK,
        ("Sent Messages",): Role.SENT,
        ("Trash",): Role.TRASH,
    },
    "gmail__list-archives": {("[Gmail]", "Archives"): Role.ARCHIVE},
    "gmail__list-flagged": {("[Gmail]", "Flagged"): Role.FLAGGED},
    "lowercase__list": {("INBOX",): Role.INBOX, ("Trash",): Role.TRASH},
}
SEPARATORS = {
    "common": b"/", "domino": b"\\", "dovecot": b".", "gmail": b"/", "icloud": b"/", "strato.de": b".", "yahoo": b"/",
    "yandex": b"|", "zoho": b"/",
}  # fmt: skip
XLISTS: dict[str, tuple[bytes, dict[Path, Role]]] = {
    "gmail__xlist": (
        b"/",
        {
            ("[Gmail]", "All Mail"): Role.ALL,
            ("[Gmail]", "Drafts"): Role.DRAFTS,
            ("[Gmail]", "Important"): Role.IMPORTANT,
            ("[Gmail]", "Sent Mail"): Role.SENT,
            ("[Gmail]", "Spam"): Role.JUNK,
            ("[Gmail]", "Starred"): Role.FLAGGED,
            ("[Gmail]", "Trash"): Role.TRASH,
        },
    ),
    "strato.de__xlist": (b".", {}),
    "yandex__xlist": (
        b"|",
        {("Drafts",): Role.DRAFTS, ("Sent",): Role.SENT, ("Spam",): Role.JUNK, ("Trash",): Role.TRASH},
    ),
    "zoho__xlist": (
        b"/",
        {
            ("Entwürfe",): Role.DRAFTS,
            ("Gesendet",): Role.SENT,
            ("Spam",): Role.JUNK,
            ("Papierkorb",): Role.TRASH,
        },
    ),
}


def test_every_transcript_has_a_place_in_these_tests() -> None:
    known = {*FOLDERS, *XLISTS, *(f"{name}__namespace" for name in SEPARATORS)}
    known |= {"gmail__lsub-all", "gmail__lsub-personal", "gmail__authenticate+create-special-use"}
    assert set(transcripts()) == known
    assert len(known) == COUNT


@pytest.mark.parametrize("name", FOLDERS)
def test_listings(name: str) -> None:
    raw = transcripts()[name]
    separator, expected = FOLDERS[name]
    found = listed(raw, separator)
    assert [folder.path for folder in found] == expected
    roles = {folder.path: folder.role for folder in found if folder.role}
    assert {**roles, ("INBOX",): Role.INBOX} == {("INBOX",): Role.INBOX, **ROLES.get(name, {})}
    closed = [folder.path for folder in found if not folder.selectable]
    assert closed == [path for path in expected if path == ("[Gmail]",)]


def test_what_listings_tell_beside_names() -> None:
    raw = transcripts()
    everything = {folder.path: folder for folder in listed(raw["gmail__list-all"])}
    inbox = everything["INBOX",]
    assert (inbox.count, inbox.validity, inbox.next_id) == (60, 1, (410).to_bytes(4))
    assert inbox.ref == b"d0f3b017-d3ec-40aa-9bb9-66c1aeccbb24"
    assert all(folder.subscribed for folder in everything.values())
    assert everything["[Gmail]", "All Mail"].count == 67
    strange = {folder.path: folder for folder in listed(raw["dovecot__list-personal"], b".")}
    assert strange["NIL",].native == "NIL"
    assert strange["INBOX",].count == 4
    [folder] = [f for f in listed(raw["dovecot__notify-list-personal"], b".") if f.subscribed]
    assert folder.path == ("UnsubscribeMe",)


@pytest.mark.parametrize("vendor", SEPARATORS)
def test_namespaces(vendor: str) -> None:
    found = names(transcripts()[f"{vendor}__namespace"])
    assert found.main.separator == SEPARATORS[vendor]
    assert found.main.prefix == b""
    foreign = {"common": (b"Other Users/", b"Public Folders/"), "domino": (b"Other\\", b"Shared\\")}
    assert found.foreign == foreign.get(vendor, ())
    assert not any(found.is_personal(prefix + b"x") for prefix in found.foreign)


@pytest.mark.parametrize("name", XLISTS)
def test_special_uses_by_xlist(name: str) -> None:
    raw = transcripts()[name]
    separator, expected = XLISTS[name]
    plain = re.sub(rb"\* XLIST \([^)]*\)", rb"* LIST ()", raw)
    root = b'* LIST (\\Noselect) "' + separator + b'" ""\r\nx3 OK\r\n'
    pieces = [answer(plain, b"x1"), answer(raw, b"x2"), root, SPARE.replace(b"x3 OK\r\n", b"")]
    found = listing.folders(session(pieces, "LIST-EXTENDED", "XLIST"))
    assert {folder.path: folder.role for folder in found if folder.role not in (None, Role.INBOX)} == expected


@pytest.mark.parametrize(("name", "expected"), [("gmail__lsub-all", 9), ("gmail__lsub-personal", 2)])
def test_subscriptions(name: str, expected: int) -> None:
    raw = transcripts()[name]
    plain = raw.replace(b"* LSUB", b"* LIST")
    root = b'* LIST (\\Noselect) "/" ""\r\nx3 OK\r\n'
    pieces = [answer(plain, b"x1"), answer(raw, b"x2"), root, SPARE.replace(b"x3 OK\r\n", b"")]
    found = listing.folders(session(pieces))
    assert sum(folder.subscribed for folder in found) == expected
    assert not [folder for folder in found if folder.subscribed and not folder.selectable]


def test_what_gmail_can_do_is_told_with_the_login() -> None:
    raw = transcripts()["gmail__authenticate+create-special-use"]

    def script(talk: Talk) -> None:
        talk.greet()
        assert talk.command() == b"AUTHENTICATE PLAIN"
        talk.send(b"+ ")
        talk.line()
        talk.raw(answer(raw, talk.tag))
        assert talk.command() == b"LOGOUT"

    with Scripted(script) as server:
        source = connector.source(server.endpoint, LOGIN)
        can = source._session
        assert all(map(can.can, ("X-GM-EXT-1", "CREATE-SPECIAL-USE", "LITERAL-", "OBJECTID", "LIST-STATUS")))
        assert limits.of_account(can) == 35_651_584
        source.close()


@given(
    name=st.sampled_from(sorted(FOLDERS)), at=st.lists(st.integers(0, 10_000), max_size=5), end=st.integers(0, 3_000)
)
def test_a_transcript_that_breaks_off_is_an_error_of_ours(name: str, at: list[int], end: int) -> None:
    whole = answer(transcripts()[name], b"x1")
    broken = whole[: end % len(whole)]
    with pytest.raises(XdmigrateError):
        listing.folders(session(cut(broken, at), "LIST-EXTENDED", "LIST-STATUS"))


@given(
    name=st.sampled_from([*sorted(FOLDERS), "zoho__xlist", "gmail__lsub-all"]),
    at=st.integers(0, 3_000),
    byte=st.binary(max_size=3),
)
def test_a_damaged_transcript_is_read_or_refused(name: str, at: int, byte: bytes) -> None:
    whole = answer(transcripts()[name], b"x1")
    place = at % len(whole)
    damaged = whole[:place] + byte + whole[place + 1 :]
    with suppress(XdmigrateError):  # any other exception fails the test
        assert all(
            folder.path
            for folder in listing.folders(session([damaged, b'* LIST () "/" ""\r\nx2 OK\r\n', SPARE], "LIST-EXTENDED"))
        )
