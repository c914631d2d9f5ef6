from __future__ import annotations

import signal
import sys
from pathlib import Path

from bench.delay import delayed
from bench.limits import ITEMS, OCTETS, parts
from bench.measure import measure
from tests.live.reader import Draft


def test_what_a_program_used_is_its_own(tmp_path: Path) -> None:
    ballast = bytearray(120_000_000)  # what the measuring process holds must not count
    small, big = "print('small')", "x = bytearray(80_000_000); print('big')"
    one = measure([[sys.executable, "-S", "-c", small]], tmp_path)
    two = measure([[sys.executable, "-S", "-c", small], [sys.executable, "-S", "-c", big]], tmp_path)
    assert len(ballast) > one.rss
    assert two.rss > one.rss + 60_000_000
    assert two.outputs == ("small\n", "big\n")
    assert one.ok
    assert two.ok


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    failed = measure([[sys.executable, "-S", "-c", "raise SystemExit(3)"]], tmp_path)
    assert failed.exits == (3,)
    assert not failed.ok


def test_a_killed_program_ends_the_run(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    killed = measure([sleeper, sleeper], tmp_path, kill_after=0.1)
    assert killed.exits == (-signal.SIGKILL,)


def test_commands_are_cut_by_count_and_bytes() -> None:
    drafts = [Draft(b"x" * size) for size in [10] * (ITEMS + 1) + [OCTETS, 5, OCTETS + 5]]
    cut = parts(drafts)
    assert [draft for part in cut for draft in part] == drafts
    assert all(len(part) <= ITEMS for part in cut)
    assert all(len(part) == 1 or sum(len(draft.body) for draft in part) <= OCTETS for part in cut)
    assert parts([]) == []


def test_a_delayed_line_passes_everything_on_later() -> None:
    import socket
    import threading
    import time

    data = bytes(range(256)) * 4096
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            connection, _ = server.accept()
            with connection:
                while got := connection.recv(65_536):
                    connection.sendall(got)

        threading.Thread(target=echo, daemon=True).start()
        with delayed(server.getsockname()[1], 40) as port, socket.create_connection(("127.0.0.1", port)) as client:
            begin = time.monotonic()
            threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
            back = b""
            while len(back) < len(data):
                back += client.recv(65_536)
            assert time.monotonic() - begin >= 0.04
    assert back == data
