"""Whatever a server answers to a write: what counts as stored is there, and what others wrote stays as it is."""

from __future__ import annotations

from contextlib import suppress

import httpx
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.dav.scripted import CALENDAR, WORK, Scripted, denied, event
from xdmigrate.contract import Intent, Receipt, Refused, Stored
from xdmigrate.errors import XdmigrateError
from xdmigrate.formats import ical
from xdmigrate.model import Head, HeldBody, Item, Kind
from xdmigrate_dav.target import DavTarget

UIDS = st.sampled_from([f"u{n}" for n in range(6)])
MOODS = st.sampled_from(
    [
        "kept",
        "kept",
        "kept",
        "lost before",
        "lost after",
        "careless",
        "409",
        "403",
        "412",
        "conflict",
        "500",
        "503",
        "507",
    ]
)


class Moody:
    """A server whose every answer to a PUT is another one; `foreign` was there before."""

    def __init__(self, foreign: list[str], moods: list[str]) -> None:
        self.server = Scripted(hook=self.answer)
        self.foreign = {f"{uid}-theirs.ics": event(uid, "Theirs") for uid in foreign}
        self.server.items = dict(self.foreign)
        self.moods = moods

    def answer(self, request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT":
            return None
        mood = self.moods.pop(0) if self.moods else "kept"
        if mood == "careless":
            request.headers.pop("if-none-match", None)
        if mood == "lost after":
            self.server.ordinary(request)
        if mood.startswith("lost"):
            raise httpx.ReadError("reset")
        if mood == "conflict":
            return denied(403, "no-uid-conflict", next(iter(map(WORK.__add__, self.foreign)), ""))
        return httpx.Response(int(mood)) if mood.isdigit() else None


@given(st.lists(UIDS, unique=True, max_size=3), st.lists(UIDS, max_size=8), st.lists(MOODS, max_size=10))
def test_what_is_stored_is_there_and_nobody_elses_is_touched(
    foreign: list[str], uids: list[str], moods: list[str]
) -> None:
    moody = Moody(foreign, moods)
    receipts: list[Receipt] = []
    with (
        suppress(XdmigrateError),
        DavTarget(moody.server.session()).writer(CALENDAR, Intent(1, len(uids), 0)) as writer,
    ):
        for ticket, uid in enumerate(uids):
            data = event(uid, "Ours")
            writer.put(ticket, Item(Head(b"%d" % ticket, len(data)), HeldBody(data), Kind.CALENDAR))
            receipts += writer.poll()
    assert [each.ticket for each in receipts] == list(range(len(receipts)))
    stored = {each.ref.decode(): uids[each.ticket] for each in receipts if isinstance(each, Stored)}
    assert len(stored) == sum(isinstance(each, Stored) for each in receipts)  # no two share a copy
    for ref, uid in stored.items():
        assert ical.digest(moody.server.items[ref]) == ical.digest(event(uid, "Ours"))
    assert {ref: moody.server.items.get(ref) for ref in moody.foreign} == moody.foreign
    assert not any("Ours" in each.detail for each in receipts if isinstance(each, Refused))
