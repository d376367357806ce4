"""Rate limits: how often a client may ask, and the standard headers that tell it."""

import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from demijohn._lib.later import inspect, logger_of
from demijohn._lib.translation import gettext, ngettext
from demijohn.errors import ConfigurationError, TooManyRequests
from demijohn.http import Request, Response
from demijohn.middleware.exchange import exchange_of
from demijohn.middleware.marks import Next, mark
from demijohn.types import MaybeAwaitable, RateLimitStore, RateVerdict

__all__ = [
    "MemoryRateLimitStore",
    "Rate",
    "RateLimit",
    "RateLimitGuard",
    "RateLimitKey",
    "client_network",
    "parse_rates",
    "rate_limit",
]

F = TypeVar("F", bound=Callable[..., Any])

RateLimitKey: TypeAlias = Callable[[Request], MaybeAwaitable[str | None]]
"""Names who is counted; `None` is not counted."""

_UNITS = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}

logger = logger_of("demijohn.security")


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    quota: int
    window: float


def parse_rates(text: str, /) -> tuple[Rate, ...]:
    """Read limits: `"5/minute"`, `"100 per hour"`, `"10/30s"`.

    Several stand with a comma or a semicolon between them.

    Raises:
        ConfigurationError: It is no limit (`DJN-744`).

    Example:
        >>> parse_rates("5/second, 100/10 minutes")
        (Rate(quota=5, window=1.0), Rate(quota=100, window=600.0))
    """
    rates = []
    for part in text.replace(";", ",").split(","):
        quota, slash, period = part.replace(" per ", "/").partition("/")
        period = period.strip()
        number = period[: len(period) - len(period.lstrip("0123456789."))]
        unit = period[len(number) :].strip().lower()
        unit = unit if unit in _UNITS else unit.removesuffix("s")
        try:
            rate = Rate(int(quota.strip()), float(number or 1) * _UNITS[unit])
        except (KeyError, ValueError):
            rate = Rate(0, 0.0)
        if not slash or rate.quota < 1 or not 0 < rate.window <= 31 * 86400:
            raise ConfigurationError(
                f"{text!r} is no rate limit.",
                why="A limit is a number of requests and a time: seconds, minutes, hours or days.",
                fix='Write:  rate_limit("5/minute")   or   rate_limit("10/second, 1000/hour")',
                code="DJN-744",
            )
        rates.append(rate)
    return tuple(rates)


