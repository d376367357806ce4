"""The runner of a route: straight code from the first guard to the last clean-up, made once at the start.

What a route does not have (hooks, middleware, guards, a unit of work) leaves no trace in its code.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from time import perf_counter
from types import CoroutineType
from typing import Any, TypeAlias

from demijohn._lib.concurrency import Lease, Pool, leased, run_in_thread
from demijohn._lib.later import asyncio, inspect, logger_of
from demijohn._lib.translation import gettext
from demijohn.app.context import find_unit, is_ending, running
from demijohn.app.encoding import HTML, TEXT, Encoder, is_plain_maker
from demijohn.app.ending import as_failure, end_unit
from demijohn.app.failures import ErrorHandlers, respond_to
from demijohn.app.formats import Answers
from demijohn.app.hooks import HookCall
from demijohn.app.plans import Plan
from demijohn.app.registries import BeforeSend, Driver, Observer
from demijohn.app.streaming import StreamAnswers
from demijohn.errors import ServiceUnavailable
from demijohn.http import Request, Response, StreamResponse
from demijohn.http.response import ready
from demijohn.http.threads import surround_streams
from demijohn.middleware import Answered, Guard, guards_for
from demijohn.middleware.exchange import fields_of
from demijohn.middleware.marks import Marks, ResponseHook

__all__ = ["Call", "Runner", "Surroundings", "chain", "compile_runner", "run_call"]

Runner: TypeAlias = Callable[[Request, Callable[[Response], Awaitable[None] | None]], Coroutine[Any, Any, None]]
Next: TypeAlias = Callable[[Request], Awaitable[Response]]

logger = logger_of("demijohn.app")

PENDING = "if response.__class__ is Coroutine: response = await response"
"""A page whose values have to be awaited is encoded by a coroutine; everything else is a response at once."""


class Call:
    """How the dispatcher calls one handler.

    `whole` binds and calls at once: a coroutine function for an `async def` handler, a plain function for a sync one
    whose arguments need no awaiting. Otherwise `gather` is awaited on the loop, and `function` is called in a thread
    with the tuple that it returned. `direct` is called with nothing where it is set: a handler without parameters, by
    itself. `plan` says where the arguments come from, for those who document the handler.
    """

    __slots__ = ("direct", "function", "gather", "inline", "is_async", "is_sticky", "label", "plan", "threads", "whole")

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        whole: Callable[[Request], Any] | None,
        gather: Callable[[Request], Awaitable[tuple[Any, ...]]] | None = None,
        is_async: bool,
        inline: bool = False,
        plan: Plan | None = None,
    ) -> None:
        self.plan = plan
        self.label = getattr(function, "__qualname__", "")
        """What it is called where threads are short."""
        self.threads: int | None = None
        """How many threads it may have at once; the pool's number where it is `None`."""
        self.is_sticky = False
        """Whether everything of a request that runs in threads does so in one and the same."""
        self.function = function
        self.direct = function if plan is not None and not plan.slots else None
        self.whole = whole
        self.gather = gather
        self.is_async = is_async
        self.inline = inline


class Surroundings:
    """Everything around the handlers of one blueprint, the app's part first.

    `pool` has the threads of handlers, `finishing` those of what comes after them: it lets go what other handlers wait
    for, so it must not wait for their threads.
    """

    __slots__ = (
        "after",
        "around",
        "before",
        "before_send",
        "drivers",
        "encoder",
        "failures",
        "finishing",
        "guards",
        "observers",
        "pool",
        "torn_down",
    )

    def __init__(self, *, encoder: Encoder, failures: ErrorHandlers, pool: Pool, finishing: Pool) -> None:
        self.encoder = encoder
        self.failures = failures
        self.pool = pool
        self.finishing = finishing
        self.before: list[HookCall] = []
        self.after: list[HookCall] = []
        self.torn_down: list[HookCall] = []
        self.around: list[Callable[..., Any]] = []
        self.guards: list[Guard] = []
        self.before_send: list[BeforeSend] = []
        self.drivers: list[Driver] = []
        self.observers: list[Observer] = []


