"""Cases about what folders carry beside their items: grants, comments and colours."""

from __future__ import annotations

import pytest

from xdmigrate.model import Folder, Sharing
from xdmigrate.testing.conformance.kit import FOLDER, Cases, Kit

PRIVATE = "/private/comment"


class SharingCases(Cases):
    """What is added is there beside what was there, and nothing else changes."""

    def granted(self, kit: Kit) -> tuple[Folder, str]:
        """A folder, and somebody to whom rights on it can be given."""
        target, name = kit.target(), kit.profile.colleague
        if not target.features.grants or not name:
            pytest.skip("the store tells no grants, or the profile names nobody to give any")
        return target.create_folder(FOLDER), name

    def test_rights_are_added_to_those_that_are_there(self, kit: Kit) -> None:
        folder, name = self.granted(kit)
        target = kit.target()
        before = target.sharing(folder)
        assert name not in before.grants
        for more, wanted in (("lr", "lr"), ("lr", "lr"), ("sr", "lrs")):
            assert target.share(folder, Sharing({name: more})) == []
            assert kit.source().sharing(folder) == Sharing({**before.grants, name: wanted}, before.notes)

    def test_notes_are_set(self, kit: Kit) -> None:
        target = kit.target()
        if not target.features.notes:
            pytest.skip("the store tells no notes")
        folder = target.create_folder(FOLDER)
        for value in (b"for Ann", 'say "Grüße"\r\n\\ 日本語'.encode(), b"for Bob"):
            assert target.share(folder, Sharing(notes={PRIVATE: value})) == []
            assert kit.source().sharing(folder).notes == {PRIVATE: value}

    def test_a_store_tells_only_what_it_promises(self, kit: Kit) -> None:
        target = kit.target()
        told = target.sharing(target.create_folder(FOLDER))
        assert target.features.grants or not told.grants
        assert not told.notes
