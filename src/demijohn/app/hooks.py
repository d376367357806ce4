"""Hooks as they are called: functions around requests, with the services that their signatures ask for.

What a hook is there for (the request, the response, the error) it gets as before by its place; everything else is bound
as for a handler. A hook that asks for nothing is called as it is.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from itertools import permutations
from types import FunctionType
from typing import Any, NamedTuple, get_args

from demijohn._lib.later import inspect
from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import place_of
from demijohn._lib.text import listing
from demijohn.app.binding import plan
from demijohn.app.compiler import compile_call
from demijohn.app.context import Unit, running
from demijohn.app.parameters import HandlerParameter
from demijohn.app.plans import Kind, Plan
from demijohn.app.services import Services
from demijohn.app.signatures import awaiting, name_of, optional, stripped
from demijohn.errors import ConfigurationError
from demijohn.http import Connection, Response

__all__ = ["AFTER", "APP", "AROUND", "BEFORE", "ERROR", "TEARDOWN", "HookCall", "HookRole", "call_with_app", "in_unit"]


class _Unnamed:
    """Stands for what no annotation of a class can mean: whoever names the class of the app gets it as a service."""


class HookRole(NamedTuple):
    """What functions of one kind are given by their caller, in order; the last alone where they take one value."""

    name: str
    values: tuple[tuple[str, type], ...]
    kind: Kind = "hook"

    @property
    def variables(self) -> str:
        """The parameters of a call: the request or unit first."""
        return ", ".join(dict.fromkeys(["request", *(name for name, _ in self.values)]))


BEFORE = HookRole("a `before_request` hook", (("request", Connection),))
AFTER = HookRole("an `after_request` hook", (("request", Connection), ("response", Response)))
TEARDOWN = HookRole("a `teardown_request` hook", (("error", BaseException),))
ERROR = HookRole("an error handler", (("request", Connection), ("error", BaseException)))
AROUND = HookRole("middleware", (("request", Connection), ("next", FunctionType)))
APP = HookRole("a function of the start-up or shutdown", (("app", _Unnamed),), "unit")


class HookCall:
    """One hook, ready to be called.

    `function(<arguments>)` is the call as code, in the names of its role. Where a sync hook needs something awaited
    first, `gather(<arguments>)` is awaited on the loop, and `function` takes what it returned. `call` takes the values
    of the role by place, and is whichever of both comes first.

    Raises:
        ConfigurationError: DJN-200 to DJN-217, its wiring cannot work.
    """

    __slots__ = ("arguments", "call", "function", "gather", "inline", "is_async")

    def __init__(
        self, function: Callable[..., Any], role: HookRole, services: Services, *, inline: bool = False
    ) -> None:
        function = awaiting(function)
        self.inline = inline
        self.gather: Callable[..., Any] | None = None
        made = _plan(function, role, services)
        if made is None:
            self.is_async = inspect.iscoroutinefunction(function)
            self.function = function
            self.arguments = role.values[-1][0]
        else:
            places = _assign(made, role)
            self.is_async = made.is_async
            if all(slot.source in ("unit", "given", "default") for slot in made.slots):
                self.function = function
                self.arguments = _written(made, places, role)
            else:
                compiled = compile_call(made, services)
                self.gather = compiled.gather
                self.function = compiled.whole or compiled.finish or function
                given = ", ".join(f"{name!r}: {variable}" for name, variable in places.items())
                self.arguments = f"request, {{{given}}}"
        names = {"first": self.gather or self.function}
        self.call: Callable[..., Any] = eval(f"lambda {role.variables}: first({self.arguments})", names)  # noqa: S307

    async def run(self, unit: Any, *values: Any) -> Any:
        """Call it outside of compiled code: a sync one in a thread, unless it may run on the loop (Any throughout)."""
        if self.is_async:
            return await self.call(unit, *values)
        if self.gather is None:
            call = partial(self.call, unit, *values)
        else:
            call = partial(self.function, *await self.call(unit, *values))
        result = call() if self.inline or unit.app is None else await unit.app.run_sync(call, finishing=True)
        return await result if inspect.isawaitable(result) else result


def _plan(function: Callable[..., Any], role: HookRole, services: Services) -> Plan | None:
    """Return the plan of a hook, or `None` where its signature tells nothing."""
    try:
        return plan(function, services=services, binders=services.binders, kind=role.kind, methods=("HOOK",))
    except ConfigurationError as problem:
        if problem.code == "DJN-207":
            return None
        raise


def _assign(made: Plan, role: HookRole) -> dict[str, str]:
    """Return which value of the role each parameter gets that is left to the caller."""
    strange = [each for each in made.given if not any(_fits(each, tp) for _, tp in role.values)]
    strange += [each for each in made.given if each.annotation is MISSING and each.default not in (MISSING, None)]
    given = [each for each in made.given if each.default is MISSING or each not in strange]
    spare = [each for each in given if each.default is not MISSING]
    while len(given) > len(role.values) and spare:
        given.remove(spare.pop())
    for slot in made.slots:
        if slot.source == "given" and slot.parameter not in given:
            slot.source = "default"
    if len(given) <= len(role.values):
        # The last values come first: a hook of one value takes the one that it is there for.
        for chosen in (role.values[len(role.values) - len(given) :], *permutations(role.values, len(given))):
            if all(_fits(parameter, tp) for parameter, (_, tp) in zip(given, chosen, strict=True)):
                return {parameter.name: name for parameter, (name, _) in zip(given, chosen, strict=True)}
    parameter = next((each for each in strange if each in given), given[-1])
    typed = parameter.annotation is not MISSING
    name = name_of(stripped(parameter.type)) if typed else ""
    raise ConfigurationError(
        f"The parameter `{parameter.name}{f': {name}' if typed else ''}` of {name_of(made.function)} "
        f"({place_of(made.function)}), {role.name}, cannot be bound.",
        why=f"It gets {listing([each for each, _ in role.values], last='and')}, and services by their types"
        + (f"; nothing provides {name}." if typed else "."),
        fix=f"Provide it:  app.provide({name}, make_{name.lower()})" if typed else f"Leave `{parameter.name}` out.",
        code="DJN-217",
    )


def _fits(parameter: HandlerParameter, wanted: type) -> bool:
    tp = parameter.type
    if parameter.annotation is MISSING:
        return True
    for member in get_args(tp) if optional(tp) or len(get_args(tp)) > 1 else (tp,):
        if not isinstance(member, type) or member in (Any, object):
            return True
        try:
            if issubclass(member, wanted) or issubclass(wanted, member):
                return True
        except TypeError:  # a protocol that cannot be asked
            return True
    return False


def _written(made: Plan, places: dict[str, str], role: HookRole) -> str:
    """Return the arguments of a hook that asks for no service, as code."""
    signature = inspect.signature(made.function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature) and not made.slots:
        return ", ".join(name for name, _ in role.values)
    written, by_name = [], False
    for slot in made.slots:
        if slot.source == "default":
            by_name = True
            continue
        value = "request" if slot.source == "unit" else places[slot.name]
        named = by_name or slot.parameter.kind is inspect.Parameter.KEYWORD_ONLY
        written.append(f"{slot.name}={value}" if named else value)
    return ", ".join(written)


async def call_with_app(function: Callable[..., Any], app: Any) -> None:
    """Call a function of the start-up or shutdown in a unit of work of its own (Any: the app lives above)."""
    hook = HookCall(function, APP, app.services)
    unit = Unit(app, name_of(function))
    await in_unit(unit, _call_and_end(hook, unit, app))


async def in_unit(unit: Unit, coroutine: Coroutine[Any, Any, None]) -> None:
    """Await a coroutine with a unit as the running one, driven as a handler is."""
    token = running.set(unit)
    for driver in unit.app.drivers:
        coroutine = driver.drive(coroutine)
    try:
        await coroutine
    finally:
        running.reset(token)


async def _call_and_end(hook: HookCall, unit: Unit, app: Any) -> None:
    try:
        await hook.run(unit, app)
    except BaseException as error:
        await app.end_unit(unit, error)
        raise
    await app.end_unit(unit, None)