class _Source:
    """Lines of a function that is being written, and the names that they use."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.depth = 0

    def write(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    def name(self, stem: str, value: Any) -> str:
        name = f"{stem}_{len(self.names)}"
        self.names[name] = value
        return name

    def make(self, function: str, label: str) -> Any:
        exec(compile("\n".join(self.lines) + "\n", f"<demijohn {label}>", "exec"), self.names)  # noqa: S102 - written above
        return self.names[function]


def compile_runner(
    call: Call,
    around: Surroundings,
    *,
    route: Any,
    methods: frozenset[str],
    status: int | None = None,
    label: str = "route",
    signals: Any = None,
    marks: Marks | None = None,
    answers: Answers | StreamAnswers | None = None,
) -> Runner:
    """Write and compile the runner of one route (Any: routing's `Route`, and the app's signals)."""
    source = _Source()
    hooks = marks.hooks if marks is not None else []
    middleware = [*around.around, *(marks.middleware if marks is not None else ())]
    source.names.update(set_running=running.set, route=route, **_encoding(around, answers))
    guards = guards_for(methods, around.guards, marks=marks)
    # Middleware sees what the guards refuse, but for hosts that are not ours.
    inner = [guard for guard in guards if middleware and not getattr(guard, "early", False)]
    source.names["fail"] = partial(_fail, around=around, signals=signals)
    source.names["end"] = partial(end_unit, around.torn_down)

    if middleware:
        answer = _compile_answer(call, around, status, label, guards=inner, hooks=hooks, answers=answers)
        source.names["chain"] = chain(middleware, answer)
    source.write("async def run(request, send):")
    source.depth = 1
    source.write("set_running(request)", "request.route = route")
    if around.observers:
        source.names["clock"] = perf_counter
        source.write("began = clock()")
    if signals is not None:
        source.names["signals"] = signals
        source.write("signals.request_started.send(request.app, request=request)")
    if around.torn_down:
        source.write("error = None")
    source.write("try:")
    source.depth = 2
    source.write("try:")
    source.depth = 3
    _write_guards(source, [guard for guard in guards if guard not in inner])
    if middleware:
        source.write("response = await chain(request)")
    else:
        _write_handling(source, call, around, status, answers=answers)
        _write_marks(source, hooks)
    _write_except(source, around)
    if not middleware:
        _write_after(source, around)
    _write_before_send(source, around)
    source.names["open"] = partial(_open, around=around)
    source.write("if response.opening is not None: response = await open(request, response)")
    source.write("if request._exchange is not None: request._exchange.finish(response)")
    source.write("done = send(response)", "if done is not None: await done")
    for observer in around.observers:
        source.write(f"{source.name('observe', observer)}(request, response, clock() - began)")
    if signals is not None:
        source.write("signals.request_finished.send(request.app, request=request, response=response)")
    source.depth = 1
    source.names["as_failure"] = as_failure
    source.write("except BaseException as left:", "    raise as_failure(left, request)")
    source.write("finally:")
    source.depth = 2
    if around.torn_down:
        source.write("await end(request, error)")
    else:
        source.write("if request.ending is not None: await end(request, None)")
    run: Runner = source.make("run", label)
    for driver in around.drivers:
        run = _driven(driver, run)
    return _stuck(run, call, around.pool) if call.is_sticky else run


def _driven(driver: Driver, run: Runner) -> Runner:
    drive = driver.drive

    def driven(request: Request, send: Callable[[Response], Awaitable[None] | None]) -> Coroutine[Any, Any, None]:
        return drive(run(request, send))

    return driven


def _stuck(run: Runner, call: Call, pool: Pool) -> Runner:
    """Return the runner with one thread kept for each request, from its first hook to its last clean-up."""
    turn = None if call.threads is None else asyncio.Semaphore(call.threads)

    async def stuck(request: Request, send: Callable[[Response], Awaitable[None] | None]) -> None:
        if turn is not None:
            async with turn:
                with Lease(pool, label=call.label).hold():
                    await run(request, send)
        else:
            with Lease(pool, label=call.label).hold():
                await run(request, send)

    return stuck


def _encoding(around: Surroundings, answers: Answers | StreamAnswers | None) -> dict[str, Any]:
    encode = around.encoder.encode if answers is None else answers.encode
    return {
        "encode": encode,
        "makers": around.encoder.makers,
        "ready": ready,
        "Response": Response,
        "Coroutine": CoroutineType,
        "TEXT": TEXT,
        "HTML": HTML,
    }


def _write_guards(source: _Source, guards: Sequence[Guard]) -> None:
    # Two and more look into one dict of the fields. A single one is faster by itself, unless that is there already, as
    # it is for headers that our server has seen before.
    checks = sum(hasattr(guard, "check") for guard in guards)
    if checks:
        source.names["fields_of"] = fields_of
        source.write(
            "headers = request._headers",
            "fields = None if headers is None else headers._index",
            *(["if fields is None: fields = fields_of(request)"] if checks > 1 else []),
        )
    for guard in guards:
        check = getattr(guard, "check", None)
        if check is None:
            call = f"{source.name('guard', guard)}(request)"
        else:
            call = f"{source.name('check', check)}(request, fields)"
            if checks == 1:
                call = f"{source.name('guard', guard)}(request) if fields is None else {call}"
        # Without `check` nobody has looked into the fields.
        passes = None if check is None else getattr(guard, "passes", None)
        if passes is not None:
            field, values = passes
            unknown = f"fields.get({field!r}) not in {source.name('passed', values)}"
            source.write(f"if {'fields is None or ' if checks == 1 else ''}{unknown}:")
            source.depth += 1
        source.write(f"refusal = {call}", "if refusal is not None: await refusal")
        if passes is not None:
            source.depth -= 1


def _write_marks(source: _Source, hooks: Sequence[ResponseHook]) -> None:
    for hook in hooks:
        source.write(f"{source.name('mark', hook)}(request, response)")


def _compile_answer(
    call: Call,
    around: Surroundings,
    status: int | None,
    label: str,
    *,
    guards: Sequence[Guard],
    hooks: Sequence[ResponseHook],
    answers: Answers | StreamAnswers | None,
) -> Next:
    source = _Source()
    source.names.update(_encoding(around, answers))
    source.names["fail"] = partial(_fail, around=around, signals=None)
    source.write("async def answer(request):")
    source.depth = 1
    source.write("try:")
    source.depth = 2
    _write_guards(source, guards)
    _write_handling(source, call, around, status, answers=answers)
    _write_marks(source, hooks)
    _write_except(source, around, keep_error=False)
    source.depth = 1
    _write_after(source, around)
    source.write("return response")
    answer: Next = source.make("answer", label)
    return answer


def _write_except(source: _Source, around: Surroundings, *, keep_error: bool = True) -> None:
    source.depth -= 1
    if around.torn_down and keep_error:
        source.write(
            "except BaseException as caught:", "    error = caught", "    response = await fail(request, caught)"
        )
    else:
        source.write("except BaseException as caught:", "    response = await fail(request, caught)")


def _write_handling(
    source: _Source, call: Call, around: Surroundings, status: int | None, *, answers: Answers | StreamAnswers | None
) -> None:
    """Write from the first hook to the encoded response. The last sync hooks share the handler's hop."""
    if answers is not None and answers.check is not None:
        source.names["negotiate"] = answers.check
        source.write("negotiate(request)")
    before = list(around.before)
    shared: list[HookCall] = []
    threaded = not call.is_async and not call.inline
    if threaded and call.whole is not None:
        while before and not (before[-1].is_async or before[-1].inline or before[-1].gather):
            shared.insert(0, before.pop())
    if around.before:
        source.write("result = None")
    opened = 0
    for hook in before:
        _write_hook(source, hook, around, around.pool, result="result")
        source.write("if result is None:")
        source.depth += 1
        opened += 1
    if call.is_async:
        source.write(f"result = await {_called(source, call)}")
    elif call.inline and call.whole is not None:
        source.write(f"result = {_called(source, call)}")
    elif threaded:
        function = call.whole if call.whole is not None else call.gather
        source.names["in_thread"] = partial(_in_thread, around.pool, around.drivers, call.label)
        if call.threads is not None and not call.is_sticky:
            # At most so many threads for this route, however many the pool has.
            source.names["in_thread"] = partial(_in_turn, asyncio.Semaphore(call.threads), source.names["in_thread"])
        if call.whole is not None:
            if shared:
                function = _after_hooks([hook.call for hook in shared], call.whole)
            source.write(f"result = await in_thread({source.name('call', function)}, request)")
        else:
            _write_gather(source, call)
            source.write("result = await in_thread(function, *arguments)")
    else:
        _write_gather(source, call)
        source.write("result = function(*arguments)")
    source.depth -= opened
    if status == 204:
        source.write(
            "if result is None:", "    response = Response(b'', 204)", "else:", "    response = encode(result, request)"
        )
        source.write(PENDING)
    elif status is not None:
        source.write("response = encode(result, request)", PENDING)
        source.write(
            "if response.status == 200 and response is not result and result.__class__ is not tuple:",
            f"    response.status = {int(status)}",
        )
    elif answers is not None or not is_plain_maker(around.encoder.makers.get(str)):
        source.write("response = encode(result, request)", PENDING)
    else:
        source.write(
            "if result.__class__ is str:",
            "    response = ready(result.encode(), TEXT)",
            "else:",
            "    maker = makers.get(result.__class__)",
            "    response = encode(result, request) if maker is None else maker(result, request)",
            f"    {PENDING}",
        )


