"""A line with a round trip: a proxy that holds back what passes, without limiting how much passes.

Run as a process of its own, so that it takes no time from what is measured: `delay.py PORT MILLISECONDS` prints the
port.
"""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 1 << 18
HELD = 256
"""Chunks on the way in each direction at most."""

Held = queue.Queue[tuple[float, bytes]]


@contextmanager
def delayed(port: int, milliseconds: float) -> Iterator[int]:
    """The port of a proxy before `port` that adds this round trip."""
    command = [sys.executable, __file__, str(port), str(milliseconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def serve(listener: socket.socket, port: int, one_way: float) -> None:
    """Accept until the process ends."""
    while True:
        client, _ = listener.accept()
        server = socket.create_connection((listener.getsockname()[0], port))
        for source, target in ((client, server), (server, client)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            held: Held = queue.Queue(HELD)
            threading.Thread(target=take, args=(source, held, one_way), daemon=True).start()
            threading.Thread(target=give, args=(held, target), daemon=True).start()


def take(source: socket.socket, held: Held, one_way: float) -> None:
    """Read what comes, marked with the time at which it arrives at the other end; empty: the end."""
    data = b"?"
    while data:
        data = b""
        with suppress(OSError):
            data = source.recv(CHUNK)
        held.put((time.monotonic() + one_way, data))


def give(held: Held, target: socket.socket) -> None:
    """Send on what has arrived."""
    while True:
        arrival, data = held.get()
        time.sleep(max(0.0, arrival - time.monotonic()))
        with suppress(OSError):
            if data:
                target.sendall(data)
            else:
                target.shutdown(socket.SHUT_WR)
        if not data:
            return


def main() -> None:
    """Serve until stdin ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener, int(sys.argv[1]), float(sys.argv[2]) / 2000), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
