"""The types that a checker sees for guards, decorators and policies."""

from collections.abc import Awaitable, Callable
from typing import assert_type

from demijohn.http import Request, Response
from demijohn.middleware import (
    CORS,
    Compression,
    ContentSecurityPolicy,
    CSRFGuard,
    Guard,
    HostGuard,
    MemoryRateLimitStore,
    Middleware,
    RateLimit,
    RateLimitGuard,
    SecurityHeaders,
    body_limit,
    cache_control,
    csrf_exempt,
    csrf_token,
    rate_limit,
    security_headers,
)
from demijohn.types import MaybeAwaitable, RateLimitStore, RateVerdict


@csrf_exempt
@rate_limit("5/minute")
@cache_control(public=True, max_age=60)
@body_limit("1 MB")
@security_headers(referrer_policy="no-referrer")
async def handler(name: str, *, count: int = 0) -> list[str]:
    return [name] * count


async def decorators_keep_the_type() -> None:
    assert_type(await handler("a", count=1), list[str])
    await handler(1)  # type: ignore[arg-type]


def directives_are_checked() -> None:
    assert_type(SecurityHeaders().allow(img_src="data:"), SecurityHeaders)
    assert_type(ContentSecurityPolicy(default_src=["self"]).sources("default-src"), tuple[str, ...] | None)
    ContentSecurityPolicy(scriptsrc="self")  # type: ignore[call-arg]
    SecurityHeaders(referrer_policy="same")  # type: ignore[arg-type]
    cache_control(maxage=1)  # type: ignore[call-arg]


def guards_are_guards(hosts: HostGuard, csrf: CSRFGuard, rates: RateLimitGuard, request: Request) -> list[Guard]:
    assert_type(csrf(request), Awaitable[None] | None)
    assert_type(csrf_token(request), str)
    return [hosts, csrf, rates]


def middleware_is_middleware() -> list[Middleware]:
    return [CORS("*"), Compression(), RateLimit("1/s")]


class AsyncStore:
    async def hit(self, key: str, /, *, quota: int, window: float, cost: int = 1) -> RateVerdict:
        return RateVerdict(True, quota, window, 0)


def stores_are_stores() -> list[RateLimitStore]:
    return [MemoryRateLimitStore(), AsyncStore()]


def a_key_may_be_async(key: Callable[[Request], MaybeAwaitable[str | None]]) -> None:
    rate_limit("1/s", key=key)
    rate_limit("1/s", key=lambda request: request.headers.get("x-api-key"))
    rate_limit("1/s", key="user")  # type: ignore[arg-type]


async def my_middleware(request: Request, next: Callable[[Request], Awaitable[Response]]) -> Response:  # noqa: A002
    return await next(request)


works: Middleware = my_middleware
