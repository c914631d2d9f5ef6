"""The writer against a scripted server: literals, batches, refusals, and what must never run as a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.connectors.imap.scripted import LOGIN, Scripted, Talk, item
from xdmigrate.contract import BUFFERED_BODY, Accepted, Intent, Receipt, Refused, Stored
from xdmigrate.errors import AccessDenied, ConnectionLost, FolderUnusable, ItemRefused, QuotaExceeded, Throttled
from xdmigrate.model import Folder, Head, Item
from xdmigrate_imap import append, appending
from xdmigrate_imap.bodies import Room
from xdmigrate_imap.plugin import ImapConnector
from xdmigrate_imap.target import ImapTarget

FOLDER = Folder(("Box",), native="Box", validity=7)
ALL = b"MULTIAPPEND LITERAL+ UIDPLUS UNSELECT"
INTENT = Intent(1, 1, 1)


def server(capabilities: bytes, *steps: Callable[[Talk], None]) -> Callable[[Talk], None]:
    """Log in, open the folder for its flags, leave it where that can be done, then the steps."""

    def script(talk: Talk) -> None:
        talk.log_in(capabilities)
        talk.select()
        if b"UNSELECT" in capabilities and b"MULTIAPPEND" in capabilities:
            talk.expect(b"UNSELECT")
        for step in steps:
            step(talk)

    return script


def kept(*codes: bytes) -> Callable[[Talk], None]:
    """Take one APPEND for each of these answers."""

    def step(talk: Talk) -> None:
        for code in codes:
            assert talk.command().startswith(b'APPEND "Box"')
            talk.ok(text=code)

    return step


def copy(target: ImapTarget, *bodies: bytes, flags: tuple[str, ...] = ()) -> list[Receipt]:
    receipts: list[Receipt] = []
    with target.writer(FOLDER, INTENT) as writer:
        for ticket, body in enumerate(bodies):
            writer.put(ticket, item(body, *flags))
            receipts += writer.poll()
        return receipts + writer.flush()


def run(script: Callable[[Talk], None], *bodies: bytes, flags: tuple[str, ...] = ()) -> list[Receipt]:
    with Scripted(script) as running:
        return copy(ImapConnector().target(running.endpoint, LOGIN), *bodies, flags=flags)


def ref(uid: int) -> bytes:
    return uid.to_bytes(4, "big")


def test_one_command_takes_many_and_appenduid_ranges_are_in_order() -> None:
    def multi(talk: Talk) -> None:
        assert talk.command() == b'APPEND "Box" (\\Seen) {1}\r\na (\\Seen) {2+}\r\nbb (\\Seen) {3+}\r\nccc'
        talk.ok(text=b"OK [APPENDUID 7 9,11:12] kept")

    receipts = run(server(ALL, multi), b"a", b"bb", b"ccc", flags=("\\Seen",))
    assert receipts == [Stored(0, ref(9)), Stored(1, ref(11)), Stored(2, ref(12))]


def test_only_the_first_use_of_flags_waits_for_consent() -> None:
    def multi(talk: Talk) -> None:
        first = talk.command()
        assert re.findall(rb"\{\d+\+?\}", first) == [b"{1}", b"{1}", b"{1+}", b"{1+}"]
        talk.ok()

    with (
        Scripted(server(ALL, multi)) as running,
        ImapConnector().target(running.endpoint, LOGIN).writer(FOLDER, INTENT) as writer,
    ):
        for ticket, flags in enumerate([(), ("work",), (), ("work",)]):
            writer.put(ticket, item(b"x", *flags))
        assert len(writer.flush()) == 4


def test_each_flag_waits_once_in_a_connection_and_each_mailbox_once() -> None:
    seen: list[bytes] = []

    def take(talk: Talk) -> None:
        seen.extend(re.findall(rb"\{\d+\+?\}", talk.command()))
        talk.ok()

    def other(talk: Talk) -> None:
        talk.select()
        talk.expect(b"UNSELECT")
        take(talk)

    with Scripted(server(ALL, take, take, other)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        copy(target, b"a", b"b", flags=("\\Seen", "work"))
        for flags in [("work",), ("\\Seen", "\\Flagged")]:
            with target.writer(FOLDER if "work" in flags else Folder(("Y",), native="Y"), INTENT) as writer:
                writer.put(0, item(b"c", *flags))
                writer.put(1, item(b"d", *flags))
    assert seen == [b"{1}", b"{1+}", b"{1+}", b"{1+}", b"{1}", b"{1+}"]


def test_a_large_body_waits_for_consent_until_the_server_has_taken_one_of_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(appending, "TRUSTED_SIZE", 10)

    def multi(talk: Talk) -> None:
        markers = re.findall(rb"\{\d+\+?\}", talk.command())
        assert markers == [b"{1}", b"{10+}", b"{12}", b"{12+}", b"{13}"]
        talk.ok()

    assert len(run(server(ALL, multi), *(b"x" * size for size in (1, 10, 12, 12, 13)))) == 5


def test_an_answer_to_what_came_before_a_large_body_does_not_hold_it_up() -> None:
    """The folder is left by a command that travels with the APPEND: its answer comes while the body is sent."""

    def multi(talk: Talk) -> None:
        for size in (1, 2_000_000):
            whole = talk.command()
            assert len(whole) > size
            talk.ok(text=b"OK [APPENDUID 7 5]")

    def again(talk: Talk) -> None:
        talk.expect(b"EXAMINE", b"* 0 EXISTS")
        assert re.match(b"UID FETCH", talk.command())
        talk.ok()
        unselect, line = talk.line(), talk.line()
        talk.tag = line.split()[0]
        talk.send(unselect.split()[0] + b" OK left")
        talk.octets(2_000_000)
        assert talk.line() == b""
        talk.ok(text=b"OK [APPENDUID 7 6]")

    with Scripted(server(ALL, multi, again)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        copy(target, b"a")
        copy(target, b"x" * 2_000_000)
        assert list(target.heads(FOLDER)) == []
        assert copy(target, b"y" * 2_000_000) == [Stored(0, ref(6))]


def test_memory_is_shared_by_the_writers_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body beyond a quarter of a writer's share is spooled, and others wait until the server has taken enough."""
    monkeypatch.setattr(append, "IN_FLIGHT", Room(8 * BUFFERED_BODY))
    large = 2 * BUFFERED_BODY + 1
    most = 0

    def multi(talk: Talk) -> None:
        left = 12
        while left:
            left -= len(re.findall(rb"\{\d+\+?\}", talk.command()))
            talk.ok()

    with Scripted(server(ALL, multi)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        with target.writer(FOLDER, INTENT) as writer:
            for ticket in range(12):
                size = BUFFERED_BODY * 2 if ticket % 2 else large
                writer.put(ticket, item(b"x" * size))
                most = max(most, writer._held())
            writer.flush()
    assert 2 * BUFFERED_BODY <= most <= 8 * BUFFERED_BODY


@pytest.mark.parametrize("code", [b"OK", b"OK [APPENDUID 8 1:2]", b"OK [APPENDUID 7 1:9]", b"OK [APPENDUID 7 x]"])
def test_without_a_provable_id_an_item_is_only_accepted(code: bytes) -> None:
    assert run(server(ALL, kept(code)), b"a", b"b") == [Accepted(0), Accepted(1)]


def test_literal_minus_waits_for_consent_above_4096_bytes() -> None:
    def multi(talk: Talk) -> None:
        markers = re.findall(rb"\{\d+\+?\}", talk.command())
        assert markers == [b"{1}", b"{4096+}", b"{4097}"]
        talk.ok()

    small, large = b"x" * 4096, b"x" * 4097
    assert len(run(server(b"MULTIAPPEND LITERAL- UNSELECT", multi), b"a", small, large)) == 3


def test_without_literal_plus_every_literal_waits() -> None:
    def single(talk: Talk) -> None:
        for _ in range(3):
            assert b"+}" not in talk.command()
            talk.ok(text=b"OK [APPENDUID 7 5]")

    assert len(run(server(b"UIDPLUS", single), b"a", b"b", b"c")) == 3


def test_single_appends_are_pipelined() -> None:
    def pipelined(talk: Talk) -> None:
        talk.command()
        talk.ok(text=b"OK [APPENDUID 7 1]")
        tags = []
        for _ in range(4):  # all of them before the first answer
            talk.command()
            tags.append(talk.tag)
        talk.send(*(b"%s OK [APPENDUID 7 %d]" % (tag, uid) for uid, tag in enumerate(tags, 2)))

    receipts = run(server(b"LITERAL+ UIDPLUS", pipelined), *[b"x"] * 5)
    assert receipts == [Stored(ticket, ref(ticket + 1)) for ticket in range(5)]


def test_a_refused_batch_is_taken_apart_to_the_message_that_is_refused() -> None:
    sizes = []

    def judge(talk: Talk) -> None:
        for _ in range(7):
            whole = talk.command()
            sizes.append(len(re.findall(rb"\{\d+\+?\}", whole)))
            talk.ok(text=b"NO [CANNOT] malformed message" if b"poison" in whole else b"OK kept")

    receipts = run(server(ALL, judge), b"a", b"b", b"c", b"d", b"e", b"poison", b"f", b"g")
    assert sorted(receipt.ticket for receipt in receipts) == list(range(8))
    assert [each for each in receipts if isinstance(each, Refused)] == [Refused(5, "refused", "malformed message")]
    assert sizes == [8, 4, 4, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"NO [TOOBIG] no", "too-big"),
        (b"NO message exceeds fixed maximum message size", "too-big"),
        (b"NO invalid keyword", "bad-flag"),
        (b"NO no", "refused"),
    ],
)
def test_reasons(answer: bytes, reason: str) -> None:
    [receipt] = run(server(ALL, kept(answer)), b"a")
    assert isinstance(receipt, Refused)
    assert receipt.reason == reason


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"NO [OVERQUOTA] Quota exceeded", QuotaExceeded),
        (b"NO Server Unavailable. 15", QuotaExceeded),
        (b"NO [UNAVAILABLE] later", Throttled),
        (b"NO [LIMIT] slow down", Throttled),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.", Throttled),
        (b"NO [TRYCREATE] no such folder", FolderUnusable),
        (b"NO [NOPERM] no", AccessDenied),
    ],
)
def test_what_concerns_the_mailbox_stops_it_and_fails_no_item(answer: bytes, error: type[Exception]) -> None:
    with Scripted(server(ALL, kept(b"OK [APPENDUID 7 3]", answer))) as running:
        writer = ImapConnector().target(running.endpoint, LOGIN).writer(FOLDER, INTENT)
        writer.put(0, item(b""))  # an empty message goes alone
        writer.put(1, item(b"b"))
        with pytest.raises(error) as raised:
            writer.flush()
        assert "127.0.0.1" in str(raised.value)
        assert writer.poll() == [Stored(0, ref(3))], "what was kept before is still told"


