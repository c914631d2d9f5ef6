"""Listing, reading and changing against a scripted server: fallbacks, races, and servers that err."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk
from xdmigrate.errors import AccessDenied, ConnectionLost, FolderUnusable, ItemRefused, ProtocolError, Throttled
from xdmigrate.model import FlagChange, Folder, Item, Role
from xdmigrate_imap import source as source_module
from xdmigrate_imap.plugin import ImapConnector
from xdmigrate_imap.source import ImapSource
from xdmigrate_imap.target import ImapTarget

BOX = Folder(("Box",), native="Box", validity=7)
PLAIN = b'* NAMESPACE (("" "/")) NIL NIL'


def source(server: Scripted) -> ImapSource:
    return ImapConnector().source(server.endpoint, LOGIN)


def target(server: Scripted) -> ImapTarget:
    return ImapConnector().target(server.endpoint, LOGIN)


def ref(uid: int) -> bytes:
    return uid.to_bytes(4, "big")


def body(item: Item) -> bytes:
    return b"".join(bytes(chunk) for chunk in item.body.chunks())


def logged_in(capabilities: bytes, *steps: Callable[[Talk], object]) -> Callable[[Talk], None]:
    def script(talk: Talk) -> None:
        talk.log_in(capabilities)
        for step in steps:
            step(talk)

    return script


# --- folders ----------------------------------------------------------------------------------------------------


def test_everything_comes_in_one_command_where_the_server_can() -> None:
    def listing(talk: Talk) -> None:
        whole = talk.command()
        assert whole == (
            b'LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))'
        )
        talk.ok(
            b'* LIST (\\Subscribed) "/" Inbox',
            b"* STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 4294967295 HIGHESTMODSEQ 77 MAILBOXID (F1))",
            b'* LIST (\\HasNoChildren \\Sent) "/" "Gesendete &- mehr"',
            b'* STATUS "Gesendete &- mehr" (UIDVALIDITY 5 MESSAGES 0 UIDNEXT 1 HIGHESTMODSEQ 0)',
            b'* LIST (\\Noselect) "/" {7}',
            b"Clients",
            b'* LIST () "/" NIL',
            b"* STATUS NIL (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 6)",
        )
        talk.expect(b"NAMESPACE", PLAIN)

    capabilities = b"LIST-EXTENDED LIST-STATUS SPECIAL-USE CONDSTORE OBJECTID NAMESPACE"
    with Scripted(logged_in(capabilities, listing)) as server:
        inbox, sent, clients, nil = source(server).folders()
    assert inbox == Folder(
        ("INBOX",), native="Inbox", ref=b"F1", validity=2**32 - 1, next_id=ref(9), count=3, role=Role.INBOX,
        subscribed=True, state=b"4294967295:9:3:77",
    )  # fmt: skip
    assert sent.path == ("Gesendete & mehr",)
    assert sent.role is Role.SENT
    assert sent.state == b"", "a folder without mod-sequences proves nothing"
    assert not clients.selectable
    assert nil.path == ("NIL",)
    assert nil.count == 1


def test_without_extensions_each_folder_is_asked_in_one_round_trip() -> None:
    def listing(talk: Talk) -> None:
        talk.expect(
            b'LIST "" "\\*"$', b'* LIST () "." INBOX', b'* LIST () "." "INBOX.a b"', b'* LIST (\\Noselect) "." x'
        )
        talk.expect(b'LSUB "" "\\*"$', b'* LSUB () "." "INBOX.a b"')
        talk.expect(b"NAMESPACE", b'* NAMESPACE (("INBOX." "." "X-PARAM" ("a"))) (("user." ".")) NIL')
        assert talk.command() == b'STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY)'
        first = talk.tag
        assert talk.command() == b'STATUS "INBOX.a b" (MESSAGES UIDNEXT UIDVALIDITY)'
        talk.send(first + b" NO no such mailbox")
        talk.ok(b'* STATUS "INBOX.a b" (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 4)')

    with Scripted(logged_in(b"NAMESPACE", listing)) as server:
        inbox, other = source(server).folders()
    assert inbox.validity == 0
    assert inbox.selectable, "a folder that tells no status is not hidden: reading it says why"
    assert other.path == ("a b",)
    assert other.subscribed
    assert (other.count, other.next_id, other.state) == (2, ref(3), b"")


def test_without_namespace_the_separator_is_asked() -> None:
    def listing(talk: Talk) -> None:
        talk.expect(b'LIST "" "\\*"$', b'* LIST () "\\\\" "Other\\\\x"')
        talk.expect(b"LSUB")
        talk.expect(b'LIST "" ""', b'* LIST (\\Noselect) "\\\\" ""')
        talk.expect(b"STATUS")

    with Scripted(logged_in(b"", listing)) as server:
        [folder] = source(server).folders()
    assert folder.path == ("Other", "x")


@pytest.mark.parametrize(
    "line", [b"* LIST ()", b"* LIST (((", b'* LIST () "/" {99999999}', b'* LIST () "/" {2}\r\na\0', b"* STATUS x"]
)
def test_a_malformed_listing_drops_the_connection(line: bytes) -> None:
    def listing(talk: Talk) -> None:
        talk.command()
        talk.ok(line)

    with Scripted(logged_in(b"LIST-STATUS", listing)) as server:
        session = source(server)
        with pytest.raises(ProtocolError):
            session.folders()
        with pytest.raises(ConnectionLost):
            session.folders()


# --- listing a folder -------------------------------------------------------------------------------------------


def heads(*found: int) -> list[bytes]:
    return [
        b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE " 1-Feb-2003 04:05:06 +0000" RFC822.SIZE %d)'
        % (n, uid, uid * 2)
        for n, uid in enumerate(found, 1)
    ]


def test_heads_ascend_whatever_the_servers_order_and_the_star_trap_is_filtered() -> None:
    def folder(talk: Talk) -> None:
        talk.select(3)
        talk.expect(b"UID FETCH 5:\\* ", *heads(9, 4, 6), b"* 4 EXISTS", b"* 2 FETCH (FLAGS ())")

    with Scripted(logged_in(b"", folder)) as server:
        found = list(source(server).heads(BOX, ref(5)))
    assert [head.ref for head in found] == [ref(6), ref(9)]
    assert found[0].size == 12
    assert found[0].flags == {"\\Seen"}
    assert found[0].date == datetime(2003, 2, 1, 4, 5, 6, tzinfo=UTC)


def test_a_large_folder_is_searched_from_above_and_listed_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WINDOW", 3)
    monkeypatch.setattr(source_module, "SEARCHED", 4)

    def folder(talk: Talk) -> None:
        talk.select(6)
        talk.expect(b"UID SEARCH 3:6$", b"* SEARCH 30 40 50 60", b"* 1 EXPUNGE")
        talk.expect(b"UID SEARCH 1:2$", b"* SEARCH 30 20")  # what was at 2 is gone, so 30 has moved down
        talk.expect(b"UID FETCH 20:40 ", *heads(20, 30, 40))
        talk.expect(b"UID FETCH 50:60 ", *heads(50, 60))

    with Scripted(logged_in(b"", folder)) as server:
        assert [head.ref for head in source(server).heads(replace(BOX, count=6))] == [
            ref(uid) for uid in (20, 30, 40, 50, 60)
        ]


def test_what_is_new_in_a_large_folder_is_listed_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WINDOW", 3)

    def folder(talk: Talk) -> None:
        talk.select(100)
        talk.expect(b"UID FETCH 99:\\* ", *heads(99, 100))

    with Scripted(logged_in(b"", folder)) as server:
        assert len(list(source(server).heads(BOX, ref(99)))) == 2


def test_other_commands_may_come_between_two_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WINDOW", 1)

    def folder(talk: Talk) -> None:
        talk.select(2)
        talk.expect(b"UID SEARCH", b"* SEARCH 1 2")
        talk.expect(b"UID FETCH 1:1 ", *heads(1))
        talk.expect(b'EXAMINE "Other"', b"* 0 EXISTS")
        talk.expect(b"UID FETCH")
        talk.select(2)
        talk.expect(b"UID FETCH 2:2 ", *heads(2))

    with Scripted(logged_in(b"", folder)) as server:
        session = source(server)
        found = session.heads(replace(BOX, count=2))
        next(found)
        assert list(session.heads(Folder(("Other",), native="Other"))) == []
        assert next(found).ref == ref(2)


def test_other_uids_than_expected_are_never_read() -> None:
    with (
        Scripted(logged_in(b"", lambda talk: talk.select(1))) as server,
        pytest.raises(FolderUnusable, match="UIDVALIDITY"),
    ):
        list(source(server).heads(Folder(("Box",), native="Box", validity=8)))


# --- reading ----------------------------------------------------------------------------------------------------


def message(uid: int, data: bytes) -> bytes:
    return b"* 1 FETCH (UID %d FLAGS () INTERNALDATE NIL BODY[] {%d}\r\n%s)" % (uid, len(data), data)


def test_messages_that_are_gone_are_simply_not_there() -> None:
    def folder(talk: Talk) -> None:
        talk.select(3)
        talk.expect(b"UID FETCH 3:5 .*BODY.PEEK", message(4, b"four"), message(99, b"not asked for"))
        talk.select(3)
        talk.expect(b"UID FETCH 3,5 ", b"* 1 FETCH (UID 3 FLAGS (\\Seen))")
        talk.expect(b"UID SEARCH UID 3,5", b"* SEARCH")

    with Scripted(logged_in(b"", folder)) as server:
        got = [(item.head.ref, body(item)) for item in source(server).read(BOX, [ref(5), ref(4), ref(3)])]
    assert got == [(ref(4), b"four")]


def test_a_look_at_the_folder_that_was_too_old_is_taken_again() -> None:
    def folder(talk: Talk) -> None:
        talk.select(1)
        talk.expect(b"UID FETCH 3:4 ", message(3, b"three"))
        talk.select(2)
        talk.expect(b"UID FETCH 4 ", message(4, b"four"))

    with Scripted(logged_in(b"", folder)) as server:
        assert [body(item) for item in source(server).read(BOX, [ref(3), ref(4)])] == [b"three", b"four"]


def test_a_message_that_the_server_cannot_give_is_told_from_one_that_is_gone() -> None:
    def refuse(talk: Talk, pattern: bytes) -> None:
        assert re.match(pattern, talk.command())
        talk.ok(text=b"NO The requested message could not be converted")

    def folder(talk: Talk) -> None:
        talk.select(3)
        refuse(talk, b"UID FETCH 3:5 ")
        talk.select(3)
        refuse(talk, b"UID FETCH 3:5 ")
        talk.expect(b"UID FETCH 3 ", message(3, b"three"))
        refuse(talk, b"UID FETCH 4 ")
        talk.expect(b"UID FETCH 5 ")
        talk.expect(b"UID SEARCH UID 4:5", b"* SEARCH 4")

    with Scripted(logged_in(b"", folder)) as server:
        items = source(server).read(BOX, [ref(3), ref(4), ref(5)])
        assert body(next(items)) == b"three"
        unreadable = next(items)
        assert unreadable.head.ref == ref(4)
        with pytest.raises(ItemRefused, match="could not be converted") as refused:
            body(unreadable)
        assert refused.value.reason == "unreadable"
        assert list(items) == []


def test_a_refusal_that_is_not_about_messages_is_raised() -> None:
    def folder(talk: Talk) -> None:
        talk.select(3)
        talk.command()
        talk.ok(text=b"NO [UNAVAILABLE] storage is away")

    with Scripted(logged_in(b"", folder)) as server, pytest.raises(Throttled):
        list(source(server).read(BOX, [ref(3)]))


def test_another_command_in_the_middle_of_a_stream_costs_nothing_but_time() -> None:
    def folder(talk: Talk) -> None:
        talk.select(3)
        talk.expect(b"UID FETCH 3:5 ", *(message(uid, b"%d" % uid) for uid in (3, 4, 5)))
        talk.expect(b"CLOSE$")  # it was opened by EXAMINE, so nothing is expunged
        talk.expect(b"STATUS", b"* STATUS Box (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 7)")
        talk.select(3)
        talk.expect(b"UID FETCH 4:5 ", *(message(uid, b"%d" % uid) for uid in (4, 5)))

    with Scripted(logged_in(b"", folder)) as server:
        session = source(server)
        items = session.read(BOX, [ref(3), ref(4), ref(5)])
        assert body(next(items)) == b"3"
        session.status(BOX)
        assert [body(item) for item in items] == [b"4", b"5"]


def test_a_reader_that_stops_early_leaves_a_session_that_can_be_used() -> None:
    def folder(talk: Talk) -> None:
        talk.select(3)
        talk.expect(b"UID FETCH 3:4 ", message(3, b"three" * 1000), message(4, b"x OK * ("))
        talk.expect(b"UNSELECT")
        talk.expect(b"STATUS", b"* STATUS Box (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 7)")

    with Scripted(logged_in(b"UNSELECT", folder)) as server:
        session = source(server)
        for item in session.read(BOX, [ref(3), ref(4)]):
            next(iter(item.body.chunks()))
            break
        assert session.status(BOX).count == 1


def test_long_sets_are_sent_in_lines_that_every_server_takes() -> None:
    wanted = list(range(1_000_001, 1_010_001, 2))
    seen: list[bytes] = []

    def folder(talk: Talk) -> None:
        talk.select(5000)
        while len(b",".join(seen).split(b",")) < len(wanted):
            line = talk.command()
            assert len(line) < 7990
            seen.append(line.split()[2])
            talk.ok(*(message(int(uid), b"x") for uid in seen[-1].split(b",")))

    with Scripted(logged_in(b"", folder)) as server:
        assert sum(1 for _ in source(server).read(BOX, [ref(uid) for uid in wanted])) == len(wanted)
    assert len(seen) > 1


# --- changing ---------------------------------------------------------------------------------------------------


def test_flags_change_as_differences_in_one_round_trip() -> None:
    def folder(talk: Talk) -> None:
        talk.select(9)
        assert talk.command() == b"UID STORE 3:4 +FLAGS.SILENT (\\Flagged work)"
        first = talk.tag
        assert talk.command() == b"UID STORE 4 -FLAGS.SILENT (\\Seen)"
        talk.send(first + b" OK done", talk.tag + b" OK done")

    changes = [
        FlagChange(ref(4), add=frozenset({"work", "\\Flagged", "no]good"}), remove=frozenset({"\\Seen"})),
        FlagChange(ref(3), add=frozenset({"\\flagged", "work"})),
        FlagChange(ref(5)),
    ]
    with Scripted(logged_in(b"", folder)) as server:
        session = target(server)
        session.change_flags(BOX, changes)
        assert session.dropped == {"no]good": 1}


def test_removing_expunges_exactly_these() -> None:
    def folder(talk: Talk) -> None:
        talk.select(9)
        talk.expect(b"UID STORE 3,5 \\+FLAGS.SILENT \\(\\\\Deleted\\)")
        talk.expect(b"UID EXPUNGE 3,5$")

    with Scripted(logged_in(b"UIDPLUS", folder)) as server:
        target(server).remove(BOX, [ref(5), ref(3)])


def test_without_uidplus_others_marks_are_spared() -> None:
    def folder(talk: Talk) -> None:
        talk.select(9)
        talk.expect(b"UID SEARCH DELETED", b"* SEARCH 3 7 8")
        talk.expect(b"UID STORE 7:8 -FLAGS.SILENT \\(\\\\Deleted\\)")
        talk.expect(b"UID STORE 3,5 \\+FLAGS.SILENT \\(\\\\Deleted\\)")
        talk.expect(b"EXPUNGE$", b"* 3 EXPUNGE", b"* 4 EXPUNGE")
        talk.expect(b"UID STORE 7:8 \\+FLAGS.SILENT \\(\\\\Deleted\\)")

    with Scripted(logged_in(b"", folder)) as server:
        target(server).remove(BOX, [ref(5), ref(3)])


def test_a_read_only_folder_is_denied_before_anything_is_sent() -> None:
    def folder(talk: Talk) -> None:
        talk.command()
        talk.ok(b"* 0 EXISTS", text=b"OK [READ-ONLY] look only")

    with Scripted(logged_in(b"", folder)) as server, pytest.raises(AccessDenied, match="Box"):
        target(server).remove(BOX, [ref(5)])


# --- making folders ---------------------------------------------------------------------------------------------


def found(name: bytes) -> Callable[[Talk], None]:
    def step(talk: Talk) -> None:
        talk.expect(b"LIST", b'* LIST () "/" ' + name)
        talk.expect(b"STATUS", b"* STATUS " + name + b" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)")

    return step


def namespace(talk: Talk) -> None:
    talk.expect(b"NAMESPACE", PLAIN)


def refuse(*patterns: bytes) -> Callable[[Talk], None]:
    """One command for each of these patterns, answered NO."""

    def step(talk: Talk) -> None:
        for pattern in patterns:
            assert re.match(pattern, talk.command())
            talk.ok(text=b"NO [NONEXISTENT] no such mailbox")

    return step


def made(name: bytes) -> Callable[[Talk], None]:
    """What is asked in one go: all of it is sent before the first answer is read."""

    def step(talk: Talk) -> None:
        talk.expect(b'CREATE "' + name)
        found(name)(talk)
        talk.select()

    return step


def test_a_folder_is_made_with_its_use_and_opened_to_prove_it() -> None:
    def create(talk: Talk) -> None:
        assert talk.command() == b'CREATE "Gesendet" (USE (\\Sent))'
        talk.ok()
        assert talk.command() == b'CREATE "Gesendet"', "for a server that announces the use and refuses it"
        talk.ok(text=b"NO [ALREADYEXISTS] is there")

    steps = (namespace, create, found(b"Gesendet"), Talk.select)
    with Scripted(logged_in(b"NAMESPACE UNSELECT CREATE-SPECIAL-USE", *steps)) as server:
        folder = target(server).create_folder(("Gesendet",), role=Role.SENT)
    assert folder.native == "Gesendet"
    assert folder.validity == 7


def test_parents_are_made_where_the_server_wants_to_be_told() -> None:
    def create(talk: Talk) -> None:
        refuse(b'CREATE "a/b/c"')(talk)
        talk.expect(b"LIST")
        refuse(b"STATUS", b"SELECT")(talk)
        talk.expect(b"LIST")
        for name, answer in (
            (b"a", b"NO [ALREADYEXISTS] is there"),
            (b"a/b", b"OK"),
            (b"a/b/c", b"OK"),
        ):
            assert talk.command() == b'CREATE "' + name + b'"'
            talk.ok(text=answer)

    steps = (namespace, create, found(b"a/b/c"), Talk.select)
    with Scripted(logged_in(b"NAMESPACE UNSELECT", *steps)) as server:
        assert target(server).create_folder(("a", "b", "c")).path == ("a", "b", "c")


def test_a_folder_that_is_there_is_returned_as_the_server_spells_it() -> None:
    steps = (namespace, refuse(b"CREATE"), found(b"Sent"), Talk.select, found(b"Sent"), Talk.select)
    with Scripted(logged_in(b"NAMESPACE UNSELECT", *steps)) as server:
        assert target(server).create_folder(("sent",)).path == ("Sent",)


def test_a_folder_that_can_be_made_but_not_opened_is_unusable() -> None:
    def create(talk: Talk) -> None:
        talk.expect(b"CREATE")

    closed = refuse(b"SELECT")
    with (
        Scripted(logged_in(b"NAMESPACE", namespace, create, found(b"x"), closed, found(b"x"), closed)) as server,
        pytest.raises(FolderUnusable, match="no such mailbox") as raised,
    ):
        target(server).create_folder(("x",))
    assert raised.value.remedy


def test_a_name_that_the_server_cannot_have_is_never_sent() -> None:
    with (
        Scripted(logged_in(b"NAMESPACE", namespace)) as server,
        pytest.raises(FolderUnusable, match="separator") as raised,
    ):
        target(server).create_folder(("2024/25",))
    assert "rename" in raised.value.remedy


def test_inbox_is_never_renamed() -> None:
    with Scripted(logged_in(b"NAMESPACE", namespace)) as server, pytest.raises(FolderUnusable, match="INBOX"):
        target(server).rename_folder(Folder(("INBOX",), native="INBOX"), ("Old",))


def test_a_renamed_folder_keeps_its_subscription() -> None:
    def rename(talk: Talk) -> None:
        talk.expect(b'RENAME "Box" "New"')
        found(b"New")(talk)
        talk.expect(b'SUBSCRIBE "New"')
        talk.expect(b'UNSUBSCRIBE "Box"')

    with Scripted(logged_in(b"NAMESPACE", namespace, rename)) as server:
        folder = Folder(("Box",), native="Box", validity=7, subscribed=True)
        assert target(server).rename_folder(folder, ("New",)).subscribed


def test_without_unselect_a_folder_is_left_without_expunging() -> None:
    def steps(talk: Talk) -> None:
        talk.select()
        talk.expect(b'EXAMINE "Box"', b"* 0 EXISTS")
        talk.expect(b"CLOSE$")
        talk.expect(b"STATUS", b"* STATUS Box (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 7)")

    with Scripted(logged_in(b"", steps)) as server:
        session = target(server)
        session.change_flags(BOX, [FlagChange(ref(1))])
        session.status(BOX)
