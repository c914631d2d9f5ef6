"""Every contact of the corpus: read or refused by name, stored and converted without a loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import FULL
from tests.data import corpus
from xdmigrate.formats.refusal import Unreadable, Unstorable
from xdmigrate.formats.vcard import cards, converted, differences, digest, outline, readdressed, storable

FEW = 30
"""Of the thousand generated cards of one file."""


def test_all_contacts_of_the_corpus(record_property: Callable[[str, object], None]) -> None:
    root = corpus.root()
    if root is None or not (root / "vcf").is_dir():
        pytest.skip("the corpus of contacts is not here (name its directory in XDMIGRATE_CORPUS)")
    refused: Counter[str] = Counter()
    total = 0
    for path in sorted(root.glob("vcf/*/*.vcf")):
        for number, data in enumerate(cards(path.read_bytes())[: None if FULL else FEW]):
            total += 1
            name = f"{path.parent.name}/{path.name}#{number}"
            try:
                _kept_whole(data, name)
            except Unreadable as error:
                refused[f"unreadable: {error}"] += 1
            except Unstorable as error:
                refused[error.reason] += 1
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "none"
    record_property("told", f"vCards of the corpus: {total}, not storable {sum(refused.values())} ({told})")
    assert total > (1_200 if FULL else 250)
    assert sum(refused.values()) <= 9


def _kept_whole(data: bytes, name: str) -> None:
    told = digest(data)
    sound = storable(data, name.encode())
    four = converted(sound, "4.0")
    for each in (sound, four, converted(four, "3.0"), converted(sound, "3.0"), readdressed(data, str)):
        assert differences(data, each) == [], name
        assert digest(each) == told, name
    assert storable(sound, b"") == sound, name
    assert storable(four, b"") == four, name
    assert outline(sound).uid, name
    assert outline(sound).formatted_name, name
