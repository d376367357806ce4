"""Rate limits: counted right, bounded, told in the standard headers."""

import asyncio
import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import ConfigurationError, TooManyRequests
from demijohn.http import Request, Response
from demijohn.middleware import MemoryRateLimitStore, RateLimit, RateLimitGuard, marks_of, rate_limit
from demijohn.middleware.rates import Rate, client_network, parse_rates
from demijohn.types import RateVerdict
from tests.middleware.conftest import Clock, build, finish, handler, settle


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("5/minute", [(5, 60)]),
        ("1/s", [(1, 1)]),
        ("100 per hour", [(100, 3600)]),
        ("10/30s", [(10, 30)]),
        ("10 / 30 seconds", [(10, 30)]),
        ("3/0.5s", [(3, 0.5)]),
        ("5/second; 100/10 minutes, 1000/day", [(5, 1), (100, 600), (1000, 86400)]),
    ],
)
def test_rates_are_read(text: str, rates: list[tuple[int, float]]) -> None:
    """The usual ways to write a limit are read."""
    assert parse_rates(text) == tuple(Rate(*rate) for rate in rates)


@pytest.mark.parametrize(
    "text",
    ["", "5", "5/", "/minute", "0/minute", "-1/minute", "5/fortnight", "a/minute", "5/0s", "5/1.2.3s", ","],
)
def test_nonsense_is_no_rate(text: str) -> None:
    """What is no limit is refused at start-up, not read as something else."""
    with pytest.raises(ConfigurationError, match="DJN-744"):
        parse_rates(text)


@given(st.text(max_size=60))
def test_reading_rates_raises_one_error_alone(text: str) -> None:
    """Any text is either read or refused with the error of this setting."""
    try:
        rates = parse_rates(text)
    except ConfigurationError:
        return
    assert all(rate.quota >= 1 and rate.window > 0 for rate in rates)


@pytest.mark.parametrize("algorithm", ["sliding", "bucket"])
def test_the_quota_and_not_one_more(algorithm: Literal["sliding", "bucket"], clock: Clock) -> None:
    """A burst is allowed up to the quota; the next one is refused and told when to come back."""
    store = MemoryRateLimitStore(algorithm=algorithm, clock=clock)
    remaining = [store.hit("a", quota=5, window=60).remaining for _ in range(5)]
    assert remaining == [4, 3, 2, 1, 0]
    refused = store.hit("a", quota=5, window=60)
    assert not refused.allowed
    assert 0 < refused.retry_after <= 120
    assert store.hit("b", quota=5, window=60).allowed


@pytest.mark.parametrize("algorithm", ["sliding", "bucket"])
@given(data=st.data())
def test_retry_after_is_the_truth(algorithm: Literal["sliding", "bucket"], data: st.DataObject) -> None:
    """Whoever waits as long as told is allowed, and whoever comes sooner is not."""
    clock = Clock()
    clock.now = data.draw(st.floats(1000, 2000))
    store = MemoryRateLimitStore(algorithm=algorithm, clock=clock)
    quota = data.draw(st.integers(1, 20))
    window = data.draw(st.sampled_from([1.0, 7.0, 60.0]))
    for pause in data.draw(st.lists(st.floats(0, 10), max_size=30)):
        clock.now += pause
        store.hit("a", quota=quota, window=window)
    verdict = store.hit("a", quota=quota, window=window)
    if verdict.allowed:
        assert verdict.retry_after == 0
        return
    clock.now += verdict.retry_after * 0.98
    if verdict.retry_after > 0.01:
        assert not store.hit("a", quota=quota, window=window).allowed
    clock.now += verdict.retry_after * 0.02 + 0.001
    assert store.hit("a", quota=quota, window=window).allowed


@given(st.integers(1, 10), st.lists(st.floats(0, 30), max_size=120))
def test_a_bucket_never_gives_more_than_it_holds(quota: int, pauses: list[float]) -> None:
    """In any stretch of time a bucket allows at most its quota and what was refilled in it."""
    clock, allowed = Clock(), []
    store = MemoryRateLimitStore(algorithm="bucket", clock=clock)
    for pause in pauses:
        clock.now += pause
        if store.hit("a", quota=quota, window=60).allowed:
            allowed.append(clock.now)
    for first in range(len(allowed)):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= quota + (allowed[last] - allowed[first]) * quota / 60 + 1e-6


