"""The work of a match, counted and not timed: it must not grow with the number of routes."""

import sys
from collections.abc import Callable

from demijohn.routing import Route, Router


def endpoint() -> None: ...


def router_of(count: int) -> Router:
    router = Router()
    for number in range(count // 5):
        for pattern in (
            "/r{}",
            "/r{}/{{id:int}}",
            "/r{}/{{id:int}}/edit",
            "/x/r{}-{{name}}",
            "/{{a}}/r{}/{{rest:path}}",
        ):
            router.add(Route(pattern.format(number), endpoint))
    router.compile()
    return router


def work(call: Callable[[], object]) -> int:
    """Return how many bytecode instructions of Python a call runs."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return count


def test_ten_thousand_routes_cost_what_ten_cost() -> None:
    """Hits and misses run at most 1.2 times the instructions with 10,000 routes that they run with ten."""
    small, large = router_of(10), router_of(10_000)
    for path in ("/r1", "/r1/42", "/r1/42/edit", "/x/r1-ann", "/ann/r1/b/c", "/nothing", "/r1/x", "/a/b/c/d"):
        few = work(lambda path=path: small.find("GET", path))
        many = work(lambda path=path: large.find("GET", path))
        assert few > 5
        assert many <= 1.2 * few, (path, few, many)
        assert work(lambda path=path: large.match("POST", path)) <= 1.2 * work(
            lambda path=path: small.match("POST", path)
        )


def test_a_long_hostile_path_is_answered_soon() -> None:
    """A path made to be tried in many ways costs some work for each of its characters, not for each pair."""
    router = Router()
    for pattern in ("/m/{a}-{b}-{c}-{d:int}", "/n/{a}.{b:int}.html", "/s/{rest:path}/edit", "/s/{rest:path}/a/b/c"):
        router.add(Route(pattern, endpoint, name=pattern))
    router.compile()
    for path in (
        "/m/" + "-" * 254 + "/",
        "/m/" + "-" * 255,
        "/m/" + "-" * 8000,
        "/n/" + "." * 8000 + ".html",
        "/s" + "/a" * 4000,
        "/" * 8000,
    ):
        assert work(lambda path=path: router.find("GET", path)) < 1_000_000
        assert router.find("GET", path) is None
