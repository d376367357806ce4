"""The commands of an app, as Click commands: parameters by annotation, services by type."""

import asyncio
import enum
import inspect
import types
import typing
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from demijohn._lib.sentinels import MISSING
from demijohn.app import App, HandlerParameter, UnitCall
from demijohn.app.logs import set_up_logging
from demijohn.cli.target import load_app

__all__ = ["click_command", "commands_of"]

_SIMPLE: dict[Any, click.ParamType[Any]] = {
    int: click.INT,
    float: click.FLOAT,
    str: click.STRING,
    UUID: click.UUID,
    datetime: click.DateTime(),
    date: click.DateTime(["%Y-%m-%d"]),
    Path: click.Path(path_type=Path),
}


def commands_of(target: str | None = None) -> dict[str, click.Command]:
    """Load the app and return its commands by name."""
    app = load_app(target)
    app.freeze()
    return {str(command.name): command for command in (click_command(app, *pair) for pair in app.all_commands())}


def click_command(app: App, name: str | None, function: Any) -> click.Command:
    """Return a Click command for a function (Any: or for what is one already).

    A parameter without a default becomes an argument, one with a default an option; a `bool` becomes a flag, a list
    an argument or
    option that may come more than once. A parameter whose type is a service is filled in.
    """
    if isinstance(function, click.Command):
        if name:
            function.name = name
        return function
    params: list[click.Parameter] = []
    bound = UnitCall(function, app.services)
    params += [_parameter(parameter) for parameter in bound.given]

    def call(**values: Any) -> None:
        result = run_in_unit(app, bound, values)
        if isinstance(result, str):
            click.echo(result)

    return click.Command(
        name or function.__name__.replace("_", "-"), params=params, callback=call, help=inspect.getdoc(function)
    )


def run_in_unit(app: App, call: UnitCall, values: dict[str, Any]) -> Any:
    """Run a command in a started app and one unit of work (Any: whatever it returns)."""
    set_up_logging(app.settings)

    async def run() -> Any:
        async with app.context() as unit:
            return await call(unit, values)

    loop = app.lifespan.loop
    if loop is not None:  # it runs already, in another thread: what it holds belongs to that loop
        return asyncio.run_coroutine_threadsafe(run(), loop).result()
    return asyncio.run(run())


def _parameter(parameter: HandlerParameter) -> click.Parameter:
    hint = str if parameter.type in (MISSING, Any) else parameter.type
    multiple = typing.get_origin(hint) in (list, tuple, set)
    if multiple:
        hint = (typing.get_args(hint) or (str,))[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    kind: click.ParamType[Any] | None = None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        kind = click.Choice(hint)
    elif typing.get_origin(hint) is typing.Literal:
        kind = click.Choice([str(value) for value in typing.get_args(hint)])
    elif hint in _SIMPLE:
        kind = _SIMPLE[hint]
    name = parameter.name.replace("_", "-")
    if not parameter.has_default and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        return click.Argument([parameter.name], type=kind, nargs=-1 if multiple else 1)
    required = not parameter.has_default
    default = None if required else parameter.default
    if hint is bool and name.startswith("no-") and not default:
        return click.Option([f"--{name}"], is_flag=True)  # nobody writes --no-no-input
    if hint is bool:
        return click.Option([f"--{name}/--no-{name}"], default=bool(default), show_default=True)
    return click.Option(
        [f"--{name}"],
        type=kind,
        default=default,
        required=required,
        multiple=multiple,
        show_default=default not in (None, ()),
    )
