"""A wrong host name fails within seconds; an outage at night is outlasted; nobody is hammered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.errors import CertificateRejected, ConnectionLost, Throttled, Unreachable, XdmigrateError
from xdmigrate.jobs.reaching import PATIENCE_SECONDS, QUICK_ATTEMPTS, Reaching

UNREACHABLE = Unreachable("no answer")
LOST = ConnectionLost("gone")


def fail_until_given_up(reaching: Reaching, error: XdmigrateError, now: float = 0.0) -> tuple[int, float]:
    """Attempts and seconds until the endpoint is given up, when every wait is kept."""
    began = now
    for attempt in range(1, 1000):
        reaching.failed("old", error, now, now)
        if reaching.given_up("old"):
            return attempt, now - began
        now = reaching.not_before("old")
    raise AssertionError("never given up")


def test_an_endpoint_that_never_answered_is_given_up_within_ten_seconds() -> None:
    attempts, seconds = fail_until_given_up(Reaching(), UNREACHABLE)
    assert attempts == QUICK_ATTEMPTS
    assert seconds <= 10


def test_an_endpoint_that_had_answered_gets_half_an_hour() -> None:
    reaching = Reaching()
    reaching.progressed("old")
    _attempts, seconds = fail_until_given_up(reaching, UNREACHABLE)
    assert PATIENCE_SECONDS <= seconds <= PATIENCE_SECONDS + 600


def test_a_request_to_slow_down_proves_that_it_answers() -> None:
    attempts, seconds = fail_until_given_up(Reaching(), Throttled("slow down"))
    assert seconds >= PATIENCE_SECONDS
    assert attempts < 20, "waits must grow"


def test_a_connection_that_is_lost_before_anybody_was_let_in_proves_nothing() -> None:
    """A wrong port: whatever listens there hangs up."""
    assert fail_until_given_up(Reaching(), LOST)[0] == QUICK_ATTEMPTS
    reaching = Reaching()
    reaching.reached("old")
    assert fail_until_given_up(reaching, LOST)[1] >= PATIENCE_SECONDS


def test_what_cannot_get_better_is_given_up_at_once() -> None:
    assert fail_until_given_up(Reaching(), CertificateRejected("wrong name"))[0] == 1


def test_progress_ends_all_trouble() -> None:
    reaching = Reaching()
    for now in (0.0, 10.0):
        reaching.failed("old", UNREACHABLE, now, now)
    reaching.progressed("old")
    assert reaching.not_before("old") == 0.0
    for now in (20.0, 30.0, 40.0):
        reaching.failed("old", UNREACHABLE, now, now)
    assert not reaching.given_up("old")


@given(st.lists(st.floats(0, 1.0), min_size=1, max_size=50))
def test_a_burst_of_failures_counts_as_one_attempt(ends: list[float]) -> None:
    """All workers had begun before the first of them failed."""
    reaching = Reaching()
    for end in sorted(ends):
        reaching.failed("old", UNREACHABLE, 0.0, end + 0.001)
    assert not reaching.given_up("old")


def test_only_an_attempt_begun_since_the_trouble_is_a_probe() -> None:
    reaching = Reaching()
    assert not reaching.probed("old", [5.0])
    reaching.failed("old", LOST, 0.0, 10.0)
    assert not reaching.probed("old", [5.0])
    assert reaching.probed("old", [5.0, 12.0])


def test_endpoints_do_not_share_their_trouble() -> None:
    reaching = Reaching()
    reaching.failed("old", CertificateRejected("wrong name"), 0.0, 0.0)
    assert reaching.given_up("old")
    assert not reaching.given_up("new")


def test_a_mailbox_is_patient_from_its_first_failure() -> None:
    reaching = Reaching(answered=True)
    for now in (0.0, 100.0, 200.0, 300.0):
        reaching.failed("7", UNREACHABLE, now, now)
    assert not reaching.given_up("7")
    reaching.failed("7", UNREACHABLE, PATIENCE_SECONDS, PATIENCE_SECONDS)
    assert reaching.given_up("7")