class MemoryRateLimitStore:
    """Counts in the memory of this process, for at most `maximum` keys.

    Each worker counts by itself, so that a limit holds times the number of workers; a store in Redis counts for all.
    When it is full, the key that was used longest ago is forgotten.

    Args:
        algorithm: `"sliding"` weighs the last window by what of it still counts, so that no window has more than the
            quota, as long as requests come evenly. `"bucket"` refills evenly: a burst of the quota, then as it refills.
        maximum: The most keys that are kept.
        clock: Returns seconds; monotonic, so that a clock that is set does not open or close the limit.
    """

    __slots__ = ("_clock", "_counts", "_hit", "_maximum")

    def __init__(
        self,
        *,
        algorithm: Literal["sliding", "bucket"] = "sliding",
        maximum: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if algorithm not in ("sliding", "bucket") or maximum < 1:
            raise ConfigurationError(
                f"MemoryRateLimitStore(algorithm={algorithm!r}, maximum={maximum!r}) cannot count.",
                why='The algorithms are "sliding" and "bucket", and at least one key must be kept.',
                fix='Write:  MemoryRateLimitStore(algorithm="sliding")',
                code="DJN-744",
            )
        self._hit = self._slide if algorithm == "sliding" else self._pour
        self._maximum = maximum
        self._clock = clock
        self._counts: dict[str, tuple[float, float, float]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def hit(self, key: str, /, *, quota: int, window: float, cost: int = 1) -> RateVerdict:
        """Count `cost` requests under a key, unless that passes `quota` in `window`.

        `window` is in seconds; the verdict says how it stands.
        """
        verdict = self._hit(key, quota, window, cost)
        if len(self._counts) > self._maximum:
            del self._counts[next(iter(self._counts))]
        return verdict

    def clear(self) -> None:
        """Forget everybody."""
        self._counts.clear()

    def _slide(self, key: str, quota: int, window: float, cost: int) -> RateVerdict:
        now = self._clock()
        start = now - now % window
        begun, current, previous = self._counts.pop(key, (start, 0.0, 0.0))
        if begun != start:
            previous = current if start - begun <= window * 1.5 else 0.0
            begun, current = start, 0.0
        left = window - (now - start)
        used = current + previous * left / window
        allowed = used + cost <= quota
        if allowed:
            current += cost
            used += cost
        self._counts[key] = (begun, current, previous)
        remaining = max(0, math.floor(quota - used + 1e-9))
        if allowed:
            return RateVerdict(True, remaining, left, 0.0)
        if cost > quota:
            return RateVerdict(False, remaining, left, math.inf)
        if current + cost <= quota:
            wait = left - (quota - current - cost) * window / previous
        else:
            # In the next window what was counted in this one fades away.
            wait = left + window - (quota - cost) * window / current
        return RateVerdict(False, remaining, left, max(0.0, wait))

    def _pour(self, key: str, quota: int, window: float, cost: int) -> RateVerdict:
        now = self._clock()
        level, seen, _ = self._counts.pop(key, (float(quota), now, 0.0))
        level = min(float(quota), level + (now - seen) * quota / window)
        allowed = cost <= level + 1e-9
        if allowed:
            level -= cost
        self._counts[key] = (level, now, 0.0)
        remaining = max(0, math.floor(level + 1e-9))
        wait = 0.0 if allowed else math.inf if cost > quota else (cost - level) * window / quota
        return RateVerdict(allowed, remaining, (quota - level) * window / quota, wait)


def client_network(request: Request) -> str | None:
    """Name the client by its address, or by its network of 64 bits in IPv6.

    `None`, which is not counted, for a client on a Unix socket without a trusted proxy.
    """
    client = request.client
    if client is None:
        return None
    host = client[0]
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


class RateLimitGuard:
    """Answers 429 when a client asks more often than a limit allows.

    Every answer says how it stands, in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10);
    429 has `Retry-After`.

    Args:
        rates: As `parse_rates` reads them.
        key: Who is counted: `"client"` for the address, `"route"` for all clients of a route together, or a function.
        scope: What is counted together; each scope has its own counts. The route where it is not given.
        store: Where it is counted; the app's `rate_limits`, or else the memory of this process.
        cost: How many requests each one counts for.
        on_error: When the store fails: count in memory (`"local"`), let it pass (`"allow"`), or refuse (`"refuse"`).

    Raises:
        ConfigurationError: The rates cannot be read, or `key` is unknown (`DJN-744`).
    """

    __slots__ = ("_cost", "_key", "_local", "_on_error", "_policy", "_rates", "_scope", "_store")

    name = "rate_limit"

    def __init__(
        self,
        rates: str,
        *,
        key: Literal["client", "route"] | RateLimitKey = "client",
        scope: str = "",
        store: RateLimitStore | None = None,
        cost: int = 1,
        on_error: Literal["local", "allow", "refuse"] = "local",
    ) -> None:
        self._rates = parse_rates(rates)
        if key == "client":
            self._key: RateLimitKey = client_network
        elif key == "route":
            self._key = lambda request: "*"
        elif callable(key):
            self._key = key
        else:
            raise ConfigurationError(
                f"A rate limit was told key={key!r}.",
                why='Counted are "client" (the address), "route" (all together), or what a function returns.',
                fix='Write:  rate_limit("5/minute", key=lambda request: request.headers.get("x-api-key"))',
                code="DJN-744",
            )
        self._scope = scope
        self._store = store
        self._local = MemoryRateLimitStore()
        self._cost = cost
        self._on_error = on_error
        names = _names(len(self._rates))
        self._policy = ", ".join(
            f'"{name}";q={rate.quota};w={math.ceil(rate.window)}' for name, rate in zip(names, self._rates, strict=True)
        )

    def applies(self, methods: frozenset[str]) -> bool:
        """Every route that asks for it."""
        return True

    def __call__(self, request: Request) -> Awaitable[None] | None:
        """Count the request; an awaitable where the key or the store needs one.

        Raises:
            TooManyRequests: The limit is reached.
        """
        key = self._key(request)
        store: RateLimitStore | None = self._store or getattr(request.app, "rate_limits", None)
        if inspect.isawaitable(key) or store is not None:
            return self._count(request, key, store)
        if key is not None:
            place = self._place(request, key)
            verdicts = [
                self._local.hit(f"{place}:{number}", quota=rate.quota, window=rate.window, cost=self._cost)
                for number, rate in enumerate(self._rates)
            ]
            self._judge(request, verdicts)
        return None

    async def _count(self, request: Request, key: MaybeAwaitable[str | None], store: RateLimitStore | None) -> None:
        name = await key if inspect.isawaitable(key) else key
        if name is None:
            return
        place = self._place(request, name)
        verdicts = []
        for number, rate in enumerate(self._rates):
            count: dict[str, Any] = {"quota": rate.quota, "window": rate.window, "cost": self._cost}
            where = f"{place}:{number}"
            try:
                verdict = (store or self._local).hit(where, **count)
                if inspect.isawaitable(verdict):
                    verdict = await verdict
            except Exception:
                logger.exception("The store of rate limits failed; on_error=%r", self._on_error)
                if self._on_error == "allow":
                    return
                if self._on_error == "refuse":
                    raise TooManyRequests(
                        gettext("Requests cannot be counted at the moment."), headers=[("retry-after", "5")]
                    ) from None
                verdict = self._local.hit(where, **count)
            verdicts.append(verdict)
        self._judge(request, verdicts)

    def _place(self, request: Request, key: str) -> str:
        scope = self._scope
        if not scope:
            route = request.route
            scope = getattr(route, "name", None) or getattr(route, "pattern", None) or request.path
        return f"{scope}:{key}"

    def _judge(self, request: Request, verdicts: list[RateVerdict]) -> None:
        names = _names(len(verdicts))
        # The tightest limit is the one to tell.
        number = min(range(len(verdicts)), key=lambda place: (verdicts[place].allowed, verdicts[place].remaining))
        tightest = verdicts[number]
        until = tightest.reset if tightest.allowed else tightest.retry_after
        lines = [
            ("ratelimit-policy", self._policy),
            ("ratelimit", f'"{names[number]}";r={tightest.remaining};t={_seconds(until)}'),
        ]
        refused = [verdict.retry_after for verdict in verdicts if not verdict.allowed]
        if refused:
            wait = max(refused)
            raise TooManyRequests(
                ngettext(
                    "Too many requests. Try again in %(num)s second.",
                    "Too many requests. Try again in %(num)s seconds.",
                    _seconds(wait),
                ),
                headers=[*lines, ("retry-after", str(_seconds(wait)))],
            )
        exchange_of(request).finishers.append(lambda response: _tell(response, lines))


class RateLimit:
    """The limit of a whole app, as middleware: one count for all its routes.

    The arguments are those of `RateLimitGuard`.
    """

    __slots__ = ("guard",)

    def __init__(
        self,
        rates: str,
        *,
        key: Literal["client"] | RateLimitKey = "client",
        scope: str = "app",
        store: RateLimitStore | None = None,
        on_error: Literal["local", "allow", "refuse"] = "local",
    ) -> None:
        self.guard = RateLimitGuard(rates, key=key, scope=scope, store=store, on_error=on_error)

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Count the request and go on.

        Raises:
            TooManyRequests: The limit is reached.
        """
        waiting = self.guard(request)
        if waiting is not None:
            await waiting
        return await next(request)


def rate_limit(
    rates: str,
    *,
    key: Literal["client", "route"] | RateLimitKey = "client",
    scope: str = "",
    store: RateLimitStore | None = None,
    cost: int = 1,
    on_error: Literal["local", "allow", "refuse"] = "local",
) -> Callable[[F], F]:
    """Limit how often a handler may be asked.

    The arguments are those of `RateLimitGuard`.

    Raises:
        ConfigurationError: The rates cannot be read, or `key` is unknown (`DJN-744`).

    Example:
        ```python notest
        @app.post("/contact")
        @rate_limit("5/minute, 50/day")
        def contact(message: Message): ...
        ```
    """

    def decorate(function: F) -> F:
        place = scope or f"{function.__module__}.{function.__qualname__}"
        guard = RateLimitGuard(rates, key=key, scope=place, store=store, cost=cost, on_error=on_error)
        mark(function).guards.append(guard)
        return function

    return decorate


def _names(count: int) -> list[str]:
    return ["default"] if count == 1 else [f"limit{number}" for number in range(1, count + 1)]


def _seconds(wait: float) -> int:
    return 86400 if wait == math.inf else max(1, math.ceil(wait))


def _tell(response: Response, lines: list[tuple[str, str]]) -> None:
    # A refusal tells of the limit that refused.
    if response.status != 429:
        headers = response.headers
        for name, value in lines:
            headers[name] = value
