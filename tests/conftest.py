"""What every test can ask for: the seed, the counts, the servers, names for accounts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from importlib.util import find_spec
from itertools import count
from random import Random, SystemRandom
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from tests.data import corpus
from tests.live import cyrus, dovecot, postgres
from tests.live.cyrus import Cyrus
from tests.live.dovecot import Dovecot
from tests.live.dovecot_conf import Settings
from tests.live.postgres import Postgres
from xdmigrate.testing.pymap import PymapServer

FULL = os.environ.get("XDMIGRATE_FULL", "") not in ("", "0")
"""`make test-full`: the counts that the promises state."""

LIVE_FIXTURES = frozenset({"dovecot_pair", "new_dovecot", "cyrus_server", "postgres_url"})

SLOW_MACHINE = (HealthCheck.too_slow,)
"""Two cores shared by many processes prove nothing about a test's own speed."""

settings.register_profile(
    "quick", max_examples=25, stateful_step_count=20, deadline=None, derandomize=False,
    print_blob=True, suppress_health_check=SLOW_MACHINE,
)  # fmt: skip
settings.register_profile("full", settings.get_profile("quick"), max_examples=500, stateful_step_count=50)
settings.load_profile("full" if FULL else "quick")


class Pair(NamedTuple):
    """A source and a target that keep every byte; share them, with accounts of your own."""

    old: Dovecot  # Maildir
    new: Dovecot  # mdbox


# --- pytest's hooks ---------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """One seed for hypothesis and for our own generators; the workers of xdist inherit it."""
    given = config.getoption("hypothesis_seed", None)
    chosen = given or os.environ.get("XDMIGRATE_SEED") or str(SystemRandom().randrange(1, 1_000_000))
    os.environ["XDMIGRATE_SEED"] = str(chosen)
    config.option.hypothesis_seed = chosen
    for each in (signal.SIGINT, signal.SIGHUP):  # a run in the background ignores them, and so would what it starts
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL)


def pytest_report_header() -> list[str]:
    """How to run exactly this again, and what is not here."""
    absent = [
        *filter(None, (dovecot.missing(), cyrus.missing(), postgres.missing())),
        *([] if corpus.root() else ["no mail corpus"]),
    ]
    counts = "full" if FULL else "quick"
    return [
        f"seed: {_seed()} (again: make test SEED={_seed()}), counts: {counts}",
        f"absent: {', '.join(absent) or '-'}",
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests tell by `record_property("told", …)`, and the seed once more, near the closing line."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in report.user_properties:
                if name == "told":
                    terminalreporter.write_line(value)
    terminalreporter.write_line(f"seed: {_seed()}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that use a server are `live`; tests marked `full` run only with the full counts."""
    for item in items:
        if LIVE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.live)
    left_out = [] if FULL else [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _seed() -> int:
    return int(os.environ["XDMIGRATE_SEED"])


# --- chance and counts ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run."""
    return _seed()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> Random:
    """Chance of this test's own: the same for the same seed, whatever runs before it."""
    return Random(f"{_seed()} {request.node.nodeid}")


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the full counts are wanted; `3 if not full else 100`."""
    return FULL


# --- accounts and servers ---------------------------------------------------------------------------------------


@pytest.fixture
def new_user(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Gives a user name that no other test has; all are equally long, so that none begins with another."""
    name = sha256(request.node.nodeid.encode()).hexdigest()[:10]
    numbers = count()
    return lambda: f"u{name}{next(numbers):04d}@example.test"


@pytest.fixture(scope="session")
def dovecot_pair() -> Iterator[Pair]:
    """Two running servers, shared by all tests of this process."""
    _skip_when(dovecot.missing())
    with Dovecot() as old, Dovecot(Settings(storage="mdbox")) as new:
        yield Pair(old, new)


@pytest.fixture
def new_dovecot() -> Iterator[Callable[[Settings], Dovecot]]:
    """Starts a server with settings of the test's own; it ends with the test."""
    _skip_when(dovecot.missing())
    with ExitStack() as running:
        yield lambda chosen: running.enter_context(Dovecot(chosen))


@pytest.fixture(scope="session")
def cyrus_server() -> Iterator[Cyrus]:
    """A running Cyrus that keeps every byte it takes, shared by all tests of this process."""
    _skip_when(cyrus.missing())
    with Cyrus() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    """A running PostgreSQL, shared by all tests of this process."""
    _skip_when(
        postgres.missing() or ("" if find_spec("psycopg") else "psycopg is not installed (xdmigrate[postgresql])")
    )
    with Postgres() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: Postgres) -> Iterator[str]:
    """The URL of an empty database, removed after the test."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def new_pymap() -> Iterator[Callable[[dict[str, str]], PymapServer]]:
    """Starts embedded servers with these accounts (name to password); they end with the test."""
    _skip_when("" if find_spec("pymap") else "pymap is not installed (xdmigrate[demo])")
    with ExitStack() as running:
        yield lambda users: running.enter_context(PymapServer(users))


def _skip_when(reason: str) -> None:
    if reason:
        pytest.skip(reason)