def _called(source: _Source, call: Call) -> str:
    """Return how a handler is called that nothing has to be gathered for; one without parameters by itself."""
    if call.direct is not None:
        return f"{source.name('call', call.direct)}()"
    return f"{source.name('call', call.whole)}(request)"


def _write_gather(source: _Source, call: Call) -> None:
    source.names.update(gather=call.gather, function=call.function)
    source.write("arguments = await gather(request)")


def _after_hooks(hooks: Sequence[Callable[[Request], Any]], call: Callable[[Request], Any]) -> Callable[[Request], Any]:
    def run(request: Request) -> Any:
        for hook in hooks:
            result = hook(request)
            if result is not None:
                return result
        return call(request)

    return run


def _write_hook(source: _Source, hook: HookCall, around: Surroundings, pool: Pool, *, result: str) -> None:
    arguments = hook.arguments
    if hook.gather is not None:
        source.write(f"bound = await {source.name('gather', hook.gather)}({arguments})")
        arguments = "*bound"
    name = source.name("hook", hook.function)
    if hook.is_async:
        source.write(f"{result} = await {name}({arguments})")
    elif hook.inline:
        source.write(f"{result} = {name}({arguments})")
    else:
        thread = "hook_thread" if pool is around.pool else "end_thread"
        source.names[thread] = partial(_in_thread, pool, around.drivers, "a hook")
        source.write(f"{result} = await {thread}({', '.join(filter(None, (name, arguments)))})")


