"""Cases about listings, bodies and the independent auditor."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from hashlib import sha256
from random import Random

from xdmigrate.model import FINGERPRINT_BYTES, Head
from xdmigrate.testing.bodies import whole
from xdmigrate.testing.conformance.kit import Cases, Kit, bodies, mail, refs
from xdmigrate.testing.conformance.profile import Message

BIG = 5_000_000
"""Bytes of the big body: larger than any buffer on the way."""


def big(seed: int, octets: int) -> Message:
    """A large message with lines of every byte value that mail may hold."""
    random = Random(seed)  # noqa: S311 -- repeatable filling
    line = bytes(random.choice(range(0x20, 0x7F)) for _ in range(74)) + b"\r\n"
    lines = octets // len(line)
    return Message(mail(f"big-{seed}").data + b"".join(b"%08d%s" % (n, line[8:]) for n in range(lines)))


class ReadingCases(Cases):
    """What is in the store is listed and read exactly, and reading leaves no mark."""

    def test_heads_ascend_and_honour_the_floor(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail(f"m{number}") for number in range(7)])
        source = kit.source()
        listed = refs(source, folder)
        assert listed == sorted(set(listed))
        assert len(listed) == 7
        for floor in (listed[0], listed[3], listed[6]):
            wanted = [ref for ref in listed if ref >= floor] if source.features.ordered_ids else listed
            assert [head.ref for head in source.heads(folder, floor)] == wanted

    def test_nothing_is_listed_from_the_next_id_on(self, kit: Kit) -> None:
        """RFC 9051 section 9, seq-range: "n:*" names the last item even where n is beyond it."""
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        if target.features.ordered_ids:
            assert max(refs(target, folder)) < folder.next_id
            assert list(target.heads(folder, folder.next_id)) == []
        assert folder.count == 2

    def test_heads_tell_size_flags_and_date(self, kit: Kit) -> None:
        zone = timezone(timedelta(hours=-8))
        messages = [
            Message(mail("plain").data, frozenset(), datetime(1998, 2, 3, 4, 5, 6, tzinfo=zone)),
            Message(mail("seen").data, frozenset({"\\Seen", "\\Answered"})),
            Message(mail("marked").data, frozenset({"\\Flagged", "\\Draft", "\\Deleted"})),
            Message(mail("keywords").data, frozenset({"$Forwarded", "Project-X"})),
        ]
        target = kit.target()
        folder = kit.fill(target, messages)
        source = kit.source()
        by_body = {data: ref for ref, data in bodies(source, folder).items()}
        heads = {head.ref: head for head in source.heads(folder)}
        for message in messages:
            self._matches(heads[by_body[kit.profile.becomes(message.data)]], message, kit)

    @staticmethod
    def _matches(head: Head, message: Message, kit: Kit) -> None:
        features = kit.target().features  # what a store keeps is known where it is written
        assert features.rewrites or head.size == len(message.data)
        assert head.flags == {flag for flag in message.flags if flag[0] == "\\" or features.keywords}
        assert head.date is not None
        assert not features.dates or head.date == message.date

    def test_any_subset_can_be_read(self, kit: Kit) -> None:
        target = kit.target()
        messages = [mail(f"m{number}", b"body %d\r\n" % number) for number in range(9)]
        folder = kit.fill(target, messages)
        source = kit.source()
        listed, everything = refs(source, folder), bodies(source, folder)
        assert sorted(everything.values()) == kit.expect(messages)
        for wanted in ([], listed[:1], listed[::2], listed[3:7], [*reversed(listed)]):
            found = {one.head.ref: whole(one) for one in source.read(folder, wanted)}
            assert found == {ref: everything[ref] for ref in wanted}

    def test_gone_items_are_left_out(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail(f"m{number}") for number in range(5)])
        listed = refs(target, folder)
        target.remove(folder, [listed[1], listed[4]])
        for session in (target, kit.source()):
            assert {one.head.ref for one in session.read(folder, listed)} == {listed[0], listed[2], listed[3]}
            assert list(session.read(folder, [listed[4]])) == []

    def test_unread_bodies_are_skipped(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("first"), big(1, 400_000), mail("last")])
        source = kit.source()
        assert len(list(source.read(folder, refs(source, folder)))) == 3
        assert len(bodies(source, folder)) == 3

    def test_a_body_may_be_left_in_the_middle(self, kit: Kit) -> None:
        target = kit.target()
        messages = [big(1, 400_000), mail("between"), big(2, 400_000), mail("last")]
        folder = kit.fill(target, messages)
        source = kit.source()
        everything = bodies(source, folder)
        for one in source.read(folder, list(everything)):
            start = bytes(next(iter(one.body.chunks())))
            assert start
            assert everything[one.head.ref].startswith(start)
        for one in source.read(folder, list(everything)):
            if one.head.ref in list(everything)[1::2]:
                assert whole(one) == everything[one.head.ref]

    def test_a_stream_may_be_abandoned(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [big(number, 300_000) for number in range(3)])
        source = kit.source()
        for touched in (False, True):
            stream = source.read(folder, refs(source, folder))
            one = next(stream)
            if touched:
                next(iter(one.body.chunks()))
            del one, stream
            assert source.status(folder).count == 3
            assert len(bodies(source, folder)) == 3

    def test_a_big_body(self, kit: Kit) -> None:
        target = kit.target()
        message = big(7, min(BIG, (target.features.size_limit or 2 * BIG) // 2))
        folder = kit.fill(target, [mail("before"), message, mail("after")])
        source = kit.source()
        assert sorted(bodies(source, folder).values()) == kit.expect([mail("before"), message, mail("after")])

    def test_a_spooled_body_outlives_its_turn(self, kit: Kit) -> None:
        target = kit.target()
        messages = [mail("small"), big(3, 600_000), mail("last")]
        folder = kit.fill(target, messages)
        source = kit.source()
        spooled = [(one.body.size, one.body.spool()) for one in source.read(folder, refs(source, folder))]
        for size, file in spooled:
            with file:
                assert file.tell() == 0
                assert len(file.read()) == size
                file.seek(0)
        assert sorted(size for size, _ in spooled) == sorted(len(data) for data in kit.expect(messages))

    def test_reading_leaves_no_mark(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("unseen"), mail("also unseen")])
        before, state = list(target.heads(folder)), target.status(folder).state
        source = kit.source()
        assert len(bodies(source, folder)) == 2
        source.close()
        assert list(kit.source().heads(folder)) == before
        assert kit.source().status(folder).state == state

    def test_the_auditor_agrees(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), big(5, 300_000), Message(mail("three").data, frozenset({"\\Seen"}))])
        source, auditor = kit.source(), kit.auditor()
        facts = {one.path: (one.validity, one.count, one.selectable) for one in source.folders()}
        assert {one.path: (one.validity, one.count, one.selectable) for one in auditor.folders()} == facts
        heads = list(source.heads(folder))
        assert [(h.ref, h.size, h.flags, h.date) for h in auditor.heads(folder)] == [
            (h.ref, h.size, h.flags, h.date) for h in heads
        ]
        seen = {one.ref: (one.size, one.fingerprint) for one in auditor.inspect(folder, [h.ref for h in heads])}
        assert seen == {
            ref: (len(data), sha256(data).digest()[:FINGERPRINT_BYTES]) for ref, data in bodies(source, folder).items()
        }
        assert {ref: b"".join(auditor.chunks(folder, ref)) for ref in seen} == bodies(source, folder)
        target.remove(folder, [heads[0].ref])
        assert [one.ref for one in auditor.inspect(folder, [heads[0].ref, heads[1].ref])] == [heads[1].ref]
        assert b"".join(auditor.chunks(folder, heads[0].ref)) == b""
