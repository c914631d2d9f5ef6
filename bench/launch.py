"""Run programs one after the other and tell what they used. Run as a script of its own, with no other import:

`ru_maxrss` of a child begins with what its parent held at exec, so the parent that is measured against must be small.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any


def main() -> None:
    """Order on stdin: argvs, env, cwd, log, kill_after (seconds or null). Answer on stdout."""
    order: dict[str, Any] = json.load(sys.stdin)
    answer = {"seconds": 0.0, "cpu": 0.0, "rss": 0, "exits": []}
    deadline = time.monotonic() + order["kill_after"] if order["kill_after"] is not None else None
    for number, argv in enumerate(order["argvs"]):
        if not run(argv, order, answer, f"{order['log']}.{number}", deadline):
            break
    json.dump(answer, sys.stdout)


def run(argv: list[str], order: dict[str, Any], answer: dict[str, Any], log: str, deadline: float | None) -> bool:
    """One program; False when it was killed."""
    with open(f"{log}.out", "wb") as out, open(f"{log}.err", "wb") as err:  # noqa: PTH123 - pathlib costs memory
        begin = time.perf_counter()
        child = subprocess.Popen(
            argv,
            env=order["env"],
            cwd=order["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        if deadline is not None:
            timer = threading.Timer(max(0.0, deadline - time.monotonic()), os.killpg, (child.pid, signal.SIGKILL))
            timer.daemon = True
            timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        if deadline is not None:
            timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    answer["seconds"] += time.perf_counter() - begin
    answer["cpu"] += usage.ru_utime + usage.ru_stime
    answer["rss"] = max(answer["rss"], usage.ru_maxrss * 1024)
    answer["exits"].append(child.returncode)
    return child.returncode != -signal.SIGKILL


if __name__ == "__main__":
    main()
