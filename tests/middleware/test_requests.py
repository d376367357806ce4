"""Request ids, https, body limits, timeouts, cache control and tags."""

import asyncio
import logging
import os
from datetime import timedelta
from typing import Any

import pytest

from demijohn.errors import (
    BadRequest,
    ConfigurationError,
    ContentTooLarge,
    Forbidden,
    PreconditionFailed,
    ServiceUnavailable,
)
from demijohn.http import DEFAULT_LIMITS, Limits, Request, Response, StreamResponse
from demijohn.middleware import (
    AutoETag,
    BodyLimitGuard,
    HTTPSRedirect,
    RequestID,
    Timeout,
    TooLate,
    TrustedProxies,
    body_limit,
    cache_control,
    guards_for,
    keep_private,
    mark,
    marks_of,
    never_cache,
    request_id,
)
from demijohn.middleware.exchange import before_sending, exchange_of
from demijohn.middleware.limits import parse_size
from demijohn.middleware.marks import Marks
from tests.middleware.conftest import build, finish, handler

# ── request ids ──


async def named(request: Request, by: RequestID) -> str:
    return finish(request, await by(request, handler())).headers[by.header]


async def test_each_request_has_a_name_of_its_own() -> None:
    """No two requests have the same name, and handlers see the one that is sent."""
    names = set()
    for _ in range(100):
        request = build()
        name = await named(request, RequestID())
        assert request_id(request) == name
        names.add(name)
    assert len(names) == 100


async def test_a_client_cannot_choose_its_name() -> None:
    """The name that a client sends is ignored; that of a trusted proxy is kept."""
    headers = {"X-Request-ID": "abc-123"}
    assert await named(build(headers=headers), RequestID()) != "abc-123"
    proxies = TrustedProxies(["10.0.0.1"])
    assert await named(build(headers=headers), RequestID(trusted=proxies)) != "abc-123"
    direct = build(headers=headers, client=("10.0.0.1", 1))
    assert await named(direct, RequestID(trusted=proxies)) == "abc-123"
    forwarded = build(headers=headers | {"X-Forwarded-For": "203.0.113.9"}, client=("10.0.0.1", 1))
    proxies(forwarded)
    assert await named(forwarded, RequestID(trusted=proxies)) == "abc-123"


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "x" * 129, "é", '"', "a;b", "<script>", "a,b", "%0a"])
async def test_a_name_must_be_fit_for_a_log(name: str) -> None:
    """A name with spaces, control characters or other letters is not kept, whoever sends it."""
    trusted = RequestID(trusted=TrustedProxies(["10.0.0.1"]))
    assert await named(build(headers={"X-Request-ID": name}, client=("10.0.0.1", 1)), trusted) != name


async def test_two_names_are_none() -> None:
    """Two headers are ambiguous, and neither is kept; another header may be used."""
    trusted = RequestID(trusted=TrustedProxies(["10.0.0.1"]), header="X-Correlation-ID")
    doubled = [("x-correlation-id", "a"), ("x-correlation-id", "b")]
    assert await named(build(headers=doubled, client=("10.0.0.1", 1)), trusted) not in ("a", "b")
    single = build(headers={"X-Correlation-ID": "a"}, client=("10.0.0.1", 1))
    assert await named(single, trusted) == "a"