def test_exchange_says_in_words_how_long_to_wait() -> None:
    answer = b"NO Request is throttled. Suggested Backoff Time: 299961 milliseconds"
    with pytest.raises(Throttled) as raised:
        run(server(ALL, kept(answer)), b"a")
    assert raised.value.delay == pytest.approx(299.961)


def test_a_bad_in_a_pipeline_drops_the_connection_at_once() -> None:
    def bad(talk: Talk) -> None:
        talk.command()
        talk.send(talk.tag + b" BAD Command Argument Error. 11")
        assert talk.at_end(), "nothing more is sent after a BAD"

    connector = ImapConnector()
    with Scripted(server(ALL, bad)) as running:
        target = connector.target(running.endpoint, LOGIN)
        with pytest.raises(ConnectionLost, match="BAD"):
            copy(target, b"a", b"b")


def test_after_a_bad_messages_go_one_by_one_until_the_poison_is_found() -> None:
    def bad(talk: Talk) -> None:
        talk.command()
        talk.send(talk.tag + b" BAD Command Argument Error. 11")
        assert talk.at_end()

    def careful(talk: Talk) -> None:
        for answer in (b"OK [APPENDUID 7 1]", b"BAD Command Argument Error. 11", b"OK [APPENDUID 7 2]"):
            line = talk.command()
            assert re.fullmatch(rb'APPEND "Box" \{1\}\r\n.', line), "single, with consent"
            talk.ok(text=answer)

    def fast(talk: Talk) -> None:
        assert len(re.findall(rb"\{", talk.command())) == 3
        talk.ok(text=b"OK [APPENDUID 7 3:5]")

    connector = ImapConnector()
    single = server(b"LITERAL+ UIDPLUS", careful)  # the same server: it only keeps the folder open
    with Scripted(server(ALL, bad), single, server(ALL, fast)) as running:
        with pytest.raises(ConnectionLost):
            copy(connector.target(running.endpoint, LOGIN), b"a", b"b", b"c")
        receipts = copy(connector.target(running.endpoint, LOGIN), b"a", b"b", b"c")
        assert receipts == [Stored(0, ref(1)), Refused(1, "refused", "Command Argument Error. 11"), Stored(2, ref(2))]
        assert len(copy(connector.target(running.endpoint, LOGIN), b"a", b"b", b"c")) == 3