def _write_after(source: _Source, around: Surroundings) -> None:
    """Write the response half of the hooks; the functions of this one request come first."""
    if not around.after:
        source.names["after_this"] = partial(_after_this, around=around)
        source.write("if request.after is not None: response = await after_this(request, response)")
        return
    source.names["after_this"] = partial(_after_this, around=around)
    source.write("try:")
    source.depth += 1
    source.write("if request.after is not None: response = await after_this(request, response)")
    for hook in reversed(around.after):
        _write_hook(source, hook, around, around.finishing, result="changed")
        source.write(
            "if changed is not None: response = changed if isinstance(changed, Response) else encode(changed, request)",
            PENDING,
        )
    source.depth -= 1
    source.write("except BaseException as caught:", "    response = await fail(request, caught)")


def _write_before_send(source: _Source, around: Surroundings) -> None:
    if not around.before_send:
        return
    source.names["commit"] = partial(_commit, around=around)
    source.write("response = await commit(request, response)")


async def _commit(request: Request, response: Response, *, around: Surroundings) -> Response:
    try:
        for finish in around.before_send:
            await finish(request, None)
    except BaseException as error:
        # A failed commit discards the response and goes once to the error handlers.
        response = await _fail(request, error, around=around, signals=None)
        for finish in around.before_send:
            await finish(request, None)
    return response


