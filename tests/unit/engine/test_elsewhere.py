"""What a target acknowledged is believed to have been moved only of ids that it can have given, and once."""

from __future__ import annotations

from xdmigrate.engine.elsewhere import Unkept, possible
from xdmigrate.engine.fingerprints import Print
from xdmigrate.engine.proof import Sent
from xdmigrate.engine.work import Pair
from xdmigrate.model import Folder, Kind
from xdmigrate_state.rows import FolderRow, PlaceRow

INBOX = ("INBOX",)


def uid(number: int) -> bytes:
    return number.to_bytes(4)


def unkept(number: int, told: bytes | None) -> Unkept:
    row = FolderRow(1, 1, 1, Kind.MAIL, INBOX, "", b"", 7, b"", b"", b"", INBOX, 1, False, False, False)
    place = PlaceRow(1, 1, Kind.MAIL, INBOX, b"", 7, uid(1), 0, uid(50), None, False, False)
    return Unkept(Pair(row, Folder(INBOX)), place, Sent(uid(number), Print(9, b"x" * 16), frozenset()), told)


def test_only_free_told_ids_from_the_lower_bound_on_can_have_been_moved() -> None:
    first, below, untold, claimed, last = items = [
        unkept(1, uid(50)),
        unkept(2, uid(49)),
        unkept(3, None),
        unkept(4, uid(52)),
        unkept(5, uid(51)),
    ]
    assert possible(items, {uid(52)}) == {uid(50): first, uid(51): last}
    assert below not in possible([below], set()).values()
    assert possible([untold, claimed], {uid(52)}) == {}


def test_an_id_told_twice_is_believed_once() -> None:
    first, second = unkept(1, uid(60)), unkept(2, uid(60))
    assert possible([first, second], set()) == {uid(60): first}
