"""What stands between a URL and its handler, told in order: for `demijohn routes --explain`."""

from collections.abc import Callable, Iterator
from functools import partial
from timeit import Timer
from typing import Any, NamedTuple

from demijohn._lib.source import place_of
from demijohn.app.builder import Builder
from demijohn.app.calls import make_call
from demijohn.app.signatures import name_of
from demijohn.app.views import View, view_function
from demijohn.errors import HTTPError
from demijohn.http import Request
from demijohn.middleware import RateLimitGuard, guards_for, marks_of

__all__ = ["Step", "explain"]

_TIMES = 200
_HOP = "a thread, one hop"


class Step(NamedTuple):
    """One thing that happens to a request: its kind, its name, where it stands, and what it costs, if that is known."""

    kind: str
    name: str
    place: str = ""
    cost: str = ""


def explain(app: Any, method: str, path: str, *, host: str = "localhost") -> Iterator[Step]:
    """Yield what happens to a request, in order (Any: the app, which is built).

    Checks are timed; what belongs to the app's people is not run.
    """
    match = app.router.match(method, path, host=host)
    if match.redirect is not None:
        yield Step("redirect", match.redirect)
        return
    if match.route is None:
        allowed = ", ".join(match.allowed)
        yield Step("no route", f"405, allowed: {allowed}" if allowed else "404")
        return
    route = match.route
    matching = partial(app.router.match, method, path, host=host)
    yield Step("route", f"{', '.join(route.methods)} {route.pattern}  ({route.name})", route.place, _timed(matching))
    for name, value in match.params.items():
        yield Step("path value", f"{name} = {value!r}")
    found = _place(app, route)
    if found is None:
        yield Step("answered by", _name(route.endpoint), "", "nothing else stands around it")
        return
    record, around = found
    request = Request(method, path, path.encode(), b"", [(b"host", host.encode())])
    request.app, request.client, request.path_params = app, ("127.0.0.1", 1), dict(match.params)
    for driver in around.drivers:
        yield Step("driven by", type(driver).__module__.rpartition(".")[0] or type(driver).__name__, "", "0.5 to 14 µs")
    endpoint = route.endpoint
    function = (
        view_function(endpoint, method) if isinstance(endpoint, type) and issubclass(endpoint, View) else endpoint
    )
    marks = marks_of(endpoint, function) if function is not endpoint else marks_of(function)
    yield from _before(request, around, marks, method)
    yield from _handler(app, function, route, record, method)
    for hook in marks.hooks:
        yield Step("mark", _name(hook), place_of(hook))
    for hook in reversed(around.after):
        yield Step("after", _name(hook.function), place_of(hook.function), "" if _on_loop(hook) else _HOP)
    for finish in around.before_send:
        yield Step("before the first byte", _name(finish))
    for hook in reversed(around.torn_down):
        yield Step("teardown", _name(hook.function), place_of(hook.function))
    for observer in around.observers:
        yield Step("observed by", _name(observer))


def _place(app: Any, route: Any) -> tuple[Any, Any] | None:
    builder = Builder(app)
    for place in builder._places(app, "", "", "", builder._around(app, None)):
        for record in place.scaffold.records:
            pattern = place.prefix + record.pattern
            if record.endpoint is route.endpoint and (
                route.pattern == pattern or route.pattern.startswith(f"{pattern}.")
            ):
                return record, builder._bare() if record.options.get("bare") else place.surroundings
    return None


def _before(request: Request, around: Any, marks: Any, method: str) -> Iterator[Step]:
    middleware = [*around.around, *marks.middleware]
    guards = guards_for({method}, around.guards, marks=marks)
    early = [guard for guard in guards if not middleware or getattr(guard, "early", False)]
    for guard in early:
        yield _guard(guard, request)
    for each in middleware:
        yield Step("middleware", _name(each), place_of(each))
    for guard in guards:
        if guard not in early:
            yield _guard(guard, request)
    for hook in around.before:
        cost = "" if _on_loop(hook) else f"{_HOP}; the last before a sync handler share its own"
        yield Step("before", _name(hook.function), place_of(hook.function), cost)


def _guard(guard: Any, request: Request) -> Step:
    policy = getattr(guard, "policy", None)
    if policy is not None:
        return Step("policy", policy, getattr(guard, "place", ""))
    # Only the kernel's own checks are run, and those that need no awaiting.
    is_ours = type(guard).__module__.startswith("demijohn.") and not isinstance(guard, RateLimitGuard)
    return Step("guard", guard.name, "", _timed(partial(_try, guard, request)) if is_ours else "")


def _try(guard: Any, request: Request) -> None:
    try:
        answer = guard(request)
    except HTTPError:
        return
    close = getattr(answer, "close", None)
    if close is not None:
        close()


def _handler(app: Any, function: Any, route: Any, record: Any, method: str) -> Iterator[Step]:
    call = make_call(
        function,
        path_names={parameter.name: parameter for parameter in route.parameters},
        methods=frozenset({method}),
        together=frozenset(record.methods) if function is record.endpoint else frozenset({method}),
        services=app.services,
        inline=record.options.get("inline", False),
    )
    if call.plan is not None:
        for slot in call.plan.slots:
            kind = name_of(slot.parameter.type)
            wire = "" if slot.wire == slot.name else f" ({slot.wire})"
            yield Step("binds", f"{slot.name}: {kind} from {slot.source}{wire}")
    cost = "" if call.is_async or call.inline else _HOP
    kind = "coroutine" if call.is_async else "function"
    yield Step("handler", f"{_name(function)}  ({kind})", place_of(function), cost)


def _on_loop(hook: Any) -> bool:
    return bool(hook.is_async or hook.inline)


def _name(thing: Any) -> str:
    plain = getattr(thing, "func", thing)
    return getattr(plain, "__qualname__", None) or type(plain).__qualname__


def _timed(call: Callable[[], object]) -> str:
    return f"{min(Timer(call).repeat(5, _TIMES)) / _TIMES * 1e6:.2f} µs"
