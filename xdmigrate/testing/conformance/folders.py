"""Cases about folders and their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xdmigrate.errors import FolderUnusable
from xdmigrate.model import Kind, Path
from xdmigrate.testing.conformance.kit import Cases, Kit, bodies, mail, refs, write_all

NAMES: dict[str, Path] = {
    "plain": ("Clients",),
    "spaces at the ends": (" spaced ",),
    "umlauts": ("Entwürfe", "Größe"),
    "other scripts": ("日本語 кириллица", "📁 עברית"),
    "ampersand": ("R&D & Co", "&-", "&AOQ-"),
    "slash inside": ("2024/25",),
    "dot inside": ("v1.2 final.",),
    "quote and backslash": ('say "hi"', "C:\\old"),
    "wildcards": ("100%", "a*"),
    "protocol words": ("NIL", "{5}", "(x) [y]"),
    "tilde and hash": ("~ann", "#news"),
    "deep": tuple("abcdefgh"),
    "below INBOX": ("INBOX", "Child"),
    "long": ("x" * 120,),
}


class FolderCases(Cases):
    """Folders are created, listed, renamed and subscribed under exactly the names they were given."""

    @pytest.mark.parametrize("name", NAMES)
    def test_folder_names_survive(self, kit: Kit, name: str) -> None:
        path, target = NAMES[name], kit.target()
        delimiter, limit = target.features.delimiter, target.features.name_limit
        split = any(delimiter and delimiter in level for level in path)
        if split or (limit and max(len(level.encode()) for level in path) > limit) or kit.profile.refuses_name(path):
            with pytest.raises(FolderUnusable):
                target.create_folder(path)
            assert path not in {folder.path for folder in target.folders()}
            return
        created = target.create_folder(path)
        assert created.path == path
        assert {path[:depth] for depth in range(1, len(path) + 1)} <= {folder.path for folder in kit.source().folders()}
        write_all(target, created, [mail("inside")])
        assert list(bodies(kit.source(), created).values()) == kit.expect([mail("inside")])

    def test_asking_which_names_are_refused_changes_nothing(self, kit: Kit) -> None:
        target = kit.target()
        before = {folder.path for folder in target.folders()}
        told = target.refuses(list(NAMES.values()))
        assert {folder.path for folder in target.folders()} == before
        for path in told - {NAMES["below INBOX"]}:  # possible and yet avoided where all mailboxes are below INBOX
            with pytest.raises(FolderUnusable):
                target.create_folder(path)

    def test_a_created_folder_is_whole(self, kit: Kit) -> None:
        target = kit.target()
        created = target.create_folder(("Whole", "Part"))
        assert created.kind is Kind.MAIL
        assert created.selectable
        assert created.count == 0
        assert bool(created.next_id) == target.features.ordered_ids
        (listed,) = [folder for folder in kit.source().folders() if folder.path == created.path]
        assert (listed.validity, listed.ref, listed.native) == (created.validity, created.ref, created.native)

    def test_creating_again_returns_what_is_there(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail("kept")], ("Again",))
        assert target.create_folder(("Again",)) == folder
        assert kit.target().create_folder(("Again",)).count == 1

    def test_names_that_differ_stay_apart(self, kit: Kit) -> None:
        target = kit.target()
        paths: list[Path] = [("a b",), ("a b ",), ("a  b",), ("a", "b"), ("a_b",), ("a&b",)]
        paths = [path for path in paths if not kit.profile.refuses_name(path)]
        for path in paths:
            write_all(target, target.create_folder(path), [mail(repr(path))])
        for path in paths:
            assert list(bodies(target, target.create_folder(path)).values()) == kit.expect([mail(repr(path))])

    def test_a_folder_that_is_gone_is_unusable(self, kit: Kit) -> None:
        source = kit.source()
        known = source.folders()[0]
        gone = replace(known, path=("No such folder",), native="No such folder", ref=b"", validity=0)
        with pytest.raises(FolderUnusable):
            source.status(gone)
        assert source.status(known).path == known.path

    def test_renaming_keeps_the_items(self, kit: Kit) -> None:
        target = kit.target()
        if not target.features.rename:
            pytest.skip("the store cannot rename folders")
        messages = [mail("one"), mail("two")]
        folder, below = kit.fill(target, messages, ("Old",)), kit.fill(target, [mail("three")], ("Old", "Below"))
        before = refs(target, folder)
        renamed = target.rename_folder(folder, ("New", "Name"))
        assert renamed.path == ("New", "Name")
        paths = {one.path for one in kit.source().folders()}
        assert {("New", "Name"), ("New", "Name", "Below")} <= paths
        assert not paths & {folder.path, below.path}
        assert (renamed.validity, renamed.ref) == (folder.validity, folder.ref)
        assert refs(target, renamed) == before
        assert sorted(bodies(kit.source(), renamed).values()) == kit.expect(messages)

    def test_subscribing(self, kit: Kit) -> None:
        target = kit.target()
        folder, other = target.create_folder(("Shown",)), target.create_folder(("Hidden",))
        target.subscribe(folder)
        target.subscribe(folder)
        shown = {one.path: one.subscribed for one in kit.source().folders()}
        assert shown[folder.path] == target.features.subscriptions
        assert shown[other.path] == other.subscribed
