"""The name map: deterministic, injective, and within the target's rules."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.data.folders import TORTURE
from xdmigrate.engine.names import Rules, folded, place_folders
from xdmigrate.model import Folder, Path, Role

level = st.sampled_from(
    ["Work", "work", "WORK", "a/b", "a_b", " x", "x ", "é", "e\u0301", "tab\there", "n" * 80, "INBOX"]
)
level |= st.text(min_size=1, max_size=12)
path = st.lists(level, min_size=1, max_size=4).map(tuple)
source = st.lists(path, max_size=12, unique=True).map(lambda paths: [Folder(p) for p in paths])
rules = st.builds(Rules, delimiter=st.sampled_from(["", "/", ".", "_", "//"]), name_limit=st.sampled_from([0, 20, 255]))


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
            assert not rules.name_limit or len(one.encode()) <= rules.name_limit
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


# --- what the target refuses --------------------------------------------------------------------------------------


def dovecot(path: Path) -> bool:
    """What a Dovecot with Maildir++ folders does not take."""
    return any("." in level or level.startswith("~") or len(level.encode()) > 255 for level in path)


def ascii_only(path: Path) -> bool:
    return not "".join(path).replace(" ", "").replace("-", "").isalnum() or not "".join(path).isascii()


def strict(path: Path) -> bool:
    """Few levels, short ones, and no signs at all."""
    return len(path) > 3 or any(len(level) > 60 or level != level.strip() for level in path) or ascii_only(path)


def no_children_of_inbox(path: Path) -> bool:
    return path[0] == "INBOX" and len(path) > 1


SERVERS = [lambda _path: False, dovecot, ascii_only, strict, no_children_of_inbox]
torture = st.lists(st.sampled_from(TORTURE) | path, max_size=20, unique=True).map(
    lambda found: list(map(Folder, found))
)


def settled(folders: list[Folder], rules: Rules, refuses: Callable[[Path], bool]) -> dict[Path, Path]:
    """The map once the target was asked about every name in it, and was taken at its word."""
    refused: set[Path] = set()
    while True:
        found = place_folders(folders, rules, frozen={}, target=[], refused=refused)
        told = {one for one in found.values() if refuses(one)} - refused
        if not told:
            return found
        refused |= told


@given(torture, rules, st.sampled_from(SERVERS), st.randoms(use_true_random=False))
def test_whatever_is_refused_the_map_stays_injective(
    folders: list[Folder], rules: Rules, refuses: Callable[[Path], bool], chance: random.Random
) -> None:
    found = settled(folders, rules, refuses)
    assert len({folded(target) for target in found.values()}) == len(folders)
    shuffled = list(folders)
    chance.shuffle(shuffled)
    assert settled(shuffled, rules, refuses) == found


@pytest.mark.parametrize("refuses", SERVERS[:2] + SERVERS[4:])
def test_every_torture_name_finds_a_shape_that_is_taken(refuses: Callable[[Path], bool]) -> None:
    found = settled([Folder(one) for one in TORTURE], Rules(delimiter="/"), refuses)
    assert not [target for target in found.values() if refuses(target)]
    assert len({folded(target) for target in found.values()}) == len(TORTURE)


@given(torture, rules)
def test_names_that_were_mapped_once_are_good_names(folders: list[Folder], rules: Rules) -> None:
    once = place_folders(folders, rules, frozen={}, target=[])
    again = place_folders([Folder(one) for one in once.values()], rules, frozen={}, target=[])
    assert set(again.values()) == set(once.values())


def test_the_folder_that_keeps_its_name_goes_first() -> None:
    found = placed([Folder(("a/b",)), Folder(("a_b",))], Rules(delimiter="/"))
    assert found == {("a_b",): ("a_b",), ("a/b",): ("a_b (2)",)}


def test_a_folder_of_the_target_that_differs_in_case_only_is_the_same_one() -> None:
    assert placed([Folder(("archive",))], target=[Folder(("Archive",))]) == {("archive",): ("Archive",)}


def test_nothing_but_inbox_ever_becomes_inbox() -> None:
    assert placed([Folder(("\ufffdINBOX",))]) == {("\ufffdINBOX",): ("INBOX (2)",)}


def test_below_an_inbox_without_children_folders_move_up() -> None:
    folders = [Folder(("INBOX",), role=Role.INBOX), Folder(("INBOX", "Sub")), Folder(("INBOX", "Sub", "Deep"))]
    found = settled(folders, Rules(), no_children_of_inbox)
    assert found == {("INBOX",): ("INBOX",), ("INBOX", "Sub"): ("Sub",), ("INBOX", "Sub", "Deep"): ("Sub", "Deep")}


def test_each_shape_is_plainer_than_the_one_before() -> None:
    refused: set[Path] = set()
    found = []
    for _ in range(8):
        one = place_folders([Folder(("a", "~b.ü "))], Rules(), frozen={}, target=[], refused=refused)["a", "~b.ü "]
        refused.add(one)
        found.append(one)
    numbered = [("a", f"_b_u-b28efca2 ({number})") for number in (2, 3, 4, 4)]
    assert found == [("a", "~b.ü "), ("a", "_b_ü"), ("a", "_b_u-b28efca2"), ("a__b_u-e1e51b36",), *numbered]
