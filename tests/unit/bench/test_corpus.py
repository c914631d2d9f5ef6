from __future__ import annotations

import re
from statistics import fmean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import corpus
from bench.corpus import Corpus
from tests.conftest import FULL


def test_the_same_seed_makes_the_same_account() -> None:
    some = Corpus("some", 60, folders=4)
    assert list(some.account()) == list(some.account())
    other = Corpus("some", 60, folders=4, seed=2)
    assert list(some.account()) != list(other.account())


def test_sizes_have_the_shape_that_is_promised() -> None:
    sizes = corpus.BIG.sizes()
    assert len(sizes) == 20_000
    assert median(sizes) == pytest.approx(corpus.MEDIAN, rel=0.02)
    assert fmean(sizes) == pytest.approx(corpus.MEAN, rel=0.05)


@settings(max_examples=500 if FULL else 8)
@given(st.integers(0, 2**20), st.integers(500, 200_000))
def test_a_message_has_its_size_and_only_whole_lines(number: int, size: int) -> None:
    draft = corpus.Maker("test").draft(number, size)
    assert len(draft.body) == size
    assert draft.body.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", draft.body)
    assert draft == corpus.Maker("test").draft(number, size)


def test_every_message_stands_in_one_folder_and_none_is_like_another() -> None:
    some = Corpus("some", 100, size=900, folders=7)
    folders = dict(some.account())
    bodies = [draft.body for drafts in folders.values() for draft in drafts]
    assert len(folders) == 7
    assert all(folders.values())
    assert len(set(bodies)) == len(bodies) == 100


def test_folders_are_nested_beyond_ascii_and_come_after_their_parents() -> None:
    paths = corpus.BIG.paths()
    assert len(set(paths)) == len(paths) == corpus.FOLDERS
    assert all(path[:-1] in paths[:place] for place, path in enumerate(paths) if len(path) > 1)
    assert any(not level.isascii() for path in paths for level in path)
    assert max(map(len, paths)) >= 3


@pytest.mark.parametrize("factor", [0.0001, 0.02, 0.2, 1.0])
def test_a_scaled_corpus_leaves_no_folder_empty(factor: float) -> None:
    scaled = corpus.TINY.scaled(factor)
    assert scaled.messages >= scaled.folders >= 3
    assert scaled.messages == max(scaled.folders, round(20_000 * factor))
    assert corpus.TINY.scaled(1.0) == corpus.TINY


def test_shares_of_flags_are_whole() -> None:
    assert sum(share for share, _ in corpus.FLAGS) == 100
    assert [corpus.flags(percent) for percent in range(100)].count(frozenset({"\\Seen", "Invoice"})) == 2
