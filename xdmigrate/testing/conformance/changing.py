"""Cases about cursors and change tokens, and about changing and removing what is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xdmigrate.contract import Source
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import FlagChange, Folder, Head
from xdmigrate.testing.conformance.kit import Cases, Kit, bodies, mail, refs, write_all


def seen_since(source: Source, folder: Folder, cursor: bytes) -> tuple[dict[bytes, Head], set[bytes]]:
    """The heads that changes() tells, and what it says has vanished."""
    told = source.changes(folder, cursor)
    heads = list(told.heads)
    assert [head.ref for head in heads] == sorted({head.ref for head in heads})
    return {head.ref: head for head in heads}, set(told.vanished)


class ChangingCases(Cases):
    """No change is ever missed, and no more is changed than was asked for."""

    def test_without_a_cursor_everything_is_told(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two"), mail("three")])
        source = kit.source()
        for cursor in (b"", b"nonsense", b"\0\xff", b"9:9:9:9"):
            told = source.changes(folder, cursor)
            assert told.complete
            assert list(told.heads) == list(source.heads(folder))

    def test_an_expired_cursor_tells_everything(self, kit: Kit) -> None:
        if kit.profile.expire is None:
            pytest.skip("the profile cannot make this store forget a cursor")
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        cursor = target.changes(folder).cursor
        kit.profile.expire()
        told = kit.source().changes(folder, cursor)
        assert told.complete
        assert [head.ref for head in told.heads] == refs(target, folder)

    def test_nothing_changed(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        cursor = target.changes(folder).cursor
        told = kit.source().changes(folder, cursor)
        assert told.complete != target.features.deltas
        assert [head.ref for head in told.heads] == (refs(target, folder) if told.complete else [])
        assert told.vanished == ()

    def test_every_change_is_seen(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail(f"m{number}") for number in range(5)])
        source = kit.source()
        told = source.changes(folder)
        known = [head.ref for head in told.heads]
        write_all(target, folder, [mail("new")], intent=2)
        target.change_flags(folder, [FlagChange(known[1], add=frozenset({"\\Flagged"}))])
        target.remove(folder, [known[3]])
        new = (set(refs(target, folder)) - set(known)).pop()
        heads, vanished = seen_since(source, folder, told.cursor)
        assert {new, known[1]} <= set(heads)
        assert "\\Flagged" in heads[known[1]].flags
        assert known[3] not in heads
        if source.features.deltas:
            assert set(heads) == {new, known[1]}
            assert vanished == {known[3]}

    def test_a_change_during_the_listing_is_seen_the_next_time(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        source = kit.source()
        told = source.changes(folder)
        write_all(target, folder, [mail("meanwhile")], intent=2)
        target.change_flags(folder, [FlagChange(refs(target, folder)[0], add=frozenset({"\\Seen"}))])
        first = {head.ref for head in told.heads}
        heads, _ = seen_since(source, folder, told.cursor)
        changed = refs(target, folder)
        assert {changed[0], *(set(changed) - first)} <= set(heads)
        assert "\\Seen" in heads[changed[0]].flags

    def test_the_change_token_proves_what_it_says(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        if not target.features.change_test:
            assert folder.state == b""
            pytest.skip("the store has no change test")
        states = [folder.state]
        first = refs(target, folder)[0]
        assert kit.source().status(folder).state == states[0] != b""
        target.change_flags(folder, [FlagChange(first, add=frozenset({"\\Seen"}))])
        states.append(kit.source().status(folder).state)
        write_all(target, folder, [mail("three")], intent=2)
        states.append(kit.source().status(folder).state)
        target.remove(folder, [first])
        states.append(kit.source().status(folder).state)
        assert len(set(states)) == 4
        listed = {one.path: one.state for one in kit.source().folders()}
        assert listed[folder.path] in {b"", states[-1]}

    def test_flags_change_by_difference(self, kit: Kit) -> None:
        target = kit.target()
        messages = [replace(mail(f"m{n}"), flags=frozenset({"\\Seen", "\\Flagged"})) for n in range(4)]
        folder = kit.fill(target, messages)
        listed = refs(target, folder)
        target.change_flags(
            folder,
            [
                FlagChange(listed[0], add=frozenset({"\\Answered"})),
                FlagChange(listed[1], remove=frozenset({"\\Seen"})),
                FlagChange(
                    listed[2], add=frozenset({"\\Draft", "\\Seen"}), remove=frozenset({"\\Flagged", "\\Deleted"})
                ),
            ],
        )
        assert [head.flags for head in kit.source().heads(folder)] == [
            {"\\Seen", "\\Flagged", "\\Answered"},
            {"\\Flagged"},
            {"\\Seen", "\\Draft"},
            {"\\Seen", "\\Flagged"},
        ]

    def test_keywords_change_too(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [replace(mail("one"), flags=frozenset({"$Forwarded"}))])
        change = FlagChange(refs(target, folder)[0], add=frozenset({"Later"}), remove=frozenset({"$Forwarded"}))
        target.change_flags(folder, [change])
        kept = {"Later"} if target.features.keywords else set()
        assert [head.flags for head in kit.source().heads(folder)] == [kept]

    def test_unknown_ids_are_ignored(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two"), mail("three")])
        gone, *rest = refs(target, folder)
        target.remove(folder, [gone])
        target.change_flags(folder, [FlagChange(ref, add=frozenset({"\\Seen"})) for ref in (gone, rest[0])])
        target.change_flags(folder, [])
        target.remove(folder, [gone])
        target.remove(folder, [])
        flags = {head.ref: set(head.flags) for head in kit.source().heads(folder)}
        assert flags == {rest[0]: {"\\Seen"}, rest[1]: set()}

    def test_only_what_is_named_is_removed(self, kit: Kit) -> None:
        """RFC 4315 section 2.1: a plain EXPUNGE would also remove what the user has marked as deleted."""
        target = kit.target()
        messages = [
            mail("gone"),
            replace(mail("marked"), flags=frozenset({"\\Deleted"})),
            mail("kept"),
            mail("gone too"),
        ]
        folder = kit.fill(target, messages)
        by_body = {data: ref for ref, data in bodies(target, folder).items()}
        target.remove(folder, [by_body[kit.profile.becomes(messages[n].data)] for n in (0, 3)])
        assert sorted(bodies(kit.source(), folder).values()) == kit.expect(messages[1:3])
        assert {"\\Deleted"} in [head.flags for head in kit.source().heads(folder)]

    def test_ids_of_an_old_validity_reach_no_other_item(self, kit: Kit) -> None:
        if kit.profile.renumber is None:
            pytest.skip("the profile cannot change the validity of a folder")
        target = kit.target()
        old = kit.fill(target, [mail(f"m{number}") for number in range(4)])
        cursor, stale = target.changes(old).cursor, refs(target, old)
        target.remove(old, stale[:1])
        target.close()
        kit.profile.renumber(old.path)
        target = kit.target()
        now = target.status(old)
        assert now.validity != old.validity
        for attempt in (
            lambda: target.remove(old, stale),
            lambda: target.change_flags(old, [FlagChange(ref, add=frozenset({"\\Seen"})) for ref in stale]),
            lambda: list(target.read(old, stale)),
        ):
            with pytest.raises(FolderUnusable):
                attempt()
        assert [head.flags for head in target.heads(now)] == [frozenset()] * 3
        assert target.changes(now, cursor).complete

    def test_items_are_moved_with_everything(self, kit: Kit) -> None:
        target = kit.target()
        if not target.features.move:
            pytest.skip("this store does not move items")
        messages = [mail("one"), mail("two"), mail("three")]
        folder, to = kit.fill(target, messages), target.create_folder(("Elsewhere",))
        before = {head.ref: head for head in target.heads(folder)}
        by_body = {data: ref for ref, data in bodies(target, folder).items()}
        first, stays, last = (by_body[kit.profile.becomes(each.data)] for each in messages)
        told = target.move(folder, [first, last], to)
        assert refs(target, folder) == [stays]
        came = {head.ref: head for head in target.heads(to)}
        assert set(told.values()) == set(came) if target.features.ids_returned else set(told.values()) <= set(came)
        for old, new in told.items():
            assert (came[new].size, came[new].flags, came[new].date) == (
                before[old].size,
                before[old].flags,
                before[old].date,
            )
        assert sorted(bodies(target, to).values()) == kit.expect([messages[0], messages[2]])

    def test_moving_what_is_gone_does_nothing(self, kit: Kit) -> None:
        target = kit.target()
        if not target.features.move:
            pytest.skip("this store does not move items")
        folder, to = kit.fill(target, [mail("one"), mail("two")]), target.create_folder(("Elsewhere",))
        gone, stays = refs(target, folder)
        target.remove(folder, [gone])
        assert target.move(folder, [gone], to) == {}
        assert target.move(folder, [], to) == {}
        assert refs(target, folder) == [stays]
        assert refs(target, to) == []
