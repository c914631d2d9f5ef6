"""Generated messages are what the migrations are judged by, so they must be what they claim."""

from __future__ import annotations

from collections import Counter
from email import message_from_bytes
from hashlib import sha256

from tests.data.generate import account
from xdmigrate.testing.messages import KINDS, PORTABLE_KINDS, samples


def test_same_seed_same_bytes_on_every_machine() -> None:
    digest = sha256(b"".join(sample.raw for sample in samples(7, 200))).hexdigest()
    assert digest == "b456714d0b6d61234314f15a3c6c17870c88a33c9d13042dc427db41e5d5a117"


def test_another_seed_gives_other_messages(seed: int) -> None:
    one, other = ({sample.raw for sample in samples(each, 40, ["plain"])} for each in (seed, seed + 1))
    assert not one & other


def test_every_kind_comes_first_once(seed: int) -> None:
    assert [sample.kind for sample in samples(seed, len(KINDS))] == list(KINDS)


def test_lines_end_in_crlf(seed: int) -> None:
    for sample in samples(seed, 100):
        bare = sample.raw.replace(b"\r\n", b"")
        assert not {ord("\r"), ord("\n"), 0} & set(bare), sample.kind


def test_only_duplicates_are_equal(seed: int) -> None:
    copies = Counter((sample.kind, sample.raw) for sample in samples(seed, 2_000, tuple(PORTABLE_KINDS)))
    repeated = {kind for (kind, _), count in copies.items() if count > 1}
    assert repeated == {"duplicate"}


def test_same_id_has_one_header_and_many_bodies(seed: int) -> None:
    found = [message_from_bytes(sample.raw) for sample in samples(seed, 20, ["same-id"])]
    assert len({message["Message-ID"] for message in found}) == 1
    assert len({message.get_payload() for message in found}) == 20


def test_attachments_decode(seed: int) -> None:
    (sample,) = samples(seed, 1, ["large"])
    parts = message_from_bytes(sample.raw).get_payload()
    assert isinstance(parts, list)
    assert len(parts[1].get_payload(decode=True)) > 500_000  # type: ignore[union-attr]


def test_an_account_holds_exact_copies_in_one_folder(seed: int) -> None:
    bodies = Counter(draft.body for draft in account(seed, 60)["INBOX"])
    assert max(bodies.values()) >= 3
