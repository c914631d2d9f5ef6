"""How the process treats its memory: objects by the hundred thousand that have no cycles, and bodies of all sizes."""

from __future__ import annotations

import gc

COLLECTED = (20_000, 20, 20)
"""How many objects are made before the garbage collector looks for cycles. Python's own 700 cost a sixth of a copy's
CPU time (measured), for lists of messages that have none.
"""

_MMAP_THRESHOLD = (-3, 128 * 1024)
_TRIM_THRESHOLD = (-1, 1024 * 1024)
"""Numbers and values of glibc's mallopt(3): larger blocks go back to the system as soon as they are free, and so does
the end of the heap. By itself glibc raises both limits after the first large message, and holes stay between bodies:
10 MB of 120 (measured).
"""


def prepare() -> None:
    """For every command, before anything is loaded."""
    gc.set_threshold(*COLLECTED)


def settle() -> None:
    """For a run, once it is loaded: what is there by now stays, and the collector need not look at it again."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only in glibc
    if mallopt is not None:
        for option, value in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            mallopt(option, value)
    gc.freeze()
