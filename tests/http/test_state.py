"""What batteries keep with a request, apart from `g`."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn import App, Request, WebSocket, current, wait
from demijohn.app.context import find_unit
from demijohn.http import MissingState, StateKey
from demijohn.testing import AsyncClient, TestClient


def make_request() -> Request:
    return Request("GET", "/", b"/", b"", [])


def test_a_key_is_a_place_of_its_own() -> None:
    """Two keys of one name do not meet, nor do two requests, and `g` stays empty."""
    one, other = StateKey[int]("same"), StateKey[int]("same")
    first, second = make_request(), make_request()
    assert one.set(first, 1) == 1
    other.set(first, 2)
    assert (one.get(first), other.get(first)) == (1, 2)
    assert one.find(second) is None
    assert one.find(second, "nothing") == "nothing"
    assert list(first.g) == []
    assert one.pop(first) == 1
    assert one.pop(first) is None
    assert other.get(first) == 2


def test_without_a_factory_it_says_what_is_missing() -> None:
    """`get` raises by contract; the error names the key, and is a `LookupError`."""
    key = StateKey[str]("tenants")
    with pytest.raises(MissingState, match="'tenants' was wanted of <Request") as caught:
        key.get(Request("GET", "/path", b"/path", b"", []))
    assert isinstance(caught.value, LookupError)
    assert "factory" in str(caught.value)


def test_a_factory_makes_one_value_for_each_request() -> None:
    """It is asked once, not by `find`, and values that are false are kept like others."""
    key = StateKey("lists", factory=list[int])
    request = make_request()
    assert key.find(request) is None
    made = key.get(request)
    assert made == []
    assert key.get(request) is made
    assert key.get(make_request()) is not made


def test_it_goes_with_the_request() -> None:
    """A key that lives as long as the process keeps no request and no value of it alive."""

    class Value:
        pass

    key = StateKey("values", factory=Value)
    request = make_request()
    seen, gone = weakref.ref(key.get(request)), weakref.ref(request)
    del request
    gc.collect()
    assert seen() is None
    assert gone() is None


def test_threads_of_one_request_share_what_they_make_first() -> None:
    """None of the values is lost where threads meet at a request that has none yet."""
    keys = [StateKey("lists", factory=list[int]) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            request = make_request()
            barrier = threading.Barrier(8)

            def use(key: StateKey[list[int]], request: Request = request, barrier: Any = barrier) -> list[int]:
                barrier.wait(30)
                return key.get(request)

            made = list(pool.map(use, keys))
            assert all(key.find(request) is value for key, value in zip(keys, made, strict=True))


@given(st.dictionaries(st.integers(0, 9), st.integers()))
def test_it_holds_what_was_set(values: dict[int, int]) -> None:
    """Whatever is kept under a key is found under that key, and under no other."""
    keys = [StateKey[int](str(number)) for number in range(10)]
    request = make_request()
    for number, value in values.items():
        keys[number].set(request, value)
    assert {number: found for number, key in enumerate(keys) if (found := key.find(request)) is not None} == values


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_two_requests_at_once_keep_apart(kind: str) -> None:
    """Both are inside of their handler at the same time; each finds its own, in a thread and on the loop."""
    app = App()
    key = StateKey[str]("tenants")
    inside = 0
    both = threading.Event()
    met = asyncio.Event()

    @app.before_request
    def note(request: Request) -> None:
        key.set(request, request.query["name"])

    def enter() -> None:
        nonlocal inside
        inside += 1
        if inside == 2:
            both.set()
            met.set()

    async def arrive() -> None:
        enter()

    if kind == "sync":

        @app.get("/")
        def show_sync(request: Request) -> list[str]:
            before = key.get(request)
            wait(arrive())
            assert both.wait(60)
            return [before, key.get(request), key.get(current.request), *current.g]

    else:

        @app.get("/")
        async def show_async(request: Request) -> list[str]:
            before = key.get(request)
            enter()
            await asyncio.wait_for(met.wait(), 60)
            return [before, key.get(request), key.get(current.request), *current.g]

    async with AsyncClient(app) as client:
        answers = await asyncio.gather(client.get("/?name=a"), client.get("/?name=b"))
    assert [answer.json() for answer in answers] == [["a"] * 3, ["b"] * 3]


def test_sockets_and_units_have_one_too() -> None:
    """A socket keeps it from message to message, apart from other sockets; a script has a place as well."""
    app = App()
    counts = StateKey("counts", factory=list[str])

    @app.websocket("/")
    async def talk(ws: WebSocket) -> None:
        await ws.accept()
        async for text in ws:
            counts.get(ws).append(str(text))
            await ws.send_json([*counts.get(ws), *ws.g])

    with TestClient(app) as client, client.websocket("/") as one, client.websocket("/") as other:
        for ws, text, expected in ((one, "a", ["a"]), (other, "b", ["b"]), (one, "c", ["a", "c"])):
            ws.send_text(text)
            assert ws.receive_json() == expected
    with app.context():
        unit = find_unit()
        assert unit is not None
        counts.get(unit).append("script")
        assert counts.find(unit) == ["script"]
        assert list(current.g) == []
