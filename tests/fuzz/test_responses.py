"""Whatever a server says, however it is cut: an end, bounded memory, and no error but ours."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FULL
from tests.fuzz.liar import CAPABILITIES, Liar, commands
from tests.fuzz.responses import BOX, DEEDS, one, read_all, server, write_all
from tests.fuzz.seeds import SEEDS, WORDS
from xdmigrate.errors import ProtocolError, XdmigrateError
from xdmigrate_imap import conversation, fetch, tokens
from xdmigrate_imap.target import ImapTarget

ATHERIS_SECONDS = 600

COUNT = 30_000 if FULL and find_spec("atheris") is None else 5_000 if FULL else 200
"""Without atheris hypothesis stands in for it."""

CHOICES = st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)).map(bytes)
PIECES = st.one_of(
    st.sampled_from(WORDS), st.binary(max_size=12), st.integers(0, 2**33).map(b"%d".__mod__), st.just(b"\r\n")
)
SAID = st.lists(PIECES, max_size=120).map(b"".join)


@settings(max_examples=COUNT)
@given(CHOICES, SAID)
def test_any_words_of_the_protocol_in_any_order(choices: bytes, said: bytes) -> None:
    one(choices + said)


@settings(max_examples=COUNT)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(3, 5000), st.integers(0, 40), PIECES), max_size=6))
def test_a_good_answer_with_parts_replaced(seed: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, length, piece in changes:
        seed = seed[:at] + piece + seed[at + length :]
    one(seed)


@given(st.binary(max_size=500))
def test_any_bytes(data: bytes) -> None:
    one(data)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__.strip("_"))
def test_a_good_server_takes_each_deed_to_its_end(deed: Callable[[ImapTarget], None]) -> None:
    """What is fuzzed must be reached at all."""
    assert any(_ends_well(deed, seed) for seed in SEEDS)


def _ends_well(deed: Callable[[ImapTarget], None], seed: bytes) -> bool:
    try:
        deed(server(Liar(seed[3:], step=1 << 20, helpful=True), CAPABILITIES[seed[1]]))
    except XdmigrateError:
        return False
    return True


def test_the_reader_of_what_was_sent_sees_an_injected_command() -> None:
    assert commands(b"x1 APPEND Box {3+}\r\nabc\r\nx2 NOOP\r\n", set()) == [b"x1 APPEND Box {3+}", b"x2 NOOP"]
    with pytest.raises(AssertionError, match="made to send"):
        commands(b"x1 LIST a\r\nDELETE INBOX\r\n", set())


# --- a server that never ends -----------------------------------------------------------------------------------


class Endless:
    """The socket of a server that repeats itself for ever, whatever is asked."""

    def __init__(self, pattern: bytes) -> None:
        times = -(-(1 << 16) // len(pattern))
        self._text = pattern * times
        self._at = 0

    def recv_into(self, view: memoryview) -> int:
        if self._at >= len(self._text):
            self._at = 0
        piece = self._text[self._at : self._at + len(view)]
        self._at += len(piece)
        view[: len(piece)] = piece
        return len(piece)

    def send(self, data: memoryview) -> int:
        return len(data)

    def settimeout(self, seconds: float) -> None:
        """Never waits anyway."""

    def gettimeout(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is held."""


ENDLESS = {
    "one line": b"x",
    "numbers": b"* 1 EXISTS\r\n",
    "consent": b"+ go on\r\n",
    "notices": b"* OK [UIDNEXT 5] still here\r\n",
    "lists": b'* LIST () "/" Box\r\n',
    "values": b"* LIST (" + b"ab " * 5000 + b")\r\n",
    "searches": b"* SEARCH" + b" 12" * 5000 + b"\r\n",
    "parentheses": b"* LIST " + b"(" * 100 + b"\r\n",
    "literals": b"* LIST () {5}\r\nhello {5}\r\n",
    "one response": b"* 1 FETCH (X {1}\r\n",
    "attributes": b"* 1 FETCH (" + b"X 1 " * 5000 + b"\r\n",
    "messages": b"* 1 FETCH (UID 1 FLAGS () INTERNALDATE NIL BODY[] {2}\r\nab)\r\n",
    "heads": b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE " 5-Jan-2001 03:04:05 +0000" RFC822.SIZE 5)\r\n',
    "large bodies": b"* 1 FETCH (UID 1 BODY[] {18446744073709551615}\r\n",
}


LOW = [(conversation, "MAX_UNTAGGED", 3000), (fetch, "MAX_UNTAGGED", 3000), (conversation, "MAX_COLLECTED", 20_000),
       (tokens, "MAX_VALUES", 6000)]  # fmt: skip
"""Lower bounds show in less time that they hold."""


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
@pytest.mark.parametrize(
    "deed",
    [ImapTarget.folders, lambda target: list(target.heads(BOX)), read_all, write_all],
    ids=["list", "heads", "read", "write"],
)
def test_a_server_that_never_ends_is_left_in_bounded_memory(
    deed: Callable[[ImapTarget], object], text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, low in () if FULL else LOW:
        monkeypatch.setattr(module, name, low)
    target = server(Endless(text), CAPABILITIES[0])
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            deed(target)
        assert tracemalloc.get_traced_memory()[1] < (160_000_000 if FULL else 8_000_000)
    finally:
        tracemalloc.stop()


# --- atheris ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL, reason="atheris runs for ten minutes in `make test-full`")
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed (dependency group `fuzz`)")
def test_atheris_finds_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    command = [sys.executable, "-m", "tests.fuzz", str(ATHERIS_SECONDS), str(tmp_path / "corpus")]
    ended = subprocess.run(
        # A process's peak memory begins with what its parent held, and this one holds much: a shell stands between.
        ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=ATHERIS_SECONDS + 300,
        check=False,
    )
    runs = [line for line in ended.stderr.splitlines() if "number_of_executed_units" in line]
    record_property("told", f"atheris: {''.join(runs) or 'no statistics'}")
    assert ended.returncode == 0, ended.stderr[-4000:]
