"""Cases about events, tasks and contacts: compared by what they say, versioned, replaced in place, one per UID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Intent, Receipt, Refused, Stored, Target
from xdmigrate.formats.semantics import semantics
from xdmigrate.model import Folder, Head, Item
from xdmigrate.testing.bodies import BytesBody, whole
from xdmigrate.testing.conformance.changing import seen_since
from xdmigrate.testing.conformance.kit import FOLDER, Cases, Kit


def put(
    target: Target, folder: Folder, objects: Sequence[bytes], over: Mapping[int, Head] | None = None, *, intent: int = 1
) -> list[Receipt]:
    """Write the objects with tickets from 0, some of them in the place of copies; the receipts by ticket."""
    receipts: list[Receipt] = []
    replaced = over or {}
    with target.writer(folder, Intent(intent, len(objects), sum(map(len, objects)))) as writer:
        for ticket, data in enumerate(objects):
            head = Head((intent * 10_000 + ticket).to_bytes(4, "big"), len(data))
            writer.put(ticket, Item(head, BytesBody(data), folder.kind), replaced.get(ticket))
            receipts += writer.poll()
        receipts += writer.flush()
        receipts += writer.poll()
    assert sorted(receipt.ticket for receipt in receipts) == list(range(len(objects)))
    return sorted(receipts, key=lambda receipt: receipt.ticket)


class ObjectKit:
    """A fresh folder of the profile's kind, and what is in it by what it says."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.kind = kit.profile.kind
        self.target = kit.target()
        self.folder = self.target.create_folder(FOLDER, self.kind)
        self.digest = semantics(self.kind).digest

    def made(self, uid: str, text: str) -> bytes:
        return self.kit.profile.made(self.kind, uid, text)

    def fill(self, *texts: str) -> dict[str, Head]:
        """Objects that say these texts, one UID each; their heads by text."""
        receipts = put(self.target, self.folder, [self.made(f"uid-{at}", text) for at, text in enumerate(texts)])
        assert not any(isinstance(receipt, Refused) for receipt in receipts), receipts
        wanted = {self.digest(self.made(f"uid-{at}", text)): text for at, text in enumerate(texts)}
        heads = {head.ref: head for head in self.target.heads(self.folder)}
        return {wanted[said]: heads[ref] for ref, said in self.said().items()}

    def said(self) -> dict[bytes, bytes]:
        """The digest of everything in the folder, as another session reads it, by id."""
        source = self.kit.source()
        refs = [head.ref for head in source.heads(self.folder)]
        return {item.head.ref: self.digest(whole(item)) for item in source.read(self.folder, refs)}

    def digests(self, *objects: bytes) -> list[bytes]:
        return sorted(map(self.digest, objects))