def test_an_answer_before_the_end_of_a_command_drops_the_connection() -> None:
    def hasty(talk: Talk) -> None:
        talk.line()
        talk.tag = talk.seen[-1].split()[0]
        talk.send(b"+ go on", talk.tag + b" NO [CANNOT] not that one")
        while talk.octets(65536):
            pass

    with pytest.raises(ConnectionLost):
        run(server(ALL, hasty), b"a", *[b"x" * 250_000] * 60)


def test_a_bye_in_the_middle_is_told() -> None:
    def leave(talk: Talk) -> None:
        talk.command()
        talk.send(b"* BYE Server shutting down.")

    with pytest.raises(ConnectionLost, match="shutting down"):
        run(server(ALL, leave), b"a")


def test_what_is_unsolicited_in_between_does_no_harm() -> None:
    def chatty(talk: Talk) -> None:
        talk.command()
        talk.ok(b"* 5 EXISTS", b"* 2 EXPUNGE", b"* 3 FETCH (FLAGS (\\Seen))", b"* OK hello", text=b"OK [APPENDUID 7 3]")

    assert run(server(ALL, chatty), b"a") == [Stored(0, ref(3))]


def test_flags_that_cannot_be_sent_are_left_out_and_counted() -> None:
    def single(talk: Talk) -> None:
        assert talk.command() == b'APPEND "Box" ($Forwarded \\Seen) {1}\r\na'
        talk.ok()

    flags = ("\\Seen", "\\Recent", "$Forwarded", "no]good", "x\r\nx9 DELETE INBOX", "späm", "\\Unknown")
    with Scripted(server(ALL, single)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        copy(target, b"a", flags=flags)
        assert set(target.dropped) == {"no]good", "x\r\nx9 DELETE INBOX", "späm", "\\Unknown"}
        assert target.dropped.total() == 4


def test_keywords_that_the_folder_does_not_keep_are_left_out_and_counted() -> None:
    def script(talk: Talk) -> None:
        talk.log_in(ALL)
        talk.select(flags=b"\\Seen \\Answered")
        talk.expect(b"UNSELECT")
        assert talk.command() == b'APPEND "Box" (\\Seen) {1}\r\na'
        talk.ok()

    with Scripted(script) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        copy(target, b"a", flags=("\\Seen", "work", "\\Draft"))
        assert target.dropped == {"work": 1, "\\Draft": 1}


def test_a_date_is_sent_in_its_own_zone_and_an_odd_one_waits_for_consent() -> None:
    def multi(talk: Talk) -> None:
        ordinary, odd = b'" 5-Jan-2001 03:04:05 -0800"', b'" 5-Jan-1969 03:04:05 +0000"'
        assert talk.command() == b'APPEND "Box" %b {1}\r\na %b {1+}\r\na %b {1}\r\na' % (ordinary, ordinary, odd)
        talk.ok()

    date = datetime(2001, 1, 5, 3, 4, 5, tzinfo=timezone(timedelta(hours=-8)))
    with Scripted(server(ALL, multi)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        with target.writer(FOLDER, INTENT) as writer:
            for ticket, each in enumerate((date, date, datetime(1969, 1, 5, 3, 4, 5, tzinfo=UTC))):
                writer.put(ticket, Item(Head(b"", 1, frozenset(), each), item(b"a").body))
            assert len(writer.flush()) == 3


def test_too_large_for_the_limit_is_refused_without_sending() -> None:
    receipts = run(server(ALL + b" APPENDLIMIT=10", kept(b"OK")), b"x" * 11, b"x" * 10)
    assert receipts[0] == Refused(0, "too-big", "the server takes up to 10 bytes")
    assert receipts[1] == Accepted(1)


def test_a_source_that_fails_leaves_the_writer_in_order() -> None:
    class Broken:
        size = 5

        def chunks(self) -> object:
            yield memoryview(b"ab")
            raise ItemRefused("cannot be read", reason="unreadable")

    def single(talk: Talk) -> None:
        assert talk.command() == b'APPEND "Box" {1}\r\na {1+}\r\nb'
        talk.ok(text=b"OK [APPENDUID 7 1:2]")

    with (
        Scripted(server(ALL, single)) as running,
        ImapConnector().target(running.endpoint, LOGIN).writer(FOLDER, INTENT) as writer,
    ):
        writer.put(0, item(b"a"))
        with pytest.raises(ItemRefused):
            writer.put(1, Item(Head(b"", 5), Broken()))  # type: ignore[arg-type]
        writer.put(2, item(b"b"))
        assert writer.flush() == [Stored(0, ref(1)), Stored(2, ref(2))]


def test_a_body_shorter_than_announced_is_never_stored() -> None:
    class Short:
        size = 5

        def chunks(self) -> object:
            yield memoryview(b"ab")

    with (
        Scripted(server(b"LITERAL+ UIDPLUS")) as running,
        ImapConnector().target(running.endpoint, LOGIN).writer(FOLDER, INTENT) as writer,
    ):
        with pytest.raises(ItemRefused) as refused:
            writer.put(0, Item(Head(b"", 5), Short()))  # type: ignore[arg-type]
        assert refused.value.reason == "unreadable"


def test_other_commands_may_come_between() -> None:
    def mixed(talk: Talk) -> None:
        talk.command()
        talk.send(talk.tag + b" OK [APPENDUID 7 1]")
        talk.expect(b"SUBSCRIBE")
        talk.command()
        talk.ok(text=b"OK [APPENDUID 7 2]")

    with Scripted(server(ALL, mixed)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        with target.writer(FOLDER, INTENT) as writer:
            writer.put(0, item(b""))
            target.subscribe(FOLDER)
            writer.put(1, item(b""))
            assert writer.flush() == [Stored(0, ref(1)), Stored(1, ref(2))]


def test_an_abandoned_writer_leaves_a_session_that_can_be_used() -> None:
    def later(talk: Talk) -> None:
        talk.command()
        talk.ok(text=b"OK [APPENDUID 7 1]")
        talk.expect(b"SUBSCRIBE")

    def abandon(target: ImapTarget) -> None:
        with target.writer(FOLDER, INTENT) as writer:
            writer.put(0, item(b""))
            raise ConnectionLost("the source is gone")

    with Scripted(server(ALL, later)) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        with pytest.raises(ConnectionLost):
            abandon(target)
        target.subscribe(FOLDER)


def test_a_folder_name_beyond_ascii_travels_as_a_literal() -> None:
    def script(talk: Talk) -> None:
        talk.log_in(b"MULTIAPPEND UIDPLUS UNSELECT")
        talk.expect(b"SELECT \\{3\\}\r\nB\xfcx", b"* 0 EXISTS")
        talk.expect(b"UNSELECT")
        assert talk.command() == b"APPEND {3}\r\nB\xfcx {1}\r\na"
        talk.ok()

    with Scripted(script) as running:
        target = ImapConnector().target(running.endpoint, LOGIN)
        with target.writer(Folder(("B",), native="B\xfcx"), INTENT) as writer:
            writer.put(0, item(b"a"))
            assert writer.flush() == [Accepted(0)]
