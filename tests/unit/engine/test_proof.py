"""An OK is believed only with the closing listing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import hypothesis.strategies as st
from hypothesis import given

from xdmigrate.contract import Accepted, Receipt, Refused, Stored
from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.proof import Proof, Sent, prove
from xdmigrate.model import Head


def uid(number: int) -> bytes:
    return number.to_bytes(4)


def sent(*contents: int) -> dict[int, Sent]:
    return {n: Sent(uid(n), Print(c, b"%d" % c), frozenset()) for n, c in enumerate(contents)}


def gained(contents: dict[int, int]) -> dict[bytes, Head]:
    return {uid(n): Head(uid(n), c) for n, c in contents.items()}


def reader(contents: dict[int, int]) -> object:
    def read(refs: Sequence[bytes]) -> Iterable[tuple[bytes, Print]]:
        return [(ref, Print(c, b"%d" % c)) for ref in refs if (c := contents.get(int.from_bytes(ref))) is not None]

    return read


def proved(items: Sequence[int], receipts: list[Receipt], there: dict[int, int]) -> Proof:
    return prove(sent(*items), receipts, gained(there), reader(there))  # type: ignore[arg-type]


def test_told_ids_that_are_listed_are_proved() -> None:
    proof = proved([10, 20], [Stored(0, uid(51)), Stored(1, uid(52))], {51: 10, 52: 20})
    assert proof.stored == {0: uid(51), 1: uid(52)}


def test_a_told_id_that_is_not_listed_is_not_believed() -> None:
    proof = proved([10, 20], [Stored(0, uid(51)), Stored(1, uid(52))], {51: 10})
    assert (proof.stored, proof.unkept) == ({0: uid(51)}, [1])


def test_without_ids_order_proves_when_sizes_agree() -> None:
    proof = proved([10, 20, 10], [Accepted(0), Accepted(1), Accepted(2)], {51: 10, 52: 20, 53: 10})
    assert proof.stored == {0: uid(51), 1: uid(52), 2: uid(53)}


def test_somebody_elses_item_in_between_is_told_apart_by_content() -> None:
    proof = proved([10, 20], [Accepted(0), Accepted(1)], {51: 10, 52: 30, 53: 20})
    assert proof.stored == {0: uid(51), 1: uid(53)}


def test_refused_items_stay_refused() -> None:
    refusal = Refused(0, "too-big", "no")
    assert proved([10], [refusal], {}).refused == {0: refusal}


@given(
    st.lists(st.integers(1, 3), max_size=8),
    st.data(),
)
def test_every_item_has_one_verdict_and_every_id_one_item(items: list[int], data: st.DataObject) -> None:
    there = dict(enumerate(data.draw(st.lists(st.integers(1, 4), max_size=10)), start=50))
    receipts: list[Receipt] = []
    for ticket in range(len(items)):
        match data.draw(st.sampled_from(["stored", "accepted", "refused", "silent"])):
            case "stored":
                receipts.append(Stored(ticket, uid(data.draw(st.integers(48, 62)))))
            case "accepted":
                receipts.append(Accepted(ticket))
            case "refused":
                receipts.append(Refused(ticket, "refused"))
    proof = proved(items, receipts, there)
    assert sorted([*proof.stored, *proof.refused, *proof.unkept]) == list(range(len(items)))
    assert len(set(proof.stored.values())) == len(proof.stored)
    assert all(ref in gained(there) for ref in proof.stored.values())
