"""The name map: deterministic, injective, and within the target's rules."""

from __future__ import annotations

import random
import unicodedata

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.engine.names import Rules, folded, place_folders
from xdmigrate.model import Folder, Path, Role

level = st.sampled_from(
    ["Work", "work", "WORK", "a/b", "a_b", " x", "x ", "é", "e\u0301", "tab\there", "n" * 80, "INBOX"]
)
level |= st.text(min_size=1, max_size=12)
path = st.lists(level, min_size=1, max_size=4).map(tuple)
source = st.lists(path, max_size=12, unique=True).map(lambda paths: [Folder(p) for p in paths])
rules = st.builds(Rules, delimiter=st.sampled_from(["", "/", "."]), name_limit=st.sampled_from([0, 20, 255]))


@given(source, rules)
def test_two_folders_never_share_a_name_on_any_server(folders: list[Folder], rules: Rules) -> None:
    placed = place_folders(folders, rules, frozen={}, target=[])
    assert len({folded(target) for target in placed.values()}) == len(folders)


@given(source, rules, st.randoms(use_true_random=False))
def test_the_listing_order_does_not_matter(folders: list[Folder], rules: Rules, chance: random.Random) -> None:
    shuffled = list(folders)
    chance.shuffle(shuffled)
    once = place_folders(folders, rules, frozen={}, target=[])
    assert place_folders(shuffled, rules, frozen={}, target=[]) == once


@given(source, rules)
def test_every_level_is_allowed_by_the_target(folders: list[Folder], rules: Rules) -> None:
    for target in place_folders(folders, rules, frozen={}, target=[]).values():
        for one in target:
            assert one
            assert not rules.delimiter or rules.delimiter not in one
            assert all(unicodedata.category(char) != "Cc" for char in one)


@given(source, source, rules)
def test_what_was_decided_is_not_decided_again(first: list[Folder], more: list[Folder], rules: Rules) -> None:
    before = place_folders(first, rules, frozen={}, target=[])
    new = [folder for folder in more if folder.path not in before]
    after = place_folders(new, rules, frozen=before, target=[])
    assert not {folded(p) for p in after.values()} & {folded(p) for p in before.values()}


def placed(folders: list[Folder], rules: Rules | None = None, target: list[Folder] | None = None) -> dict[Path, Path]:
    return place_folders(folders, rules or Rules(), frozen={}, target=target or [])


def test_special_use_wins_over_names() -> None:
    there = [Folder(("Gesendet",), role=Role.SENT)]
    assert placed([Folder(("Sent Items",), role=Role.SENT)], target=there) == {("Sent Items",): ("Gesendet",)}


def test_children_follow_their_parent() -> None:
    folders = [Folder(("Sent",), role=Role.SENT), Folder(("Sent", "2024"))]
    there = [Folder(("Gesendet",), role=Role.SENT)]
    assert placed(folders, target=there)["Sent", "2024"] == ("Gesendet", "2024")


def test_the_plan_can_rename_and_put_everything_below_a_folder() -> None:
    folders = [Folder(("INBOX",), role=Role.INBOX), Folder(("Old", "Box"))]
    rules = Rules(rename={"Old/Box": "New"}, into=("Bob (left 2025)",))
    assert placed(folders, rules) == {
        ("INBOX",): ("Bob (left 2025)", "INBOX"),
        ("Old", "Box"): ("Bob (left 2025)", "New"),
    }


def test_a_case_collision_gets_a_number() -> None:
    assert sorted(placed([Folder(("work",)), Folder(("Work",))]).values()) == [("Work",), ("work (2)",)]
