"""What a target acknowledged is believed only of ids that it can have given."""

from __future__ import annotations

from xdmigrate.contract import Accepted, Receipt, Refused, Stored
from xdmigrate.engine.elsewhere import acknowledged


def uid(number: int) -> bytes:
    return number.to_bytes(4)


def test_only_told_ids_from_the_lower_bound_on_are_acknowledged() -> None:
    receipts: list[Receipt] = [
        Stored(0, uid(50)),
        Stored(1, uid(49)),
        Accepted(2),
        Refused(3, "too-big"),
        Stored(4, uid(51)),
    ]
    assert acknowledged(receipts, uid(50)) == {0: uid(50), 4: uid(51)}