@given(st.integers(1, 10), st.lists(st.floats(0, 30), max_size=120))
def test_a_sliding_window_never_gives_more_than_the_quota_in_its_own_windows(quota: int, pauses: list[float]) -> None:
    """No window that begins on a multiple of its length has more than the quota."""
    clock, counts = Clock(), {}
    store = MemoryRateLimitStore(clock=clock)
    for pause in pauses:
        clock.now += pause
        if store.hit("a", quota=quota, window=60).allowed:
            counts[clock.now // 60] = counts.get(clock.now // 60, 0) + 1
    assert all(count <= quota for count in counts.values())


def test_the_last_window_fades(clock: Clock) -> None:
    """At the turn of a window what was used in the last one still counts, and fades evenly."""
    clock.now = 59.0
    store = MemoryRateLimitStore(clock=clock)
    for _ in range(10):
        store.hit("a", quota=10, window=60)
    clock.now = 61.0
    assert not store.hit("a", quota=10, window=60).allowed
    clock.now = 90.0
    assert store.hit("a", quota=10, window=60).remaining == 4
    clock.now = 1000.0
    assert store.hit("a", quota=10, window=60).remaining == 9


@pytest.mark.parametrize("algorithm", ["sliding", "bucket"])
def test_costs(algorithm: Literal["sliding", "bucket"], clock: Clock) -> None:
    """An expensive request counts for several; one that costs more than the quota is never allowed."""
    store = MemoryRateLimitStore(algorithm=algorithm, clock=clock)
    assert store.hit("a", quota=10, window=60, cost=7).remaining == 3
    assert not store.hit("a", quota=10, window=60, cost=7).allowed
    assert store.hit("a", quota=10, window=60, cost=3).allowed
    assert store.hit("b", quota=10, window=60, cost=11).retry_after == math.inf


def test_the_store_is_bounded() -> None:
    """A flood of clients does not fill the memory: the one that was idle longest is forgotten."""
    store = MemoryRateLimitStore(maximum=100)
    for number in range(10_000):
        store.hit(f"flood-{number}", quota=5, window=60)
        store.hit("busy", quota=20_000, window=86400)
    assert len(store) == 100
    assert store.hit("busy", quota=20_000, window=86400).remaining < 10_000
    store.clear()
    assert len(store) == 0


def test_stores_are_checked() -> None:
    """An algorithm that there is not, and a store for nobody, are refused."""
    with pytest.raises(ConfigurationError, match="DJN-744"):
        MemoryRateLimitStore(algorithm="leaky")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="DJN-744"):
        MemoryRateLimitStore(maximum=0)
    with pytest.raises(ConfigurationError, match="DJN-744"):
        RateLimitGuard("5/minute", key="user")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
        ("testclient", "testclient"),
    ],
)
def test_clients_are_counted_by_network(address: str, name: str) -> None:
    """A customer with a network of IPv6 addresses is one client."""
    assert client_network(build(client=(address, 1))) == name
    assert client_network(build(client=None)) is None


# ── the guard ──


def test_headers_say_how_it_stands() -> None:
    """Each answer carries policy and state; the refusal says when to come back."""
    guard = RateLimitGuard("2/minute", store=None)
    request = build()
    guard(request)
    response = finish(request)
    assert response.headers["ratelimit-policy"] == '"default";q=2;w=60'
    state = response.headers["ratelimit"]
    assert state.startswith('"default";r=1;t=')
    assert 1 <= int(state.rpartition("=")[2]) <= 60
    guard(build())
    refused = build()
    with pytest.raises(TooManyRequests) as caught:
        guard(refused)
    headers = dict(caught.value.headers)
    assert headers["ratelimit"].startswith('"default";r=0;t=')
    assert int(headers["retry-after"]) >= 1
    assert "retry-after" not in finish(refused).headers


def test_several_limits_tell_of_the_tightest() -> None:
    """With two limits the policy names both, and the state is that of the one that is nearer to its end."""
    guard = RateLimitGuard("10/second, 3/hour")
    for _ in range(3):
        request = build()
        guard(request)
    response = finish(request)
    assert response.headers["ratelimit-policy"] == '"limit1";q=10;w=1, "limit2";q=3;w=3600'
    assert response.headers["ratelimit"].startswith('"limit2";r=0;')
    with pytest.raises(TooManyRequests) as caught:
        guard(build())
    assert int(dict(caught.value.headers)["retry-after"]) > 1


def test_clients_and_routes_are_counted_apart() -> None:
    """Another client, and another route, has its own count; `key="route"` counts all clients together."""
    guard = RateLimitGuard("1/minute")
    guard(build())
    guard(build(client=("192.0.2.8", 1)))
    guard(build(path="/other"))
    with pytest.raises(TooManyRequests):
        guard(build())
    together = RateLimitGuard("1/minute", key="route")
    together(build())
    with pytest.raises(TooManyRequests):
        together(build(client=("192.0.2.8", 1)))


