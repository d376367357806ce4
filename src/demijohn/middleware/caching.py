"""What browsers and shared caches may keep: `Cache-Control` and `ETag` for any handler (RFC 9111, RFC 9110)."""

from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from demijohn._lib.later import hashlib
from demijohn.http import CacheControl, CacheDirectives, Request, Response, StreamResponse, conditional
from demijohn.middleware.exchange import exchange_of
from demijohn.middleware.marks import Next, mark

__all__ = ["AutoETag", "cache_control", "never_cache"]

F = TypeVar("F", bound=Callable[..., Any])


def cache_control(**directives: Unpack[CacheDirectives]) -> Callable[[F], F]:
    """Say for a handler what caches may keep of its successful answers.

    A header that the handler sets itself stays. An answer for which the session, the user or a token was read is
    never made public by this: it says `private` instead, and loses `s-maxage`.

    Raises:
        ConfigurationError: Two directives contradict each other, or a time is negative (`DJN-747`).

    Example:
        ```python notest
        @app.get("/prices")
        @cache_control(public=True, max_age=300, stale_while_revalidate=60)
        def prices(): ...
        ```
    """
    wanted = CacheControl(**directives)
    personal = wanted
    if wanted.shared:
        kept: dict[str, Any] = {name: value for name, value in directives.items() if name not in ("public", "s_maxage")}
        personal = CacheControl(private=True, **kept)

    def hook(request: Request, response: Response) -> None:
        if response.status >= 400:
            return
        headers = response.headers
        if "cache-control" in headers:
            return
        # What comes after this hook may still read the session; the text is chosen at the very end.
        exchange_of(request).finishers.append(lambda final: _set(request, final))

    def _set(request: Request, response: Response) -> None:
        headers = response.headers
        if "cache-control" not in headers:
            headers["cache-control"] = str(personal if exchange_of(request).private else wanted)

    def decorate(function: F) -> F:
        mark(function).hooks.append(hook)
        return function

    return decorate


def never_cache(function: F) -> F:
    """Keep the answers of a handler out of every cache, the browser's too."""
    return cache_control(no_store=True)(function)


class AutoETag:
    """Gives answers to GET an `ETag` from their body, and 304 to who has it.

    It saves the way to the client, not the work of the handler: an `ETag` that the handler sets itself, before it
    works, saves both. Streams, files (they have their own) and bodies over `maximum` are left alone.

    Args:
        maximum: The largest body that is hashed, in bytes.
    """

    __slots__ = ("_maximum",)

    def __init__(self, *, maximum: int = 4 * 1024 * 1024) -> None:
        self._maximum = maximum

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Await the response, tag it, and hold it against the conditions of the request."""
        response = await next(request)
        if request.method not in ("GET", "HEAD") or response.status != 200:
            return response
        if isinstance(response, StreamResponse) or not 0 < len(response.body) <= self._maximum:
            return response
        headers = response.headers
        if "no-store" in headers.get("cache-control", ""):
            return response
        if "etag" not in headers:
            headers["etag"] = f'"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'
        return conditional(request, response)