def test_forked_workers_do_not_repeat_names() -> None:
    """A worker that was forked begins names of its own."""
    here = request_id(build())
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - the child
        os.write(write, request_id(build()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    there = os.read(read, 200).decode()
    assert there.partition("-")[0] != here.partition("-")[0]
    os.close(read)
    os.close(write)


# ── https ──


async def ask_http(path: str = "/a?b=1", **more: Any) -> Response:
    request = build(path=path, **({"scheme": "http"} | more))
    return await HTTPSRedirect()(request, handler())


async def test_pages_go_to_https() -> None:
    """GET and HEAD are redirected for good, with path and query; the port of http is left out."""
    for method in ("GET", "HEAD"):
        response = await ask_http(method=method, host="example.org:8080")
        assert response.status == 308
        assert response.headers["location"] == "https://example.org/a?b=1"
    response = HTTPSRedirect(port=8443).redirect(build(scheme="http", host="Example.org"))
    assert response is not None
    assert response.headers["location"] == "https://example.org:8443/"


async def test_data_is_refused() -> None:
    """What carries data is not redirected but refused: its secrets were on the wire already."""
    for method in ("POST", "PUT", "DELETE"):
        with pytest.raises(Forbidden) as caught:
            await ask_http(method=method)
        assert caught.value.extensions == {"code": "https_required"}


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:80", "a.localhost"])
async def test_this_machine_and_probes_stay(host: str) -> None:
    """Names of this machine answer by http, and so do the paths of probes."""
    assert (await ask_http(host=host)).status == 200
    assert (await ask_http("/livez")).status == 200
    assert (await ask_http(scheme="https")).status == 200


async def test_no_loop_behind_an_unknown_proxy(caplog: pytest.LogCaptureFixture) -> None:
    """Where a proxy that is not trusted ended the TLS there is no redirect, and the log says what to write, once."""
    redirect = HTTPSRedirect()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert redirect.redirect(build(scheme="http", headers={"X-Forwarded-Proto": "https"})) is None
    assert caplog.text.count("TRUSTED_PROXIES") == 1


def test_a_path_cannot_redirect_elsewhere() -> None:
    """A path that looks like a host stays a path."""
    request = build(path="//evil.example/x", scheme="http")
    response = HTTPSRedirect().redirect(request)
    assert response is not None
    assert response.headers["location"].startswith("https://example.org//evil.example/x")


# ── limits ──


def test_announced_bodies() -> None:
    """A body up to the limit is let through, one byte more is not, and none at all is fine."""
    guard = BodyLimitGuard(Limits(body=100))
    guard(build("POST", headers={"Content-Length": "100"}))
    guard(build("POST"))
    with pytest.raises(ContentTooLarge) as caught:
        guard(build("POST", headers={"Content-Length": "101"}))
    assert caught.value.extensions == {"limit": 100}
    for length in ("0", "99", "0000100"):
        guard(build("POST", headers={"Content-Length": length}))
    for length in ("0101", "999", "1000"):
        with pytest.raises(ContentTooLarge):
            guard(build("POST", headers={"Content-Length": length}))


@pytest.mark.parametrize("length", ["-1", "+1", "1_0", " 1", "1 ", "0x10", "1.0", "", "٣", "9" * 19, "1,1"])
def test_lengths_that_are_none(length: str) -> None:
    """A length that is not digits is refused: parsers disagree about it, and smugglers use that."""
    with pytest.raises(BadRequest):
        BodyLimitGuard(DEFAULT_LIMITS)(build("POST", headers=[("content-length", length.encode())]))


def test_two_lengths() -> None:
    """Two lengths are refused, whether they say the same or not."""
    guard = BodyLimitGuard(DEFAULT_LIMITS)
    for second in ("1", "2"):
        with pytest.raises(BadRequest):
            guard(build("POST", headers=[("content-length", "1"), ("content-length", second)]))


def test_limits_reach_the_request() -> None:
    """The limits of the guard become those of the request, where they are not its own anyway."""
    limits = Limits(body=7)
    request = build("POST")
    BodyLimitGuard(limits)(request)
    assert request.limits is limits
    request = build("POST")
    BodyLimitGuard(limits, default=True)(request)
    assert request.limits is DEFAULT_LIMITS


def test_a_route_has_its_own_limit() -> None:
    """`@body_limit` takes the place of the app's limit, with a time where it is given."""

    @body_limit("1 KiB", time=5)
    def upload() -> None: ...

    app_wide = BodyLimitGuard(DEFAULT_LIMITS, default=True)
    (guard,) = guards_for(["POST"], [app_wide], marks=marks_of(upload))
    assert isinstance(guard, BodyLimitGuard)
    assert (guard.limits.body, guard.limits.file_size, guard.limits.body_time) == (1024, 1024, 5)
    assert guards_for(["GET"], [app_wide]) == ()


@pytest.mark.parametrize(
    ("size", "amount"),
    [(0, 0), (17, 17), ("17", 17), ("1 KB", 1000), ("1KiB", 1024), ("2.5 MiB", 2621440), ("1gb", 10**9), ("5 b", 5)],
)
def test_sizes_are_read(size: int | str, amount: int) -> None:
    """Numbers and the usual units are read."""
    assert parse_size(size) == amount


@pytest.mark.parametrize("size", [-1, "", "MB", "1 TBB", "one", "-1 KB", "nan", "inf", "1 2", float("nan")])
def test_nonsense_is_no_size(size: int | str) -> None:
    """What is no size is refused where it is written."""
    with pytest.raises(ConfigurationError, match="DJN-744"):
        body_limit(size)


async def test_timeouts() -> None:
    """A handler that takes too long is cancelled and answered with 503; one of its own timeouts is not swallowed."""
    cancelled = asyncio.Event()

    async def slow(request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    with pytest.raises(ServiceUnavailable) as caught:
        await Timeout(0.01, retry_after=7)(build(), slow)
    assert caught.value.headers == [("retry-after", "7")]
    assert cancelled.is_set()

    async def fails(request: Request) -> Response:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await Timeout(10)(build(), fails)
    assert (await Timeout(10)(build(), handler())).status == 200
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ConfigurationError, match="DJN-744"):
            Timeout(wrong)


# ── what caches may keep ──


def kept(function: Any, response: Response, *, personal: bool = False) -> str | None:
    request = build()
    for hook in marks_of(function).hooks:
        hook(request, response)
    if personal:
        keep_private(request, "Cookie", "Authorization")
    return finish(request, response).headers.get("cache-control")


def test_cache_control_marks() -> None:
    """The decorator returns the function; the header is set on success, unless the handler set its own."""

    @cache_control(public=True, max_age=timedelta(minutes=5), stale_while_revalidate=60)
    def prices() -> str:
        return "prices"

    assert prices() == "prices"
    assert kept(prices, Response("x")) == "public, max-age=300, stale-while-revalidate=60"
    assert kept(prices, Response("x", 404)) is None
    assert kept(prices, Response("x", headers={"Cache-Control": "no-cache"})) == "no-cache"


def test_what_is_personal_is_never_public() -> None:
    """An answer for which something personal was read is private, whatever the decorator says."""

    @cache_control(public=True, max_age=300, s_maxage=600)
    def prices() -> None: ...

    assert kept(prices, Response("x"), personal=True) == "private, max-age=300"

    @cache_control(s_maxage=600)
    def shared() -> None: ...

    assert kept(shared, Response("x"), personal=True) == "private"

    @cache_control(no_store=True)
    def secret() -> None: ...

    assert kept(secret, Response("x"), personal=True) == "no-store"
    assert kept(never_cache(lambda: None), Response("x")) == "no-store"


def test_personal_answers_vary() -> None:
    """A personal answer that says nothing is private and varies by what it was made from."""
    request = build()
    keep_private(request)
    keep_private(request, "Authorization")
    keep_private(request, "Authorization")
    response = finish(request)
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["vary"] == "Cookie, Authorization"


def test_contradictions_are_refused() -> None:
    """Directives that say opposite things are refused where they are written."""
    for directives in (
        {"public": True, "private": True},
        {"no_store": True, "max_age": 1},
        {"private": True, "s_maxage": 1},
        {"max_age": -1},
        {"forever": True},
    ):
        with pytest.raises(ConfigurationError):
            cache_control(**directives)  # type: ignore[arg-type]


async def test_tags() -> None:
    """A body gets a tag that is the same for the same bytes; a client that has them gets 304 without a body."""
    first = await AutoETag()(build(), handler(Response("hello")))
    tag = first.headers["etag"]
    assert tag == (await AutoETag()(build(), handler(Response("hello")))).headers["etag"]
    assert tag != (await AutoETag()(build(), handler(Response("other")))).headers["etag"]
    again = await AutoETag()(build(headers={"If-None-Match": f'"x", W/{tag}'}), handler(Response("hello")))
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    with pytest.raises(PreconditionFailed):
        await AutoETag()(build(headers={"If-Match": '"x"'}), handler(Response("hello")))


async def test_what_gets_no_tag() -> None:
    """Changes, errors, streams, empty and huge bodies and what is not stored get no tag."""

    async def pieces() -> Any:
        yield b"x"

    for request, response in (
        (build("POST"), Response("x")),
        (build(), Response("x", 404)),
        (build(), Response("")),
        (build(), Response("x" * 100)),
        (build(), Response("x", headers={"Cache-Control": "no-store"})),
        (build(), StreamResponse(pieces())),
    ):
        after = await AutoETag(maximum=50)(request, handler(response))
        assert "etag" not in after.headers
        if isinstance(after, StreamResponse):
            await after.aclose()
    own = await AutoETag()(build(), handler(Response("x", headers={"ETag": '"mine"'})))
    assert own.headers["etag"] == '"mine"'


# ── notes and marks ──


def test_promises_are_kept_in_order() -> None:
    """What was promised during a request is done to its response, once, in order; later promises say so."""
    request = build()
    done: list[int] = []
    before_sending(request, lambda response: done.append(1))
    before_sending(request, lambda response: done.append(2))
    finish(request)
    assert done == [1, 2]
    with pytest.raises(TooLate, match="DJN-742"):
        before_sending(request, lambda response: done.append(3))
    assert exchange_of(request) is exchange_of(request)


def test_marks_add_up() -> None:
    """Marks of a class and its method, and those behind a partial, are read together; other things have none."""
    from functools import partial

    class Both:
        def post(self) -> None: ...

    mark(Both).exempt.add("csrf")
    mark(Both.post).exempt.add("body_limit")
    assert marks_of(Both, Both.post).exempt == {"csrf", "body_limit"}
    assert marks_of(partial(Both.post)).exempt == {"body_limit"}
    assert not marks_of(object(), 3, lambda: None)
    assert marks_of(Both)
    assert not Marks()

    class Below(Both): ...

    assert marks_of(Below).exempt == {"csrf"}
    mark(Below).exempt.add("hosts")
    assert marks_of(Both).exempt == {"csrf"}
