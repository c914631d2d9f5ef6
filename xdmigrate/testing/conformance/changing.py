"""Cases about cursors and change tokens, and about changing and removing what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from xdmigrate.contract import Source
from xdmigrate.errors import FolderUnusable
from xdmigrate.model import FlagChange, Folder, Head
from xdmigrate.testing.conformance.kit import Cases, Kit, bodies, mail, refs, write_all


def seen_since(
    source: Source, folder: Folder, cursor: bytes, known: Iterable[bytes]
) -> tuple[dict[bytes, Head], set[bytes]]:
    """The heads that changes() tells, and which of the known items have vanished by it, however it says so.

    What it says adds up: every item that is there now is known or told, and nothing else is.
    """
    told, before = source.changes(folder, cursor), set(known)
    heads = {head.ref: head for head in told.heads}
    listed = list(heads)
    assert listed == sorted(listed)
    assert all(head.measured for ref, head in heads.items() if ref not in before)
    if told.complete:
        assert told.vanished == ()
        return heads, before - heads.keys()
    assert source.features.deltas
    if told.alive is None:
        gone = before & set(told.vanished)
    else:
        alive = list(told.alive)
        assert alive == sorted(set(alive))
        gone = before - set(alive)
    assert told.count in {None, len((before | heads.keys()) - gone)}
    return heads, gone


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
        assert seen_since(kit.source(), folder, told.cursor, refs(target, folder))[1] == set()

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
        for session in (source, kit.source()):
            heads, vanished = seen_since(session, folder, told.cursor, known)
            assert {new, known[1]} <= set(heads)
            assert "\\Flagged" in heads[known[1]].flags
            assert vanished == {known[3]}
            assert not session.features.deltas or set(heads) == {new, known[1]}

    def test_what_is_new_is_told_as_it_is_listed(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        known, cursor = refs(target, folder), target.changes(folder).cursor
        write_all(target, folder, [mail("three"), mail("four", b"longer\r\n" * 9)], intent=2)
        heads, vanished = seen_since(kit.source(), folder, cursor, known)
        listed = {head.ref: head for head in kit.source().heads(folder)}
        assert {ref: heads[ref] for ref in listed.keys() - set(known)} == {
            ref: head for ref, head in listed.items() if ref not in known
        }
        assert len(listed) == 4
        assert vanished == set()

    def test_everything_can_vanish(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail(f"m{number}") for number in range(6)])
        known, cursor = refs(target, folder), target.changes(folder).cursor
        target.remove(folder, known)
        assert seen_since(kit.source(), folder, cursor, known) == ({}, set(known))
        assert seen_since(kit.source(), folder, target.changes(folder).cursor, []) == ({}, set())

    def test_what_came_and_went_between_is_no_matter(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        known, cursor = refs(target, folder), target.changes(folder).cursor
        write_all(target, folder, [mail("brief")], intent=2)
        target.remove(folder, sorted(set(refs(target, folder)) - set(known)))
        heads, vanished = seen_since(kit.source(), folder, cursor, known)
        assert set(heads) <= set(known)
        assert vanished == set()

    def test_cursors_follow_each_other(self, kit: Kit) -> None:
        """Each from the last, in one session or the other: a mirror of what they tell never differs from the truth."""
        target, sessions = kit.target(), (kit.source(), kit.source())
        folder = kit.fill(target, [mail(f"m{number}") for number in range(4)])
        cursor, mirror = b"", dict[bytes, frozenset[str]]()
        for step in range(4):
            if step:
                first, second, *_ = refs(target, folder)
                target.remove(folder, [first])
                target.change_flags(folder, [FlagChange(second, add=frozenset({"\\Seen"}))])
                write_all(target, folder, [mail(f"new{step}")], intent=step + 1)
            session = sessions[step % 2]
            now = session.changes(folder, cursor).cursor
            heads, vanished = seen_since(session, folder, cursor, mirror)
            mirror = {ref: flags for ref, flags in mirror.items() if ref not in vanished}
            mirror |= {ref: head.flags for ref, head in heads.items()}
            assert mirror == {head.ref: head.flags for head in target.heads(folder)}
            cursor = now

    def test_a_change_during_the_listing_is_seen_the_next_time(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("one"), mail("two")])
        source = kit.source()
        told = source.changes(folder)
        write_all(target, folder, [mail("meanwhile")], intent=2)
        target.change_flags(folder, [FlagChange(refs(target, folder)[0], add=frozenset({"\\Seen"}))])
        first = {head.ref for head in told.heads}
        heads, _ = seen_since(source, folder, told.cursor, first)
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

    def test_only_what_is_named_is_looked_up(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail(f"m{number}") for number in range(5)])
        before = {head.ref: head for head in target.heads(folder)}
        gone, first, _second, _third, last = before
        target.remove(folder, [gone])
        assert list(target.look_up(folder, [])) == []
        assert {head.ref: head for head in target.look_up(folder, [last, gone, first])} == {
            first: before[first],
            last: before[last],
        }

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
