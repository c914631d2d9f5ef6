"""The command line: the composition root. Everything heavy is imported inside the commands."""

from __future__ import annotations


def main() -> None:
    """Run the program; ends the process with its exit code."""
    from xdmigrate.cli import memory, streams

    memory.prepare()
    from xdmigrate.cli.app import app

    streams.prepare()
    app()
