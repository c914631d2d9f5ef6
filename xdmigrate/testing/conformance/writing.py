"""Cases about writers: bytes, receipts, refusals, duplicates, and what is left when a writer is abandoned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import pytest

from xdmigrate.contract import Intent, Refused, Stored, Target
from xdmigrate.errors import ConnectionLost
from xdmigrate.model import Folder, Item
from xdmigrate.testing.conformance.kit import FOLDER, Cases, Kit, bodies, item, mail, refs, write, write_all
from xdmigrate.testing.conformance.profile import Message
from xdmigrate.testing.conformance.reading import big

AWKWARD: dict[str, bytes] = {
    "8-bit": b"Subject: caf\xc3\xa9 \xe9\r\n\r\n\xff\xfe\x80 raw \xa0\r\n",
    "NUL": b"Subject: nul\r\n\r\na\0b\r\n",
    "bare LF": b"Subject: lf\n\nline\nline\n",
    "bare CR": b"Subject: cr\r\n\r\nline\rline\r\r\n",
    "dot lines": b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\n",
    "no header": b"\r\nonly a body\r\n",
    "no header, no empty line": b"just text\r\n",
    "header only": b"Subject: header only\r\n\r\n",
    "header only, no empty line": b"Subject: header only\r\n",
    "no line end at the end": b"Subject: x\r\n\r\nno end",
    "many line ends at the end": b"Subject: x\r\n\r\nend\r\n\r\n\r\n\r\n",
    "only line ends": b"\r\n\r\n",
    "commands": b"Subject: x\r\n\r\na1 DELETE INBOX\r\n* BYE\r\n)\r\nA2 LOGOUT\r\n",
    "literals": b"Subject: {3}\r\n\r\n{5}\r\nabcde\r\n{7+}\r\n~{1}\r\n",
    "From line": b"From ann Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n\r\nFrom here\r\n>From there\r\n",
    "long line": b"Subject: long\r\n\r\n" + b"x" * 20_000 + b"\r\n",
    "one byte": b"x",
    "empty": b"",
}

HOSTILE_FLAGS = frozenset({"\\Seen", "\\Recent", "two words", 'a)"', "x\r\nA1 NOOP", "{5}", "grün", "]", "*", ""})


class _Breaks:
    """A body whose source is lost in the middle."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def chunks(self) -> Iterator[memoryview]:
        yield memoryview(self._data)[: len(self._data) // 2]
        raise ConnectionLost("the source was lost in the middle of a body")

    def spool(self) -> BinaryIO:
        raise ConnectionLost("the source was lost in the middle of a body")


def _put_all(target: Target, folder: Folder, items: Sequence[Item], error: Exception) -> None:
    """Put the items and leave the block by this error, if not by another one before."""
    with target.writer(folder, Intent(1, len(items), 0)) as writer:
        for ticket, one in enumerate(items):
            writer.put(ticket, one)
        raise error


class WritingCases(Cases):
    """What is put is stored once, byte for byte, and every ticket is answered once."""

    @pytest.mark.parametrize("name", AWKWARD)
    def test_every_byte_is_kept(self, kit: Kit, name: str) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        messages = [mail("before"), Message(AWKWARD[name]), mail("after")]
        receipts = write(target, folder, messages)
        if kit.profile.refuses(AWKWARD[name]):
            assert isinstance(receipts.pop(1), Refused)
            del messages[1]
        assert not any(isinstance(receipt, Refused) for receipt in receipts.values()), receipts
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect(messages)

    def test_many_small_items(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        messages = [mail(f"small-{number}", b"%d\r\n" % number) for number in range(300)]
        write_all(target, folder, messages)
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect(messages)
        assert target.status(folder).count == 300

    def test_mixed_sizes_in_any_order(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        sizes = [100, 700_000, 100, 262_144, 300_000, 5_000, 262_000, 100]
        messages = [big(number, size) for number, size in enumerate(sizes)]
        write_all(target, folder, messages)
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect(messages)

    def test_ids_address_what_was_written(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("already there")])
        messages = [mail(f"m{number}", b"%d\r\n" % number * (number % 5 + 1)) for number in range(40)]
        receipts = write_all(target, folder, messages)
        stored = bodies(kit.source(), folder)
        for ticket, receipt in receipts.items():
            if isinstance(receipt, Stored):
                assert stored[receipt.ref] == kit.profile.becomes(messages[ticket].data)
        assert len(stored) == 41

    def test_new_ids_follow_the_next_id(self, kit: Kit) -> None:
        target = kit.target()
        if not target.features.ordered_ids:
            pytest.skip("ids of this store have no order")
        folder = kit.fill(target, [mail("one"), mail("two")])
        target.remove(folder, refs(target, folder)[-1:])
        before = target.status(folder)
        assert before.next_id >= folder.next_id
        write_all(target, folder, [mail("three")], intent=2)
        new = refs(kit.source(), folder)[-1]
        assert before.next_id <= new < target.status(folder).next_id

    def test_duplicates_stay_two(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        messages = [mail("twin"), mail("twin"), mail("other")]
        receipts = write_all(target, folder, messages)
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect(messages)
        ids = {receipt.ref for receipt in receipts.values() if isinstance(receipt, Stored)}
        assert len(ids) == (3 if target.features.ids_returned else 0)

    def test_one_key_is_one_item(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        for _ in range(2):
            write_all(target, folder, [mail("same key")], intent=5)
        assert len(refs(kit.source(), folder)) == (1 if target.features.idempotency else 2)

    def test_a_refused_item_does_not_lose_the_others(self, kit: Kit) -> None:
        if kit.profile.refused is None:
            pytest.skip("the profile names no item that this store refuses")
        target = kit.target()
        folder = target.create_folder(FOLDER)
        good = [mail(f"good-{number}") for number in range(8)]
        receipts = write(target, folder, [*good[:4], Message(kit.profile.refused), *good[4:]])
        refused = [receipt for receipt in receipts.values() if isinstance(receipt, Refused)]
        assert [receipt.ticket for receipt in refused] == [4]
        assert refused[0].reason
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect(good)

    def test_an_item_over_the_size_limit_is_refused(self, kit: Kit) -> None:
        target = kit.target()
        limit = target.features.size_limit
        if limit is None or limit > 10_000_000:
            pytest.skip("the store tells no size limit small enough to try")
        folder = target.create_folder(FOLDER)
        receipts = write(target, folder, [mail("before"), big(1, limit + 1000), mail("after")])
        refused = receipts.pop(1)
        assert isinstance(refused, Refused)
        assert refused.reason == "too-big"
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect([mail("before"), mail("after")])

    def test_polling_an_idle_writer_returns_nothing(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        with target.writer(folder, Intent(1, 0, 0)) as writer:
            assert writer.poll() == []
            assert writer.flush() == []
            assert writer.poll() == []
        assert refs(target, folder) == []

    def test_leaving_the_block_flushes(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        with target.writer(folder, Intent(1, 2, 0)) as writer:
            writer.put(0, item(0, mail("one")))
            writer.put(1, item(1, mail("two")))
        assert sorted(receipt.ticket for receipt in writer.poll()) == [0, 1]
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect([mail("one"), mail("two")])

    def test_an_error_in_the_block_abandons(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        messages = [mail(f"m{number}") for number in range(10)]
        with pytest.raises(ZeroDivisionError):
            _put_all(target, folder, [item(n, message) for n, message in enumerate(messages)], ZeroDivisionError())
        target.close()
        stored = list(bodies(kit.source(), folder).values())
        assert len(stored) == len(set(stored))
        assert set(stored) <= set(kit.expect(messages))

    @pytest.mark.parametrize("octets", [2_000, 400_000])
    def test_a_broken_source_leaves_no_torn_item(self, kit: Kit, octets: int) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        torn = replace(item(1, mail("torn")), body=_Breaks(big(1, octets).data))
        with pytest.raises(ConnectionLost):
            _put_all(target, folder, [item(0, mail("whole")), torn], AssertionError("the body did not break"))
        target.close()
        assert set(bodies(kit.source(), folder).values()) <= set(kit.expect([mail("whole")]))
        again = kit.target()
        write_all(again, folder, [mail("afterwards")], intent=2)
        assert kit.expect([mail("afterwards")])[0] in bodies(again, folder).values()

    def test_hostile_flags_do_no_harm(self, kit: Kit) -> None:
        """Flags come from another server; what this one's grammar forbids is dropped, never sent."""
        target = kit.target()
        folder = target.create_folder(FOLDER)
        messages = [mail("before"), replace(mail("hostile"), flags=HOSTILE_FLAGS), mail("after")]
        write_all(target, folder, messages)
        source = kit.source()
        assert sorted(bodies(source, folder).values()) == kit.expect(messages)
        flags = [head.flags for head in source.heads(folder) if head.flags]
        assert len(flags) == 1
        assert "\\Seen" in flags[0]
        assert "\\Recent" not in flags[0]

    def test_an_item_without_a_date_is_stored(self, kit: Kit) -> None:
        target = kit.target()
        folder = target.create_folder(FOLDER)
        write_all(target, folder, [replace(mail("undated"), date=None)])
        assert [head.date is not None for head in kit.source().heads(folder)] == [True]