async def _open(request: Request, response: Response, *, around: Surroundings) -> Response:
    """Begin a stream; what fails before its first byte goes to the error handlers like anything else."""
    try:
        if response.opening is not None:
            await response.opening()
    except BaseException as error:
        if isinstance(response, StreamResponse):
            try:
                await response.aclose()
            except BaseException as second:
                if is_ending(second, request):
                    raise
                logger.exception("Closing the stream of %s %s failed", request.method, request.path)
        response = await _fail(request, error, around=around, signals=None)
        for finish in around.before_send:
            await finish(request, None)
    return response


async def _in_turn(turn: "asyncio.Semaphore", in_thread: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    async with turn:
        return await in_thread(*arguments)


async def _in_thread(
    pool: Pool, drivers: Sequence[Driver], label: str, function: Callable[..., Any], *arguments: Any
) -> Any:
    call: Callable[[], Any] = partial(function, *arguments) if arguments else function
    for driver in drivers:
        call = partial(driver.call, call)
    return await run_in_thread(call, leased(pool), label=label)


def _as_handlers_are(function: Callable[[], Any]) -> Callable[[], Any]:
    """Surround a call in a thread as that of a sync handler: relations are loaded and queries iterated in it."""
    unit = find_unit()
    if unit is not None:
        for driver in unit.app.drivers:
            function = partial(driver.call, function)
    return function


surround_streams(_as_handlers_are)


async def _fail(request: Request, error: BaseException, *, around: Surroundings, signals: Any) -> Response:
    """Roll back and ask the error handlers; what ends the task from outside goes on upwards.

    Whatever else the code of a request raises is its failure, `sys.exit()` included: one request cannot end the process
    of all others.
    """
    timed_out = isinstance(error, asyncio.CancelledError) and request.timed_out
    if request.services is not None:
        request.services.error = error
    for finish in around.before_send:
        try:
            await finish(request, error)
        except Exception:
            logger.exception("Rolling back %s %s failed", request.method, request.path)
    if timed_out:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        error = ServiceUnavailable(gettext("The request took too long."), headers=[("retry-after", "1")])
    elif is_ending(error, request):
        raise error
    if isinstance(error, Answered):
        return error.response
    if signals is not None:
        signals.got_request_exception.send(request.app, request=request, exception=error)
    return await respond_to(error, request, around.failures, around.encoder)


async def _after_this(request: Request, response: Response, *, around: Surroundings) -> Response:
    functions, request.after = request.after, None
    try:
        for function in functions or ():
            changed = function(response)
            if inspect.isawaitable(changed):
                changed = await changed
            if changed is not None:
                response = await around.encoder.complete(changed, request)
    except BaseException as caught:
        return await _fail(request, caught, around=around, signals=None)
    return response


async def run_call(call: Call, unit: Any, around: Surroundings) -> Any:
    """Bind and call a handler outside of compiled code (Any: a socket, and whatever the handler returns)."""
    if call.is_async and call.whole is not None:
        return await call.whole(unit)
    if call.whole is not None:
        return await _in_thread(around.pool, around.drivers, "a socket", call.whole, unit)
    if call.gather is None:
        raise TypeError("A call has either `whole` or `gather`.")
    return await _in_thread(around.pool, around.drivers, "a socket", call.function, *await call.gather(unit))


def chain(around: Sequence[Callable[..., Any]], answer: Next) -> Next:
    """Return what calls middleware, the outermost first, around what answers."""
    following = answer
    for middleware in reversed(around):
        following = partial(_step, middleware, following)
    return following


async def _step(middleware: Callable[..., Any], following: Next, request: Request) -> Response:
    response = await middleware(request, following)
    if not isinstance(response, Response):
        return await request.app.encoder.complete(response, request)  # type: ignore[no-any-return]
    return response
