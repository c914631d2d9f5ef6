"""What a server tells of changes, what is asked where it cannot, and what becomes of nonsense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk
from xdmigrate.errors import FolderUnusable, ProtocolError, Throttled
from xdmigrate.model import Changes, Folder
from xdmigrate_imap import delta
from xdmigrate_imap import source as source_module
from xdmigrate_imap.delta import Cursor, Delta, spans
from xdmigrate_imap.plugin import ImapConnector
from xdmigrate_imap.source import ImapSource

BOX = Folder(("Box",), native="Box", validity=7)
QRESYNC = b"CONDSTORE QRESYNC ENABLE UNSELECT"
THEN = Cursor(7, 10, 100).stored()
CHANGED = rb"UID FETCH 1:11 \(UID FLAGS INTERNALDATE RFC822.SIZE\) \(CHANGEDSINCE 100"

Step = Callable[[Talk], object]


def ref(uid: int) -> bytes:
    return uid.to_bytes(4, "big")


def source(server: Scripted) -> ImapSource:
    return ImapConnector().source(server.endpoint, LOGIN)


def logged_in(capabilities: bytes, *steps: Step) -> Callable[[Talk], None]:
    def script(talk: Talk) -> None:
        talk.log_in(capabilities)
        for step in steps:
            step(talk)

    return script


def examine(exists: int = 9, next_uid: int = 12, modseq: bytes = b"HIGHESTMODSEQ 140", validity: int = 7) -> Step:
    def step(talk: Talk) -> None:
        talk.expect(
            b'EXAMINE "Box"',
            b"* %d EXISTS" % exists,
            b"* OK [UIDVALIDITY %d] valid" % validity,
            b"* OK [UIDNEXT %d] next" % next_uid,
            *([b"* OK [" + modseq + b"] told"] if modseq else []),
        )

    return step


def enable(*answer: bytes) -> Step:
    return lambda talk: talk.expect(b"ENABLE QRESYNC", *(answer or (b"* ENABLED QRESYNC",)))


def head(uid: int, flags: bytes = b"\\Seen") -> bytes:
    return b'* %d FETCH (UID %d FLAGS (%s) INTERNALDATE " 1-Feb-2003 04:05:06 +0000" RFC822.SIZE %d MODSEQ (120))' % (
        uid, uid, flags, uid * 2,
    )  # fmt: skip


def flags(uid: int) -> bytes:
    return b"* %d FETCH (UID %d FLAGS (\\Seen))" % (uid, uid)


def whole(talk: Talk) -> None:
    """A listing that tells everything, in however many commands."""
    talk.expect(rb"UID FETCH 1:\* \(UID FLAGS INTERNALDATE RFC822.SIZE\)$", head(3), head(11))


def told(*steps: Step, capabilities: bytes = QRESYNC, cursor: bytes = THEN, folder: Folder = BOX) -> Changes:
    """What `changes` tells; heads and living ids are read while the server still talks."""
    with Scripted(logged_in(capabilities, *steps)) as server:
        found = source(server).changes(folder, cursor)
        heads = list(found.heads)
        alive = None if found.alive is None else iter(list(found.alive))
        return replace(found, heads=iter(heads), alive=alive)


def named(found: Changes) -> list[int]:
    return [int.from_bytes(one.ref) for one in found.heads]


def test_qresync_tells_everything_in_one_command() -> None:
    ask = b"UID FETCH 1:11 .*CHANGEDSINCE 100 VANISHED"
    answer = (b"* VANISHED (EARLIER) 2,4:5,40:4294967295", head(11), b"* VANISHED 6", head(3), b"* 9 FETCH (FLAGS ())")
    found = told(enable(), examine(), lambda talk: talk.expect(ask, *answer, head(77)))
    assert found == replace(
        found,
        complete=False,
        cursor=Cursor(7, 12, 140).stored(),
        count=9,
        vanished=(ref(2), ref(4), ref(5)),
        alive=None,
    )
    heads = {one.ref: one for one in found.heads}
    assert list(heads) == [ref(3), ref(11)], "nothing beyond what the opening told, in order"
    assert heads[ref(3)].size == 6
    assert heads[ref(3)].flags == {"\\Seen"}


def test_it_is_asked_together_with_the_opening_where_the_listing_told_the_next_uid() -> None:
    def both(talk: Talk) -> None:
        lines = [talk.line(), talk.line()]
        assert b'EXAMINE "Box"' in lines[0]
        assert b"UID FETCH 1:11 " in lines[1]
        tags = [line.split()[0] for line in lines]
        talk.send(b"* 9 EXISTS", b"* OK [UIDVALIDITY 7]", b"* OK [UIDNEXT 12]", b"* OK [HIGHESTMODSEQ 140]")
        talk.send(tags[0] + b" OK", head(5), tags[1] + b" OK")

    found = told(enable(), both, folder=replace(BOX, count=9, next_id=ref(12)))
    assert named(found) == [5]


def test_condstore_alone_leaves_what_is_alive_to_a_search() -> None:
    found = told(
        examine(),
        lambda talk: talk.expect(CHANGED + rb"\)$", head(5)),
        lambda talk: talk.expect(rb"UID SEARCH RETURN \(ALL\) UID 1:11", b'* ESEARCH (TAG "x") UID ALL 8:11,1:3,5'),
        capabilities=b"CONDSTORE ESEARCH UNSELECT",
    )
    assert named(found) == [5]
    assert found.count == 9
    assert found.alive is not None
    assert [int.from_bytes(one) for one in found.alive] == [1, 2, 3, 5, 8, 9, 10, 11]
    assert found.vanished == ()


def test_a_search_without_esearch_does_as_well() -> None:
    found = told(
        examine(exists=3),
        lambda talk: talk.expect(CHANGED + rb"\)$"),
        lambda talk: talk.expect(b"UID SEARCH ALL$", b"* SEARCH 11 3 5"),
        capabilities=b"CONDSTORE UNSELECT",
    )
    assert found.alive is not None
    assert list(found.alive) == [ref(3), ref(5), ref(11)]


def test_nothing_left_is_nothing_alive() -> None:
    found = told(
        examine(exists=0),
        lambda talk: talk.expect(CHANGED + rb"\)$"),
        lambda talk: talk.expect(b"UID SEARCH RETURN", b'* ESEARCH (TAG "x") UID'),
        capabilities=b"CONDSTORE ESEARCH UNSELECT",
    )
    assert found.alive is not None
    assert (list(found.alive), found.count) == ([], 0)


def test_without_mod_sequences_what_is_known_tells_only_its_flags() -> None:
    found = told(
        examine(modseq=b""),
        lambda talk: talk.expect(
            rb"UID FETCH 1:9 \(UID FLAGS\)$", flags(3), flags(9), b"* 1 FETCH (UID 2 RFC822.SIZE 1)"
        ),
        lambda talk: talk.expect(rb"UID FETCH 10:\* \(UID FLAGS INTERNALDATE RFC822.SIZE\)$", head(9), head(11)),
        capabilities=b"UNSELECT",
    )
    assert found.complete
    assert [(one.ref, one.measured) for one in found.heads] == [(ref(3), False), (ref(9), False), (ref(11), True)]


def test_nothing_new_is_not_asked_for() -> None:
    found = told(
        examine(next_uid=10, modseq=b"NOMODSEQ"),
        lambda talk: talk.expect(rb"UID FETCH 1:9 \(UID FLAGS\)$", flags(3)),
        capabilities=b"UNSELECT",
    )
    assert named(found) == [3]
    assert found.cursor == Cursor(7, 10, 0).stored()


def test_a_large_folder_is_listed_in_windows_on_both_sides_of_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WINDOW", 2)
    found = told(
        examine(exists=6, next_uid=14, modseq=b""),
        lambda talk: talk.expect(b"UID SEARCH ALL", b"* SEARCH 2 4 6 10 12 13"),
        lambda talk: talk.expect(rb"UID FETCH 2:4 \(UID FLAGS\)", flags(2), flags(4)),
        lambda talk: talk.expect(rb"UID FETCH 6:6 \(UID FLAGS\)", flags(6)),
        lambda talk: talk.expect(b"UID FETCH 10:12 .*SIZE", head(10), head(12)),
        lambda talk: talk.expect(b"UID FETCH 13:13 .*SIZE", head(13)),
        capabilities=b"UNSELECT",
    )
    assert named(found) == [2, 4, 6, 10, 12, 13]


def test_bodies_are_read_on_the_same_connection_whatever_vanishes_meanwhile() -> None:
    """RFC 7162 section 3.2.10.2: from ENABLE on, VANISHED comes in place of EXPUNGE, also in between."""

    def body(uid: int) -> bytes:
        return b"* %d FETCH (UID %d FLAGS () INTERNALDATE NIL BODY[] {2}\r\nhi)" % (uid, uid)

    def fetch(talk: Talk) -> None:
        talk.expect(
            b"UID FETCH 4:6 .*BODY.PEEK", body(4), b"* VANISHED 5", b"* 4 FETCH (UID 9 FLAGS () MODSEQ (7))", body(6)
        )
        examine()(talk)
        talk.expect(b"UID FETCH 5 .*BODY.PEEK", b"* VANISHED 7:8")
        talk.expect(b"UID SEARCH UID 5", b"* SEARCH")

    changed = [b"* VANISHED (EARLIER) 1", head(4)]
    steps = (enable(), examine(), lambda talk: talk.expect(b"UID FETCH 1:11 ", *changed), fetch)
    with Scripted(logged_in(QRESYNC, *steps)) as server:
        session = source(server)
        assert named(session.changes(BOX, THEN)) == [4]
        assert [one.head.ref for one in session.read(BOX, [ref(4), ref(5), ref(6)])] == [ref(4), ref(6)]


# --- what ends in a whole listing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "opening",
    [
        examine(modseq=b"HIGHESTMODSEQ 99"),  # a server that was restored from a backup
        examine(next_uid=9),
        examine(next_uid=0),
    ],
    ids=["modseq went back", "UIDNEXT went back", "UIDNEXT is not told"],
)
def test_a_server_that_went_back_is_listed_whole(opening: Step) -> None:
    found = told(enable(), opening, whole)
    assert found.complete
    assert [one.measured for one in found.heads] == [True, True]


@pytest.mark.parametrize(
    "cursor", [b"", b"nonsense", Cursor(6, 10, 100).stored(), Cursor(7, 0, 100).stored(), THEN + b"x"]
)
def test_an_unknown_cursor_is_no_cursor(cursor: bytes) -> None:
    steps: tuple[Step, ...] = (examine(), whole)
    asks = len(cursor) == len(THEN)
    found = told(*((enable(),) if asks else ()), *steps, cursor=cursor)
    assert found.complete
    assert all(one.measured for one in found.heads)


def test_a_mailbox_without_mod_sequences_is_listed() -> None:
    found = told(
        enable(),
        examine(next_uid=10, modseq=b"NOMODSEQ"),
        lambda talk: talk.expect(rb"UID FETCH 1:9 \(UID FLAGS\)$", flags(3)),
    )
    assert found.complete
    assert named(found) == [3]


@pytest.mark.parametrize("answer", [b"NO [CANNOT] not that", b"BAD what", b"NO [EXPUNGEISSUED] gone"])
def test_a_refused_question_ends_in_a_listing(answer: bytes) -> None:
    def refuse(talk: Talk) -> None:
        talk.command()
        talk.ok(head(4), text=answer)

    found = told(enable(), examine(next_uid=10), refuse, lambda talk: talk.expect(b"UID FETCH 1:9 ", flags(3)))
    assert found.complete
    assert named(found) == [3]


def test_an_overloaded_server_is_not_taken_for_one_that_cannot() -> None:
    def refuse(talk: Talk) -> None:
        talk.command()
        talk.ok(text=b"NO [UNAVAILABLE] busy")

    with pytest.raises(Throttled):
        told(enable(), examine(), refuse)


@pytest.mark.parametrize("answer", [(b"* ENABLED",), (b"* ENABLED CONDSTORE",), ()])
def test_qresync_that_is_announced_and_not_enabled_is_not_used(answer: tuple[bytes, ...]) -> None:
    found = told(
        lambda talk: talk.expect(b"ENABLE QRESYNC", *answer),
        examine(exists=1),
        lambda talk: talk.expect(CHANGED + rb"\)$", head(5)),
        lambda talk: talk.expect(b"UID SEARCH ALL", b"* SEARCH 5"),
    )
    assert found.alive is not None
    assert list(found.alive) == [ref(5)]


@pytest.mark.parametrize(
    "line", [b"* VANISHED (EARLIER) x", b"* VANISHED (EARLIER) (1 2)", b"* VANISHED (EARLIER) 1:99999999999"]
)
def test_nonsense_is_asked_for_once(line: bytes) -> None:
    """The connection is dropped; on the next one the account is listed."""

    def nonsense(talk: Talk) -> None:
        talk.command()
        talk.send(line)

    with Scripted(
        logged_in(QRESYNC, enable(), examine(), nonsense),
        logged_in(QRESYNC, examine(next_uid=10), lambda talk: talk.expect(rb"UID FETCH 1:9 \(UID FLAGS\)$", flags(3))),
    ) as server:
        connector = ImapConnector()
        with pytest.raises(ProtocolError):
            connector.source(server.endpoint, LOGIN).changes(BOX, THEN)
        found = connector.source(server.endpoint, LOGIN).changes(BOX, THEN)
        assert found.complete
        assert named(found) == [3]


def test_more_changes_than_fit_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "MOST", 2)
    found = told(
        enable(),
        examine(next_uid=10),
        lambda talk: talk.expect(b"UID FETCH 1:9 .*CHANGEDSINCE", *(head(uid) for uid in range(1, 10))),
        lambda talk: talk.expect(rb"UID FETCH 1:9 \(UID FLAGS\)$", flags(3)),
    )
    assert found.complete


def test_more_vanished_than_can_be_named_are_found_by_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "MOST", 3)
    found = told(
        enable(),
        examine(exists=2),
        lambda talk: talk.expect(b"UID FETCH 1:11 ", b"* VANISHED (EARLIER) 1:4294967295"),
        lambda talk: talk.expect(b"UID SEARCH", b'* ESEARCH (TAG "x") UID ALL 8:9'),
        capabilities=QRESYNC + b" ESEARCH",
    )
    assert found.vanished == ()
    assert found.alive is not None
    assert list(found.alive) == [ref(8), ref(9)]


def test_a_search_that_finds_more_than_there_is_drops_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "MOST", 3)
    with pytest.raises(ProtocolError):
        told(
            examine(exists=2),
            lambda talk: talk.expect(CHANGED),
            lambda talk: talk.expect(b"UID SEARCH", b'* ESEARCH (TAG "x") UID ALL 1:4294967295'),
            capabilities=b"CONDSTORE ESEARCH UNSELECT",
        )


def test_another_validity_is_another_folder() -> None:
    with pytest.raises(FolderUnusable, match="UIDVALIDITY"):
        told(enable(), examine(validity=8))


# --- what has no server -----------------------------------------------------------------------------------------------


@given(count=st.integers(0, 2**20), next_uid=st.integers(1, 2**32))
def test_pieces_cover_every_uid_once_or_are_none(count: int, next_uid: int) -> None:
    pieces = spans(count, next_uid)
    if pieces is None:
        assert count > delta.FEW
        return
    assert sum(last - first + 1 for first, last in pieces) == next_uid - 1
    assert [first for first, _ in pieces[1:]] == [last + 1 for _, last in pieces[:-1]]
    assert len(pieces) <= delta.MOST_SPANS


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 40)), max_size=8), st.integers(1, 300))
def test_vanished_are_named_once_and_only_below_what_was_known(ranges: list[tuple[int, int]], below: int) -> None:
    found = Delta(vanished=[(first, first + more) for first, more in ranges]).named(below)
    assert found == tuple(sorted({u for first, more in ranges for u in range(first, first + more + 1) if u < below}))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32), st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_as_it_was_stored(validity: int, next_uid: int, modseq: int) -> None:
    cursor = Cursor(validity, next_uid, modseq)
    assert Cursor.read(cursor.stored()) == cursor
    assert cursor.leads_to(cursor) == (validity > 0 and next_uid > 0)
