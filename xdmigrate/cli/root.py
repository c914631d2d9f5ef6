"""The outermost group: turns what the parser refuses into one line, or into the one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from xdmigrate.cli.call import Call, Globals
from xdmigrate.errors import Stopped, UsageError, XdmigrateError


class Root(TyperGroup):
    """Ends the process with the exit code that the command returned."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "xdmigrate",
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002, FBT001, FBT002 - the signature is the base class's
        windows_expand_args: bool = True,  # noqa: ARG002, FBT001, FBT002
        **extra: Any,
    ) -> Any:
        told = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(told, prog_name, complete_var, standalone_mode=False, **extra)
        except typer.TyperException as error:
            code = _refuse_words(told, error)
        except typer.Abort:
            code = _refuse(told, Stopped("interrupted", remedy="run the same command again"))
        sys.exit(code if isinstance(code, int) else 0)


def _refuse_words(args: Sequence[str], error: typer.TyperException) -> int:
    """Where no command was named, what is told is the help, which is many lines."""
    message = error.format_message().rstrip(".?")
    if not message.startswith("Usage: "):
        return _refuse(args, UsageError(message, remedy=_help(error)))
    sys.stderr.write(f"{message}\n")
    return UsageError.exit_code


def _refuse(args: Sequence[str], error: XdmigrateError) -> int:
    call = Call(Globals(json="--json" in args))
    call.add(error)
    return call.finish(error.exit_code)


def _help(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"try '{context.command_path if context else 'xdmigrate'} --help'"
