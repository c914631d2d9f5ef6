"""The memory connector passes the conformance suite with all powers, with few, and with awkward ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from xdmigrate.contract import Accepted, Intent, Refused, Stored
from xdmigrate.errors import (
    AccessDenied,
    ConnectionLost,
    FolderUnusable,
    ItemRefused,
    LoginRejected,
    QuotaExceeded,
    Throttled,
    Unreachable,
)
from xdmigrate.model import Endpoint, Item, Kind, Login, Path, Role
from xdmigrate.testing.bodies import BytesBody, whole
from xdmigrate.testing.conformance import ConnectorConformance, Message, ObjectConformance, Profile
from xdmigrate.testing.conformance.kit import item, mail, refs, write
from xdmigrate.testing.memory import INBOX, Account, MemoryServer, Powers, connector
from xdmigrate.testing.objects import rewritten, uid

NAMES = count(1)
LOGIN = Login("ann@example.org", "ann", "secret")
FULL = Powers()
POOR = Powers(
    change_test=False,
    deltas=False,
    ids_returned=False,
    ordered_ids=False,
    keywords=False,
    dates=False,
    subscriptions=False,
    rename=False,
    folder_ids=False,
    delimiter="",
)


def fresh(powers: Powers = FULL) -> tuple[MemoryServer, Account, Endpoint]:
    made = MemoryServer(f"test-memory-{next(NAMES)}", powers)
    return made, made.add_account("ann", "secret"), Endpoint("old", "memory", {"server": made.name})


def crlf(data: bytes) -> bytes:
    """What many stores make of lone line feeds; also marks the item, as archives do."""
    return b"X-Seen-By: store\r\n" + data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def refuse(data: bytes) -> str:
    return "content" if data == b"please refuse this" or not data else ""


def profile_of(powers: Powers, *, native: bool = True) -> Profile:
    _, account, endpoint = fresh(powers)

    def deliver(path: Path, message: Message) -> None:
        account.deliver(path, powers.rewrite(message.data), message.flags, message.date)

    return Profile(
        connector=connector,
        endpoint=endpoint,
        login=LOGIN,
        becomes=powers.rewrite,
        refuses=lambda data: bool(powers.refuse(data)),
        refused=b"please refuse this",
        colleague="bob",
        refuses_name=lambda path: any(map(powers.forbidden, path)),
        deliver=deliver if native else None,
        renumber=account.change_validity,
        expire=account.expire_cursors if powers.deltas else None,
    )


class TestEveryPower(ConnectorConformance):
    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(replace(FULL, refuse=refuse))


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS], scope="class")
class TestObjects(ObjectConformance):
    @pytest.fixture
    def profile(self, kind: Kind) -> Profile:
        powers = replace(FULL, ordered_ids=False, updates=True, versions=True, exact_sizes=False)
        return replace(profile_of(replace(powers, name=uid, rewrite=rewritten, refuse=refuse)), kind=kind)


class TestPlainObjects(ObjectConformance):
    """No deltas, no ids told, nothing replaced."""

    @pytest.fixture
    def profile(self) -> Profile:
        return replace(profile_of(replace(POOR, versions=True, name=uid, refuse=refuse, batch=3)), kind=Kind.CALENDAR)


class TestFewPowers(ConnectorConformance):
    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(replace(POOR, refuse=refuse, batch=7), native=False)


class TestAwkwardPowers(ConnectorConformance):
    """Batches, idempotency keys, unordered ids that are told, dots between levels, rewritten bytes, narrow limits."""

    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(
            replace(
                FULL,
                ordered_ids=False,
                idempotency=True,
                batch=50,
                delimiter=".",
                name_limit=60,
                case_sensitive=False,
                forbidden=lambda level: level != level.strip(),
                rewrite=crlf,
                rewrites="lone line feeds become CRLF, a header is added",
                size_limit=2_000_000,
                refuse=refuse,
            )
        )


class TestDeltasWithoutNames(ConnectorConformance):
    """Like an IMAP server with CONDSTORE and without QRESYNC, that tells no more than it must of what is known."""

    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(replace(FULL, names_vanished=False, known_sizes=False, refuse=refuse))


class TestFlagsOfWhatIsKnown(ConnectorConformance):
    """Like an IMAP server without CONDSTORE."""

    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(replace(FULL, deltas=False, known_sizes=False, refuse=refuse))


class TestOrderedWithoutIds(ConnectorConformance):
    """Like an IMAP server with CONDSTORE but without UIDPLUS."""

    @pytest.fixture
    def profile(self) -> Profile:
        return profile_of(replace(FULL, ids_returned=False, deltas=False, refuse=refuse, batch=3), native=False)


# --- what a memory server does beyond the contract ------------------------------------------------------------------


def test_settings_must_name_a_server() -> None:
    assert [p.where for p in connector.problems(Endpoint("old", "memory"))] == ["endpoints.old.server"]
    assert connector.problems(Endpoint("old", "memory", {"server": 7}))[0].remedy == "write `server: NAME`"
    with pytest.raises(Unreachable, match="nowhere"):
        connector.source(Endpoint("old", "memory", {"server": "nowhere"}), LOGIN)


def test_unreachable_servers_and_unknown_accounts() -> None:
    made, _, endpoint = fresh()
    with pytest.raises(LoginRejected):
        connector.source(endpoint, Login("eve@example.org", "eve", "secret"))
    made.reachable = False
    with pytest.raises(Unreachable):
        connector.source(endpoint, LOGIN)


def test_only_an_administrator_acts_for_others() -> None:
    made, _, endpoint = fresh()
    made.add_account("bob", "other").deliver(INBOX, b"to bob")
    made.add_admin("root", "toor")
    acting = Login("bob@example.org", "root", "toor", authorize_as="bob")
    assert connector.source(endpoint, acting).folders()[0].count == 1
    for login in (replace(LOGIN, authorize_as="bob"), replace(acting, password="x"), replace(acting, authorize_as="")):
        with pytest.raises(LoginRejected):
            connector.source(endpoint, login)


def test_more_sessions_than_allowed_are_turned_away() -> None:
    made, _, endpoint = fresh(replace(FULL, connections=2))
    first = connector.source(endpoint, LOGIN)
    connector.target(endpoint, LOGIN)  # dropped without a close, and so ended
    second = connector.auditor(endpoint, LOGIN)
    with pytest.raises(Throttled):
        connector.source(endpoint, LOGIN)
    second.close()
    connector.source(endpoint, LOGIN).close()
    assert made.open_sessions() == 1
    first.close()


def test_dropped_sessions_are_lost() -> None:
    made, _, endpoint = fresh()
    target, auditor = connector.target(endpoint, LOGIN), connector.auditor(endpoint, LOGIN)
    (inbox,) = target.folders()
    made.drop_sessions()
    for attempt in (target.folders, lambda: next(target.heads(inbox)), auditor.folders, lambda: refs(auditor, inbox)):
        with pytest.raises(ConnectionLost):
            attempt()


def test_a_full_mailbox_stops_and_keeps_what_it_answered() -> None:
    made, account, endpoint = fresh(replace(FULL, quota=2500))
    target = connector.target(endpoint, LOGIN)
    (inbox,) = target.folders()
    writer = target.writer(inbox, Intent(1, 3, 3000))
    for ticket in range(2):
        writer.put(ticket, item(ticket, Message(b"x" * 1000)))
    with pytest.raises(QuotaExceeded):
        writer.put(2, item(2, Message(b"x" * 1000)))
    assert [type(receipt) for receipt in writer.poll()] == [Stored, Stored]
    assert account.contents(INBOX) == [b"x" * 1000] * 2
    finding = {f.topic: f for f in connector.check(endpoint, LOGIN, writable=True)}["quota"]
    assert (finding.ok, finding.text) == (True, "2000 of 2500 bytes used")
    made.powers = replace(made.powers, quota=None)
    assert isinstance(write(target, inbox, [mail("fits now")])[0], Stored)


def test_a_read_only_account_can_only_be_read() -> None:
    made, account, endpoint = fresh()
    target = connector.target(endpoint, LOGIN)
    (inbox,) = target.folders()
    ref = account.deliver(INBOX, b"kept")
    made.powers = replace(made.powers, writable=False)
    for attempt in (
        lambda: target.create_folder(("New",)),
        lambda: target.rename_folder(inbox, ("New",)),
        lambda: target.writer(inbox, Intent(1, 1, 1)),
        lambda: target.remove(inbox, [ref]),
        lambda: target.change_flags(inbox, []),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    assert target.create_folder(INBOX).count == 1
    rights = {f.topic: f.ok for f in connector.check(endpoint, LOGIN, writable=True)}
    assert rights == {"login": True, "rights": False}


def test_a_size_limit_can_be_kept_quiet() -> None:
    _, _, endpoint = fresh(replace(FULL, size_limit=100, tells_size_limit=False))
    target = connector.target(endpoint, LOGIN)
    assert target.features.size_limit is None
    refused = write(target, target.create_folder(INBOX), [Message(b"x" * 101), Message(b"y" * 100)])
    assert refused[0] == Refused(0, "too-big", "the memory server does not take it")
    assert isinstance(refused[1], Stored)


def test_an_unreadable_item_does_not_end_the_stream() -> None:
    _, account, endpoint = fresh(replace(FULL, unreadable=lambda data: data == b"rotten"))
    for data in (b"good", b"rotten", b"also good"):
        account.deliver(INBOX, data)
    source = connector.source(endpoint, LOGIN)
    (inbox,) = source.folders()
    found = []
    for one in source.read(inbox, refs(source, inbox)):
        try:
            found.append(whole(one))
        except ItemRefused as error:
            found.append(error.reason.encode())
    assert found == [b"good", b"unreadable", b"also good"]


def test_bodies_are_strict() -> None:
    _, account, endpoint = fresh()
    for data in (b"first", b"second"):
        account.deliver(INBOX, data)
    source = connector.source(endpoint, LOGIN)
    (inbox,) = source.folders()
    stream = source.read(inbox, refs(source, inbox))
    first, second = next(stream), next(stream)
    with pytest.raises(RuntimeError):
        first.body.chunks()
    view = next(iter(second.body.chunks()))
    assert bytes(view) == b"second"
    with pytest.raises(RuntimeError):
        second.body.spool()
    chunks = BytesBody(bytes(70_000) + b"end").chunks()
    kept = next(chunks)
    assert list(map(bytes, chunks))[-1].endswith(b"end")
    assert bytes(kept[:3]) == b"\0\0\0"


def test_case_may_not_matter() -> None:
    _, account, endpoint = fresh(replace(FULL, case_sensitive=False))
    target = connector.target(endpoint, LOGIN)
    sent = target.create_folder(("Sent",), role=Role.SENT)
    assert (sent.path, sent.role) == (("Sent",), Role.SENT)
    assert target.create_folder(("SENT",)) == sent
    assert target.create_folder(("inbox",)).path == INBOX
    assert target.create_folder(("Other",), role=Role.SENT).role is None
    assert [box.path for box in account.boxes()] == [INBOX, ("Other",), ("Sent",)]


@pytest.mark.parametrize("kind", list(Kind))
def test_folders_of_every_kind(kind: Kind) -> None:
    _, account, endpoint = fresh()
    target = connector.target(endpoint, LOGIN)
    folder = target.create_folder(("Work", "Team"), kind)
    account.deliver(("Work", "Team"), b"BEGIN:ANYTHING\r\n")
    (found,) = target.read(folder, refs(target, folder))
    assert (folder.kind, found.kind, whole(found)) == (kind, kind, b"BEGIN:ANYTHING\r\n")


def test_users_work_beside_the_migration() -> None:
    _, account, endpoint = fresh()
    source = connector.source(endpoint, LOGIN)
    account.create_folder(("Old", "Below"))
    ref = account.deliver(("Old",), b"one", {"\\seen", "Todo"})
    account.flag(("Old",), ref, add={"\\Flagged"}, remove={"\\SEEN", "todo"})
    (old,) = [folder for folder in source.folders() if folder.path == ("Old",)]
    assert [head.flags for head in source.heads(old)] == [{"\\Flagged"}]
    moved = account.move(("Old",), ref, INBOX)
    assert [one.head.ref for one in source.read(source.folders()[0], [moved])] == [moved]
    account.rename_folder(("Old",), ("New", "Place"))
    assert [folder.ref for folder in source.folders() if folder.path == ("New", "Place")] == [old.ref]
    account.delete(INBOX, moved)
    with pytest.raises(KeyError):
        account.delete(INBOX, moved)
    for to in (INBOX, ("New", "Place", "Below", "Itself"), ("a/b",), ("",), ()):
        with pytest.raises(FolderUnusable):
            account.rename_folder(("New", "Place"), to)


def test_a_removed_parent_stays_as_a_name() -> None:
    _, account, endpoint = fresh()
    target = connector.target(endpoint, LOGIN)
    old = target.create_folder(("Parent",))
    account.create_folder(("Parent", "Child"))
    account.remove_folder(("Parent",))
    assert {folder.path: folder.selectable for folder in target.folders()}[("Parent",)] is False
    with pytest.raises(FolderUnusable):
        target.status(old)
    new = target.create_folder(("Parent",))
    assert new.selectable
    assert new.validity != old.validity
    account.remove_folder(("Parent", "Child"))
    assert ("Parent", "Child") not in {folder.path for folder in target.folders()}


def test_accepted_items_are_found_by_listing() -> None:
    _, _, endpoint = fresh(replace(FULL, ids_returned=False))
    target = connector.target(endpoint, LOGIN)
    inbox = target.create_folder(INBOX)
    with target.writer(inbox, Intent(1, 1, 3)) as writer:
        writer.put(9, Item(item(1, mail("x")).head, BytesBody(b"abc")))
        assert writer.poll() == [Accepted(9)]
    assert refs(target, inbox) == [inbox.next_id]
