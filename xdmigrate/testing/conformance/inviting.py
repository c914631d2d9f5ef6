"""Cases about invitations: nobody in an event hears of it, and a trial of the connector's own finds that out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from xdmigrate.contract import Inviting, Promise, Stored
from xdmigrate.engine.canary.events import Pair, event
from xdmigrate.errors import AccessDenied
from xdmigrate.model import Kind
from xdmigrate.testing.conformance.kit import FOLDER, Cases, Kit
from xdmigrate.testing.conformance.objects import put

NOBODY = "nobody@elsewhere.example"
ARRIVAL_SECONDS = 10.0
"""Longest that a store may take until the control of a trial is counted."""


class InvitingCases(Cases):
    """For calendars; the profile's `sent` counts what the store mails."""

    @pytest.fixture
    def sent(self, kit: Kit) -> Callable[[], int]:
        counted = kit.profile.sent
        if kit.profile.kind is not Kind.CALENDAR or counted is None:
            pytest.skip("no calendar, or the profile does not count what the store mails")
        return counted

    def test_nobody_is_invited_by_what_is_written_changed_or_removed(self, kit: Kit, sent: Callable[[], int]) -> None:
        before, target, login = sent(), kit.target(), kit.profile.login
        folder, now = target.create_folder(FOLDER, Kind.CALENDAR), datetime.now(UTC)
        invited = [kit.profile.colleague or NOBODY]
        first, second = (event("invited", word, login.address, invited, now) for word in ("one", "two"))
        receipts = put(target, folder, [first])
        heads = list(target.heads(folder))
        if target.features.updates and heads:
            receipts += put(target, folder, [second], {0: heads[0]}, intent=2)
        with suppress(AccessDenied):  # what it cannot remove in silence it has to leave
            target.remove(folder, [head.ref for head in target.heads(folder)])
        assert any(isinstance(receipt, Stored) for receipt in receipts) or not target.features.ids_returned
        assert sent() == before, "the store has mailed somebody about an event that was copied"

    def test_a_trial_shows_whether_the_store_can_be_kept_silent(self, kit: Kit, sent: Callable[[], int]) -> None:
        connector, endpoint, login = kit.profile.connector, kit.profile.endpoint, kit.profile.login
        if not isinstance(connector, Inviting):
            pytest.skip("the connector is not `Inviting`: it says that its stores never mail anybody")
        assert isinstance(connector.promise(endpoint), Promise)
        before, pair = kit.source().folders(), Pair.of(login.address)
        people, now = (login.address, [kit.profile.colleague or NOBODY]), datetime.now(UTC)
        trial = connector.trial(endpoint, login)
        try:
            assert (trial.withdraw(pair.uids), trial.held(pair.uids)) == (0, {})
            quiet = sent()
            trial.invite(event(pair.canary_uid, pair.canary_word, *people, now), silent=True)
            assert trial.held(pair.uids).keys() == {pair.canary_uid}
            trial.invite(event(pair.control_uid, pair.control_word, *people, now), silent=False)
            assert trial.held(pair.uids).keys() == set(pair.uids)
            assert not trial.schedules or _grows(sent, quiet), "the store schedules, and nobody heard of the control"
            assert trial.withdraw(pair.uids) == len(pair.uids)
            assert trial.held(pair.uids) == {}
        finally:
            trial.withdraw(pair.uids)
            trial.close()
        assert [folder.path for folder in kit.source().folders()] == [folder.path for folder in before]


def _grows(sent: Callable[[], int], before: int) -> bool:
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while sent() == before and time.monotonic() < deadline:
        time.sleep(0.05)
    return sent() > before
