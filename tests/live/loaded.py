"""A process that has imported the program, and forks every command from itself; `starting` gives it orders.

Run as a program, with the number of the socket on which the orders come.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

PACKAGES = ("xdmigrate", "xdmigrate_dav", "xdmigrate_files", "xdmigrate_imap", "xdmigrate_plans", "xdmigrate_state")
LEFT_OUT = frozenset({"xdmigrate.testing", "xdmigrate_state.migrations"})

ORDER_FILES = 4
"""An order is a byte with these descriptors: what to do, as JSON; standard output; standard error; who waits."""

NUMBER = struct.Struct("=i")
"""What is told to who waits: the pid, then the exit code, which is negative for a signal."""


def load(name: str) -> None:
    """Import a module and all below it; one whose extra is not installed is missed by the command that needs it."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return
    for each in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}."):
        if each.name not in LEFT_OUT:
            load(each.name)


def next_command(orders: socket.socket) -> dict[str, Any] | None:
    """Fork for every order. Returns each in a process of its own, and None when there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        _, files, _, _ = socket.recv_fds(orders, 1, ORDER_FILES)
        if not files:
            return None
        if os.fork() == 0:
            orders.close()
            told, out, err, waits = files
            _wait_beside(waits)
            for file, stream in ((out, 1), (err, 2)):
                os.dup2(file, stream)
                os.close(file)
            with os.fdopen(told, encoding="utf-8") as said:
                order: dict[str, Any] = json.load(said)
            return order
        for each in files:
            os.close(each)


def _wait_beside(waits: int) -> None:
    """Returns in the command's process; the one that forked it tells how it ended, and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(waits)
        return
    with suppress(OSError):  # the test has ended, and wants to know no more
        os.write(waits, NUMBER.pack(pid))
        os.write(waits, NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
    os._exit(0)


def main() -> None:
    """Load, serve, and be the command that was ordered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PACKAGES:
        load(name)
    gc.freeze()
    order = next_command(socket.socket(fileno=int(sys.argv[1])))
    if order is None:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = order["words"]
    exec(order["code"], {"__name__": "__main__"})


if __name__ == "__main__":
    main()
