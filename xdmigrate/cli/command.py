"""Registers commands: gives each the global options, and tells every error in this one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from xdmigrate.cli.call import Call, Globals
from xdmigrate.cli.options import PlanArgument
from xdmigrate.errors import Stopped, XdmigrateError

Work = Callable[..., int | None]

State = Annotated[
    str,
    typer.Option(
        "--state",
        metavar="DIR_OR_URL",
        show_default=False,
        help="Where run state is kept: a folder, or a postgresql:// URL. [env var: XDMIGRATE_STATE]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every call to an endpoint.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer yes to every question.")]

GLOBAL_OPTIONS: dict[str, tuple[Any, Any]] = {
    "state": (State, ""),
    "json": (Json, False),
    "verbose": (Verbose, False),
    "yes": (Yes, False),
}


def command(group: typer.Typer, name: str) -> Callable[[Work], Work]:
    """Make a function a command: its first parameter is the Call, the others are its own arguments and options.

    It returns its exit code; None is 0.
    """

    def register(work: Work) -> Work:
        def run(context: typer.Context, **values: Any) -> int:
            asked = Globals(**{option: values.pop(option) for option in GLOBAL_OPTIONS})
            return perform(work, before_command(context).merged(asked), values)

        _register(group, name, work, run, own=1)
        return work

    return register


def plan_command(group: typer.Typer, name: str) -> Callable[[Work], Work]:
    """The same in a group that is given the plan: the function's second parameter is the plan as told."""

    def register(work: Work) -> Work:
        def run(context: typer.Context, **values: Any) -> int:
            asked = Globals(**{option: values.pop(option) for option in GLOBAL_OPTIONS})
            told = before_command(context)
            return perform(work, told.merged(asked), {"plan": told.plan, **values})

        _register(group, name, work, run, own=2)
        return work

    return register


def plan_group(name: str, help: str) -> typer.Typer:  # noqa: A002 - typer's own word
    """A group of commands about one plan: `xdmigrate NAME PLAN COMMAND`."""
    group = typer.Typer(
        name=name, cls=PlanGroup, help=help, no_args_is_help=True, rich_markup_mode=None, subcommand_metavar="COMMAND"
    )

    @group.callback()
    def given(
        context: typer.Context, *, plan: PlanArgument, state: State = "", json: Json = False, verbose: Verbose = False
    ) -> None:
        asked = Globals(state, json, verbose, plan=plan)
        context.obj = before_command(context).merged(asked)

    return group


class PlanGroup(TyperGroup):
    """Takes the plan before or after the command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if len(args) > 1 and args[0] in self.commands and not args[1].startswith("-"):
            args[:2] = [args[1], args[0]]
        return super().parse_args(ctx, args)


def _register(group: typer.Typer, name: str, work: Work, run: Callable[..., int], *, own: int) -> None:
    run.__signature__ = _signature(work, own)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {}
    run.__doc__ = work.__doc__
    group.command(name)(run)


def _signature(work: Work, own: int) -> inspect.Signature:
    """The context, the command's own parameters from number `own` on, and the global options."""
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = list(inspect.signature(work, eval_str=True).parameters.values())[own:]
    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in GLOBAL_OPTIONS.items()
    ]
    return inspect.Signature([context, *named, *added])


def before_command(context: typer.Context) -> Globals:
    """The global options that stood before the command's name."""
    told = context.obj
    return told if isinstance(told, Globals) else Globals()


def perform(work: Work, options: Globals, values: dict[str, Any]) -> int:
    """Run a command to its end, whatever happens, and return the exit code."""
    call = Call(options, plan=str(values.get("plan") or ""))
    try:
        code = work(call, **values) or 0
    except XdmigrateError as error:
        call.add(error)
        code = call.code()
    except KeyboardInterrupt:
        call.add(Stopped("interrupted", remedy="run the same command again"))
        code = call.code()
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes one line
        from xdmigrate.cli.log import internal_error

        call.add(internal_error(error, call.log))
        code = call.code()
    finally:
        if call.log is not None:
            call.log.close()
    return call.finish(code)
