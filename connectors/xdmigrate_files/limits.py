"""What a process may take that reads a stranger's file."""

from __future__ import annotations

import resource
import sys

MEMORY = 3 << 30
CPU_SECONDS = 6 * 3600


def limit_ourselves() -> None:
    """Bound memory, time, what is written and how deep calls go, before a byte is read."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(1000)