async def test_keys_of_ones_own() -> None:
    """A function names who is counted, sync or async; `None` is not counted."""

    async def by_key(request: Request) -> str | None:
        return request.headers.get("x-api-key")

    guard = RateLimitGuard("1/minute", key=by_key)
    await settle(guard(build(headers={"X-Api-Key": "a"})))
    await settle(guard(build(headers={"X-Api-Key": "b"})))
    for _ in range(3):
        await settle(guard(build()))
    with pytest.raises(TooManyRequests):
        await settle(guard(build(headers={"X-Api-Key": "a"})))
    quick = RateLimitGuard("1/minute", key=lambda request: None)
    for _ in range(3):
        assert quick(build()) is None


class Store:
    """A store that is asked over the network, or down."""

    def __init__(self, verdict: RateVerdict | Exception) -> None:
        self.verdict = verdict
        self.calls: list[dict[str, Any]] = []

    async def hit(self, key: str, /, *, quota: int, window: float, cost: int = 1) -> RateVerdict:
        self.calls.append({"key": key, "quota": quota, "window": window, "cost": cost})
        await asyncio.sleep(0)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


async def test_a_shared_store() -> None:
    """A store elsewhere is awaited, and its verdict is the one that counts; the app's is used where none is given."""
    store = Store(RateVerdict(False, 0, 9.2, 9.2))
    guard = RateLimitGuard("5/minute", scope="login", cost=2)
    with pytest.raises(TooManyRequests) as caught:
        await settle(guard(build(rate_limits=store)))
    assert dict(caught.value.headers)["retry-after"] == "10"
    assert store.calls == [{"key": "login:192.0.2.7:0", "quota": 5, "window": 60.0, "cost": 2}]
    mine = Store(RateVerdict(True, 4, 60, 0))
    await settle(RateLimitGuard("5/minute", store=mine)(build(rate_limits=store)))
    assert len(mine.calls) == 1
    assert len(store.calls) == 1


async def test_a_store_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    """When the store fails the limit is held in memory, let go or refused, as the app said; it is logged."""
    down = Store(ConnectionError("gone"))
    local = RateLimitGuard("1/minute", store=down)
    await settle(local(build()))
    with pytest.raises(TooManyRequests):
        await settle(local(build()))
    allow = RateLimitGuard("1/minute", store=down, on_error="allow")
    for _ in range(3):
        await settle(allow(build()))
    with pytest.raises(TooManyRequests):
        await settle(RateLimitGuard("1/minute", store=down, on_error="refuse")(build()))
    assert "store of rate limits failed" in caplog.text


async def test_the_middleware_counts_all_routes_together() -> None:
    """A limit on the app counts whatever path is asked for, and its refusal keeps the handler from running."""
    limit = RateLimit("2/minute")
    for path in ("/a", "/b"):
        request = build(path=path)
        response = finish(request, await limit(request, handler()))
        assert "ratelimit" in response.headers
    with pytest.raises(TooManyRequests):
        await limit(build(path="/c"), handler())
    slow = RateLimit("2/minute", store=Store(RateVerdict(True, 1, 60, 0)))
    request = build()
    assert "ratelimit" in finish(request, await slow(request, handler())).headers


async def test_the_nearer_limit_is_told() -> None:
    """Where app and route both limit, the route's state is told; a refusal by the route is not overwritten."""
    outer, inner = RateLimit("100/minute"), RateLimitGuard("1/minute")

    async def route(request: Request) -> Response:
        inner(request)
        return Response("ok")

    request = build()
    response = finish(request, await outer(request, route))
    assert response.headers["ratelimit-policy"] == '"default";q=1;w=60'
    request = build()
    with pytest.raises(TooManyRequests) as caught:
        await outer(request, route)
    refusal = Response("", 429, caught.value.headers)
    assert finish(request, refusal).headers["ratelimit-policy"] == '"default";q=1;w=60'


def test_the_decorator_marks_and_returns_the_function() -> None:
    """`@rate_limit` leaves a guard for the compiler, and the function as it was; each function has its own count."""

    @rate_limit("1/minute")
    def first() -> str:
        return "first"

    @rate_limit("1/minute")
    def second() -> str:
        return "second"

    assert first() == "first"
    (one,), (two,) = marks_of(first).guards, marks_of(second).guards
    one(build())
    two(build())
    with pytest.raises(TooManyRequests):
        one(build())