class ObjectCases(Cases):
    """What is written says the same when it is read, and only what is still as it was is replaced."""

    @pytest.fixture
    def objects(self, kit: Kit) -> ObjectKit:
        return ObjectKit(kit)

    def test_the_folder_is_listed_with_its_kind(self, objects: ObjectKit) -> None:
        listed = [each for each in objects.kit.source().folders() if each.path == FOLDER]
        assert [each.kind for each in listed] == [objects.kind]
        assert objects.target.create_folder(FOLDER, objects.kind).path == FOLDER
        assert list(objects.kit.source().heads(listed[0])) == []

    def test_what_is_written_says_the_same(self, objects: ObjectKit) -> None:
        texts = [f"text {number}" for number in range(12)]
        objects.fill(*texts)
        made = [objects.made(f"uid-{at}", text) for at, text in enumerate(texts)]
        assert sorted(objects.said().values()) == objects.digests(*made)
        assert objects.target.status(objects.folder).count == 12

    def test_versions_are_told_wherever_an_item_is(self, objects: ObjectKit) -> None:
        heads = {head.ref: head.version for head in objects.fill("one", "two", "three").values()}
        assert all(heads.values())
        source, auditor = objects.kit.source(), objects.kit.auditor()
        assert {head.ref: head.version for head in source.heads(objects.folder)} == heads
        assert {head.ref: head.version for head in source.changes(objects.folder).heads} == heads
        assert {head.ref: head.version for head in objects.target.look_up(objects.folder, list(heads))} == heads
        assert {item.head.ref: item.head.version for item in source.read(objects.folder, list(heads))} == heads
        assert {head.ref: head.version for head in auditor.heads(objects.folder)} == heads

    def test_the_auditor_reads_whole_items(self, objects: ObjectKit) -> None:
        refs = [head.ref for head in objects.fill("one", "two", "three").values()]
        auditor = objects.kit.auditor()
        found = {ref: objects.digest(data) for ref, data in auditor.whole(objects.folder, refs)}
        assert found == objects.said()
        objects.target.remove(objects.folder, refs[:1])
        assert {ref for ref, _data in auditor.whole(objects.folder, refs)} == set(refs[1:])

    def replacing(self, objects: ObjectKit) -> None:
        if not objects.target.features.updates:
            pytest.skip("the store cannot replace an item in its place")

    def test_a_copy_is_replaced(self, objects: ObjectKit) -> None:
        self.replacing(objects)
        before = objects.fill("one", "two", "three")
        new = objects.made("uid-1", "another")
        [receipt] = put(objects.target, objects.folder, [new], {0: before["two"]}, intent=2)
        assert not isinstance(receipt, Refused), receipt
        ref = receipt.ref if isinstance(receipt, Stored) else before["two"].ref
        said = objects.said()
        assert said[ref] == objects.digest(new)
        made = objects.made("uid-0", "one"), new, objects.made("uid-2", "three")
        assert sorted(said.values()) == objects.digests(*made)
        after = {head.ref: head.version for head in objects.kit.source().heads(objects.folder)}
        assert after[ref] != before["two"].version
        assert after[before["one"].ref] == before["one"].version

    def test_a_copy_that_changed_is_not_replaced(self, objects: ObjectKit) -> None:
        self.replacing(objects)
        before = objects.fill("one", "two")
        theirs, ours = objects.made("uid-1", "theirs"), objects.made("uid-1", "ours")
        put(objects.kit.target(), objects.folder, [theirs], {0: before["two"]}, intent=2)
        there = objects.said()
        new = objects.made("uid-9", "nine")
        refused, kept = put(objects.target, objects.folder, [ours, new], {0: before["two"]}, intent=3)
        assert isinstance(refused, Refused)
        assert refused.reason == CHANGED_THERE
        assert not isinstance(kept, Refused)
        assert sorted(objects.said().values()) == sorted([*there.values(), objects.digest(new)])

    def test_a_copy_that_is_gone_is_not_made_anew(self, objects: ObjectKit) -> None:
        self.replacing(objects)
        before = objects.fill("one", "two")
        objects.kit.target().remove(objects.folder, [before["two"].ref])
        ours = objects.made("uid-1", "ours")
        [receipt] = put(objects.target, objects.folder, [ours], {0: before["two"]}, intent=2)
        assert isinstance(receipt, Refused)
        assert receipt.reason == CHANGED_THERE
        assert list(objects.said()) == [before["one"].ref]

    def test_a_uid_that_is_taken_is_refused(self, objects: ObjectKit) -> None:
        """The first one stays as it is; what else is written is kept."""
        before = objects.fill("one", "two")
        there = objects.said()
        other, new = objects.made("uid-1", "another"), objects.made("uid-9", "nine")
        taken, kept = put(objects.kit.target(), objects.folder, [other, new], intent=2)
        assert isinstance(taken, Refused)
        assert taken.reason == UID_TAKEN
        assert "another" not in taken.detail
        assert not isinstance(kept, Refused)
        assert sorted(objects.said().values()) == sorted([*there.values(), objects.digest(new)])
        assert objects.said()[before["two"].ref] == there[before["two"].ref]

    def test_an_item_that_is_sent_again_is_there_once(self, objects: ObjectKit) -> None:
        """After a lost answer: told as kept, or refused; never twice."""
        objects.fill("one")
        put(objects.kit.target(), objects.folder, [objects.made("uid-0", "one")], intent=2)
        assert list(objects.said().values()) == objects.digests(objects.made("uid-0", "one"))

    def test_changes_tell_what_was_replaced(self, objects: ObjectKit) -> None:
        self.replacing(objects)
        before = objects.fill("one", "two", "three")
        source = objects.kit.source()
        cursor, state = source.changes(objects.folder).cursor, source.status(objects.folder).state
        new = [objects.made("uid-1", "another"), objects.made("uid-9", "nine")]
        put(objects.target, objects.folder, new, {0: before["two"]}, intent=2)
        objects.target.remove(objects.folder, [before["three"].ref])
        known = {head.ref: head.version for head in before.values()}
        for session in (source, objects.kit.source()):
            heads, gone = seen_since(session, objects.folder, cursor, list(known))
            listed = {head.ref: head.version for head in session.heads(objects.folder)}
            changed = {ref for ref, head in heads.items() if head.version != known.get(ref)}
            assert gone - listed.keys() == {before["three"].ref}
            assert all(heads[ref].version == listed[ref] for ref in changed)
            assert {ref for ref in listed if ref != before["one"].ref} <= changed
            assert not session.features.deltas or before["one"].ref not in heads
            assert not session.features.change_test or session.status(objects.folder).state != state

    def test_a_refused_object_does_not_lose_the_others(self, objects: ObjectKit) -> None:
        if objects.kit.profile.refused is None:
            pytest.skip("the profile names no item that this store refuses")
        good = [objects.made(f"uid-{at}", f"text {at}") for at in range(6)]
        receipts = put(objects.target, objects.folder, [*good[:3], objects.kit.profile.refused, *good[3:]])
        refused = [receipt for receipt in receipts if isinstance(receipt, Refused)]
        assert [receipt.ticket for receipt in refused] == [3]
        assert refused[0].reason
        assert sorted(objects.said().values()) == objects.digests(*good)
