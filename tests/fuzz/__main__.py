"""`python -m tests.fuzz SECONDS FOLDER`: atheris looks for bytes that `responses.one` cannot bear.

FOLDER keeps what it has found to be interesting, and `crash-…` when there is something to mend.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

MEGABYTES = 512
"""Memory in which every run has to do."""

SECONDS_EACH = 20
"""A run that takes longer hangs."""


def main() -> None:
    """Never returns: libFuzzer ends the process, with 0 when time is up."""
    logging.disable()
    seconds, folder = int(sys.argv[1]), Path(sys.argv[2])
    with atheris.instrument_imports(include=["xdmigrate_imap"]):
        from tests.fuzz import responses
        from tests.fuzz.seeds import SEEDS, WORDS
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / f"seed-{number}").write_bytes(seed)
    words = folder.with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    limits = [f"-max_total_time={seconds}", f"-rss_limit_mb={MEGABYTES}", f"-timeout={SECONDS_EACH}", "-max_len=4096"]
    told = [f"-dict={words}", f"-artifact_prefix={folder}/", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits, *told, str(folder)], responses.one)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
